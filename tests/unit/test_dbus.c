/* SPDX-License-Identifier: Apache-2.0 */
#include <endian.h>

#include "base/str.h"
#include "base/strv.h"
#include "sys/dbus_conn.h"
#include "unit.h"

#define BYTES(s) (s), sizeof(s) - 1

static void assert_bytes(const struct buf *b, const char *bytes, size_t len)
{
	if (__BYTE_ORDER != __LITTLE_ENDIAN)
		skip();
	assert_int_equal(b->len, len);
	assert_memory_equal(b->data, bytes, len);
}

static void test_basic_values(void **state)
{
	cleanup_buf struct buf b = BUF_INIT;
	struct dbus_value v = dbus_number('y', 0x41);

	dbus_put_value(&b, &v);
	v = dbus_number('q', 0x0102);
	dbus_put_value(&b, &v);
	v = dbus_number('b', 5);
	dbus_put_value(&b, &v);
	v = dbus_number('n', (uint64_t)-2);
	dbus_put_value(&b, &v);
	v = dbus_number('t', 0x1122334455667788);
	dbus_put_value(&b, &v);
	v = (struct dbus_value){ .type = 'd', .real = 1.0 };
	dbus_put_value(&b, &v);
	assert_bytes(&b, BYTES("A\0\x02\x01"
			       "\x01\0\0\0"
			       "\xfe\xff\0\0\0\0\0\0"
			       "\x88\x77\x66\x55\x44\x33\x22\x11"
			       "\0\0\0\0\0\0\xf0\x3f"));
}

static void test_strings(void **state)
{
	cleanup_buf struct buf b = BUF_INIT;

	dbus_put_signature(&b, "a(sv)");
	dbus_put_string(&b, "hi");
	dbus_put_u32(&b, 7);
	assert_bytes(&b, BYTES("\x05"
			       "a(sv)\0"
			       "\0\x02\0\0\0hi\0\0\x07\0\0\0"));
}

/* The length of an array does not count the padding before its first item. */
static void test_containers(void **state)
{
	cleanup_buf struct buf b = BUF_INIT;
	cleanup_buf struct buf signature = BUF_INIT;
	struct dbus_value list = dbus_array("(st)"), pair = dbus_struct();

	dbus_value_add(&pair, dbus_text('s', "x"));
	dbus_value_add(&pair, dbus_number('t', 9));
	dbus_value_add(&list, pair);
	dbus_value_signature(&list, &signature);
	assert_string_equal(buf_str(&signature), "a(st)");
	dbus_put_variant(&b, &list);
	assert_bytes(&b, BYTES("\x05"
			       "a(st)\0"
			       "\0\x10\0\0\0\0\0\0\0" /* 16 bytes from offset 16 on */
			       "\x01\0\0\0x\0\0\0\x09\0\0\0\0\0\0\0"));
	dbus_value_done(&list);
}

static void test_containers_whole(void **state)
{
	cleanup_buf struct buf b = BUF_INIT;
	size_t mark;

	dbus_put_u32(&b, 1);
	mark = dbus_open_array(&b, 8);
	dbus_put_string(&b, "k");
	dbus_close_array(&b, mark);
	mark = dbus_open_array(&b, 8); /* empty: padded all the same */
	dbus_close_array(&b, mark);
	assert_bytes(&b, BYTES("\x01\0\0\0\x06\0\0\0"
			       "\x01\0\0\0k\0\0\0"
			       "\0\0\0\0\0\0\0\0"));
}

static const char call_bytes[] = "l\x01\0\x01"
				 "\x07\0\0\0\x05\0\0\0"
				 "\x37\0\0\0"
				 "\x01\x01o\0\x02\0\0\0/a\0\0\0\0\0\0"
				 "\x02\x01s\0\x03\0\0\0b.c\0\0\0\0\0"
				 "\x03\x01s\0\x01\0\0\0D\0\0\0\0\0\0\0"
				 "\x08\x01g\0\x01s\0\0"
				 "\x02\0\0\0hi\0";

