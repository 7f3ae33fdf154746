/* SPDX-License-Identifier: Apache-2.0 */
#include "image/registry/header.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/buf.h"
#include "base/str.h"

#define RETRY_MAX_S (365ull * 86400)
#define WARNING_MAX 4096 /* bytes, distribution-spec */

/* ---- words ---- */

static bool is_token(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token68(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("-._~+/", c));
}

static const char *skip_space(const char *s)
{
	while (*s == ' ' || *s == '\t')
		s++;
	return s;
}

static const char *skip_token(const char *s)
{
	while (is_token(*s))
		s++;
	return s;
}

/* A token or a quoted string. The rest behind it, or NULL. */
static const char *read_value(const char *s, char **ret)
{
	cleanup_buf struct buf text = BUF_INIT;

	if (*s != '"') {
		const char *end = skip_token(s);
		if (end == s)
			return NULL;
		*ret = xstrndup(s, (size_t)(end - s));
		return end;
	}
	for (s++; *s != '"'; s++) {
		if (*s == '\\')
			s++;
		if (((unsigned char)*s < ' ' && *s != '\t') || *s == 0x7f)
			return NULL;
		buf_addc(&text, *s);
	}
	*ret = buf_take(&text);
	return s + 1;
}

bool header_value_valid(const char *value)
{
	size_t len = strlen(value);

	if (len == 0 || value[0] == ' ' || value[len - 1] == ' ')
		return false;
	for (size_t i = 0; i < len; i++)
		if (value[i] < ' ' || value[i] > '~')
			return false;
	return true;
}

/* ---- WWW-Authenticate ---- */

static void challenge_done(struct challenge *c)
{
	free(c->realm);
	free(c->service);
	free(c->scope);
	free(c->error);
	memset(c, 0, sizeof(*c));
}

void challenges_done(struct challenges *c)
{
	for (size_t i = 0; i < c->n; i++)
		challenge_done(&c->items[i]);
	c->n = 0;
}

static enum challenge_scheme scheme_of(const char *s, size_t len)
{
	if (len == strlen("Basic") && strncasecmp(s, "Basic", len) == 0)
		return CHALLENGE_BASIC;
	if (len == strlen("Bearer") && strncasecmp(s, "Bearer", len) == 0)
		return CHALLENGE_BEARER;
	return CHALLENGE_OTHER;
}

/* "name=value", at name. The rest, or NULL. */
static const char *read_param(const char *s, struct challenge *c)
{
	const struct {
		const char *name;
		char **value;
	} params[] = {
		{ "realm", &c->realm },
		{ "service", &c->service },
		{ "scope", &c->scope },
		{ "error", &c->error },
	};
	const char *end = skip_token(s), *rest = skip_space(end);
	cleanup_free char *value = NULL;

	if (end == s || *rest != '=')
		return NULL;
	rest = read_value(skip_space(rest + 1), &value);
	if (!rest)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(params); i++) {
		if (strlen(params[i].name) != (size_t)(end - s) ||
		    strncasecmp(s, params[i].name, (size_t)(end - s)) != 0)
			continue;
		if (*params[i].value)
			return NULL;
		*params[i].value = take_ptr(value);
	}
	return rest;
}

/* Is there "name=value" at s, and not the next scheme or a token68? */
static bool at_param(const char *s)
{
	const char *end = skip_token(s), *rest = skip_space(end);

	if (end == s || *rest != '=')
		return false;
	rest = skip_space(rest + 1);
	return *rest != '\0' && *rest != ',' && *rest != '=';
}

static const char *skip_token68(const char *s)
{
	while (is_token68(*s))
		s++;
	while (*s == '=')
		s++;
	return s;
}

/* A scheme and its parameters, at the scheme. The rest, or NULL. */
static const char *read_challenge(const char *s, struct challenge *c)
{
	const char *end = skip_token(s);

	if (end == s)
		return NULL;
	c->scheme = scheme_of(s, (size_t)(end - s));
	s = skip_space(end);
	if (s > end && !at_param(s))
		s = skip_space(skip_token68(s));
	while (at_param(s)) {
		s = read_param(s, c);
		if (!s)
			return NULL;
		s = skip_space(s);
		const char *comma = s;
		while (*s == ',')
			s = skip_space(s + 1);
		if (!at_param(s))
			return comma;
		if (s == comma)
			return NULL;
	}
	return s;
}

int challenges_parse(const char *value, struct challenges *ret)
{
	struct challenges found = { .n = 0 };
	const char *s = value;

	if (strlen(value) > HEADER_VALUE_MAX)
		return -EINVAL;
	for (;;) {
		while (*s == ' ' || *s == '\t' || *s == ',')
			s++;
		if (!*s || found.n + ret->n >= CHALLENGES_MAX)
			break;
		memset(&found.items[found.n], 0, sizeof(found.items[0]));
		s = read_challenge(s, &found.items[found.n++]);
		if (!s || (*s && *s != ','))
			break;
	}
	if (!s || *s) {
		challenges_done(&found);
		return -EINVAL;
	}
	for (size_t i = 0; i < found.n; i++)
		ret->items[ret->n++] = found.items[i];
	return 0;
}

