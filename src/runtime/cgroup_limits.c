/* SPDX-License-Identifier: Apache-2.0 */
/* What v1 and v2 share of writing limits: rows that say which value goes to which file. */
#include <fcntl.h>
#include <inttypes.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"
#include "runtime/cgroup_priv.h"

/* The struct in resources that the row is about ("memory"), or NULL. */
static const char *object_of(const struct spec_resources *res, const struct limit_row *row)
{
	return *(const char *const *)((const char *)res + row->object);
}

#define MEMBER(T, object, row) ((const T *)(const void *)((object) + (row)->member))

static int put_i64(int64_t value, char *out, size_t size)
{
	snprintf(out, size, "%" PRId64, value);
	return 1;
}

int format_i64(const struct spec_resources *res, const struct limit_row *row, char *out,
	       size_t size, struct err *err)
{
	const char *object = object_of(res, row);
	const struct opt_i64 *v = object ? MEMBER(struct opt_i64, object, row) : NULL;

	return v && v->set && v->value != 0 ? put_i64(v->value, out, size) : 0;
}

int format_i64_max(const struct spec_resources *res, const struct limit_row *row, char *out,
		   size_t size, struct err *err)
{
	int r = format_i64(res, row, out, size, err);

	if (r > 0 && out[0] == '-')
		snprintf(out, size, "max");
	return r;
}

int format_i64_any(const struct spec_resources *res, const struct limit_row *row, char *out,
		   size_t size, struct err *err)
{
	const char *object = object_of(res, row);
	const struct opt_i64 *v = object ? MEMBER(struct opt_i64, object, row) : NULL;

	return v && v->set ? put_i64(v->value, out, size) : 0;
}

int format_u64_any(const struct spec_resources *res, const struct limit_row *row, char *out,
		   size_t size, struct err *err)
{
	const char *object = object_of(res, row);
	const struct opt_u64 *v = object ? MEMBER(struct opt_u64, object, row) : NULL;

	if (!v || !v->set)
		return 0;
	snprintf(out, size, "%" PRIu64, v->value);
	return 1;
}

int format_u64(const struct spec_resources *res, const struct limit_row *row, char *out,
	       size_t size, struct err *err)
{
	int r = format_u64_any(res, row, out, size, err);

	return r > 0 && str_eq(out, "0") ? 0 : r;
}

int format_u32(const struct spec_resources *res, const struct limit_row *row, char *out,
	       size_t size, struct err *err)
{
	const char *object = object_of(res, row);
	const struct opt_u32 *v = object ? MEMBER(struct opt_u32, object, row) : NULL;

	if (!v || !v->set || v->value == 0)
		return 0;
	snprintf(out, size, "%" PRIu32, v->value);
	return 1;
}

int format_str(const struct spec_resources *res, const struct limit_row *row, char *out,
	       size_t size, struct err *err)
{
	const char *object = object_of(res, row);
	const char *s = object ? *MEMBER(char *, object, row) : NULL;

	if (!s || !*s)
		return 0;
	int n = snprintf(out, size, "%s", s);
	if (n < 0 || (size_t)n >= size)
		return err_fail(err, ERR_LIMIT, "setting %s: longer than %zu bytes", row->name,
				size - 1);
	return 1;
}

int format_true(const struct spec_resources *res, const struct limit_row *row, char *out,
		size_t size, struct err *err)
{
	const char *object = object_of(res, row);
	const struct opt_bool *v = object ? MEMBER(struct opt_bool, object, row) : NULL;

	if (!v || !v->set || !v->value)
		return 0;
	snprintf(out, size, "1");
	return 1;
}

/* runtime-spec: -1 is no limit, and 0 a limit. The kernel counts the first process only when it
 * forks, so 1 has the effect of 0 and is what systemd can be given as well. */
int format_pids(const struct spec_resources *res, const struct limit_row *row, char *out,
		size_t size, struct err *err)
{
	if (!res->pids || !res->pids->limit.set)
		return 0;
	int64_t limit = res->pids->limit.value;
	if (limit < 0)
		snprintf(out, size, "max");
	else
		put_i64(limit ? limit : 1, out, size);
	return 1;
}

