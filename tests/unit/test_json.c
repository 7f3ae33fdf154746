/* SPDX-License-Identifier: Apache-2.0 */
/* One struct with a field of every kind goes through parsing, checking, writing and freeing. */
#include "base/json.h"
#include "unit.h"

struct item {
	char *key; /* in a map: its name */
	char *name;
	int64_t value;
};
struct inner {
	int kind;
	char **words;
};
struct sample {
	char *str, *raw;
	bool flag;
	struct opt_bool opt_flag;
	int64_t i64;
	uint64_t u64;
	uint32_t u32;
	int32_t i32;
	struct opt_i64 oi64;
	struct opt_u64 ou64;
	struct opt_u32 ou32;
	struct opt_i32 oi32;
	int color;
	char **list;
	struct json_map map;
	struct inner *inner, in_place;
	JSON_LIST(struct item) items;
	JSON_LIST(struct item) named;
	struct json_u32s numbers;
};

static const char *const colors[] = { "red", "green", NULL };

static int check_item(const void *object, struct err *err)
{
	const struct item *item = object;

	if (item->value == 13)
		return json_fail(err, "value", "expected luck, got 13");
	return item->value == 14 ? json_fail(err, "", "expected another item") : 0;
}

static int check_sample(const void *object, struct err *err)
{
	const struct sample *s = object;

	if (s->i32 == 1)
		return json_fail(err, "i32", "expected no 1");
	return s->i32 == 2 ? json_fail(err, "", "expected another document") : 0;
}

static const struct json_field item_fields[] = {
	JSON_FIELD(struct item, name, "name", JSON_STR, .flags = JSON_REQUIRED | JSON_NOT_EMPTY),
	JSON_FIELD(struct item, value, "value", JSON_I64),
};
static const struct json_desc item_desc = JSON_DESC(struct item, item_fields, .check = check_item);
static const struct json_field inner_fields[] = {
	JSON_FIELD(struct inner, kind, "kind", JSON_ENUM, .names = colors),
	JSON_FIELD(struct inner, words, "words", JSON_STRV, .flags = JSON_NOT_EMPTY),
};
static const struct json_desc inner_desc = JSON_DESC(struct inner, inner_fields);
static const struct json_field sample_fields[] = {
	JSON_FIELD(struct sample, str, "str", JSON_STR),
	JSON_FIELD(struct sample, raw, "raw", JSON_RAW),
	JSON_FIELD(struct sample, flag, "flag", JSON_BOOL),
	JSON_FIELD(struct sample, opt_flag, "optFlag", JSON_OPT_BOOL),
	JSON_FIELD(struct sample, i64, "i64", JSON_I64),
	JSON_FIELD(struct sample, u64, "u64", JSON_U64),
	JSON_FIELD(struct sample, u32, "u32", JSON_U32),
	JSON_FIELD(struct sample, i32, "i32", JSON_I32),
	JSON_FIELD(struct sample, oi64, "oi64", JSON_OPT_I64),
	JSON_FIELD(struct sample, ou64, "ou64", JSON_OPT_U64),
	JSON_FIELD(struct sample, ou32, "ou32", JSON_OPT_U32),
	JSON_FIELD(struct sample, oi32, "oi32", JSON_OPT_I32),
	JSON_FIELD(struct sample, color, "color", JSON_ENUM, .names = colors),
	JSON_FIELD(struct sample, list, "list", JSON_STRV),
	JSON_FIELD(struct sample, map, "map", JSON_MAP),
	JSON_FIELD(struct sample, inner, "inner", JSON_OBJ, .desc = &inner_desc),
	JSON_FIELD(struct sample, in_place, "inPlace", JSON_STRUCT, .desc = &inner_desc),
	JSON_FIELD(struct sample, items, "items", JSON_ARRAY, .desc = &item_desc),
	JSON_FIELD(struct sample, named, "named", JSON_OBJ_MAP, .desc = &item_desc),
	JSON_FIELD(struct sample, numbers, "numbers", JSON_U32S),
};
static const struct json_desc sample_desc =
    JSON_DESC(struct sample, sample_fields, .check = check_sample);

