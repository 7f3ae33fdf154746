/* SPDX-License-Identifier: Apache-2.0 */
/* Tests on single values of config.json: words, paths, ranges, lists. */
#include <inttypes.h>

#include "base/buf.h"
#include "base/str.h"
#include "oci/spec_internal.h"

#define SHOWN_MAX 80 /* bytes of a wrong value that an error repeats */

int spec_fail_value(struct err *err, const char *member, const char *value, const char *expected)
{
	cleanup_free char *shown = str_escape(value);

	return json_fail(err, member, "expected %s, got \"%.*s\"", expected, SHOWN_MAX, shown);
}

bool spec_word_in(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(word, *words) == 0)
			return true;
	return false;
}

int spec_check_word(struct err *err, const char *member, const char *value,
		    const char *const *words)
{
	cleanup_buf struct buf list = BUF_INIT;
	size_t i;

	if (spec_word_in(value, words))
		return 0;
	for (i = 0; words[i]; i++) {
		if (i > 0)
			buf_adds(&list, words[i + 1] ? ", " : " or ");
		buf_adds(&list, words[i]);
	}
	return spec_fail_value(err, member, value, buf_str(&list));
}

/* "member[i]" */
static const char *element(char *out, size_t size, const char *member, size_t i)
{
	snprintf(out, size, "%s[%zu]", member, i);
	return out;
}

int spec_check_words(struct err *err, const char *member, char *const *values,
		     const char *const *words)
{
	char name[64];
	size_t i;

	for (i = 0; values && values[i]; i++)
		if (!spec_word_in(values[i], words))
			return spec_check_word(err, element(name, sizeof(name), member, i),
					       values[i], words);
	return 0;
}

int spec_check_absolute(struct err *err, const char *member, const char *path)
{
	if (path[0] == '/')
		return 0;
	return spec_fail_value(err, member, path, "an absolute path");
}

int spec_check_absolutes(struct err *err, const char *member, char *const *paths)
{
	char name[64];
	size_t i;

	for (i = 0; paths && paths[i]; i++)
		if (paths[i][0] != '/')
			return spec_check_absolute(err, element(name, sizeof(name), member, i),
						   paths[i]);
	return 0;
}

int spec_check_env(struct err *err, const char *member, char *const *env)
{
	char name[64];
	size_t i;

	for (i = 0; env && env[i]; i++)
		if (env[i][0] == '=' || !strchr(env[i], '='))
			return spec_fail_value(err, element(name, sizeof(name), member, i), env[i],
					       "NAME=value");
	return 0;
}

int spec_check_range(struct err *err, const char *member, int64_t value, int64_t min, int64_t max)
{
	if (value >= min && value <= max)
		return 0;
	return json_fail(err, member,
			 "expected an integer from %" PRId64 " to %" PRId64 ", got %" PRId64, min,
			 max, value);
}

/* Reads digits at *p, at most 2^16 as CPUs and nodes are. Returns the value or -1. */
static int list_number(const char **p)
{
	int v = 0;

	if (**p < '0' || **p > '9')
		return -1;
	for (; **p >= '0' && **p <= '9'; (*p)++) {
		v = v * 10 + (**p - '0');
		if (v > 65535)
			return -1;
	}
	return v;
}

int spec_check_cpu_list(struct err *err, const char *member, const char *list)
{
	const char *p = list;
	int first, last;

	while (*p) {
		first = last = list_number(&p);
		if (first >= 0 && *p == '-') {
			p++;
			last = list_number(&p);
		}
		if (first < 0 || last < first || (*p && *p != ','))
			goto bad;
		if (*p == ',' && *++p == '\0')
			goto bad;
	}
	return 0;
bad:
	return spec_fail_value(err, member, list, "a list of numbers and ranges like 0-3,7");
}

int spec_check_id(struct err *err, const char *member, uint32_t id)
{
	/* (uid_t)-1 means "leave as it is" to setresuid(2): never an id */
	return spec_check_range(err, member, id, 0, UINT32_MAX - 1);
}

static bool ranges_overlap(uint32_t a, uint32_t a_size, uint32_t b, uint32_t b_size)
{
	return (uint64_t)a < (uint64_t)b + b_size && (uint64_t)b < (uint64_t)a + a_size;
}

int spec_check_id_maps(struct err *err, const char *member, const spec_id_maps *maps)
{
	const struct spec_id_map *a, *b;
	char name[64];
	size_t i, j;

	if (maps->n > ID_MAPS_MAX)
		return json_fail(err, member, "expected at most %d mappings, got %zu", ID_MAPS_MAX,
				 maps->n);
	for (i = 1; i < maps->n; i++) {
		a = &maps->items[i];
		for (j = 0; j < i; j++) {
			b = &maps->items[j];
			if (!ranges_overlap(a->container_id, a->size, b->container_id, b->size) &&
			    !ranges_overlap(a->host_id, a->size, b->host_id, b->size))
				continue;
			return json_fail(err, element(name, sizeof(name), member, i),
					 "expected ranges that do not overlap %s[%zu]", member, j);
		}
	}
	return 0;
}

int spec_check_ifname(struct err *err, const char *member, const char *name)
{
	if (str_is_ifname(name))
		return 0;
	return spec_fail_value(err, member, name, "a network interface name of 1 to 15 characters");
}

int spec_check_device_number(struct err *err, int64_t major, int64_t minor, int64_t min)
{
	int r;

	/* The kernel's dev_t has 12 and 20 bits: more would be cut and name another device. */
	r = spec_check_range(err, "major", major, min, DEV_MAJOR_MAX);
	if (r < 0)
		return r;
	return spec_check_range(err, "minor", minor, min, DEV_MINOR_MAX);
}
