/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's formats of counters. Pure. */
#include <string.h>

#include "base/str.h"
#include "runtime/cgroup_stats.h"

#define ENTRIES_MAX 16384 /* twice the CPUs that Linux knows */

struct span {
	const char *p, *end;
};

static bool next_line(struct span *text, struct span *line)
{
	const char *nl;

	if (text->p >= text->end)
		return false;
	nl = memchr(text->p, '\n', (size_t)(text->end - text->p));
	*line = (struct span){ text->p, nl ? nl : text->end };
	text->p = nl ? nl + 1 : text->end;
	return true;
}

/* The next word up to a blank or one of seps, terminated; "" when it is longer than size. */
static bool next_word(struct span *line, const char *seps, char *out, size_t size)
{
	size_t n = 0;

	while (line->p < line->end && *line->p == ' ')
		line->p++;
	if (line->p >= line->end)
		return false;
	while (line->p < line->end && *line->p != ' ' && !(*line->p && strchr(seps, *line->p))) {
		if (n < size)
			out[n] = *line->p;
		n++;
		line->p++;
	}
	if (line->p < line->end)
		line->p++;
	out[n < size ? n : 0] = '\0';
	return true;
}

static bool next_u64(struct span *line, const char *seps, uint64_t *ret)
{
	char word[24];

	return next_word(line, seps, word, sizeof(word)) && str_parse_u64(word, ret) == 0;
}

/* Room doubles: it is what the next power of two says. */
#define APPEND(list, ...)                                                                          \
	do {                                                                                       \
		size_t n_ = (list)->n;                                                             \
		if (n_ == ENTRIES_MAX)                                                             \
			return;                                                                    \
		if ((n_ & (n_ - 1)) == 0)                                                          \
			(list)->items =                                                            \
			    xrealloc((list)->items, (n_ ? 2 * n_ : 1) * sizeof(*(list)->items));   \
		(list)->items[(list)->n++] = __VA_ARGS__;                                          \
	} while (0)

void stats_parse_pairs(const char *text, size_t len, stats_pairs *ret)
{
	struct span rest = { text, text + len }, line;

	while (next_line(&rest, &line)) {
		char key[128];
		uint64_t value;

		if (next_word(&line, "", key, sizeof(key)) && *key && next_u64(&line, "", &value))
			APPEND(ret, (struct stats_pair){ xstrdup(key), value });
	}
}

const uint64_t *stats_pair_find(const stats_pairs *pairs, const char *key)
{
	for (size_t i = 0; i < pairs->n; i++)
		if (str_eq(pairs->items[i].key, key))
			return &pairs->items[i].value;
	return NULL;
}

void stats_pairs_done(stats_pairs *pairs)
{
	for (size_t i = 0; i < pairs->n; i++)
		free(pairs->items[i].key);
	free(pairs->items);
	*pairs = (stats_pairs){ 0 };
}

int stats_parse_value(const char *text, size_t len, uint64_t *ret)
{
	struct span line, rest = { text, text + len };
	char word[24];

	if (!next_line(&rest, &line) || !next_word(&line, "", word, sizeof(word)))
		return -EINVAL;
	if (str_eq(word, "max")) {
		*ret = STATS_NO_LIMIT;
		return 0;
	}
	return str_parse_u64(word, ret);
}

void stats_parse_numbers(const char *text, size_t len, stats_u64s *ret)
{
	struct span line, rest = { text, text + len };
	uint64_t value;

	if (!next_line(&rest, &line))
		return;
	while (next_u64(&line, "", &value))
		APPEND(ret, value);
}

void stats_parse_usage_all(const char *text, size_t len, stats_u64s *user, stats_u64s *kernel)
{
	struct span line, rest = { text, text + len };

	while (next_line(&rest, &line)) {
		uint64_t cpu, in_user, in_kernel;

		/* the header is no number */
		if (!next_u64(&line, "", &cpu) || !next_u64(&line, "", &in_user) ||
		    !next_u64(&line, "", &in_kernel))
			continue;
		APPEND(user, in_user);
		APPEND(kernel, in_kernel);
	}
}

static bool next_device(struct span *line, struct stats_device *ret)
{
	return next_u64(line, ":", &ret->major) && next_u64(line, "", &ret->minor);
}

