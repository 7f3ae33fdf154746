/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/cgroup.h"

#include <fcntl.h>

#include "base/io.h"
#include "base/str.h"
#include "base/strv.h"
#include "sys/mount.h"

#define MOUNTINFO_BYTES_MAX (64u << 20)
#define SELF_BYTES_MAX      (1u << 20)
#define USUAL_PLACE         "/sys/fs/cgroup"

/* "4:memory:/user.slice" or, for cgroup2, "0::/user.slice". A v1 hierarchy that is being made or
 * unmounted has no controllers either ("5::/"): what counts for cgroup2 is the 0. */
struct self_line {
	char **controllers; /* NULL: cgroup2 */
	char *path;
	bool passing; /* belongs to no mount */
};

struct parse {
	struct self_line lines[CGROUP_HIERARCHIES_MAX];
	size_t n_lines;
	struct cgroup_system *sys;
	struct err *err;
};

static int self_line_parse(const char *text, size_t len, struct self_line *ret, struct err *err)
{
	cleanup_free char *line = xstrndup(text, len);
	char *controllers = strchr(line, ':');
	char *path = controllers ? strchr(controllers + 1, ':') : NULL;
	uint32_t id;

	if (!path || strlen(line) != len)
		return err_fail(err, ERR_INVALID,
				"/proc/self/cgroup: expected ID:CONTROLLERS:PATH");
	*controllers++ = '\0';
	*path++ = '\0';
	if (str_parse_u32(line, &id) < 0 || path[0] != '/')
		return err_fail(err, ERR_INVALID,
				"/proc/self/cgroup: expected ID:CONTROLLERS:PATH");
	ret->controllers = *controllers ? strv_split(controllers, ',') : NULL;
	ret->path = xstrdup(path);
	ret->passing = id != 0 && !ret->controllers;
	return 0;
}

static int self_parse(struct parse *p, const char *text, size_t len)
{
	const char *end = len ? text + len : text;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((newline ? newline : end) - text);

		if (p->n_lines == ARRAY_SIZE(p->lines))
			return err_fail(p->err, ERR_LIMIT,
					"/proc/self/cgroup: more than %zu hierarchies", p->n_lines);
		int r = self_line_parse(text, n, &p->lines[p->n_lines], p->err);
		if (r < 0)
			return r;
		p->n_lines++;
		text += n + (newline ? 1 : 0);
	}
	return 0;
}

/* v1 mounts name their controllers (or name=...) among the options of the superblock. */
static const struct self_line *line_of_mount(const struct parse *p, const struct mountinfo *mi)
{
	bool v2 = str_eq(mi->fstype, "cgroup2");
	cleanup_strv char **options = strv_split(mi->super_options, ',');

	for (size_t i = 0; i < p->n_lines; i++) {
		const struct self_line *line = &p->lines[i];
		if (line->passing)
			continue;
		if (v2 ? !line->controllers
		       : line->controllers && strv_has(options, line->controllers[0]))
			return line;
	}
	return NULL;
}

static bool in_usual_place(const char *mount_point)
{
	const char *rest = str_after(mount_point, USUAL_PLACE);

	return rest && (*rest == '\0' || *rest == '/');
}

static bool same_hierarchy(const struct cgroup_hierarchy *h, const struct self_line *line)
{
	if (h->v2 || !line->controllers)
		return h->v2 && !line->controllers;
	return str_eq(h->controllers[0], line->controllers[0]);
}

/* The entry to fill for this mount, or NULL when a better mount of the hierarchy is known. */
static struct cgroup_hierarchy *slot_for(struct cgroup_system *sys, const struct self_line *line,
					 const struct mountinfo *mi)
{
	for (size_t i = 0; i < sys->n; i++) {
		struct cgroup_hierarchy *h = &sys->h[i];
		if (!same_hierarchy(h, line))
			continue;
		if (str_eq(h->mount_point, mi->mount_point) ||
		    (in_usual_place(mi->mount_point) && !in_usual_place(h->mount_point)))
			return h;
		return NULL;
	}
	/* One entry per line of /proc/self/cgroup at most: there is room. */
	return &sys->h[sys->n++];
}

static int add_mount(const struct mountinfo *mi, void *data)
{
	struct parse *p = data;

	if (!str_eq(mi->fstype, "cgroup") && !str_eq(mi->fstype, "cgroup2"))
		return 0;
	const struct self_line *line = line_of_mount(p, mi);
	struct cgroup_hierarchy *h = line ? slot_for(p->sys, line, mi) : NULL;
	if (!h)
		return 0;

	free(h->mount_point);
	free(h->mount_root);
	h->mount_point = xstrdup(mi->mount_point);
	h->mount_root = xstrdup(mi->root);
	if (!h->own_path) {
		h->own_path = xstrdup(line->path);
		h->controllers = strv_copy(line->controllers);
		h->v2 = !line->controllers;
	}
	return 0;
}