const struct challenge *challenges_find(const struct challenges *c, enum challenge_scheme scheme)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->items[i].scheme == scheme)
			return &c->items[i];
	return NULL;
}

/* ---- numbers ---- */

/* Digits up to the character end, which is skipped ('\0' is not). The rest, or NULL. */
static const char *read_number(const char *s, char end, uint64_t *ret)
{
	char digits[24];
	size_t n = strspn(s, "0123456789");

	if (n == 0 || n >= sizeof(digits) || s[n] != end)
		return NULL;
	memcpy(digits, s, n);
	digits[n] = '\0';
	if (str_parse_u64(digits, ret) < 0)
		return NULL;
	return s + n + (end != '\0');
}

int content_range_parse(const char *value, struct content_range *ret)
{
	struct content_range range = { .has_range = false };

	if (strncasecmp(value, "bytes ", strlen("bytes ")) != 0)
		return -EINVAL;
	const char *s = skip_space(value + strlen("bytes "));
	if (s[0] == '*' && s[1] == '/') {
		s += 2;
	} else {
		s = read_number(s, '-', &range.first);
		if (s)
			s = read_number(s, '/', &range.last);
		if (!s || range.last < range.first || range.last == UINT64_MAX)
			return -EINVAL;
		range.has_range = true;
	}
	if (!str_eq(s, "*")) {
		if (!read_number(s, '\0', &range.total))
			return -EINVAL;
		range.has_total = true;
		if (range.has_range && range.last >= range.total)
			return -EINVAL;
	} else if (!range.has_range) {
		return -EINVAL;
	}
	*ret = range;
	return 0;
}

int upload_range_parse(const char *value, uint64_t *ret)
{
	const char *s = str_after(value, "bytes=");
	uint64_t first, last;

	s = read_number(s ? s : value, '-', &first);
	if (!s || first != 0 || !read_number(s, '\0', &last) || last == UINT64_MAX)
		return -EINVAL;
	/* docker-registry says the same of no byte and of one; none is the safe reading. */
	*ret = last == 0 ? 0 : last + 1;
	return 0;
}

int retry_after_parse(const char *value, int64_t now_s, uint64_t *ret_s)
{
	struct tm tm = { 0 };
	uint64_t seconds;

	if (read_number(value, '\0', &seconds)) {
		*ret_s = seconds > RETRY_MAX_S ? RETRY_MAX_S : seconds;
		return 0;
	}
	const char *end = strptime(value, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	if (!end || *end)
		return -EINVAL;
	int64_t at = timegm(&tm);
	seconds = at > now_s ? (uint64_t)(at - now_s) : 0;
	*ret_s = seconds > RETRY_MAX_S ? RETRY_MAX_S : seconds;
	return 0;
}

/* ---- Link, Content-Type ---- */

/* Parameters of a link up to the next comma. The rest, or NULL. */
static const char *read_link_params(const char *s, bool *next)
{
	while (*(s = skip_space(s)) == ';') {
		s = skip_space(s + 1);
		const char *end = skip_token(s);
		bool rel = end - s == 3 && strncasecmp(s, "rel", 3) == 0;
		cleanup_free char *value = NULL;
		s = skip_space(end);
		if (*s != '=')
			continue;
		s = read_value(skip_space(s + 1), &value);
		if (!s)
			return NULL;
		if (rel && strcasecmp(value, "next") == 0)
			*next = true;
	}
	return *s == ',' || !*s ? s : NULL;
}

int link_next(const char *value, char **ret)
{
	const char *s = value;

	if (strlen(value) > HEADER_VALUE_MAX)
		return -EINVAL;
	for (;;) {
		bool next = false;
		while (*s == ' ' || *s == '\t' || *s == ',')
			s++;
		if (!*s)
			return 0;
		const char *end = *s == '<' ? strchr(s, '>') : NULL;
		if (!end)
			return -EINVAL;
		cleanup_free char *target = xstrndup(s + 1, (size_t)(end - s - 1));
		s = read_link_params(end + 1, &next);
		if (!s)
			return -EINVAL;
		if (next && header_value_valid(target)) {
			*ret = take_ptr(target);
			return 1;
		}
	}
}

char *warning_parse(const char *value)
{
	const char *s = str_after(value, "299 - ");
	char *text = NULL;

	if (!s || *s != '"' || strlen(s) > WARNING_MAX || !(s = read_value(s, &text)))
		return NULL;
	if (*skip_space(s) != '\0' && *skip_space(s) != ',') {
		free(text);
		return NULL;
	}
	return str_mask_controls(text, "");
}

char *media_type_parse(const char *value)
{
	const char *s = skip_space(value), *slash = skip_token(s);
	const char *end = *slash == '/' ? skip_token(slash + 1) : slash;

	if (slash == s || *slash != '/' || end == slash + 1 || end - s > 255)
		return NULL;
	if (*skip_space(end) != ';' && *skip_space(end) != '\0')
		return NULL;
	char *type = xstrndup(s, (size_t)(end - s));
	for (char *c = type; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return type;
}
