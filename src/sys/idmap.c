/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/idmap.h"

#include "base/str.h"

void idmap_done(struct idmap *m)
{
	free(m->ranges);
	m->ranges = NULL;
	m->n = 0;
}

static bool overlaps(uint32_t a, uint32_t a_count, uint32_t b, uint32_t b_count)
{
	return (uint64_t)a < (uint64_t)b + b_count && (uint64_t)b < (uint64_t)a + a_count;
}

int idmap_add(struct idmap *m, uint32_t inside, uint32_t outside, uint32_t count)
{
	/* 4294967295 is (uid_t)-1, "no id", and can't be mapped. */
	if (count == 0 || (uint64_t)inside + count > UINT32_MAX ||
	    (uint64_t)outside + count > UINT32_MAX)
		return -EINVAL;
	if (m->n >= IDMAP_RANGES_MAX)
		return -E2BIG;
	for (size_t i = 0; i < m->n; i++) {
		const struct idmap_range *r = &m->ranges[i];
		if (overlaps(inside, count, r->inside, r->count) ||
		    overlaps(outside, count, r->outside, r->count))
			return -EINVAL;
	}
	m->ranges = xrealloc(m->ranges, (m->n + 1) * sizeof(*m->ranges));
	m->ranges[m->n++] =
	    (struct idmap_range){ .inside = inside, .outside = outside, .count = count };
	return 0;
}

bool idmap_equal(const struct idmap *a, const struct idmap *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		const struct idmap_range *x = &a->ranges[i], *y = &b->ranges[i];
		if (x->inside != y->inside || x->outside != y->outside || x->count != y->count)
			return false;
	}
	return true;
}

int idmap_to_outside(const struct idmap *m, uint32_t inside, uint32_t *ret)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct idmap_range *r = &m->ranges[i];
		if (inside >= r->inside && inside - r->inside < r->count) {
			*ret = r->outside + (inside - r->inside);
			return 0;
		}
	}
	return -ENOENT;
}

int idmap_to_inside(const struct idmap *m, uint32_t outside, uint32_t *ret)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct idmap_range *r = &m->ranges[i];
		if (outside >= r->outside && outside - r->outside < r->count) {
			*ret = r->inside + (outside - r->outside);
			return 0;
		}
	}
	return -ENOENT;
}

/* How many of the ids outside from start on follow each other in m; *ret is the first one inside.
 */
static uint32_t run_of(const struct idmap *m, uint32_t start, uint32_t *ret)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct idmap_range *r = &m->ranges[i];
		if (start >= r->outside && start - r->outside < r->count) {
			*ret = r->inside + (start - r->outside);
			return r->count - (start - r->outside);
		}
	}
	return 0;
}

int idmap_below(const struct idmap *m, const struct idmap *above, struct idmap *ret)
{
	CLEANUP(idmap_done) struct idmap below = { 0 };
	int r = 0;

	for (size_t i = 0; i < m->n; i++) {
		uint32_t done = 0, count, at;

		for (; r == 0 && done < m->ranges[i].count; done += count) {
			count = run_of(above, m->ranges[i].outside + done, &at);
			if (count == 0)
				return -ENOENT;
			if (count > m->ranges[i].count - done)
				count = m->ranges[i].count - done;
			r = idmap_add(&below, m->ranges[i].inside + done, at, count);
		}
	}
	if (r < 0)
		return r;
	*ret = below;
	below = (struct idmap){ 0 };
	return 0;
}

bool idmap_is_full(const struct idmap *m)
{
	return m->n == 1 && m->ranges[0].inside == 0 && m->ranges[0].outside == 0 &&
	       m->ranges[0].count == UINT32_MAX;
}

/* Calls fn with each line of text, copied; lines of size or more bytes or with a NUL byte are given
 * as NULL. fn returns 0 to go on. */
static int each_line(const char *text, size_t len, char *line, size_t size,
		     int (*fn)(char *line, void *data), void *data)
{
	const char *end = len ? text + len : text;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((newline ? newline : end) - text);
		bool usable = n < size && !memchr(text, '\0', n);
		if (usable) {
			memcpy(line, text, n);
			line[n] = '\0';
		}
		int r = fn(usable ? line : NULL, data);
		if (r != 0)
			return r;
		text += n + (newline ? 1 : 0);
	}
	return 0;
}

/* "         0       1000          1": three numbers, padded with spaces. */
static int parse_proc_line(char *line, void *data)
{
	uint32_t v[3];

	if (!line)
		return -EINVAL;
	for (size_t i = 0; i < 3; i++) {
		line += strspn(line, " ");
		size_t n = strcspn(line, " ");
		char *next = line + n + (line[n] ? 1 : 0);
		line[n] = '\0';
		if (str_parse_u32(line, &v[i]) < 0)
			return -EINVAL;
		line = next;
	}
	return *line ? -EINVAL : idmap_add(data, v[0], v[1], v[2]);
}

int idmap_parse_proc(const char *text, size_t len, struct idmap *ret, struct err *err)
{
	struct idmap m = { 0 };
	char line[128];
	int r = each_line(text, len, line, sizeof(line), parse_proc_line, &m);

	if (r < 0) {
		idmap_done(&m);
		return err_fail(err, ERR_INVALID, "malformed id map");
	}
	*ret = m;
	return 0;
}

struct subid_search {
	const char *user;
	uint32_t uid;
	struct subid_range *out;
	size_t n, max;
};

static bool owner_matches(const struct subid_search *s, const char *owner)
{
	uint32_t uid;

	if (s->user && str_eq(owner, s->user))
		return true;
	return str_parse_u32(owner, &uid) == 0 && uid == s->uid;
}

static int parse_subid_line(char *line, void *data)
{
	struct subid_search *s = data;
	struct subid_range r;
	char *start, *count;

	if (!line || *line == '#' || !(start = strchr(line, ':')) ||
	    !(count = strchr(start + 1, ':')))
		return 0;
	*start++ = '\0';
	*count++ = '\0';
	if (!*line || !owner_matches(s, line))
		return 0;
	if (str_parse_u32(start, &r.start) < 0 || str_parse_u32(count, &r.count) < 0)
		return 0;
	if (r.count == 0 || (uint64_t)r.start + r.count > UINT32_MAX)
		return 0;
	s->out[s->n++] = r;
	return s->n == s->max;
}

size_t subid_parse(const char *text, size_t len, const char *user, uint32_t uid,
		   struct subid_range *ret, size_t max)
{
	struct subid_search s = { .user = user, .uid = uid, .out = ret, .max = max };
	char line[512];

	if (max > 0)
		each_line(text, len, line, sizeof(line), parse_subid_line, &s);
	return s.n;
}

int idmap_rootless(uint32_t own_id, const struct subid_range *sub, size_t n, struct idmap *ret)
{
	struct idmap m = { 0 };
	uint64_t next = 1;
	int r = idmap_add(&m, 0, own_id, 1);

	for (size_t i = 0; i < n && r == 0; i++) {
		if (next > UINT32_MAX)
			r = -EINVAL;
		else
			r = idmap_add(&m, (uint32_t)next, sub[i].start, sub[i].count);
		next += sub[i].count;
	}
	if (r < 0) {
		idmap_done(&m);
		return r;
	}
	*ret = m;
	return 0;
}