void stats_parse_blkio(const char *text, size_t len, stats_devices *ret)
{
	struct span line, rest = { text, text + len };

	while (next_line(&rest, &line)) {
		struct stats_device d = { 0 };
		char word[24];

		if (!next_device(&line, &d) || !next_word(&line, "", word, sizeof(word)))
			continue;
		if (str_parse_u64(word, &d.value) == 0) {
			APPEND(ret, d);
			continue;
		}
		if (strlen(word) >= sizeof(d.op) || !next_u64(&line, "", &d.value))
			continue;
		memcpy(d.op, word, strlen(word) + 1);
		APPEND(ret, d);
	}
}

void stats_parse_io(const char *text, size_t len, stats_devices *bytes, stats_devices *count)
{
	static const struct {
		const char *key, *op;
		bool is_count;
	} kinds[] = {
		{ "rbytes", "Read", false },
		{ "wbytes", "Write", false },
		{ "rios", "Read", true },
		{ "wios", "Write", true },
	};
	struct span line, rest = { text, text + len };

	while (next_line(&rest, &line)) {
		struct stats_device d = { 0 };
		char key[24];

		if (!next_device(&line, &d))
			continue;
		while (next_word(&line, "=", key, sizeof(key))) {
			for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
				if (!str_eq(kinds[k].key, key) || !next_u64(&line, "", &d.value))
					continue;
				memcpy(d.op, kinds[k].op, strlen(kinds[k].op) + 1);
				APPEND(kinds[k].is_count ? count : bytes, d);
			}
		}
	}
}

/* "1.25" -> 125; the kernel writes two decimals, up to 100.00. */
static int parse_hundredths(const char *word, uint32_t *ret)
{
	size_t whole = strspn(word, "0123456789");
	const char *cents = word + whole + 1;

	if (whole == 0 || whole > 3 || word[whole] != '.' || strlen(cents) != 2 ||
	    strspn(cents, "0123456789") != 2)
		return -EINVAL;
	*ret = 0;
	for (const char *p = word; *p; p++)
		if (*p != '.')
			*ret = *ret * 10 + (uint32_t)(*p - '0');
	return 0;
}

static void parse_pressure_line(struct span *line, struct stats_pressure_line *ret)
{
	char key[16], value[24];

	while (next_word(line, "=", key, sizeof(key)) &&
	       next_word(line, "", value, sizeof(value))) {
		const struct {
			const char *key;
			uint32_t *ret;
		} averages[] = { { "avg10", &ret->avg10 },
				 { "avg60", &ret->avg60 },
				 { "avg300", &ret->avg300 } };

		for (size_t i = 0; i < ARRAY_SIZE(averages); i++)
			if (str_eq(key, averages[i].key) &&
			    parse_hundredths(value, averages[i].ret) < 0)
				return;
		if (str_eq(key, "total") && str_parse_u64(value, &ret->total_us) < 0)
			return;
	}
}

void stats_parse_pressure(const char *text, size_t len, struct stats_pressure *ret)
{
	struct span line, rest = { text, text + len };
	char word[8];

	while (next_line(&rest, &line)) {
		if (!next_word(&line, "", word, sizeof(word)))
			continue;
		if (str_eq(word, "some"))
			parse_pressure_line(&line, &ret->some);
		else if (str_eq(word, "full"))
			parse_pressure_line(&line, &ret->full);
		else
			continue;
		ret->set = true;
	}
}

/* "7" or "0-3". */
static int parse_range(char *word, uint32_t *first, uint32_t *last)
{
	char *dash = strchr(word, '-');

	if (dash)
		*dash = '\0';
	if (str_parse_u32(word, first) < 0 || str_parse_u32(dash ? dash + 1 : word, last) < 0 ||
	    *first > *last || *last > UINT16_MAX)
		return -EINVAL;
	return 0;
}

static void add_range(stats_u16s *list, uint32_t first, uint32_t last)
{
	for (uint32_t v = first; v <= last; v++)
		APPEND(list, (uint16_t)v);
}

int stats_parse_list(const char *text, size_t len, stats_u16s *ret)
{
	struct span line, rest = { text, text + len };
	size_t before = ret->n;
	char word[16];

	if (!next_line(&rest, &line))
		return -EINVAL;
	while (next_word(&line, ",", word, sizeof(word))) {
		uint32_t first, last;

		if (parse_range(word, &first, &last) < 0) {
			ret->n = before;
			return -EINVAL;
		}
		add_range(ret, first, last);
	}
	return 0;
}
