/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/rdt.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "sys/mount.h"

#define MOUNTINFO_MAX (16u << 20)
#define SCHEMATA_MAX  (1u << 20)
#define STATUS_MAX    4096

static int take_resctrl(const struct mountinfo *mi, void *data)
{
	char **ret = data;

	/* A part of it, bound somewhere, is no place to make groups. */
	if (!str_eq(mi->fstype, "resctrl") || !str_eq(mi->root, "/"))
		return 0;
	*ret = xstrdup(mi->mount_point);
	return 1;
}

char *rdt_find(const char *mountinfo, size_t len)
{
	char *found = NULL;

	return mountinfo_parse(mountinfo, len, take_resctrl, &found, NULL) < 0 ? NULL : found;
}

static int find_root(char **ret, struct err *err)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	int r = io_read_file(AT_FDCWD, "/proc/self/mountinfo", &text, MOUNTINFO_MAX, err);

	if (r < 0)
		return r;
	*ret = rdt_find(buf_str(&text), text.len);
	if (*ret)
		return 0;
	r = err_fail(err, ERR_UNSUPPORTED, "no resctrl filesystem is mounted");
	return err_hint(err, r,
			"where the processor has it: mount -t resctrl resctrl "
			"/sys/fs/resctrl");
}

static bool has_schema(const struct spec_intel_rdt *s)
{
	return (s->l3_cache_schema && s->l3_cache_schema[0]) ||
	       (s->mem_bw_schema && s->mem_bw_schema[0]) || (s->schemata && s->schemata[0]);
}

static int plan(const struct spec_intel_rdt *spec, const char *id, const char *root,
		struct rdt *ret, struct err *err)
{
	const char *class = spec->clos_id && spec->clos_id[0] ? spec->clos_id : NULL;
	cleanup_free char *found = NULL;
	cleanup_free char *mons = NULL;
	int r = root ? 0 : find_root(&found, err);

	if (r < 0)
		return r;
	if (!root)
		root = found;
	ret->group = str_eq(class, "/") ? xstrdup(root) : path_join(root, class ? class : id);
	ret->ours = !class && access(ret->group, F_OK) < 0;
	if (class && !has_schema(spec) && access(ret->group, F_OK) < 0)
		return err_errno(err, errno, "closID: without a schema %s has to be there before",
				 ret->group);
	if (spec->enable_monitoring) {
		mons = path_join(ret->group, "mon_groups");
		ret->mon = path_join(mons, id);
	}
	if (spec->enable_cmt || spec->enable_mbm)
		log_warn("linux.intelRdt: enableCMT and enableMBM have no effect, enableMonitoring "
			 "took their place");
	return 0;
}

int rdt_plan(const struct spec_intel_rdt *spec, const char *id, const char *root, struct rdt *ret,
	     struct err *err)
{
	int r;

	*ret = (struct rdt){ 0 };
	if (!spec)
		return 0;
	r = plan(spec, id, root, ret, err);
	return r < 0 ? err_wrap(err, r, "linux.intelRdt") : 0;
}

/* The kernel says in words what it did not like: info/last_cmd_status at the top. */
static void add_status(const struct rdt *rdt, struct err *err)
{
	cleanup_free char *dir = xstrdup(rdt->group);

	for (char *slash = dir + strlen(dir); err && slash; slash = strrchr(dir, '/')) {
		CLEANUP(buf_done) struct buf text = BUF_INIT;
		cleanup_free char *path = NULL;
		cleanup_free char *line = NULL;

		*slash = '\0';
		path = path_join(dir, "info/last_cmd_status");
		if (io_read_file(AT_FDCWD, path, &text, STATUS_MAX, NULL) < 0)
			continue;
		line = xstrdup(buf_str(&text));
		line[strcspn(line, "\n")] = '\0';
		err_hint(err, 0, "resctrl says: %s", str_mask_controls(line, ""));
		return;
	}
}

static int make_dir(const char *path, bool *ret_made, struct err *err)
{
	*ret_made = mkdir(path, 0755) == 0;
	return *ret_made || errno == EEXIST ? 0 : err_errno(err, errno, "making %s", path);
}

int rdt_make(struct rdt *rdt, struct err *err)
{
	int r;

	if (!rdt->group)
		return 0;
	r = make_dir(rdt->group, &rdt->group_made, err);
	if (r >= 0 && rdt->mon)
		r = make_dir(rdt->mon, &rdt->mon_made, err);
	if (r >= 0)
		return 0;
	add_status(rdt, err);
	return err_wrap(err, r, "linux.intelRdt");
}

/* The value of "id" in "L3:0=7ff;1=7ff": its text in *ret, its length. */
static size_t schema_value(const char *values, const char *id, size_t id_len, const char **ret)
{
	while (*values && *values != '\n') {
		const char *end = values + strcspn(values, ";\n");
		const char *eq = memchr(values, '=', (size_t)(end - values));

		values += strspn(values, " ");
		if (eq && (size_t)(eq - values) == id_len && memcmp(values, id, id_len) == 0) {
			*ret = eq + 1;
			return (size_t)(end - eq - 1);
		}
		values = *end == ';' ? end + 1 : end;
	}
	return 0;
}

static bool same_number(const char *a, size_t a_len, const char *b, size_t b_len)
{
	while (a_len && (*a == ' ' || (*a == '0' && a_len > 1)))
		a++, a_len--;
	while (b_len && (*b == ' ' || (*b == '0' && b_len > 1)))
		b++, b_len--;
	return a_len && a_len == b_len && strncasecmp(a, b, a_len) == 0;
}