static const char full[] =
    "{\"str\":\"a\\\"b\\\\\\n\\u0001é\",\"raw\":{\"x\":[1,null,\"y\"]},\"flag\":true,"
    "\"optFlag\":false,\"i64\":-9223372036854775808,\"u64\":18446744073709551615,"
    "\"u32\":4294967295,\"i32\":-2147483648,\"oi64\":-1,\"ou64\":18446744073709551614,"
    "\"ou32\":0,\"oi32\":-7,\"color\":\"green\",\"list\":[\"a\",\"\",\"c\"],"
    "\"map\":{\"z\":\"1\",\"a\":\"2\"},\"inner\":{\"kind\":\"red\",\"words\":[\"w\"]},"
    "\"inPlace\":{\"words\":[\"v\"]},\"items\":[{\"name\":\"n\",\"value\":5}],"
    "\"named\":{\"k\":{\"name\":\"m\"}},\"numbers\":[0,4294967295]}";

static int parse(const char *text, struct sample *s, struct err *err)
{
	size_t len = strlen(text);
	/* of exactly its length on the heap: the sanitizer sees a read behind the end */
	char *copy = memcpy(xmalloc(len), text, len);
	int r;

	memset(s, 0, sizeof(*s));
	r = json_parse(&sample_desc, s, copy, len, "doc", err);
	free(copy);
	return r;
}

static void refuses(const char *text, const char *message)
{
	struct sample s, zero = { 0 };
	struct err err = ERR_INIT;

	assert_true(parse(text, &s, &err) < 0);
	assert_string_equal(err.msg, message);
	assert_memory_equal(&s, &zero, sizeof(s));
}

static void test_round_trip(void **state)
{
	struct sample s;
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT;

	assert_ok(parse(full, &s, &err));
	assert_true(s.i64 == INT64_MIN && s.u64 == UINT64_MAX && s.u32 == UINT32_MAX);
	assert_true(s.i32 == INT32_MIN && s.oi64.set && s.oi64.value == -1);
	assert_true(s.ou64.set && s.ou64.value == UINT64_MAX - 1);
	assert_true(s.ou32.set && s.ou32.value == 0 && s.oi32.set && s.oi32.value == -7);
	assert_true(s.opt_flag.set && !s.opt_flag.value);
	assert_int_equal(s.color, 1);
	assert_int_equal(s.inner->kind, 0);
	assert_int_equal(s.in_place.kind, -1);
	assert_string_equal(s.named.items[0].key, "k");
	assert_string_equal(json_map_get(&s.map, "a"), "2");
	assert_null(json_map_get(&s.map, "b"));
	json_write(&sample_desc, &s, 0, &out);
	assert_string_equal(buf_str(&out), full);
	json_free(&sample_desc, &s);
	buf_done(&out);
}

static void test_absent(void **state)
{
	struct sample s;
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT;

	assert_ok(parse("{\"other\": [{}, 1.5e3, null], \"str\": null, \"items\": [], "
			"\"map\": {\"a\": null}}",
			&s, &err));
	assert_null(s.str);
	assert_int_equal(s.color, -1);
	assert_false(s.ou32.set);
	json_write(&sample_desc, &s, JSON_NEWLINE, &out);
	assert_string_equal(buf_str(&out), "{}\n");
	json_free(&sample_desc, &s);
	buf_done(&out);
}

static void test_pretty(void **state)
{
	struct sample s;
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT;

	assert_ok(parse("{\"u32\":1,\"list\":[\"a\",\"b\"],\"inner\":{},\"raw\":[]}", &s, &err));
	json_write(&sample_desc, &s, JSON_PRETTY, &out);
	assert_string_equal(buf_str(&out),
			    "{\n\t\"raw\": [],\n\t\"u32\": 1,\n\t\"list\": [\n\t\t\"a\","
			    "\n\t\t\"b\"\n\t],\n\t\"inner\": {}\n}");
	json_free(&sample_desc, &s);
	buf_done(&out);
}

