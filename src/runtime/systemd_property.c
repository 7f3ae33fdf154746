/* SPDX-License-Identifier: Apache-2.0 */
/* Properties from annotations: GVariant text, of which what systemd's properties can be made of. */
#include <inttypes.h>

#include "base/str.h"
#include "runtime/systemd.h"

#define TEXT_MAX  65536
#define ITEMS_MAX 4096
#define DEPTH_MAX 4

void unit_properties_add(struct unit_properties *p, const char *name, struct dbus_value value,
			 bool optional)
{
	p->items = xrealloc(p->items, (p->n + 1) * sizeof(*p->items));
	p->items[p->n++] =
	    (struct unit_property){ .name = xstrdup(name), .value = value, .optional = optional };
}

void unit_properties_drop(struct unit_properties *p, size_t i)
{
	free(p->items[i].name);
	dbus_value_done(&p->items[i].value);
	p->n--;
	memmove(p->items + i, p->items + i + 1, (p->n - i) * sizeof(*p->items));
}

void unit_properties_done(struct unit_properties *p)
{
	while (p->n > 0)
		unit_properties_drop(p, p->n - 1);
	free(p->items);
	*p = (struct unit_properties){ 0 };
}

/* --- the text --- */

struct text {
	const char *s;
	size_t items;
};

static void skip_spaces(struct text *t)
{
	t->s += strspn(t->s, " \t\n");
}

static bool take_char(struct text *t, char c)
{
	skip_spaces(t);
	if (*t->s != c)
		return false;
	t->s++;
	return true;
}

static bool is_word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

static bool take_word(struct text *t, const char *word)
{
	const char *rest;

	skip_spaces(t);
	rest = str_after(t->s, word);
	if (!rest || is_word_char(*rest))
		return false;
	t->s = rest;
	return true;
}

static const struct {
	const char *word;
	char type;
} keywords[] = {
	{ "boolean", 'b' }, { "byte", 'y' },   { "int16", 'n' },      { "uint16", 'q' },
	{ "int32", 'i' },   { "uint32", 'u' }, { "int64", 'x' },      { "uint64", 't' },
	{ "double", 'd' },  { "string", 's' }, { "objectpath", 'o' }, { "signature", 'g' },
};

/* --- numbers --- */

static const struct {
	char type;
	int64_t min;
	uint64_t max;
} ranges[] = {
	{ 'y', 0, UINT8_MAX },         { 'n', INT16_MIN, INT16_MAX }, { 'q', 0, UINT16_MAX },
	{ 'i', INT32_MIN, INT32_MAX }, { 'u', 0, UINT32_MAX },        { 'x', INT64_MIN, INT64_MAX },
	{ 't', 0, UINT64_MAX },
};

/* [+-]DIGITS or 0xDIGITS; no octal. */
static int whole_number(const char *s, bool *ret_negative, uint64_t *ret)
{
	bool hex;
	uint64_t n = 0;

	*ret_negative = *s == '-';
	if (*s == '-' || *s == '+')
		s++;
	hex = str_starts(s, "0x");
	s += hex ? 2 : 0;
	if (!hex)
		return str_parse_u64(s, ret);
	if (!*s || strlen(s) > 16)
		return -EINVAL;
	for (; *s; s++) {
		char c = (char)(*s | 0x20);
		unsigned int digit = *s >= '0' && *s <= '9' ? (unsigned int)(*s - '0')
				     : c >= 'a' && c <= 'f' ? (unsigned int)(c - 'a' + 10)
							    : 16;
		if (digit == 16)
			return -EINVAL;
		n = n * 16 + digit;
	}
	*ret = n;
	return 0;
}

static int put_whole(const char *word, char type, struct dbus_value *ret)
{
	bool negative;
	uint64_t n;

	if (whole_number(word, &negative, &n) < 0)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		if (ranges[i].type != type)
			continue;
		/* The smallest number has no positive counterpart. */
		int64_t min = ranges[i].min;
		uint64_t lowest = min < 0 ? (uint64_t)(-(min + 1)) + 1 : 0;
		if (n > (negative ? lowest : ranges[i].max))
			return -ERANGE;
		*ret = dbus_number(type, negative ? -n : n);
		return 0;
	}
	return -EINVAL;
}