static void test_call(void **state)
{
	const struct dbus_call call = {
		.path = "/a", .interface = "b.c", .member = "D", .signature = "s"
	};
	cleanup_buf struct buf body = BUF_INIT, b = BUF_INIT;
	struct dbus_msg m;
	const char *text;
	size_t size;

	dbus_put_string(&body, "hi");
	buf_adds(&b, "AUTH"); /* alignment counts from the message's own start */
	dbus_put_call(&b, &call, 5, &body);
	memmove(b.data, b.data + 4, b.len - 4);
	b.len -= 4;
	assert_bytes(&b, BYTES(call_bytes));

	assert_int_equal(dbus_msg_size(b.data, &size), 0);
	assert_int_equal(size, b.len);
	assert_int_equal(dbus_msg_parse(b.data, b.len, &m), 0);
	assert_int_equal(m.type, DBUS_CALL);
	assert_int_equal(m.serial, 5);
	assert_string_equal(m.path, "/a");
	assert_string_equal(m.interface, "b.c");
	assert_string_equal(m.member, "D");
	assert_null(m.sender);
	assert_string_equal(m.signature, "s");
	assert_int_equal(dbus_read_string(&m.body, &text), 0);
	assert_string_equal(text, "hi");
}

static void test_other_byte_order(void **state)
{
	static const char reply[] = "B\x02\x01\x01"
				    "\0\0\0\x09\0\0\0\x07"
				    "\0\0\0\x0f"
				    "\x05\x01u\0\0\0\0\x03"
				    "\x08\x01g\0\x01o\0\0"
				    "\0\0\0\x04/j/1";
	struct dbus_msg m;
	const char *path;

	assert_int_equal(dbus_msg_parse(reply, sizeof(reply), &m), 0);
	assert_int_equal(m.type, DBUS_REPLY);
	assert_int_equal(m.serial, 7);
	assert_int_equal(m.reply_serial, 3);
	assert_string_equal(m.signature, "o");
	assert_int_equal(dbus_read_string(&m.body, &path), 0);
	assert_string_equal(path, "/j/1");
	assert_int_equal(dbus_read_string(&m.body, &path), -EBADMSG);
}

/* Every shorter message, and each with one byte changed, is refused or read within its bounds. */
static void test_cut_and_changed(void **state)
{
	size_t len = sizeof(call_bytes) - 1;
	struct dbus_msg m;

	for (size_t i = 0; i < len; i++) {
		char *copy = xmalloc(i ? i : 1); /* of that size, for the sanitizer */
		memcpy(copy, call_bytes, i);
		assert_int_equal(dbus_msg_parse(copy, i, &m), -EBADMSG);
		free(copy);
	}
	for (size_t i = 0; i < len; i++) {
		char *copy = xmalloc(len);
		memcpy(copy, call_bytes, len);
		copy[i] = (char)(copy[i] ^ 0x40);
		if (dbus_msg_parse(copy, len, &m) == 0 && m.member)
			assert_true(strlen(m.member) < len);
		free(copy);
	}
}

static void test_refuses(void **state)
{
	static const struct {
		size_t at;
		char byte;
		int r;
	} changes[] = {
		{ 0, 'x', -EBADMSG }, /* byte order */
		{ 1, 0, -EBADMSG },   /* type */
		{ 3, 2, -EBADMSG },   /* version */
		{ 8, 0, -EBADMSG },   /* serial */
		{ 6, 0x10, -EFBIG },  /* 1 MiB of body */
		{ 14, 0x10, -EFBIG }, /* 1 MiB of fields */
	};
	size_t size;

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		char copy[sizeof(call_bytes)];
		memcpy(copy, call_bytes, sizeof(copy));
		copy[changes[i].at] = changes[i].byte;
		assert_int_equal(dbus_msg_size(copy, &size), changes[i].r);
	}
}