static void test_values(void **state)
{
	refuses("[]", "doc: expected an object, got an array");
	refuses("{\"str\":1}", "doc: str: expected a string, got an integer");
	refuses("{\"flag\":\"true\"}", "doc: flag: expected a boolean, got a string");
	refuses("{\"i64\":1.0}", "doc: i64: expected an integer, got a number that is no integer");
	refuses("{\"i64\":1e3}", "doc: i64: expected an integer, got a number that is no integer");
	refuses("{\"i64\":9223372036854775808}",
		"doc: i64: expected an integer from -9223372036854775808 to 9223372036854775807, "
		"got 9223372036854775808");
	refuses("{\"u32\":4294967296}",
		"doc: u32: expected an integer from 0 to 4294967295, got 4294967296");
	refuses("{\"ou64\":-1}",
		"doc: ou64: expected an integer from 0 to 18446744073709551615, got -1");
	refuses("{\"oi32\":2147483648}",
		"doc: oi32: expected an integer from -2147483648 to 2147483647, got 2147483648");
	refuses("{\"numbers\":[1,-1]}",
		"doc: numbers[1]: expected an integer from 0 to 4294967295, got -1");
	refuses("{\"list\":[\"a\",null]}", "doc: list[1]: expected a string, got null");
	refuses("{\"map\":{\"a\":[]}}", "doc: map.a: expected a string, got an array");
	refuses("{\"inner\":{\"kind\":\"bl\\nue\"}}",
		"doc: inner.kind: expected one of \"red\", \"green\", got \"bl\\nue\"");
	refuses("{\"inner\":{\"words\":[]}}",
		"doc: inner.words: expected an array that is not empty");
	refuses("{\"items\":[{\"name\":\"a\"},{}]}",
		"doc: items[1].name: missing, expected a string");
	refuses("{\"items\":[{\"name\":\"\"}]}",
		"doc: items[0].name: expected a string that is not empty");
	refuses("{\"items\":[1]}", "doc: items[0]: expected an object, got an integer");
	refuses("{\"named\":{\"x\":{\"name\":1}}}",
		"doc: named.x.name: expected a string, got an integer");
}

static void test_checks(void **state)
{
	refuses("{\"items\":[{\"name\":\"a\",\"value\":13}]}",
		"doc: items[0].value: expected luck, got 13");
	refuses("{\"items\":[{\"name\":\"a\",\"value\":14}]}",
		"doc: items[0]: expected another item");
	refuses("{\"i32\":1}", "doc: i32: expected no 1");
	refuses("{\"i32\":2}", "doc: expected another document");
}

