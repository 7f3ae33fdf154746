/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/apply.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "image/layer/member.h"
#include "image/layer/meta.h"
#include "image/layer/tar.h"

#define DIR_PATHS_MAX     (256u << 20) /* bytes of directory names kept for their times */
#define IMPLIED_MAX       20000
#define IMPLIED_BYTES_MAX (4u << 20)
#define WHITEOUTS_MAX     20000 /* directories, and below that many bytes of their names */
#define WHITEOUT          ".wh."
#define WHITEOUT_OPQ      ".wh..wh..opq"
#define WHITEOUT_META     ".wh..wh."

int apply_remember_dir(struct apply *ap, const char *path, struct archive_entry *entry,
		       struct err *err)
{
	ap->dir_bytes += strlen(path) + sizeof(struct dir_time);
	if (ap->dir_bytes > DIR_PATHS_MAX)
		return err_fail(err, ERR_LIMIT, "directory names take more than %u bytes",
				DIR_PATHS_MAX);
	if (ap->n_dirs == ap->cap_dirs) {
		ap->cap_dirs = ap->cap_dirs ? 2 * ap->cap_dirs : 256;
		ap->dirs = xrealloc(ap->dirs, ap->cap_dirs * sizeof(*ap->dirs));
	}
	struct dir_time *d = &ap->dirs[ap->n_dirs++];
	*d = (struct dir_time){ .path = xstrdup(path), .default_acl = BUF_INIT };
	meta_times(entry, d->times);
	meta_default_acl(entry, &d->default_acl);
	ap->dir_bytes += d->default_acl.len;
	ap->default_acls = ap->default_acls || d->default_acl.len > 0;
	return 0;
}

/* ---- parent directories ---- */

/* Turns the whiteout name in dir into an opaque directory. 1 when it was one. */
static int whiteout_to_dir(struct apply *ap, int dir, const char *name, const char *path,
			   struct err *err)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISCHR(st.st_mode) ||
	    st.st_rdev != 0)
		return 0;
	if (unlinkat(dir, name, 0) < 0 || mkdirat(dir, name, 0755) < 0)
		return err_errno(err, errno, "creating directory %s", path);
	cleanup_fd int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, errno, "opening directory %s", path);
	int r = meta_set_opaque(fd, ap->opts->userns, path, err);
	return r < 0 ? r : 1;
}

/* A whiteout hides what lies below, not what its own layer has (image-spec layer.md): members below
 * a name that was whited out make it a directory again. */
static int parents_uncover(struct apply *ap, const char *path, struct err *err)
{
	cleanup_free char *prefix = xstrdup(path);

	for (char *slash = strchr(prefix, '/'); slash; slash = strchr(slash + 1, '/')) {
		cleanup_free char *name = NULL;
		*slash = '\0';
		cleanup_fd int dir = path_parent_in(ap->root, prefix, false, &name, err);
		if (dir < 0)
			return dir;
		int r = whiteout_to_dir(ap, dir, name, prefix, err);
		if (r != 0)
			return r;
		*slash = '/';
	}
	return 0;
}

/* ---- directories that the archive does not name ---- */