/* The values of the line of that resource ("L3") in a schemata file, or NULL. */
static const char *schema_line(const char *schemata, const char *name, size_t len)
{
	while (*schemata) {
		const char *p = schemata + strspn(schemata, " ");

		if (strncmp(p, name, len) == 0 && p[len] == ':')
			return p + len + 1;
		schemata += strcspn(schemata, "\n");
		schemata += *schemata == '\n';
	}
	return NULL;
}

static bool line_matches(const char *schemata, const char *line)
{
	const char *colon = strchr(line, ':');
	const char *have = colon ? schema_line(schemata, line, (size_t)(colon - line)) : NULL;
	cleanup_strv char **values = have ? strv_split(colon + 1, ';') : NULL;

	if (!have)
		return false;
	for (size_t i = 0; values[i]; i++) {
		const char *eq = strchr(values[i], '=');
		const char *now = NULL;
		size_t len;

		if (!values[i][0])
			continue;
		if (!eq)
			return false;
		len = schema_value(have, values[i], (size_t)(eq - values[i]), &now);
		if (!len || !same_number(now, len, eq + 1, strlen(eq + 1)))
			return false;
	}
	return true;
}

bool rdt_schema_matches(const char *schemata, const char *wanted)
{
	cleanup_strv char **lines = strv_split(wanted, '\n');

	for (size_t i = 0; lines[i]; i++)
		if (lines[i][0] && !line_matches(schemata, lines[i]))
			return false;
	return true;
}

static int check_existing(const char *path, const struct spec_intel_rdt *s, struct err *err)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	const struct {
		const char *name, *value;
	} wanted[] = {
		{ "l3CacheSchema", s->l3_cache_schema },
		{ "memBwSchema", s->mem_bw_schema },
	};
	int r = io_read_file(AT_FDCWD, path, &text, SCHEMATA_MAX, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		if (wanted[i].value && !rdt_schema_matches(buf_str(&text), wanted[i].value))
			return err_fail(err, ERR_CONFLICT, "%s: %s of the existing class differs",
					wanted[i].name, path);
	return 0;
}

static void add_line(struct buf *b, const char *line)
{
	if (line && line[0])
		buf_addf(b, "%s\n", line);
}

static int configure(const struct rdt *rdt, const struct spec_intel_rdt *s, bool made,
		     struct err *err)
{
	cleanup_free char *path = path_join(rdt->group, "schemata");
	CLEANUP(buf_done) struct buf lines = BUF_INIT;
	int r = 0;

	if (!has_schema(s))
		return 0;
	if (!made && s->clos_id && s->clos_id[0])
		r = check_existing(path, s, err);
	if (r < 0)
		return r;
	add_line(&lines, s->l3_cache_schema);
	add_line(&lines, s->mem_bw_schema);
	for (size_t i = 0; s->schemata && s->schemata[i]; i++)
		add_line(&lines, s->schemata[i]);
	r = io_write_file(AT_FDCWD, path, buf_str(&lines), err);
	if (r < 0)
		add_status(rdt, err);
	return r;
}

int rdt_configure(const struct rdt *rdt, const struct spec_intel_rdt *spec, struct err *err)
{
	int r = rdt->group ? configure(rdt, spec, rdt->group_made, err) : 0;

	return r < 0 ? err_wrap(err, r, "linux.intelRdt") : 0;
}

int rdt_update(const struct rdt *rdt, const struct spec_intel_rdt *spec, char **ret_old,
	       struct err *err)
{
	CLEANUP(buf_done) struct buf old = BUF_INIT;
	cleanup_free char *path = NULL;
	int r;

	if (!rdt->group)
		return err_fail(
		    err, ERR_UNSUPPORTED,
		    "changing Intel RDT: the container was made without linux.intelRdt");
	path = path_join(rdt->group, "schemata");
	r = io_read_file(AT_FDCWD, path, &old, SCHEMATA_MAX, err);
	if (r >= 0)
		r = configure(rdt, spec, true, err);
	if (r < 0)
		return err_wrap(err, r, "changing Intel RDT");
	*ret_old = buf_take(&old);
	return 0;
}

void rdt_restore(const struct rdt *rdt, const char *old)
{
	cleanup_free char *path = path_join(rdt->group, "schemata");
	struct err err = ERR_INIT;

	if (io_write_file(AT_FDCWD, path, old, &err) < 0)
		log_warn("taking back a schema: %s", err.msg);
}

int rdt_join(const struct rdt *rdt, pid_t pid, struct err *err)
{
	const char *const groups[] = { rdt->group, rdt->mon };
	char text[16];

	snprintf(text, sizeof(text), "%d", pid);
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		cleanup_free char *path = groups[i] ? path_join(groups[i], "tasks") : NULL;
		int r = path ? io_write_file(AT_FDCWD, path, text, err) : 0;

		if (r < 0) {
			add_status(rdt, err);
			return err_wrap(err, r, "linux.intelRdt");
		}
	}
	return 0;
}

static int remove_groups(const char *mon, const char *group, struct err *err)
{
	const char *const groups[] = { mon, group };

	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		if (groups[i] && rmdir(groups[i]) < 0 && errno != ENOENT)
			return err_errno(err, errno, "removing %s", groups[i]);
	return 0;
}

int rdt_remove(const struct rdt *rdt, struct err *err)
{
	return remove_groups(rdt->mon, rdt->ours ? rdt->group : NULL, err);
}

int rdt_undo(const struct rdt *rdt, struct err *err)
{
	return remove_groups(rdt->mon_made ? rdt->mon : NULL, rdt->group_made ? rdt->group : NULL,
			     err);
}

void rdt_done(struct rdt *rdt)
{
	free(rdt->group);
	free(rdt->mon);
	*rdt = (struct rdt){ 0 };
}