static void test_syntax(void **state)
{
	refuses("", "doc: line 1, column 1: unexpected end");
	refuses("{\n \"str\": \"a\"", "doc: line 2, column 12: unexpected end");
	refuses("{\"str\":\"a", "doc: line 1, column 10: unexpected end inside a string");
	refuses("{\"i64\":1,}", "doc: line 1, column 10: unexpected character");
	refuses("{} {}", "doc: line 1, column 4: unexpected character");
	refuses("{'str':1}", "doc: line 1, column 2: unexpected character");
	refuses("{/**/}", "doc: line 1, column 2: unexpected character");
	refuses("{\"i64\":-01}", "doc: line 1, column 10: number with a leading zero");
	refuses("{\"i64\":1.}", "doc: line 1, column 10: invalid number");
	refuses("{\"i64\":18446744073709551616}",
		"doc: line 1, column 8: integer of more than 64 bits");
	refuses("{\"x\":NaN}", "doc: line 1, column 6: unexpected character");
	refuses("{\"x\":-Infinity}", "doc: line 1, column 7: invalid number");
	refuses("{\"x\":True}", "doc: line 1, column 6: unexpected character");
	refuses("{\"x\":\"a\nb\"}", "doc: line 1, column 8: control character in a string");
	refuses("{\"x\":\"\xc0\x80\"}", "doc: line 1, column 7: invalid UTF-8 in a string");
	refuses("{\"x\":\"\xed\xa0\x80\"}", "doc: line 1, column 7: invalid UTF-8 in a string");
	refuses("{\"x\":\"\xe2\x82", "doc: line 1, column 7: invalid UTF-8 in a string");
	refuses("{\"x\":\"\\u0000\"}", "doc: line 1, column 8: NUL character in a string");
	refuses("{\"x\":\"\\u12", "doc: line 1, column 8: invalid escape in a string");
	refuses("{\"x\":\"\\", "doc: line 1, column 8: invalid escape in a string");
	refuses("{\"x\":\"\\ud83d\\u12", "doc: line 1, column 14: invalid escape in a string");
	refuses("{\"x\" 1}", "doc: line 1, column 6: unexpected character");
	refuses("{\"x\":1 \"y\":2}", "doc: line 1, column 8: unexpected character");
	refuses("{\"x\":}", "doc: line 1, column 6: unexpected character");
	refuses("{\"x\":1]", "doc: line 1, column 7: unexpected character");
	refuses("{1:1}", "doc: line 1, column 2: unexpected character");
	refuses("{\"x\":[,1]}", "doc: line 1, column 7: unexpected character");
	refuses("{\"x\":[1 2]}", "doc: line 1, column 9: unexpected character");
	refuses("{\"x\":[1,]}", "doc: line 1, column 9: unexpected character");
	refuses("{\"x\":[1", "doc: line 1, column 8: unexpected end");
	refuses("{\"x\":", "doc: line 1, column 6: unexpected end");
	refuses("{\"x\"", "doc: line 1, column 5: unexpected end");
	refuses(",", "doc: line 1, column 1: unexpected character");
	refuses("{\"x\":{\"b\":1,\"a\":{},\"\\u0062\":2}}",
		"doc: member \"\\u0062\" twice in one object");
}

static void test_depth(void **state)
{
	struct buf b = BUF_INIT;

	buf_adds(&b, "{\"x\":");
	for (int i = 0; i < 100; i++)
		buf_addc(&b, '[');
	for (int i = 0; i < 100; i++)
		buf_addc(&b, ']');
	buf_addc(&b, '}');
	refuses(buf_str(&b), "doc: nested more than 32 levels deep");
	buf_done(&b);
}

/* As deep as it goes, and in a member that nobody reads. */
static void test_allowed_depth(void **state)
{
	struct buf b = BUF_INIT;
	struct sample d = { 0 };
	struct err err = ERR_INIT;

	buf_adds(&b, "{\"x\":");
	for (int i = 0; i < JSON_DEPTH_MAX - 1; i++)
		buf_addc(&b, '[');
	buf_addc(&b, '1');
	for (int i = 0; i < JSON_DEPTH_MAX - 1; i++)
		buf_addc(&b, ']');
	buf_addc(&b, '}');
	assert_ok(json_parse(&sample_desc, &d, b.data, b.len, "doc", &err));
	json_free(&sample_desc, &d);
	buf_done(&b);
}

/* Two bytes each in the text, many more in memory. The object and x's array are two. */
static void test_number_of_values(void **state)
{
	struct buf b = BUF_INIT;
	struct sample d = { 0 };
	struct err err = ERR_INIT;

	buf_adds(&b, "{\"x\":[0");
	for (int i = 3; i < JSON_VALUES_MAX; i++)
		buf_adds(&b, ",0");
	buf_adds(&b, "]}");
	assert_ok(json_parse(&sample_desc, &d, b.data, b.len, "doc", &err));
	json_free(&sample_desc, &d);
	b.len -= 2;
	buf_adds(&b, ",0]}");
	refuses(buf_str(&b), "doc: more than 524288 values");
	buf_done(&b);
}