/* Only lines that can be about cgroups are looked at: there may be thousands of mounts, and a
 * strange line of another filesystem is no reason to fail here. */
static int mounts_parse(struct parse *p, const char *text, size_t len)
{
	static const char mark[] = " - cgroup";
	const char *end = len ? text + len : text;

	while (text < end) {
		const char *hit = memmem(text, (size_t)(end - text), mark, sizeof(mark) - 1);
		if (!hit)
			break;
		const char *start = memrchr(text, '\n', (size_t)(hit - text));
		const char *stop = memchr(hit, '\n', (size_t)(end - hit));
		start = start ? start + 1 : text;
		stop = stop ? stop + 1 : end;
		int r = mountinfo_parse(start, (size_t)(stop - start), add_mount, p, p->err);
		if (r < 0)
			return r;
		text = stop;
	}
	return 0;
}

static enum cgroup_layout layout_of(const struct cgroup_system *sys)
{
	bool v1 = false, v2 = false;

	for (size_t i = 0; i < sys->n; i++) {
		if (sys->h[i].v2)
			v2 = true;
		else if (!str_starts(sys->h[i].controllers[0], "name="))
			v1 = true;
	}
	if (v1)
		return v2 ? CGROUP_HYBRID : CGROUP_V1;
	return v2 ? CGROUP_V2 : CGROUP_NONE;
}

int cgroup_system_parse(const char *mountinfo, size_t mountinfo_len, const char *self_cgroup,
			size_t self_len, struct cgroup_system *ret, struct err *err)
{
	struct parse p = { .sys = ret, .err = err };
	int r;

	*ret = (struct cgroup_system){ .layout = CGROUP_NONE };
	r = self_parse(&p, self_cgroup, self_len);
	if (r == 0)
		r = mounts_parse(&p, mountinfo, mountinfo_len);
	for (size_t i = 0; i < p.n_lines; i++) {
		strv_free(p.lines[i].controllers);
		free(p.lines[i].path);
	}
	if (r < 0) {
		cgroup_system_done(ret);
		return r;
	}
	ret->layout = layout_of(ret);
	return 0;
}

static int system_read(const char *file, struct cgroup_system *ret, struct err *err)
{
	cleanup_buf struct buf mounts = BUF_INIT, self = BUF_INIT;
	int r;

	*ret = (struct cgroup_system){ .layout = CGROUP_NONE };
	r = io_read_file(AT_FDCWD, file, &self, SELF_BYTES_MAX, err);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	r = io_read_file(AT_FDCWD, "/proc/self/mountinfo", &mounts, MOUNTINFO_BYTES_MAX, err);
	if (r < 0)
		return r;
	return cgroup_system_parse(buf_str(&mounts), mounts.len, buf_str(&self), self.len, ret,
				   err);
}

int cgroup_system_read(struct cgroup_system *ret, struct err *err)
{
	return system_read("/proc/self/cgroup", ret, err);
}

int cgroup_system_read_of(pid_t pid, struct cgroup_system *ret, struct err *err)
{
	char file[64];

	snprintf(file, sizeof(file), "/proc/%d/cgroup", pid);
	return system_read(file, ret, err);
}

void cgroup_system_done(struct cgroup_system *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->h[i].mount_point);
		free(s->h[i].mount_root);
		free(s->h[i].own_path);
		strv_free(s->h[i].controllers);
	}
	*s = (struct cgroup_system){ .layout = CGROUP_NONE };
}

bool cgroup_text_is_in(const char *self_cgroup, bool v2, const char *end)
{
	cleanup_strv char **lines = strv_split(self_cgroup, '\n');

	for (size_t i = 0; lines && lines[i]; i++) {
		const char *colon = strchr(lines[i], ':');
		const char *path = colon ? strchr(colon + 1, ':') : NULL;

		if (!path || str_starts(lines[i], "0::") != v2)
			continue;
		if (!str_eq(path + 1, "/") && !str_ends(path + 1, end))
			return false;
	}
	return true;
}

bool cgroup_self_is_in(bool v2, const char *end)
{
	cleanup_buf struct buf text = BUF_INIT;

	return io_read_file(AT_FDCWD, "/proc/self/cgroup", &text, SELF_BYTES_MAX, NULL) == 0 &&
	       cgroup_text_is_in(buf_str(&text), v2, end);
}
