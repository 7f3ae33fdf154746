/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_internal.h"

#include "base/str.h"

#define FEW_MEMBERS 16 /* up to here every name is compared with every other one */

struct builder {
	struct json_tree *tree;
	struct json_lexer l;
	const char *text;
	struct json_fault *fault;
};

static bool fail(struct builder *b, enum json_problem problem, const char *at, const char *why)
{
	*b->fault = (struct json_fault){ problem, (size_t)(at - b->text), why };
	return false;
}

/* The token is not one that may be here. */
static bool fail_token(struct builder *b, char c)
{
	if (b->l.why)
		return fail(b, JSON_SYNTAX, b->l.p, b->l.why);
	if (c == '\0')
		return fail(b, JSON_SYNTAX, b->l.end, "unexpected end");
	return fail(b, JSON_SYNTAX, b->l.token, "unexpected character");
}

static unsigned int hex4(const char *s)
{
	unsigned int value = 0;

	for (int i = 0; i < 4; i++) {
		char c = s[i];
		unsigned int digit =
		    c <= '9' ? (unsigned int)(c - '0') : (unsigned int)((c | 0x20) - 'a' + 10);
		value = value << 4 | digit;
	}
	return value;
}

static char *put_utf8(char *out, unsigned int c)
{
	if (c < 0x80) {
		*out++ = (char)c;
	} else if (c < 0x800) {
		*out++ = (char)(0xc0 | c >> 6);
		*out++ = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		*out++ = (char)(0xe0 | c >> 12);
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
		*out++ = (char)(0x80 | (c & 0x3f));
	} else {
		*out++ = (char)(0xf0 | c >> 18);
		*out++ = (char)(0x80 | (c >> 12 & 0x3f));
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
		*out++ = (char)(0x80 | (c & 0x3f));
	}
	return out;
}

/* s is behind the "u". Half a pair alone becomes U+FFFD. */
static const char *put_unicode(const char *s, char **out)
{
	unsigned int c = hex4(s);

	s += 4;
	if (c >= 0xd800 && c < 0xdc00 && s[0] == '\\' && s[1] == 'u') {
		unsigned int low = hex4(s + 2);
		if (low >= 0xdc00 && low < 0xe000) {
			c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
			s += 6;
		}
	}
	*out = put_utf8(*out, c >= 0xd800 && c < 0xe000 ? 0xfffd : c);
	return s;
}

/* Decodes the last token, a string: never longer than what stands in the text. */
static const char *decode(struct builder *b, uint32_t *ret_len)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const char *s = b->l.token + 1, *end = b->l.p - 1;
	char *start = b->tree->strings + b->tree->strings_len, *out = start;

	while (s < end) {
		const char *escape = memchr(s, '\\', (size_t)(end - s));
		size_t run = (size_t)((escape ? escape : end) - s);
		memcpy(out, s, run);
		out += run;
		s += run;
		if (!escape)
			break;
		s += 2;
		if (s[-1] == 'u') {
			s = put_unicode(s, &out);
		} else {
			const char *control = strchr(from, s[-1]);
			*out++ = control ? to[control - from] : s[-1];
		}
	}
	*out++ = '\0';
	b->tree->strings_len += (size_t)(out - start);
	*ret_len = (uint32_t)(out - start - 1);
	return start;
}

static size_t add_value(struct json_tree *t, const char *key, uint32_t key_at)
{
	if (t->n == t->cap) {
		t->cap *= 2;
		t->values = xrealloc(t->values, t->cap * sizeof(*t->values));
	}
	t->values[t->n] = (struct json_value){ .key = key, .key_at = key_at, .size = 1 };
	return t->n++;
}

static bool parse_value(struct builder *b, char c, const char *key, uint32_t key_at, int depth);

static bool parse_array(struct builder *b, size_t array, int depth)
{
	char c = json_lex(&b->l);

	if (c == ']')
		return true;
	for (;;) {
		if (!parse_value(b, c, NULL, 0, depth))
			return false;
		b->tree->values[array].n++;
		c = json_lex(&b->l);
		if (c == ']')
			return true;
		if (c != ',')
			return fail_token(b, c);
		c = json_lex(&b->l);
	}
}

static bool parse_member(struct builder *b, char c, int depth)
{
	uint32_t len, key_at;
	const char *key;

	if (c != '"')
		return fail_token(b, c);
	key_at = (uint32_t)(b->l.token - b->text);
	key = decode(b, &len);
	c = json_lex(&b->l);
	if (c != ':')
		return fail_token(b, c);
	return parse_value(b, json_lex(&b->l), key, key_at, depth);
}

static bool parse_members(struct builder *b, size_t object, int depth)
{
	char c = json_lex(&b->l);

	if (c == '}')
		return true;
	for (;;) {
		if (!parse_member(b, c, depth))
			return false;
		b->tree->values[object].n++;
		c = json_lex(&b->l);
		if (c == '}')
			return true;
		if (c != ',')
			return fail_token(b, c);
		c = json_lex(&b->l);
	}
}