/* An object of so many members that names are sorted to be compared. */
static void test_many_members(void **state)
{
	struct buf b = BUF_INIT;
	struct sample d = { 0 };
	struct err err = ERR_INIT;

	buf_adds(&b, "{\"i64\":7");
	for (int i = 0; i < 500; i++)
		buf_addf(&b, ",\"m%d\":[%d,{}]", i, i);
	buf_addc(&b, '}');
	assert_ok(json_parse(&sample_desc, &d, b.data, b.len, "doc", &err));
	assert_int_equal(d.i64, 7);
	json_free(&sample_desc, &d);
	b.len--;
	buf_adds(&b, ",\"m77\":null}");
	refuses(buf_str(&b), "doc: member \"m77\" twice in one object");
	buf_done(&b);
}

static void test_escapes(void **state)
{
	static const char text[] = "{\"str\":\"\\b\\f\\n\\r\\t\\/"
				   "\\\\\\\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\\ud83dx\\udc00\"}";
	struct sample d = { 0 };
	struct err err = ERR_INIT;

	assert_ok(json_parse(&sample_desc, &d, text, strlen(text), "doc", &err));
	assert_string_equal(
	    d.str, "\b\f\n\r\t/\\\"A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xef\xbf\xbdx\xef\xbf\xbd");
	json_free(&sample_desc, &d);
}

struct top {
	JSON_LIST(struct item) items;
};
static const struct json_field top_fields[] = {
	JSON_FIELD(struct top, items, NULL, JSON_ARRAY, .desc = &item_desc),
};
static const struct json_desc top_desc = JSON_DESC(struct top, top_fields);

static void test_top_array(void **state)
{
	static const char text[] = "[{\"name\":\"a\"},{\"name\":\"b\",\"value\":2}]";
	static const char wrong[] = "[{\"name\":\"a\"},{\"value\":2}]";
	struct top t = { 0 };
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT;

	assert_ok(json_parse(&top_desc, &t, text, strlen(text), "list", &err));
	assert_int_equal(t.items.n, 2);
	json_write(&top_desc, &t, 0, &out);
	assert_string_equal(buf_str(&out), text);
	json_free(&top_desc, &t);
	buf_done(&out);
	assert_true(json_parse(&top_desc, &t, wrong, strlen(wrong), "list", &err) < 0);
	assert_string_equal(err.msg, "list: [1].name: missing, expected a string");
}

static const struct json_desc closed_desc = JSON_DESC(struct item, item_fields, .closed = true);

static void test_closed(void **state)
{
	static const char *const refused[] = {
		"{\"name\":\"x\",\"Value\":1}",
		"{\"name\":\"x\",\"more\":null}",
		"{\"more\":{},\"name\":\"x\"}",
		"{\"name\":\"x\",\"\":1}",
	};
	struct item item = { NULL };
	struct err err = ERR_INIT;
	const char *text = "{\"name\":\"x\",\"value\":null}";

	assert_ok(json_parse(&closed_desc, &item, text, strlen(text), "doc", &err));
	json_free(&closed_desc, &item);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		assert_true(json_parse(&closed_desc, &item, refused[i], strlen(refused[i]), "doc",
				       &err) < 0);
		assert_non_null(strstr(err.msg, "doc: unknown member \""));
		assert_null(item.name);
	}
}

static void test_write_string(void **state)
{
	struct buf out = BUF_INIT;
	struct json_map map = { 0 };

	json_write_string(&out, "\x7f\xff/\t€");
	assert_string_equal(buf_str(&out), "\"\\u007f\xef\xbf\xbd/\\t€\"");
	buf_reset(&out);
	/* C1 controls, and what stands next to them */
	json_write_string(&out, "\xc2\x80\xc2\x9b[m\xc2\x9f\xc2\xa0");
	assert_string_equal(buf_str(&out), "\"\\u0080\\u009b[m\\u009f\xc2\xa0\"");
	buf_done(&out);
	json_map_set(&map, "a", "1");
	json_map_set(&map, "b", "2");
	json_map_set(&map, "a", "3");
	assert_int_equal(map.n, 2);
	assert_string_equal(json_map_get(&map, "a"), "3");
	for (size_t i = 0; i < map.n; i++) {
		free(map.items[i].key);
		free(map.items[i].value);
	}
	free(map.items);
}

