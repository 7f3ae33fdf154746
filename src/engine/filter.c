/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/filter.h"

#include <regex.h>

#include "base/buf.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"

#define NS_PER_S INT64_C(1000000000)

void filters_done(struct filters *filters)
{
	for (size_t i = 0; i < filters->n; i++) {
		free(filters->items[i].key);
		free(filters->items[i].value);
	}
	free(filters->items);
	*filters = (struct filters){ .n = 0 };
}

static int unknown(const char *key, const char *const *keys, struct err *err)
{
	cleanup_buf struct buf list = BUF_INIT;
	int r;

	for (size_t i = 0; keys[i]; i++)
		buf_addf(&list, "%s%s", i ? ", " : "", keys[i]);
	r = err_fail(err, ERR_USAGE, "invalid filter \"%.100s\"", key);
	return err_hint(err, r, "expected one of %s", buf_str(&list));
}

int filters_parse(char *const *words, const char *const *keys, struct filters *ret, struct err *err)
{
	cleanup_filters struct filters filters = { .n = 0 };

	filters.items = xcalloc(strv_len(words) + 1, sizeof(*filters.items));
	for (size_t i = 0; words && words[i]; i++) {
		struct filter *f = &filters.items[filters.n++];
		const char *eq = strchr(words[i], '=');
		size_t len = eq ? (size_t)(eq - words[i]) : strlen(words[i]);

		f->negated = eq && len && eq[-1] == '!';
		f->key = xstrndup(words[i], len - f->negated);
		f->value = xstrdup(eq ? eq + 1 : "");
		if (!strv_has((char *const *)keys, f->key) ||
		    (f->negated && !str_eq(f->key, "label")))
			return unknown(words[i], keys, err);
		if (!eq)
			return err_fail(err, ERR_USAGE,
					"bad format of filter \"%s\": expected name=value",
					words[i]);
	}
	*ret = filters;
	filters = (struct filters){ .n = 0 };
	return 0;
}

bool filters_have(const struct filters *filters, const char *key)
{
	for (size_t i = 0; i < filters->n; i++)
		if (str_eq(filters->items[i].key, key))
			return true;
	return false;
}

bool filters_any(const struct filters *filters, const char *key,
		 bool (*fn)(const char *value, const void *data), const void *data)
{
	bool given = false;

	for (size_t i = 0; i < filters->n; i++) {
		if (!str_eq(filters->items[i].key, key))
			continue;
		if (fn(filters->items[i].value, data))
			return true;
		given = true;
	}
	return !given;
}

static bool has_label(const struct json_map *labels, const char *word)
{
	const char *eq = strchr(word, '=');
	cleanup_free char *key = xstrndup(word, eq ? (size_t)(eq - word) : strlen(word));
	const char *value = labels ? json_map_get(labels, key) : NULL;

	return value && (!eq || str_eq(value, eq + 1));
}

bool filters_labels(const struct filters *filters, const struct json_map *labels)
{
	for (size_t i = 0; i < filters->n; i++) {
		const struct filter *f = &filters->items[i];

		if (str_eq(f->key, "label") && has_label(labels, f->value) == f->negated)
			return false;
	}
	return true;
}

int filters_bool(const struct filters *filters, const char *key, bool *ret_given, bool *ret,
		 struct err *err)
{
	*ret_given = *ret = false;
	for (size_t i = 0; i < filters->n; i++) {
		if (!str_eq(filters->items[i].key, key))
			continue;
		if (str_parse_bool(filters->items[i].value, ret) < 0)
			return err_fail(err, ERR_USAGE,
					"invalid filter \"%s=%s\": expected true or false", key,
					filters->items[i].value);
		*ret_given = true;
	}
	return 0;
}

/* What the clock on the wall shows when it would be ns in UTC. */
static int64_t local_time(int64_t ns)
{
	time_t seconds = (time_t)(ns / NS_PER_S);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	tm.tm_isdst = -1;
	return (int64_t)mktime(&tm) * NS_PER_S + ns % NS_PER_S;
}

