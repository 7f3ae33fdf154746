/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <limits.h>

#include "base/buf.h"

bool str_eq(const char *a, const char *b)
{
	if (!a || !b)
		return a == b;
	return strcmp(a, b) == 0;
}

bool str_starts(const char *s, const char *prefix)
{
	return str_after(s, prefix) != NULL;
}

bool str_ends(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

const char *str_after(const char *s, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(s, prefix, n) == 0 ? s + n : NULL;
}

bool str_is_ifname(const char *s)
{
	size_t len = strlen(s);

	if (len < 1 || len > 15 || str_eq(s, ".") || str_eq(s, ".."))
		return false;
	for (const char *p = s; *p; p++)
		if (*p <= ' ' || *p == 0x7f || *p == '/' || *p == ':')
			return false;
	return true;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

int str_parse_u64(const char *s, uint64_t *ret)
{
	const char *p = s;
	uint64_t v = 0;

	if (!is_digit(*p) || (p[0] == '0' && p[1] != '\0'))
		return -EINVAL;
	for (; is_digit(*p); p++) {
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v)) {
			/* "9999...x" is no number at all, whatever its size */
			return p[strspn(p, "0123456789")] ? -EINVAL : -ERANGE;
		}
	}
	if (*p)
		return -EINVAL;
	*ret = v;
	return 0;
}

int str_parse_i64(const char *s, int64_t *ret)
{
	bool neg = *s == '-';
	uint64_t v;
	int r;

	r = str_parse_u64(s + neg, &v);
	if (r < 0)
		return r;
	if (neg && v == 0)
		return -EINVAL;
	if (v > (uint64_t)INT64_MAX + neg)
		return -ERANGE;
	*ret = neg ? (int64_t)(0 - v) : (int64_t)v;
	return 0;
}

int str_parse_u32(const char *s, uint32_t *ret)
{
	uint64_t v;
	int r = str_parse_u64(s, &v);

	if (r < 0)
		return r;
	if (v > UINT32_MAX)
		return -ERANGE;
	*ret = (uint32_t)v;
	return 0;
}

int str_parse_int(const char *s, int *ret)
{
	int64_t v;
	int r = str_parse_i64(s, &v);

	if (r < 0)
		return r;
	if (v < INT_MIN || v > INT_MAX)
		return -ERANGE;
	*ret = (int)v;
	return 0;
}

int str_parse_mode(const char *s, uint32_t *ret)
{
	size_t n = strspn(s, "01234567");
	uint32_t v = 0;

	if (n == 0 || n > 5 || s[n])
		return -EINVAL;
	for (; *s; s++)
		v = v * 8 + (uint32_t)(*s - '0');
	if (v > 07777)
		return -ERANGE;
	*ret = v;
	return 0;
}

int str_parse_bool(const char *s, bool *ret)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = { { "true", true }, { "1", true },   { "yes", true },    { "True", true },
		      { "TRUE", true }, { "t", true },   { "T", true },      { "false", false },
		      { "0", false },   { "no", false }, { "False", false }, { "FALSE", false },
		      { "f", false },   { "F", false } };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (str_eq(s, words[i].word)) {
			*ret = words[i].value;
			return 0;
		}
	}
	return -EINVAL;
}

/*
 * Reads "123" or "123.456" at *s into whole and a fraction in billionths, and moves *s behind it.
 * Digits after the ninth decimal are an error.
 */
static int parse_decimal(const char **s, uint64_t *ret_whole, uint64_t *ret_nano)
{
	const char *p = *s;
	uint64_t whole = 0, nano = 0, unit = 100000000;

	if (!is_digit(*p) || (p[0] == '0' && is_digit(p[1])))
		return -EINVAL;
	for (; is_digit(*p); p++) {
		if (__builtin_mul_overflow(whole, 10, &whole) ||
		    __builtin_add_overflow(whole, (uint64_t)(*p - '0'), &whole))
			return -ERANGE;
	}
	if (*p == '.') {
		p++;
		if (!is_digit(*p))
			return -EINVAL;
		for (; is_digit(*p); p++, unit /= 10) {
			if (unit == 0)
				return -EINVAL;
			nano += (uint64_t)(*p - '0') * unit;
		}
	}
	*s = p;
	*ret_whole = whole;
	*ret_nano = nano;
	return 0;
}

