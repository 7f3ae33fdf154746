/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Only what is in the upper directory is looked up in the lower tree; of that, directories that the
 * upper one hides whole are listed.
 */
#include <fcntl.h>
#include <sys/sysmacros.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"
#include "image/layer/pack_entry.h"

#define LINES_MAX (12u << 20) /* bytes: the engine takes 16 MiB */

struct diff {
	const struct pack_options *opts;
	char **lines; /* "C/path" */
	size_t n, cap, bytes;
};

static int line_add(struct diff *df, char kind, const char *path, struct err *err)
{
	if (df->n + 1 >= df->cap) {
		df->cap = df->cap ? 2 * df->cap : 64;
		df->lines = xrealloc(df->lines, df->cap * sizeof(*df->lines));
	}
	df->lines[df->n] = xasprintf("%c/%s", kind, path);
	df->bytes += strlen(df->lines[df->n++]) + 1;
	df->lines[df->n] = NULL;
	return df->bytes <= LINES_MAX
		   ? 0
		   : err_fail(err, ERR_LIMIT, "more than %u bytes of changes", LINES_MAX);
}

static bool lower_stat(int lower, const char *name, struct stat *ret)
{
	return lower >= 0 && fstatat(lower, name, ret, AT_SYMLINK_NOFOLLOW) == 0 &&
	       !(S_ISCHR(ret->st_mode) && ret->st_rdev == makedev(0, 0));
}

static char *path_of(const char *dir, const char *name)
{
	return xasprintf("%s%s%s", dir, *dir ? "/" : "", name);
}

/* What an opaque directory hides and has no entry of its own for. */
static int hidden_add(struct diff *df, int lower, const char *dir, char *const *names,
		      struct err *err)
{
	cleanup_strv char **below = NULL;
	struct stat st;

	int r = pack_names(lower, &below, err);
	for (size_t i = 0; r == 0 && below && below[i]; i++) {
		cleanup_free char *path = path_of(dir, below[i]);
		if (lower_stat(lower, below[i], &st) && !strv_has(names, below[i]))
			r = line_add(df, 'D', path, err);
	}
	return r;
}

/* 1: something in it is left out, so its time says nothing. */
static int dir_diff(struct diff *df, int upper, int lower, const char *dir, bool opaque, int depth,
		    struct err *err);

/* The directory itself counts as changed when something in it has, or what is said of it. */
static int subdir_diff(struct diff *df, int upper, int lower, const char *name, const char *path,
		       const struct pack_entry *entry, const struct stat *below, int depth,
		       struct err *err)
{
	const struct stat *st = &entry->st;
	cleanup_fd int up = pack_open_dir(upper, name, path, err);
	cleanup_fd int low = -EBADF;
	size_t before = df->n;

	if (up < 0)
		return up == -ENOENT ? 0 : up;
	if (depth >= PACK_DEPTH_MAX)
		return err_fail(err, ERR_LIMIT, "/%s: more than %d levels of directories", path,
				PACK_DEPTH_MAX);
	if (below && S_ISDIR(below->st_mode)) {
		low = pack_open_dir(lower, name, path, err);
		if (low < 0 && low != -ENOENT)
			return low;
	}
	int left_out = dir_diff(df, up, low, path, entry->opaque, depth + 1, err);
	if (left_out < 0)
		return left_out;
	if (!below)
		return line_add(df, 'A', path, err);
	if (df->n > before || !S_ISDIR(below->st_mode) || st->st_mode != below->st_mode ||
	    st->st_uid != below->st_uid || st->st_gid != below->st_gid ||
	    (!left_out && (st->st_mtim.tv_sec != below->st_mtim.tv_sec ||
			   st->st_mtim.tv_nsec != below->st_mtim.tv_nsec)))
		return line_add(df, 'C', path, err);
	return 0;
}

static int name_diff(struct diff *df, int upper, int lower, const char *name, const char *path,
		     int depth, struct err *err)
{
	cleanup_pack_entry struct pack_entry entry = { 0 };
	struct stat st;
	bool is_below = lower_stat(lower, name, &st);

	int r = pack_entry_read(upper, name, path, df->opts, &entry, err);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (entry.whiteout)
		return is_below ? line_add(df, 'D', path, err) : 0;
	if (!is_below && pack_excluded(upper, name, path, &entry.st, df->opts))
		return 1;
	if (S_ISDIR(entry.st.st_mode))
		return subdir_diff(df, upper, lower, name, path, &entry, is_below ? &st : NULL,
				   depth, err);
	return line_add(df, is_below ? 'C' : 'A', path, err);
}

static int dir_diff(struct diff *df, int upper, int lower, const char *dir, bool opaque, int depth,
		    struct err *err)
{
	cleanup_strv char **names = NULL;
	int left_out = 0;

	int r = pack_names(upper, &names, err);
	if (r == 0 && opaque && lower >= 0)
		r = hidden_add(df, lower, dir, names, err);
	for (size_t i = 0; r >= 0 && names && names[i]; i++) {
		cleanup_free char *path = path_of(dir, names[i]);
		r = name_diff(df, upper, lower, names[i], path, depth, err);
		left_out |= r > 0;
	}
	return r < 0 ? r : left_out;
}

static int line_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a + 1, *(char *const *)b + 1);
}

int pack_diff(int upper_fd, int lower_fd, const struct pack_options *opts, struct buf *out,
	      struct err *err)
{
	struct diff df = { .opts = opts };
	cleanup_pack_entry struct pack_entry root = { 0 };

	int r = pack_entry_read(upper_fd, ".", "", opts, &root, err);
	if (r == 0)
		r = dir_diff(&df, upper_fd, lower_fd, "", root.opaque, 0, err);
	if (df.n > 1)
		qsort(df.lines, df.n, sizeof(*df.lines), line_compare);
	for (size_t i = 0; r >= 0 && i < df.n; i++)
		buf_add(out, df.lines[i], strlen(df.lines[i]) + 1);
	strv_free(df.lines);
	return r < 0 ? err_wrap(err, r, "comparing") : 0;
}