struct any {
	struct json_map members;
};
static const struct json_field any_fields[] = {
	JSON_FIELD(struct any, members, NULL, JSON_RAW_MAP),
};
static const struct json_desc any_desc = JSON_DESC(struct any, any_fields);

/* Members that nobody knows are written again as they were. */
static void test_any_object(void **state)
{
	static const char text[] =
	    "{\"a\":{\"b\":[1,null,\"\\u00e9\"]},\"n\":null,\"z\":1.50,\"c\":{}}";
	struct any d = { 0 };
	cleanup_buf struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	assert_ok(json_parse(&any_desc, &d, text, strlen(text), "doc", &err));
	assert_int_equal(d.members.n, 4);
	assert_string_equal(json_map_get(&d.members, "z"), "1.50");
	json_map_set(&d.members, "c", "[]");
	json_map_set(&d.members, "new", "true");
	assert_true(json_map_remove(&d.members, "z"));
	assert_false(json_map_remove(&d.members, "z"));
	json_write(&any_desc, &d, 0, &out);
	assert_string_equal(
	    buf_str(&out),
	    "{\"a\":{\"b\":[1,null,\"\xc3\xa9\"]},\"n\":null,\"c\":[],\"new\":true}");
	json_free(&any_desc, &d);
	assert_int_equal(d.members.n, 0);
	assert_true(json_parse(&any_desc, &d, "[]", 2, "doc", &err) < 0);
	assert_string_equal(err.msg, "doc: expected an object, got an array");
}

struct anys {
	JSON_LIST(struct any) list;
};
static const struct json_field anys_fields[] = {
	JSON_FIELD(struct anys, list, "list", JSON_ARRAY, .desc = &any_desc),
};
static const struct json_desc anys_desc = JSON_DESC(struct anys, anys_fields);

static void test_array_of_any_objects(void **state)
{
	static const char text[] = "{\"list\":[{\"a\":[1,{}]},{}]}";
	static const char bad[] = "{\"list\":[{},7]}";
	struct anys d = { .list = { NULL } };
	cleanup_buf struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	assert_ok(json_parse(&anys_desc, &d, text, strlen(text), "doc", &err));
	assert_int_equal(d.list.n, 2);
	assert_string_equal(json_map_get(&d.list.items[0].members, "a"), "[1,{}]");
	json_write(&anys_desc, &d, 0, &out);
	assert_string_equal(buf_str(&out), text);
	json_free(&anys_desc, &d);
	assert_true(json_parse(&anys_desc, &d, bad, strlen(bad), "doc", &err) < 0);
	assert_string_equal(err.msg, "doc: list[1]: expected an object, got an integer");
}

static void test_indent(void **state)
{
	static const char text[] =
	    " {\"a\" :[1,\r\n{ } ,[ ]],\"b}\\\"{\": \"c, d: \\\\\",\"n\":null}";
	cleanup_buf struct buf out = BUF_INIT, again = BUF_INIT;

	json_indent(text, strlen(text), &out);
	assert_string_equal(buf_str(&out), "{\n\t\"a\": [\n\t\t1,\n\t\t{},\n\t\t[]\n\t],\n"
					   "\t\"b}\\\"{\": \"c, d: \\\\\",\n\t\"n\": null\n}\n");
	json_indent(buf_str(&out), out.len, &again);
	assert_string_equal(buf_str(&again), buf_str(&out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_indent),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_pretty),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_checks),
		cmocka_unit_test(test_syntax),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_allowed_depth),
		cmocka_unit_test(test_number_of_values),
		cmocka_unit_test(test_many_members),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_top_array),
		cmocka_unit_test(test_any_object),
		cmocka_unit_test(test_array_of_any_objects),
		cmocka_unit_test(test_closed),
		cmocka_unit_test(test_write_string),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