static int put_real(const char *word, struct dbus_value *ret)
{
	char *end;
	double d;

	if (strspn(word, "+-.0123456789eE") != strlen(word))
		return -EINVAL; /* no "inf", no "nan", nothing in hexadecimal */
	d = strtod(word, &end);
	if (end == word || *end)
		return -EINVAL;
	*ret = (struct dbus_value){ .type = 'd', .real = d };
	return 0;
}

static int parse_number(struct text *t, char type, struct dbus_value *ret)
{
	size_t len = strspn(t->s, "+-.0123456789abcdefABCDEFxX");
	cleanup_free char *word = xstrndup(t->s, len);
	bool real = type == 'd' || (!type && !str_starts(word, "0x") && strpbrk(word, ".eE"));
	int r;

	if (len == 0 || len > 64 || is_word_char(t->s[len]))
		return -EINVAL;
	r = real ? put_real(word, ret) : put_whole(word, type ? type : 'i', ret);
	if (r == 0)
		t->s += len;
	return r;
}

/* --- strings --- */

static int hex_value(const char *s, size_t n, uint32_t *ret)
{
	uint32_t value = 0;

	for (size_t i = 0; i < n; i++) {
		char c = (char)(s[i] | 0x20);
		if (s[i] >= '0' && s[i] <= '9')
			value = value * 16 + (uint32_t)(s[i] - '0');
		else if (c >= 'a' && c <= 'f')
			value = value * 16 + (uint32_t)(c - 'a') + 10;
		else
			return -EINVAL;
	}
	*ret = value;
	return 0;
}

static int put_utf8(struct buf *b, uint32_t c)
{
	if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return -EINVAL;
	if (c < 0x80) {
		buf_addc(b, (char)c);
		return 0;
	}
	int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
	buf_addc(b, (char)((0xf0 << (3 - more)) | (c >> (6 * more))));
	while (more-- > 0)
		buf_addc(b, (char)(0x80 | ((c >> (6 * more)) & 0x3f)));
	return 0;
}

/* Behind a backslash. */
static int parse_escape(struct text *t, struct buf *b)
{
	static const char letters[] = "abfnrtv", meant[] = "\a\b\f\n\r\t\v";
	char c = *t->s;
	const char *at = c ? strchr(letters, c) : NULL;
	uint32_t code;
	size_t digits = c == 'u' ? 4 : 8;

	if (!c)
		return -EINVAL;
	if (c & 0x80)
		return 0; /* more bytes than this one: left to be checked as text */
	t->s++;
	if (c == 'u' || c == 'U') {
		if (hex_value(t->s, digits, &code) < 0)
			return -EINVAL;
		t->s += digits;
		return put_utf8(b, code);
	}
	if (c != '\n')
		buf_addc(b, at ? meant[at - letters] : c);
	return 0;
}

static int parse_text(struct text *t, char type, struct dbus_value *ret)
{
	cleanup_buf struct buf b = BUF_INIT;
	char quote = *t->s++;

	while (*t->s != quote) {
		size_t n = str_utf8_len(t->s);

		if (n == 0)
			return -EINVAL; /* no end, or not UTF-8 */
		if (*t->s == '\\') {
			t->s++;
			if (parse_escape(t, &b) < 0)
				return -EINVAL;
			continue;
		}
		buf_add(&b, t->s, n);
		t->s += n;
	}
	t->s++;
	if (type && !strchr("sog", type))
		return -EINVAL;
	/* What systemd gets is checked by its own parser; a length has one byte in a signature. */
	if (type == 'g' && b.len > 255)
		return -EINVAL;
	*ret = dbus_text(type ? type : 's', buf_str(&b));
	return 0;
}

/* --- values --- */

static int parse_value(struct text *t, const char *type, int depth, struct dbus_value *ret);