/* "2026-01-02", "2026-01-02T15:04", "2026-01-02T15:04:05.5", with a "Z" or local. */
static bool short_time(const char *value, int64_t *ret_ns)
{
	size_t len = strlen(value);
	bool utc = len && value[len - 1] == 'Z';
	cleanup_free char *text = NULL;

	len -= utc;
	text = xasprintf("%.*s%sZ", (int)len, value,
			 len == strlen("2026-01-02")         ? "T00:00:00"
			 : len == strlen("2026-01-02T15:04") ? ":00"
							     : "");
	if (time_parse_rfc3339(text, ret_ns) < 0)
		return false;
	if (!utc)
		*ret_ns = local_time(*ret_ns);
	return true;
}

/* "1767366245", "1767366245.123456789" */
static bool unix_time(const char *value, int64_t *ret_ns)
{
	const char *dot = strchr(value, '.');
	cleanup_free char *whole = xstrndup(value, dot ? (size_t)(dot - value) : strlen(value));
	int64_t seconds, ns = 0, unit = NS_PER_S / 10;

	if (str_parse_i64(whole, &seconds) < 0 || seconds >= INT64_MAX / NS_PER_S ||
	    seconds <= INT64_MIN / NS_PER_S)
		return false;
	for (const char *p = dot ? dot + 1 : ""; *p; p++, unit /= 10) {
		if (*p < '0' || *p > '9')
			return false;
		ns += (*p - '0') * unit;
	}
	*ret_ns = seconds * NS_PER_S + (seconds < 0 ? -ns : ns);
	return true;
}

int filter_time(const char *value, int64_t *ret_ns, struct err *err)
{
	if (time_parse_rfc3339(value, ret_ns) == 0 || short_time(value, ret_ns) ||
	    unix_time(value, ret_ns))
		return 0;
	if (time_parse_duration(value, ret_ns) == 0) {
		*ret_ns = time_now_ns() - *ret_ns;
		return 0;
	}
	if (value[0] == '-' && time_parse_duration(value + 1, ret_ns) == 0) {
		*ret_ns += time_now_ns();
		return 0;
	}
	return err_fail(err, ERR_USAGE,
			"invalid time \"%s\": expected a date, seconds since 1970 or a duration "
			"such as 24h",
			value);
}

int filters_until(const struct filters *filters, int64_t *ret_ns, struct err *err)
{
	int r = 0;

	*ret_ns = INT64_MAX;
	for (size_t i = 0; r == 0 && i < filters->n; i++) {
		int64_t ns = INT64_MAX;

		if (str_eq(filters->items[i].key, "until"))
			r = filter_time(filters->items[i].value, &ns, err);
		*ret_ns = ns < *ret_ns ? ns : *ret_ns;
	}
	return r;
}

bool filter_is_word(const char *value, const void *word)
{
	return str_eq(value, word);
}

int filters_regex_check(const struct filters *filters, const char *key, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < filters->n; i++)
		if (str_eq(filters->items[i].key, key))
			r = filter_regex_check(&filters->items[i], err);
	return r;
}

int filter_regex_check(const struct filter *f, struct err *err)
{
	regex_t regex;

	if (regcomp(&regex, f->value, REG_EXTENDED | REG_NOSUB) != 0)
		return err_fail(err, ERR_USAGE,
				"invalid filter \"%s=%s\": expected a regular expression", f->key,
				f->value);
	regfree(&regex);
	return 0;
}

bool filter_regex_matches(const char *value, const void *name)
{
	regex_t regex;
	bool match;

	if (regcomp(&regex, value, REG_EXTENDED | REG_NOSUB) != 0)
		return false;
	match = regexec(&regex, name, 0, NULL, 0) == 0;
	regfree(&regex);
	return match;
}