static int names_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Below a directory that hides what lower layers have: then there is none to be like. */
static bool is_below_opaque(struct apply *ap, const char *path)
{
	cleanup_free char *prefix = xstrdup(path);

	for (char *slash = strchr(prefix, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		cleanup_fd int fd =
		    path_open_in(ap->root, prefix, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, NULL);
		if (fd >= 0 && meta_is_opaque(fd, ap->opts->userns))
			return true;
		*slash = '/';
	}
	return false;
}

/* Leaves those out that got an entry of their own later: they are among the named ones. */
static void implied_filter(struct apply *ap)
{
	cleanup_free char **named = xcalloc(ap->n_dirs + 1, sizeof(*named));
	size_t kept = 0;

	for (size_t i = 0; i < ap->n_dirs; i++)
		named[i] = ap->dirs[i].path;
	qsort(named, ap->n_dirs, sizeof(*named), names_compare);
	for (size_t i = 0; i < ap->n_implied; i++) {
		if (bsearch(&ap->implied[i], named, ap->n_dirs, sizeof(*named), names_compare) ||
		    is_below_opaque(ap, ap->implied[i]))
			free(ap->implied[i]);
		else
			ap->implied[kept++] = ap->implied[i];
	}
	if (ap->implied)
		ap->implied[kept] = NULL;
	ap->n_implied = kept;
}

static int implied_add(struct apply *ap, const char *path, struct err *err)
{
	ap->implied_bytes += strlen(path);
	if (ap->n_implied >= IMPLIED_MAX || ap->implied_bytes > IMPLIED_BYTES_MAX)
		return err_fail(err, ERR_LIMIT,
				"more than %d directories without an entry of their own, or %u "
				"bytes of their names",
				IMPLIED_MAX, IMPLIED_BYTES_MAX);
	if (!ap->implied)
		ap->implied = xcalloc(IMPLIED_MAX + 2, sizeof(*ap->implied));
	ap->implied[ap->n_implied++] = xstrdup(path);
	return 0;
}

/* Notes those directories above path that are not there yet. */
static int implied_note(struct apply *ap, const char *path, struct err *err)
{
	cleanup_free char *prefix = xstrdup(path);

	for (char *slash = strchr(prefix, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		cleanup_fd int fd = path_open_in(ap->root, prefix, O_PATH, 0, NULL);
		int r = fd == -ENOENT ? implied_add(ap, prefix, err) : 0;
		if (r < 0)
			return r;
		*slash = '/';
	}
	return 0;
}

static int parent_walk(struct apply *ap, const char *path, struct err *err)
{
	cleanup_free char *name = NULL;

	int fd = path_parent_in(ap->root, path, false, &name, err);
	if (fd != -ENOENT)
		return fd;
	int r = implied_note(ap, path, err);
	return r < 0 ? r : path_parent_in(ap->root, path, true, &name, err);
}

static int parent_open(struct apply *ap, const char *path, size_t parent_len, struct err *err)
{
	struct err first = ERR_INIT;

	if (ap->parent_fd >= 0 && strlen(ap->parent_path) == parent_len &&
	    memcmp(ap->parent_path, path, parent_len) == 0)
		return 0;
	ap->parent_fd = fd_close(ap->parent_fd);
	free(ap->parent_path);
	ap->parent_path = xstrndup(path, parent_len);
	ap->parent_linked = LINKED_UNKNOWN;
	ap->parent_hiding = HIDING_UNKNOWN;
	ap->parent_fd = parent_walk(ap, path, &first);
	if (ap->parent_fd < 0 && !ap->opts->tree && parents_uncover(ap, path, NULL) > 0)
		ap->parent_fd = parent_walk(ap, path, &first);
	if (ap->parent_fd < 0 && err)
		*err = first;
	return ap->parent_fd < 0 ? err_wrap(err, ap->parent_fd, "%s", path) : 0;
}

/* ---- whiteouts ---- */

/* A whiteout hides a path of lower layers. When this layer has a symlink in that path, nothing
 * below it shows any more; umoci writes such whiteouts for a directory that became a symlink. Where
 * the link leads to, nothing is to be hidden. */
static bool parent_is_linked(struct apply *ap)
{
	cleanup_free char *prefix = xasprintf("%s/", ap->parent_path);

	if (ap->parent_linked != LINKED_UNKNOWN)
		return ap->parent_linked == LINKED_YES;
	ap->parent_linked = LINKED_NO;
	for (char *slash = strchr(prefix, '/'); slash; slash = strchr(slash + 1, '/')) {
		struct stat st;
		*slash = '\0';
		cleanup_fd int fd =
		    *prefix ? path_open_in(ap->root, prefix, O_PATH | O_NOFOLLOW, 0, NULL)
			    : -ENOENT;
		if (fd >= 0 && fstat(fd, &st) == 0 && S_ISLNK(st.st_mode))
			ap->parent_linked = LINKED_YES;
		*slash = '/';
	}
	return ap->parent_linked == LINKED_YES;
}

static int opaque_apply(struct apply *ap, const struct member *m, struct err *err)
{
	/* overlayfs does not look at a layer's root: the engine leaves the layers below out. */
	if (m->base == m->path) {
		ap->root_opaque = true;
		return 0;
	}
	/* The fd of the parent may be O_PATH. */
	cleanup_fd int fd = openat(m->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_errno(err, errno, "opening the directory of %s", m->path);
	ap->parent_hiding = HIDING_YES;
	return meta_set_opaque(fd, ap->opts->userns, m->path, err);
}

/* Then there is nothing to hide in it, and a mark that hides nothing is a name that can be listed
 * and not opened: overlayfs reads a directory of one layer as it is. */
static bool parent_is_hiding(struct apply *ap, const char *path)
{
	if (ap->parent_hiding == HIDING_UNKNOWN)
		ap->parent_hiding = is_below_opaque(ap, path) ? HIDING_YES : HIDING_NO;
	return ap->parent_hiding == HIDING_YES;
}

/* Where lower layers have no such directory, overlayfs would list the mark: the engine sees to
 * that. The root directory is in all of them. More than there are in any image are left out. */
static void whiteout_note(struct apply *ap)
{
	size_t n = ap->n_whiteouts;

	if (!*ap->parent_path || (n && str_eq(ap->whiteouts[n - 1], ap->parent_path)))
		return;
	if (n >= WHITEOUTS_MAX || ap->whiteout_bytes > IMPLIED_BYTES_MAX)
		return;
	if (n + 1 >= ap->cap_whiteouts) {
		ap->cap_whiteouts = ap->cap_whiteouts ? 2 * ap->cap_whiteouts : 16;
		ap->whiteouts = xrealloc(ap->whiteouts, ap->cap_whiteouts * sizeof(*ap->whiteouts));
	}
	ap->whiteout_bytes += strlen(ap->parent_path);
	ap->whiteouts[n++] = xstrdup(ap->parent_path);
	ap->whiteouts[n] = NULL;
	ap->n_whiteouts = n;
}

static int whiteout_apply(struct apply *ap, const struct member *m, struct err *err)
{
	const char *name = m->base + strlen(WHITEOUT);
	struct stat st;

	if (str_eq(name, "") || str_eq(name, ".") || str_eq(name, ".."))
		return err_fail(err, ERR_INVALID, "%s: whiteout of nothing", m->path);
	if (parent_is_hiding(ap, m->path))
		return 0;
	if (mknodat(m->dir, name, S_IFCHR, 0) == 0) {
		whiteout_note(ap);
		return 0;
	}
	if (errno != EEXIST || fstatat(m->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(err, errno, "creating whiteout %s", m->path);
	/* The same layer has made the name anew: only a directory would let the old one show. */
	if (!S_ISDIR(st.st_mode))
		return 0;
	cleanup_fd int fd = openat(m->dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, errno, "opening the directory of %s", m->path);
	return meta_set_opaque(fd, ap->opts->userns, m->path, err);
}

/* ---- members ---- */

static int root_apply(struct apply *ap, struct archive_entry *entry, struct err *err)
{
	struct meta_target t = { .fd = ap->root, .path = "/", .userns = ap->opts->userns };

	if (archive_entry_filetype(entry) != AE_IFDIR)
		return err_fail(err, ERR_INVALID, "the root of the layer is not a directory");
	int r = ap->root_named ? meta_clear_xattrs(ap->root, "/", err) : 0;
	ap->root_named = true;
	if (r == 0)
		r = meta_apply(&t, entry, err);
	return r < 0 ? r : apply_remember_dir(ap, ".", entry, err);
}

static int member_apply(struct apply *ap, struct archive_entry *entry, struct err *err)
{
	cleanup_free char *path = tar_clean(archive_entry_pathname(entry), "name", err);

	if (!path)
		return -EINVAL;
	if (!*path)
		return root_apply(ap, entry, err);
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	int r = parent_open(ap, path, slash ? (size_t)(slash - path) : 0, err);
	/* Below a file of this layer nothing of lower ones shows; umoci writes such whiteouts, too.
	 */
	if (r == -ENOTDIR && str_starts(base, WHITEOUT) && !ap->opts->tree)
		return 0;
	if (r < 0)
		return r;
	struct member m = { .entry = entry, .path = path, .base = base, .dir = ap->parent_fd };
	if (ap->opts->tree)
		return member_make(ap, &m, err);
	if (str_starts(m.base, WHITEOUT) && parent_is_linked(ap))
		return 0;
	if (str_eq(m.base, WHITEOUT_OPQ))
		return opaque_apply(ap, &m, err);
	if (str_starts(m.base, WHITEOUT_META)) /* aufs's own files */
		return 0;
	if (str_starts(m.base, WHITEOUT))
		return whiteout_apply(ap, &m, err);
	return member_make(ap, &m, err);
}

static int members_apply(struct apply *ap, struct err *err)
{
	struct archive_entry *entry;
	int r;

	while ((r = tar_next(ap->tar, ap->src, &entry, err)) > 0) {
		if (++ap->entries > ap->opts->max_entries)
			return err_fail(err, ERR_LIMIT, "layer has more than %" PRIu64 " members",
					ap->opts->max_entries);
		r = member_apply(ap, entry, err);
		if (r < 0)
			return r;
	}
	return r;
}

/* ---- the end ---- */

static int dirs_finish(struct apply *ap, struct err *err)
{
	if (!ap->root_named && !ap->opts->tree &&
	    (fchmod(ap->root, 0755) < 0 || fchown(ap->root, 0, 0) < 0))
		return err_errno(err, errno, "setting mode and owner of the root directory");
	for (size_t i = 0; i < ap->n_dirs; i++) {
		/* A later member may have replaced it. */
		const struct dir_time *d = &ap->dirs[i];
		cleanup_fd int fd =
		    path_open_in(ap->root, d->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, NULL);
		if (fd < 0)
			continue;
		/* The last entry of a name has the say: one without an ACL takes it away. */
		int r =
		    ap->default_acls ? meta_set_default_acl(fd, &d->default_acl, d->path, err) : 0;
		if (r < 0)
			return r;
		if (futimens(fd, d->times) < 0)
			return err_errno(err, errno, "setting times of %s", d->path);
	}
	return 0;
}

static void whiteouts_unique(struct apply *ap)
{
	size_t kept = 0;

	if (ap->n_whiteouts > 1)
		qsort(ap->whiteouts, ap->n_whiteouts, sizeof(*ap->whiteouts), names_compare);
	for (size_t i = 0; i < ap->n_whiteouts; i++) {
		if (kept && str_eq(ap->whiteouts[i], ap->whiteouts[kept - 1]))
			free(ap->whiteouts[i]);
		else
			ap->whiteouts[kept++] = ap->whiteouts[i];
	}
	if (ap->whiteouts)
		ap->whiteouts[kept] = NULL;
}

static void result_fill(struct apply *ap, struct apply_result *ret)
{
	ret->size = ap->size;
	ret->entries = ap->entries;
	ret->opaque = ap->root_opaque;
	implied_filter(ap);
	if (!ap->root_named)
		strv_add(&ap->implied, ".");
	ret->implied = take_ptr(ap->implied);
	whiteouts_unique(ap);
	ret->whiteouts = take_ptr(ap->whiteouts);
}

static void apply_done(struct apply *ap)
{
	for (size_t i = 0; i < ap->n_dirs; i++) {
		free(ap->dirs[i].path);
		buf_done(&ap->dirs[i].default_acl);
	}
	free(ap->dirs);
	strv_free(ap->implied);
	strv_free(ap->whiteouts);
	fd_close(ap->parent_fd);
	free(ap->parent_path);
	if (ap->tar)
		archive_read_free(ap->tar);
}

int apply_layer(struct source *src, int dir_fd, const struct apply_options *opts,
		struct apply_result *ret, struct err *err)
{
	struct apply ap = { .opts = opts, .src = src, .root = dir_fd, .parent_fd = -EBADF };

	ap.tar = tar_open(ap.src, err);
	int r = ap.tar ? members_apply(&ap, err) : -EINVAL;
	/* The diff id covers what follows the end-of-archive mark as well. */
	if (r == 0)
		r = source_drain(ap.src, err);
	if (r == 0)
		r = dirs_finish(&ap, err);
	if (r == 0)
		result_fill(&ap, ret);
	if (ap.devices_left_out > 0)
		log_warn("%zu device nodes left out: a user namespace cannot make them",
			 ap.devices_left_out);
	apply_done(&ap);
	return r;
}