static char *signature_of(const struct dbus_value *v)
{
	struct buf b = BUF_INIT;

	dbus_value_signature(v, &b);
	return buf_take(&b);
}

/* Items up to close, separated by commas. element: what they must be, or NULL: as the first one. */
static int parse_items(struct text *t, char close, const char *element, int depth,
		       struct dbus_value *ret)
{
	cleanup_free char *first = element ? xstrdup(element) : NULL;

	for (bool more = !take_char(t, close); more;) {
		struct dbus_value item = { 0 };
		const char *type = ret->type == 'a' ? first : NULL;
		int r = ++t->items > ITEMS_MAX ? -E2BIG : parse_value(t, type, depth, &item);

		if (r < 0)
			return r;
		dbus_value_add(ret, item);
		cleanup_free char *own = signature_of(&item);
		if (type && !str_eq(own, type))
			return -EINVAL;
		if (!first)
			first = take_ptr(own);
		bool comma = take_char(t, ',');
		more = !take_char(t, close);
		/* a tuple of one: "(1,)" */
		if (more != comma && !(comma && ret->type == '('))
			return -EINVAL;
	}
	if (ret->type == '(')
		return ret->n ? 0 : -EINVAL;
	if (!first)
		return -EINVAL; /* "[]" says nothing of what is not in it; "@as []" does */
	ret->element = take_ptr(first);
	return 0;
}

/* '@as': basic types and arrays of them. */
static int parse_annotated(struct text *t, int depth, struct dbus_value *ret)
{
	size_t len = strspn(t->s, "aybnqiuxtdsog");
	cleanup_free char *type = xstrndup(t->s, len);
	size_t arrays = strspn(type, "a");

	if (len != arrays + 1 || arrays > DEPTH_MAX)
		return -EINVAL;
	t->s += len;
	skip_spaces(t);
	return parse_value(t, type, depth + 1, ret);
}

static int parse_compound(struct text *t, const char *type, int depth, struct dbus_value *ret)
{
	bool array = *t->s == '[';
	struct dbus_value v = { .type = array ? 'a' : '(' };
	int r;

	if (depth >= DEPTH_MAX || (array && type && type[0] != 'a'))
		return -EINVAL;
	t->s++;
	r = parse_items(t, array ? ']' : ')', array && type ? type + 1 : NULL, depth + 1, &v);
	if (r < 0)
		dbus_value_done(&v);
	else
		*ret = v;
	return r;
}

/* type: what is expected, or NULL. *ret is set on success only. */
static int parse_value(struct text *t, const char *type, int depth, struct dbus_value *ret)
{
	skip_spaces(t);
	if (depth > 2 * DEPTH_MAX)
		return -EINVAL;
	if (*t->s == '@') {
		t->s++;
		return parse_annotated(t, depth, ret);
	}
	if (*t->s == '[' || *t->s == '(')
		return parse_compound(t, type, depth, ret);
	for (size_t i = 0; i < ARRAY_SIZE(keywords); i++) {
		const char only[] = { keywords[i].type, '\0' };
		if (take_word(t, keywords[i].word))
			return parse_value(t, only, depth + 1, ret);
	}
	if (type && type[1])
		return -EINVAL;
	char basic = type ? type[0] : '\0';
	if (*t->s == '\'' || *t->s == '"')
		return parse_text(t, basic, ret);
	bool yes = take_word(t, "true");
	if (yes || take_word(t, "false")) {
		if (basic && basic != 'b')
			return -EINVAL;
		*ret = dbus_number('b', yes);
		return 0;
	}
	return parse_number(t, basic, ret);
}