/* Fields that are not known are passed over, whatever they hold. */
static void test_unknown_field(void **state)
{
	static const char signal[] = "l\x04\x01\x01"
				     "\0\0\0\0\x01\0\0\0"
				     "\x4a\0\0\0"
				     "\x01\x01o\0\x01\0\0\0/\0\0\0\0\0\0\0"
				     "\x02\x01s\0\x01\0\0\0i\0\0\0\0\0\0\0"
				     "\x03\x01s\0\x01\0\0\0m\0\0\0\0\0\0\0"
				     "\x2a\x05"
				     "a{sv}\0"
				     "\x0a\0\0\0\0\0\0\0"
				     "\x01\0\0\0k\0\x01y"
				     "\0\x07\0\0\0\0\0\0";
	struct dbus_msg m;
	char copy[sizeof(signal)];

	memcpy(copy, signal, sizeof(copy));
	assert_int_equal(dbus_msg_parse(copy, 16 + 80, &m), 0);
	assert_string_equal(m.member, "m");
	copy[73] = 1; /* the array is longer than the message */
	assert_int_equal(dbus_msg_parse(copy, 16 + 80, &m), -EBADMSG);
}

static void test_skip(void **state)
{
	static const char deep[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaay";
	struct dbus_reader r = { .data = (const unsigned char *)"\0\0\0\0\0\0\0\0", .len = 8 };
	const char *rest;

	assert_int_equal(dbus_read_skip(&r, deep, &rest), -EBADMSG);
	assert_int_equal(dbus_read_skip(&r, "(", &rest), -EBADMSG);
	assert_int_equal(dbus_read_skip(&r, "(uu", &rest), -EBADMSG);
	assert_int_equal(dbus_read_skip(&r, "z", &rest), -EBADMSG);
	assert_int_equal(dbus_read_skip(&r, "", &rest), -EBADMSG);
	assert_int_equal(dbus_read_skip(&r, "(uu)s", &rest), 0);
	assert_string_equal(rest, "s");
	assert_int_equal(r.pos, 8);
	assert_int_equal(dbus_read_skip(&r, "y", &rest), -EBADMSG);
}

static void test_text_rules(void **state)
{
	static const char *const wrong[] = {
		"\x03\0\0\0a\0b\0",             /* ends early */
		"\x02\0\0\0abc\0",              /* not terminated there */
		"\x02\0\0\0\xc3\x28\0",         /* not UTF-8 */
		"\xff\xff\xff\xff\x61\x62\x63", /* longer than all there is */
	};
	const char *text = "unchanged";

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct dbus_reader r = { .data = (const unsigned char *)wrong[i],
					 .len = 8,
					 .swap = __BYTE_ORDER != __LITTLE_ENDIAN };
		assert_int_equal(dbus_read_string(&r, &text), -EBADMSG);
		assert_int_equal(r.pos, 0);
	}
}

static void test_addresses(void **state)
{
	static const struct {
		const char *address, *paths; /* NULL: refused */
	} cases[] = {
		{ "unix:path=/run/bus", "/run/bus" },
		{ "unix:path=/run/user/1000/bus,guid=0123", "/run/user/1000/bus" },
		{ "unix:guid=0123,path=/a%20b%2Fc", "/a b/c" },
		{ "unix:path=/a;unix:path=/b;", "/a /b" },
		{ "unix:abstract=/tmp/dbus-x", "" },
		{ "unix:abstract=/tmp/dbus-x;unix:path=/b", "/b" },
		{ "tcp:host=localhost,port=1", "" },
		{ "unixexec:path=/bin/sh", "" },
		{ "", "" },
		{ "/run/bus", NULL },
		{ "unix:path=run/bus", NULL },
		{ "unix:path=", NULL },
		{ "unix:path=/a%2", NULL },
		{ "unix:path=/a%zz", NULL },
		{ "unix:path=/a%00b", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = ERR_INIT;
		cleanup_strv char **paths = NULL;
		int r = dbus_address_paths(cases[i].address, &paths, &err);

		if (!cases[i].paths) {
			assert_int_equal(err.kind, ERR_INVALID);
			assert_true(r < 0);
			continue;
		}
		assert_ok(r);
		cleanup_free char *joined = strv_join(paths, " ");
		assert_string_equal(joined, cases[i].paths);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_basic_values),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_containers),
		cmocka_unit_test(test_containers_whole),
		cmocka_unit_test(test_call),
		cmocka_unit_test(test_other_byte_order),
		cmocka_unit_test(test_cut_and_changed),
		cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_unknown_field),
		cmocka_unit_test(test_skip),
		cmocka_unit_test(test_text_rules),
		cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