int limit_no_controller(const struct cgroup *cg, const char *controller, struct err *err)
{
	const struct cgroup_dir *v2 = cgroup_dir_find_const(cg, NULL);

	/* Of a hybrid machine too, when that is where the controller is. */
	if (v2 && (cg->layout == CGROUP_V2 || cgroup_v2_offers(v2, controller)))
		return cgroup_v2_explain(v2, controller, err);
	if (cg->rootless) {
		int r = err_fail(err, ERR_UNSUPPORTED,
				 "no permission to use the cgroup controller %s", controller);
		return err_hint(err, r, "delegate the controller %s to this user, or run as root",
				controller);
	}
	int r =
	    err_fail(err, ERR_UNSUPPORTED, "the cgroup controller %s is not available", controller);
	return err_hint(err, r, "mount or enable the controller %s, or leave the limit out",
			controller);
}

bool limit_leave_out(struct cgroup *cg, const char *name)
{
	/* On v2 there is one cgroup for all. Where it is, somebody manages cgroups for this user,
	 * and can be told which controller is missing. */
	if (!cg->lenient || (cg->layout == CGROUP_V2 && cg->n > 0))
		return false;
	if (!strv_has(cg->left_out, name))
		strv_add(&cg->left_out, name);
	return true;
}

static int no_file(const struct limit_row *row, const struct cgroup_dir *dir, struct err *err)
{
	int r = err_fail(err, ERR_UNSUPPORTED, "this kernel has no %s%s%s (cgroup %s)", row->file,
			 row->alt ? " or " : "", row->alt ? row->alt : "", dir->path);

	return row->hint ? err_hint(err, r, "%s", row->hint) : r;
}

static int write_in(struct cgroup *cg, const struct cgroup_dir *dir, const struct limit_row *row,
		    const char *text, struct err *err)
{
	const char *file = row->file;
	char *old;
	int r;

	if (!file)
		return err_fail(err, ERR_UNSUPPORTED, "cgroup v2 has no such limit");
	cleanup_fd int fd = cgroup_file_open(dir, file, O_WRONLY);
	if (fd == -ENOENT && row->alt) {
		file = row->alt;
		fd = cgroup_file_open(dir, file, O_WRONLY);
	}
	if (fd == -ENOENT) {
		if ((row->flags & LIMIT_MISSING_IS_OFF) &&
		    (str_eq(text, "0") || str_eq(text, "max")))
			return 0;
		return no_file(row, dir, err);
	}
	if (fd < 0)
		return err_errno(err, -fd, "opening %s of cgroup %s", file, dir->path);
	old = cgroup_journal_read(cg, dir, file);
	r = cgroup_fd_write(fd, dir, file, text, err);
	if (r < 0)
		free(old);
	else
		cgroup_journal_add(cg, dir, file, text, old);
	return r;
}

int limit_write(struct cgroup *cg, const struct limit_row *row, const char *text,
		limit_find_fn find, struct err *err)
{
	bool skip = false;
	const struct cgroup_dir *dir = find(cg, row->controller, &skip, err);

	if (skip || (!dir && limit_leave_out(cg, row->name)))
		return 0;
	int r =
	    dir ? write_in(cg, dir, row, text, err) : limit_no_controller(cg, row->controller, err);
	return r < 0 ? err_wrap(err, r, "setting %s", row->name) : 0;
}

int limits_write(struct cgroup *cg, const struct spec_resources *res, const struct limit_row *rows,
		 size_t n, limit_find_fn find, struct err *err)
{
	uint64_t again = 0; /* one bit per row */

	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < n; i++) {
			char text[LIMIT_TEXT_MAX];

			if (round > 0 && !(again & (1ULL << i)))
				continue;
			int r = rows[i].format(res, &rows[i], text, sizeof(text), err);
			bool other_table = false;
			if (r < 0)
				find(cg, rows[i].controller, &other_table, NULL);
			if (other_table)
				continue;
			if (r > 0)
				r = limit_write(cg, &rows[i], text, find, err);
			if (r == -EINVAL && round == 0 && (rows[i].flags & LIMIT_RETRY))
				again |= 1ULL << i;
			else if (r < 0)
				return r;
		}
	}
	return 0;
}