/* "", "b", "k", "kb", "kib", "m" ... in any case: the power of two, or -1. */
static int bytes_shift(const char *unit)
{
	static const char letters[] = "kmgtpe";
	const char *l;
	int shift = 0;

	if (*unit && (l = strchr(letters, *unit | 0x20))) {
		shift = 10 * (int)(l - letters + 1);
		unit++;
		if ((*unit | 0x20) == 'i' && (unit[1] | 0x20) == 'b')
			unit++;
	}
	if ((*unit | 0x20) == 'b')
		unit++;
	return *unit ? -1 : shift;
}

int str_parse_bytes(const char *s, uint64_t *ret)
{
	uint64_t whole, nano, v;
	int r, shift;

	r = parse_decimal(&s, &whole, &nano);
	if (r < 0)
		return r;
	shift = bytes_shift(s);
	if (shift < 0)
		return -EINVAL;
	if (__builtin_mul_overflow(whole, UINT64_C(1) << shift, &v))
		return -ERANGE;
	/* 10^9 * 2^60 does not fit in 64 bits */
	nano = (uint64_t)((unsigned __int128)nano * (UINT64_C(1) << shift) / 1000000000);
	if (__builtin_add_overflow(v, nano, &v))
		return -ERANGE;
	*ret = v;
	return 0;
}

int str_parse_nano(const char *s, uint64_t *ret)
{
	uint64_t whole, nano, v;
	int r;

	r = parse_decimal(&s, &whole, &nano);
	if (r < 0)
		return r;
	if (*s)
		return -EINVAL;
	if (__builtin_mul_overflow(whole, UINT64_C(1000000000), &v) ||
	    __builtin_add_overflow(v, nano, &v))
		return -ERANGE;
	*ret = v;
	return 0;
}

size_t str_utf8_len(const char *str)
{
	const unsigned char *s = (const unsigned char *)str;
	unsigned char lo = 0x80, hi = 0xbf;
	size_t n;

	if (s[0] < 0x80)
		return s[0] ? 1 : 0;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	/* over-long forms, surrogates, and what lies above U+10FFFF */
	if (s[0] == 0xe0)
		lo = 0xa0;
	else if (s[0] == 0xed)
		hi = 0x9f;
	else if (s[0] == 0xf0)
		lo = 0x90;
	else if (s[0] == 0xf4)
		hi = 0x8f;
	if (s[1] < lo || s[1] > hi)
		return 0;
	for (size_t i = 2; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	return n;
}

char *str_escape(const char *s)
{
	static const char plain[] = "abtnvfr";
	struct buf b = BUF_INIT;

	while (*s) {
		unsigned char c = (unsigned char)*s;
		size_t n = str_utf8_len(s);

		if (c >= 7 && c <= 13) {
			buf_addc(&b, '\\');
			buf_addc(&b, plain[c - 7]);
			n = 1;
		} else if (c == '\\') {
			buf_adds(&b, "\\\\");
		} else if (n == 0 || c < 0x20 || c == 0x7f ||
			   (c == 0xc2 && (unsigned char)s[1] < 0xa0)) {
			/* the C1 controls are U+0080 to U+009F */
			buf_addf(&b, "\\x%02x", c);
			n = 1;
		} else {
			buf_add(&b, s, n);
		}
		s += n;
	}
	return buf_take(&b);
}

char *str_mask_controls(char *s, const char *keep)
{
	for (unsigned char *p = (unsigned char *)s; *p; p++) {
		if ((*p < ' ' || *p == 0x7f) && !strchr(keep, *p))
			*p = '?';
		/* U+0080 to U+009F, which terminals take for ESC and a letter */
		if (p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
			p[0] = p[1] = '?';
	}
	return s;
}

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

size_t str_edits(const char *a, const char *b)
{
	size_t row[STR_EDITS_MAX + 1], n = strlen(b);

	if (n > STR_EDITS_MAX || strlen(a) > STR_EDITS_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t above = row[j];

			row[j] = min3(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[n];
}