static int by_key(const void *a, const void *b)
{
	const struct json_value *const *x = a, *const *y = b;
	int order = strcmp((*x)->key, (*y)->key);

	return order ? order : (*x)->key_at < (*y)->key_at ? -1 : 1;
}

static const struct json_value *find_twin_of_few(const struct json_value *object)
{
	json_tree_foreach(v, object) for (const struct json_value *w = object + 1; w < v;
					  w += w->size) if (strcmp(v->key, w->key) == 0) return v;
	return NULL;
}

/* A member whose name another one had before it. */
static const struct json_value *find_twin(const struct json_value *object)
{
	cleanup_free const struct json_value **sorted = NULL;
	size_t n = 0;

	if (object->n <= FEW_MEMBERS)
		return find_twin_of_few(object);
	sorted = xcalloc(object->n, sizeof(const void *));
	json_tree_foreach(v, object) sorted[n++] = v;
	qsort(sorted, n, sizeof(const void *), by_key);
	for (size_t i = 1; i < n; i++)
		if (strcmp(sorted[i - 1]->key, sorted[i]->key) == 0)
			return sorted[i];
	return NULL;
}

static bool parse_container(struct builder *b, char c, size_t at, int depth)
{
	struct json_tree *t = b->tree;
	const struct json_value *twin;
	bool ok;

	if (depth == JSON_DEPTH_MAX)
		return fail(b, JSON_TOO_DEEP, b->l.token, NULL);
	t->values[at].type = c == '{' ? JSON_TYPE_OBJECT : JSON_TYPE_ARRAY;
	ok = c == '{' ? parse_members(b, at, depth + 1) : parse_array(b, at, depth + 1);
	t->values[at].size = (uint32_t)(t->n - at);
	if (!ok || c == '[')
		return ok;
	twin = find_twin(&t->values[at]);
	return twin ? fail(b, JSON_DUPLICATE, b->text + twin->key_at, NULL) : true;
}

static enum json_type type_of(char c, const char *token, size_t len)
{
	if (c == 'n')
		return JSON_TYPE_NULL;
	if (c == 't' || c == 'f')
		return JSON_TYPE_BOOL;
	for (size_t i = 0; i < len; i++)
		if (strchr(".eE", token[i]))
			return JSON_TYPE_FLOAT;
	return JSON_TYPE_INT;
}

/* c is its first token, key that of the member that it is. */
static bool parse_value(struct builder *b, char c, const char *key, uint32_t key_at, int depth)
{
	struct json_value *v;
	size_t at;

	if (b->tree->n == JSON_VALUES_MAX)
		return fail(b, JSON_TOO_MANY, b->l.p, NULL);
	at = add_value(b->tree, key, key_at);
	v = &b->tree->values[at];
	switch (c) {
	case '{':
	case '[':
		return parse_container(b, c, at, depth);
	case '"':
		v->type = JSON_TYPE_STRING;
		v->text = decode(b, &v->len);
		return true;
	case '\0':
	case '}':
	case ']':
	case ',':
	case ':':
		return fail_token(b, c);
	default:
		v->text = b->l.token;
		v->len = (uint32_t)(b->l.p - b->l.token);
		v->type = type_of(c, v->text, v->len);
		return true;
	}
}

bool json_tree_parse(struct json_tree *t, const char *text, size_t len, struct json_fault *fault)
{
	struct builder b = {
		.tree = t, .l = { .p = text, .end = text + len }, .text = text, .fault = fault
	};
	char c;

	/* Most documents have fewer values than this: growing would copy them several times. */
	*t = (struct json_tree){ .strings = xcalloc(1, len + 1), .cap = len / 8 + 16 };
	t->values = xmalloc(t->cap * sizeof(*t->values));
	if (!parse_value(&b, json_lex(&b.l), NULL, 0, 0))
		return false;
	c = json_lex(&b.l);
	return c == '\0' && !b.l.why ? true : fail_token(&b, c);
}

void json_tree_done(struct json_tree *t)
{
	free(t->values);
	free(t->strings);
	*t = (struct json_tree){ .n = 0 };
}

const struct json_value *json_tree_member(const struct json_value *object, const char *name)
{
	/* Most descriptors have many more fields than an object has members. */
	json_tree_foreach(v, object) if (v->key[0] == name[0] &&
					 strcmp(v->key, name) == 0) return v->type == JSON_TYPE_NULL
	    ? NULL
	    : v;
	return NULL;
}

void json_tree_write(const struct json_value *v, struct buf *out)
{
	bool object = v->type == JSON_TYPE_OBJECT, first = true;

	if (v->type == JSON_TYPE_STRING) {
		json_write_string(out, v->text);
		return;
	}
	if (!object && v->type != JSON_TYPE_ARRAY) {
		buf_add(out, v->text, v->len);
		return;
	}
	buf_addc(out, object ? '{' : '[');
	json_tree_foreach(item, v)
	{
		if (!first)
			buf_addc(out, ',');
		first = false;
		if (object) {
			json_write_string(out, item->key);
			buf_addc(out, ':');
		}
		json_tree_write(item, out);
	}
	buf_addc(out, object ? '}' : ']');
}
