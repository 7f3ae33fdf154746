/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --filter: "key=value" as docker and podman take it. A listing has a table of its keys. Of one key
 * given several times, any of the values will do; of several keys, each must be met; each label
 * must be met.
 */
#pragma once

#include "base/err.h"
#include "base/json.h"

struct filter {
	char *key, *value; /* value "" when there was no "=" */
	bool negated;      /* "key!=value" */
};
struct filters {
	struct filter *items;
	size_t n;
};
void filters_done(struct filters *filters);
#define cleanup_filters CLEANUP(filters_done)

/* words NULL: none. keys: the names that are known, NULL-terminated. */
int filters_parse(char *const *words, const char *const *keys, struct filters *ret,
		  struct err *err);
bool filters_have(const struct filters *filters, const char *key);
/* Is there none of this key, or one for which fn says yes? */
bool filters_any(const struct filters *filters, const char *key,
		 bool (*fn)(const char *value, const void *data), const void *data);
/* All of label and label! ; labels NULL: none. */
bool filters_labels(const struct filters *filters, const struct json_map *labels);
/* The value of a key that is a truth: false when it is not given. */
int filters_bool(const struct filters *filters, const char *key, bool *ret_given, bool *ret,
		 struct err *err);
/* A point in time: RFC 3339, also without seconds, without a time, or without a zone, which then is
 * the local one; seconds since 1970, also a fraction; or a duration before now ("24h"), or after
 * it ("-24h"), as docker has it. */
int filter_time(const char *value, int64_t *ret_ns, struct err *err);
/* The earliest of all values of "until"; INT64_MAX: there is none. */
int filters_until(const struct filters *filters, int64_t *ret_ns, struct err *err);
/* For filters_any(): the word itself. */
bool filter_is_word(const char *value, const void *word);
/* Extended regular expressions: is it one? And does it match a part of the name? */
int filter_regex_check(const struct filter *f, struct err *err);
int filters_regex_check(const struct filters *filters, const char *key, struct err *err);
bool filter_regex_matches(const char *value, const void *name);