int unit_property_parse(const char *text, struct dbus_value *ret, struct err *err)
{
	struct text t = { .s = text };
	struct dbus_value v = { 0 };
	int r = strlen(text) > TEXT_MAX ? -E2BIG : parse_value(&t, NULL, 0, &v);

	skip_spaces(&t);
	if (r == 0 && *t.s)
		r = -EINVAL;
	if (r == 0) {
		cleanup_free char *type = signature_of(&v);
		r = strlen(type) > 255 ? -E2BIG : 0; /* its length is one byte */
	}
	if (r == 0) {
		*ret = v;
		return 0;
	}
	dbus_value_done(&v);
	if (r == -E2BIG)
		return err_fail(err, ERR_LIMIT, "longer than %d bytes or %d items", TEXT_MAX,
				ITEMS_MAX);
	cleanup_free char *shown = str_escape(text);
	return err_fail(err, ERR_INVALID,
			r == -ERANGE ? "\"%.200s\" is out of the range of its type"
				     : "expected a value in GVariant's text format, got \"%.200s\"",
			shown);
}

/* --- annotations --- */

/* Durations: systemd counts in microseconds, as the property with USec in its name. */
static int seconds_to_usec(struct dbus_value *v)
{
	uint64_t sec = v->number;

	if (v->type == 'd') {
		if (!(v->real >= 0 && v->real < 1e13))
			return -ERANGE;
		*v = dbus_number('t', (uint64_t)(v->real * 1e6));
		return 0;
	}
	if (!strchr("ynqiuxt", v->type))
		return -EINVAL;
	if ((strchr("nix", v->type) && (int64_t)sec < 0) || sec > UINT64_MAX / 1000000)
		return -ERANGE;
	*v = dbus_number('t', sec * 1000000);
	return 0;
}

static bool has_sec_suffix(const char *name)
{
	size_t len = strlen(name);

	return len > 3 && str_ends(name, "Sec") && name[len - 4] >= 'a' && name[len - 4] <= 'z';
}

/* What the runtime says itself and relies on later. A second value would go before its own: another
 * slice is one without the limits that linux.cgroupsPath puts the container under, other processes
 * would die with the container. */
static const char *const own_properties[] = { "Controller", "Delegate", "DelegateSubgroup",
					      "PIDFDs",     "PIDs",     "Slice" };

static int check_own(const char *name, struct err *err)
{
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(own_properties); i++) {
		if (!str_eq(name, own_properties[i]))
			continue;
		r = err_fail(err, ERR_INVALID, "this property is the runtime's to set");
		return str_eq(name, "Slice")
			   ? err_hint(err, r,
				      "linux.cgroupsPath \"SLICE:PREFIX:NAME\" says the slice")
			   : r;
	}
	return 0;
}

static int annotated(const char *name, const char *text, struct unit_properties *ret,
		     struct err *err)
{
	struct dbus_value value = { 0 };
	size_t len = strlen(name);
	int r;

	if (len < 3 || len > 128)
		return err_fail(err, ERR_INVALID, "expected a property's name of 3 to 128 letters");
	for (size_t i = 0; i < len; i++)
		if (!((name[i] >= 'a' && name[i] <= 'z') || (name[i] >= 'A' && name[i] <= 'Z')))
			return err_fail(err, ERR_INVALID,
					"expected letters as the name of a property");
	r = check_own(name, err);
	if (r == 0)
		r = unit_property_parse(text, &value, err);
	if (r < 0)
		return r;
	if (!has_sec_suffix(name)) {
		unit_properties_add(ret, name, value, false);
		return 0;
	}
	if (seconds_to_usec(&value) < 0) {
		dbus_value_done(&value);
		return err_fail(err, ERR_INVALID, "expected a number of seconds");
	}
	cleanup_free char *usec = xasprintf("%.*sUSec", (int)(len - 3), name);
	unit_properties_add(ret, usec, value, false);
	return 0;
}

int unit_properties_annotated(const struct json_map *annotations, struct unit_properties *ret,
			      struct err *err)
{
	for (size_t i = 0; annotations && i < annotations->n; i++) {
		const struct json_pair *pair = &annotations->items[i];
		const char *name = str_after(pair->key, UNIT_PROPERTY_PREFIX);
		int r = name ? annotated(name, pair->value, ret, err) : 0;

		if (r < 0) {
			cleanup_free char *shown = str_escape(pair->key);
			return err_wrap(err, r, "annotation %.200s", shown);
		}
	}
	return 0;
}
