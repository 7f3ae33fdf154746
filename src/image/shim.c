/* SPDX-License-Identifier: Apache-2.0 */
#include "image/shim.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "image/layer_run.h"
#include "image/mapped.h"
#include "image/verify.h"
#include "oci/digest.h"
#include "sys/xattr.h"

/* Names looked up in lower layers, of one command: some seconds. Layers are hostile. */
#define LOOKUPS_MAX 2000000
#define MKDIR_COST  20 /* lookups that take as long as making a directory */

#define DIR_FLAGS (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* ---- chain ids ---- */

void shim_chain_add(char chain[SHA256_TEXT_MAX], const char *diff_id)
{
	cleanup_free char *text = xasprintf("%s %s", chain, diff_id);

	if (chain[0])
		sha256_text(text, strlen(text), chain);
	else
		snprintf(chain, SHA256_TEXT_MAX, "%s", diff_id);
}

static int text_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void shim_chains_read(char *const *stacks, struct shim_chains *ret)
{
	size_t cap = 64;

	*ret = (struct shim_chains){ .ids = xcalloc(cap, sizeof(*ret->ids)) };
	for (; stacks && *stacks; stacks++) {
		cleanup_strv char **diff_ids = strv_split(*stacks, ',');
		char chain[SHA256_TEXT_MAX] = "";

		for (size_t k = 0; diff_ids[k] && digest_valid(diff_ids[k]); k++) {
			if (ret->n == cap) {
				cap *= 2;
				ret->ids = xrealloc(ret->ids, cap * sizeof(*ret->ids));
			}
			shim_chain_add(chain, diff_ids[k]);
			ret->ids[ret->n++] = xstrdup(chain);
		}
	}
	qsort(ret->ids, ret->n, sizeof(*ret->ids), text_compare);
}

static int name_compare(const void *hex, const void *chain)
{
	return strcmp(hex, digest_hex(*(char *const *)chain));
}

bool shim_chains_have(const struct shim_chains *chains, const char *hex)
{
	return chains->n > 0 &&
	       bsearch(hex, chains->ids, chains->n, sizeof(*chains->ids), name_compare);
}

void shim_chains_done(struct shim_chains *chains)
{
	for (size_t i = 0; i < chains->n; i++)
		free(chains->ids[i]);
	free(take_ptr(chains->ids));
	chains->n = 0;
}

char *shim_path(char *const *diff_ids, size_t k)
{
	char chain[SHA256_TEXT_MAX] = "";

	for (size_t i = 0; i <= k; i++)
		shim_chain_add(chain, diff_ids[i]);
	return xasprintf("layers/%s/shims/%s", digest_hex(diff_ids[k]), digest_hex(chain));
}

static bool is_there(const struct image_store *store, const char *path)
{
	return faccessat(store->fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Almost no layer can have any. */
static bool may_have(const struct image_store *store, char *const *diff_ids, size_t k)
{
	return layer_has_mark(store, diff_ids[k], "implied.json");
}

char *shim_name(const struct image_store *store, char *const *diff_ids, size_t k)
{
	if (!may_have(store, diff_ids, k))
		return NULL;
	cleanup_free char *shim = shim_path(diff_ids, k);
	cleanup_free char *fs = path_join(shim, "fs");
	return is_there(store, fs) ? take_ptr(fs) : NULL;
}

int shim_open(const struct image_store *store, char *const *diff_ids, size_t k, const char *map,
	      struct err *err)
{
	if (!may_have(store, diff_ids, k))
		return -ENOENT;
	cleanup_free char *shim = shim_path(diff_ids, k);
	cleanup_free char *fs = path_join(shim, "fs");
	if (map && is_there(store, fs)) {
		free(fs);
		fs = mapped_tree(store, shim, map);
		if (!fs)
			return -ENODATA;
	}
	int fd = openat(store->fd, fs, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == EACCES)
		fd = openat(store->fd, fs, DIR_FLAGS);
	if (fd < 0 && errno == ENOENT)
		return is_there(store, shim) ? -ENOENT : -ENODATA;
	return fd < 0 ? err_errno(err, errno, "opening %s/%s", store->root, fs) : fd;
}

/* ---- attributes ---- */

static bool is_copied(const char *name)
{
	return !str_starts(name, "trusted.overlay.") && !str_starts(name, "user.overlay.");
}

static int attributes_copy(struct image_store *store, int from, int to, const char *path,
			   struct err *err)
{
	struct stat st;
	char name[FD_PATH_MAX];

	if (fstat(from, &st) < 0)
		return err_errno(err, errno, "examining %s", path);
	/* Through /proc because the fds are O_PATH. Rootless, only root of the user namespace can
	 * give it away: shim_give(). */
	fd_proc_path(to, name);
	if ((fchownat(to, "", st.st_uid, st.st_gid, AT_EMPTY_PATH) < 0 && !store->rootless) ||
	    chmod(name, st.st_mode & 07777) < 0)
		return err_errno(err, errno, "setting owner and mode of %s", path);
	const struct timespec times[2] = { st.st_atim, st.st_mtim };
	int r = xattr_copy(from, to, is_copied);
	if (r == 0 && utimensat(AT_FDCWD, name, times, 0) < 0)
		r = -errno;
	return r < 0 ? err_errno(err, -r, "setting attributes of %s", path) : 0;
}

int image_init_upper(struct image_store *store, char *const *diff_ids, int upper_fd,
		     struct err *err)
{
	size_t k = strv_len(diff_ids);

	/* The bottom layer's is the last resort. */
	while (k > 1 && layer_has_mark(store, diff_ids[k - 1], "noroot"))
		k--;
	cleanup_free char *path =
	    k ? xasprintf("layers/%s/fs", digest_hex(diff_ids[k - 1])) : xstrdup("empty");
	cleanup_fd int root = openat(store->fd, path, DIR_FLAGS);
	if (root < 0)
		return err_errno(err, errno, "opening %s/%s", store->root, path);
	return attributes_copy(store, root, upper_fd, "upper directory", err);
}

/* ---- looking below ---- */

struct stack {
	struct image_store *store;
	char *const *diff_ids;
	size_t n;
	int *fds;     /* two for each layer, bottom first: its tree, its shim (or negative) */
	bool *opaque; /* of each layer: nothing below it shows */
};

#define OWN(k) ((int)(2 * (k)))
enum { FROM_UNKNOWN = -1 }; /* a directory on the way is closed to this process */

static void stack_done(struct stack *st)
{
	for (size_t i = 0; st->fds && i < 2 * st->n; i++)
		fd_close(st->fds[i]);
	free(take_ptr(st->fds));
	free(take_ptr(st->opaque));
}

static int stack_open(struct stack *st, struct err *err)
{
	if (st->fds)
		return 0;
	st->fds = xcalloc(2 * st->n + 1, sizeof(*st->fds));
	st->opaque = xcalloc(st->n + 1, sizeof(*st->opaque));
	for (size_t i = 0; i < 2 * st->n; i++)
		st->fds[i] = -EBADF;
	for (size_t k = 0; k < st->n; k++) {
		cleanup_free char *path = xasprintf("layers/%s/fs", digest_hex(st->diff_ids[k]));
		st->fds[2 * k] = openat(st->store->fd, path, DIR_FLAGS);
		if (st->fds[2 * k] < 0)
			return err_errno(err, errno, "opening layer %s", st->diff_ids[k]);
		st->opaque[k] = layer_has_mark(st->store, st->diff_ids[k], "opaque");
		int fd = shim_open(st->store, st->diff_ids, k, NULL, err);
		if (fd < 0 && fd != -ENOENT && fd != -ENODATA)
			return fd;
		st->fds[2 * k + 1] = fd;
	}
	return 0;
}

/* Opens the directory path below root, following no link. *ret_deep: how many directories there are
 * on the way. With mark: is one of them opaque? Then what is below this layer does not show. */
static int dir_walk(int root, const char *path, const char *mark, size_t *ret_deep,
		    bool *ret_opaque)
{
	cleanup_fd int dir = -EBADF;
	cleanup_buf struct buf value = BUF_INIT;

	for (*ret_deep = 0;; ++*ret_deep) {
		char name[NAME_MAX + 1];
		size_t len = strcspn(path, "/");

		if (len > NAME_MAX)
			return -ENAMETOOLONG;
		snprintf(name, sizeof(name), "%.*s", (int)len, path);
		int next = openat(dir < 0 ? root : dir, name, DIR_FLAGS);
		if (next < 0)
			return -errno;
		fd_close(dir);
		dir = next;
		if (mark && xattr_get(dir, mark, &value) == 0)
			*ret_opaque = true;
		if (!path[len])
			return take_fd(dir);
		path += len + 1;
	}
}

static int dir_open(int root, const char *path, size_t *ret_deep)
{
	return dir_walk(root, path, NULL, ret_deep, NULL);
}

/* deep: so many of the path's directories are in layer i. */
static bool is_hidden_below(const struct stack *st, size_t i, const char *path, size_t deep)
{
	const char *mark = st->store->rootless ? "user.overlay.opaque" : "trusted.overlay.opaque";
	bool opaque = st->opaque[i / 2];

	if (!opaque && deep > 0)
		fd_close(dir_walk(st->fds[i], path, mark, &deep, &opaque));
	return opaque;
}

/* Where the directory of that name below layer k is taken from: the place in the stack,
 * FROM_UNKNOWN, or -ENOENT. */
static int stack_find(const struct stack *st, size_t k, const char *path)
{
	for (size_t i = 2 * k; i-- > 0;) {
		if (st->fds[i] < 0)
			continue;
		st->store->lookups += 1 + strlen(path) / 8;
		size_t deep;
		cleanup_fd int fd = dir_open(st->fds[i], path, &deep);
		if (fd >= 0)
			return (int)i;
		if (fd == -EACCES)
			return FROM_UNKNOWN;
		/* Something else of that name hides what is below. */
		if (fd != -ENOENT || (i % 2 == 0 && is_hidden_below(st, i, path, deep)))
			return -ENOENT;
	}
	return -ENOENT;
}

/* ---- making one ---- */

struct shim_dir {
	char *path;
	int from; /* its place in the stack */
};

struct shim {
	struct stack *st;
	size_t k;
	int tree;
	struct shim_dir *dirs; /* parents first */
	size_t n, cap;
};

static int shim_mkdir(struct shim *sh, const char *path, int from, struct err *err)
{
	/* A tree of our own without links. */
	sh->st->store->lookups += MKDIR_COST;
	if (mkdirat(sh->tree, path, 0700) < 0)
		return errno == EEXIST ? 0 : err_errno(err, errno, "creating directory %s", path);
	if (sh->n == sh->cap) {
		sh->cap = sh->cap ? 2 * sh->cap : 64;
		sh->dirs = xrealloc(sh->dirs, sh->cap * sizeof(*sh->dirs));
	}
	sh->dirs[sh->n++] = (struct shim_dir){ .path = xstrdup(path), .from = from };
	return 0;
}

/* Parents that are not there yet have an entry in the layer: they are as it says. */
static int shim_add(struct shim *sh, const char *path, int from, struct err *err)
{
	cleanup_free char *prefix = xstrdup(path);
	int r = 0;

	for (char *s = strchr(prefix, '/'); r == 0 && s; s = strchr(s + 1, '/')) {
		*s = '\0';
		r = shim_mkdir(sh, prefix, OWN(sh->k), err);
		*s = '/';
	}
	return r < 0 ? r : shim_mkdir(sh, path, from, err);
}

/* A directory, then all that is in it. */
static int path_compare(const void *a, const void *b)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;

	while (*x && *x == *y)
		x++, y++;
	int left = *x == '/' ? 1 : (unsigned char)*x + (*x != '\0');
	int right = *y == '/' ? 1 : (unsigned char)*y + (*y != '\0');
	return left - right;
}

/* Members of an archive have written the list, by way of a process that has read them. */
static bool path_is_clean(const char *path)
{
	cleanup_free char *clean = path_clean(path);

	return path[0] && path[0] != '/' && !str_eq(path, ".") && str_eq(clean, path);
}

/* A later member may have put something else in its place. */
static bool is_still_there(const struct shim *sh, const char *path)
{
	size_t deep;
	cleanup_fd int fd = dir_open(sh->st->fds[OWN(sh->k)], path, &deep);

	return fd >= 0 || fd == -EACCES;
}

static int check_path(const struct shim *sh, const char *path, struct err *err)
{
	if (!path_is_clean(path))
		return err_fail(err, ERR_CORRUPT, "layer %s has a directory without a name",
				sh->st->diff_ids[sh->k]);
	if (sh->st->store->lookups > LOOKUPS_MAX)
		return err_fail(err, ERR_LIMIT,
				"too many directories without an entry of their own, or with "
				"whiteouts, over too many layers");
	return 0;
}

/* Does overlayfs read the directory as it is, as it comes from this layer alone? Then it lists what
 * the whiteouts are made of. */
static bool is_read_alone(const struct shim *sh, const char *path)
{
	size_t deep;
	cleanup_fd int fd = dir_open(sh->st->fds[OWN(sh->k)], path, &deep);

	return fd >= 0 && (stack_find(sh->st, sh->k, path) == -ENOENT ||
			   is_hidden_below(sh->st, (size_t)OWN(sh->k), path, deep));
}

static int shim_fill_whiteouts(struct shim *sh, char **paths, struct err *err)
{
	int r = 0;

	for (; r == 0 && paths && *paths; paths++) {
		r = check_path(sh, *paths, err);
		if (r == 0 && is_read_alone(sh, *paths))
			r = shim_add(sh, *paths, OWN(sh->k), err);
	}
	return r;
}

static int shim_fill(struct shim *sh, char **paths, struct err *err)
{
	const char *absent = NULL; /* what is in it can't be below either */

	if (paths)
		qsort(paths, strv_len(paths), sizeof(*paths), path_compare);
	for (; paths && *paths; paths++) {
		if (absent && path_below(*paths, absent))
			continue;
		int r = check_path(sh, *paths, err);
		if (r < 0)
			return r;
		int from = stack_find(sh->st, sh->k, *paths);
		if (from != -ENOENT && !is_still_there(sh, *paths))
			from = -ENOENT;
		absent = from == -ENOENT ? *paths : NULL;
		r = from == -ENOENT ? 0 : shim_add(sh, *paths, from, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- attributes of its directories ---- */

/* 1: it is for shim_give(). */
static int dir_finish(struct shim *sh, const struct shim_dir *d, struct err *err)
{
	struct image_store *store = sh->st->store;
	struct stat want = { 0 };
	size_t deep;

	if (d->from == FROM_UNKNOWN)
		return 1;
	cleanup_fd int from = dir_open(sh->st->fds[d->from], d->path, &deep);
	if (from == -EACCES && store->rootless)
		return 1;
	cleanup_fd int to =
	    path_open_in(sh->tree, d->path, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0, err);
	if (to < 0)
		return to;
	if (from < 0)
		return err_errno(err, -from, "opening %s", d->path);
	int r = attributes_copy(store, from, to, d->path, err);
	if (r == 0 && fstat(from, &want) < 0)
		r = err_errno(err, errno, "examining %s", d->path);
	return r < 0 ? r
		     : store->rootless && (want.st_uid != geteuid() || want.st_gid != getegid());
}

/* Rootless, in the user namespace: for what belongs to others or is below what does. One process
 * for each layer that has such ones. */
static int shim_give(struct shim *sh, const struct shim_dir *dirs, size_t n, struct err *err)
{
	cleanup_strv char **unknown = NULL;
	int r = 0;

	for (size_t i = 0; i < n; i++)
		if (dirs[i].from == FROM_UNKNOWN)
			strv_add(&unknown, dirs[i].path);
	/* Nearest first; the layer itself for what none of them has. */
	for (size_t at = 0; r == 0 && at <= 2 * sh->k; at++) {
		int from = at < 2 * sh->k ? (int)(2 * sh->k - 1 - at) : OWN(sh->k);
		cleanup_strv char **paths = strv_copy(unknown);
		char **missing = NULL;

		for (size_t i = 0; i < n; i++)
			if (dirs[i].from == from)
				strv_add(&paths, dirs[i].path);
		if (sh->st->fds[from] < 0 || strv_len(paths) == 0)
			continue;
		r = layer_own(sh->st->store, sh->st->fds[from], sh->tree, paths, &missing, err);
		strv_free(unknown);
		unknown = missing;
	}
	return r;
}

static int shim_finish(struct shim *sh, struct err *err)
{
	cleanup_free struct shim_dir *given = xcalloc(sh->n + 1, sizeof(*given));
	size_t n = 0;
	int r = 0;

	/* Children first: a parent that was given away may be closed to this process. */
	for (size_t i = sh->n; r >= 0 && i-- > 0;) {
		r = dir_finish(sh, &sh->dirs[i], err);
		if (r > 0)
			given[n++] = sh->dirs[i];
	}
	return r < 0 || n == 0 ? r : shim_give(sh, given, n, err);
}

static int shim_commit(struct image_store *store, const struct staging *staging, const char *path,
		       struct err *err)
{
	const char *slash = strrchr(path, '/');
	cleanup_free char *dir = xstrndup(path, (size_t)(slash - path));

	if (mkdirat(store->fd, dir, 0700) < 0 && errno != EEXIST)
		return err_errno(err, errno, "creating %s/%s", store->root, dir);
	/* Who comes second has made the same. */
	if (renameat2(staging->fd, "shim", store->fd, path, RENAME_NOREPLACE) < 0 &&
	    errno != EEXIST)
		return err_errno(err, errno, "storing %s/%s", store->root, path);
	return 0;
}

static int shim_build(struct shim *sh, const struct staging *staging,
		      const struct apply_result *info, struct err *err)
{
	if (mkdirat(staging->fd, "shim", 0700) < 0 || mkdirat(staging->fd, "shim/fs", 0755) < 0)
		return err_errno(err, errno, "creating a directory in staging");
	cleanup_fd int tree =
	    openat(staging->fd, "shim/fs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (tree < 0)
		return err_errno(err, errno, "opening a directory in staging");
	sh->tree = tree;
	int r = shim_fill(sh, info->implied, err);
	if (r == 0)
		r = shim_fill_whiteouts(sh, info->whiteouts, err);
	if (r == 0 && sh->n > 0)
		r = shim_finish(sh, err);
	else if (r == 0 && unlinkat(staging->fd, "shim/fs", AT_REMOVEDIR) < 0)
		r = err_errno(err, errno, "removing a directory in staging");
	return r;
}

/* shim in the staging directory. */
static int shim_stage(struct stack *st, size_t k, const struct staging *staging, struct err *err)
{
	struct shim sh = { .st = st, .k = k, .tree = -EBADF };
	struct apply_result info = { 0 };

	int r = layer_implied(st->store, st->diff_ids[k], &info, err);
	if (r == 0)
		r = stack_open(st, err);
	if (r == 0)
		r = shim_build(&sh, staging, &info, err);
	json_free(&apply_result_desc, &info);
	for (size_t i = 0; i < sh.n; i++)
		free(sh.dirs[i].path);
	free(sh.dirs);
	return r;
}

static int shim_make(struct stack *st, size_t k, const char *path, struct err *err)
{
	struct staging staging = STAGING_INIT;

	int r = staging_new(st->store, &staging, err);
	if (r == 0)
		r = shim_stage(st, k, &staging, err);
	if (r == 0)
		r = shim_commit(st->store, &staging, path, err);
	if (r == 0) {
		r = shim_open(st->store, st->diff_ids, k, NULL, err);
		fd_close(st->fds[2 * k + 1]);
		st->fds[2 * k + 1] = r;
		r = r >= 0 || r == -ENOENT ? 0 : r;
	}
	staging_done(st->store, &staging);
	return r < 0 ? err_wrap(err, r, "layer %s", st->diff_ids[k]) : 0;
}

int shims_make(struct image_store *store, char *const *diff_ids, struct err *err)
{
	struct stack st = { .store = store, .diff_ids = diff_ids, .n = strv_len(diff_ids) };
	int r = 0;

	for (size_t k = 0; r == 0 && k < st.n; k++) {
		if (!may_have(store, diff_ids, k))
			continue;
		cleanup_free char *path = shim_path(diff_ids, k);
		if (!is_there(store, path))
			r = shim_make(&st, k, path, err);
	}
	stack_done(&st);
	return r;
}

/* ---- is it still what it should be? ---- */

/* Does the difference show in the image? Not where no lower layer has the directory: its time was
 * made up when the layer was unpacked, and whether it is in the shim at all depends on whether who
 * made that could look into lower directories, as an unprivileged user can in a namespace only. */
static bool is_seen(struct stack *st, size_t k, char what, const char *path)
{
	int from = stack_find(st, k, path);

	switch (what) {
	case 'm':
		return from >= 0 && !str_eq(path, ".");
	case '+':
		return from >= 0;
	case '-':
		return from != FROM_UNKNOWN;
	default:
		return true;
	}
}

static bool is_same(struct stack *st, size_t k, const struct buf *doc)
{
	const char *end = buf_str(doc) + doc->len;

	for (const char *p = buf_str(doc); p < end; p += strlen(p) + 1)
		if (is_seen(st, k, *p, p + 1))
			return false;
	return true;
}

/* 1: it is what is expected; 0: it isn't. */
static int shim_compare(struct stack *st, size_t k, const struct staging *staging, struct err *err)
{
	cleanup_fd int tree = shim_open(st->store, st->diff_ids, k, NULL, err);
	cleanup_fd int expected =
	    openat(staging->fd, "shim/fs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_buf struct buf doc = BUF_INIT;

	if (expected < 0 && errno != ENOENT)
		return err_errno(err, errno, "opening a directory in staging");
	if (tree < 0 && tree != -ENOENT)
		return tree;
	if (tree < 0 || expected < 0)
		return tree < 0 && expected < 0;
	int r = verify_trees(st->store, expected, tree, &doc, err);
	return r < 0 ? r : is_same(st, k, &doc);
}

/* 1: it is as it should be; 0: it isn't. */
static int shim_verify(struct stack *st, size_t k, struct err *err)
{
	struct staging staging = STAGING_INIT;

	int r = staging_new(st->store, &staging, err);
	if (r == 0)
		r = shim_stage(st, k, &staging, err);
	if (r == 0)
		r = shim_compare(st, k, &staging, err);
	staging_done(st->store, &staging);
	return r;
}

static int shim_again(struct stack *st, size_t k, const char *path, struct err *err)
{
	int r = stack_open(st, err);

	if (r == 0)
		r = image_remove_tree(st->store, path, err);
	return r < 0 ? r : shim_make(st, k, path, err);
}

int shims_check(struct image_store *store, char *const *diff_ids, bool quick, bool repair,
		char ***ret_problems, struct err *err)
{
	struct stack st = { .store = store, .diff_ids = diff_ids, .n = strv_len(diff_ids) };
	int r = 0;

	store->lookups = 0;
	for (size_t k = 0; r == 0 && k < st.n; k++) {
		if (!may_have(store, diff_ids, k))
			continue;
		cleanup_free char *path = shim_path(diff_ids, k);
		bool there = is_there(store, path);
		int same = !there ? 0 : quick ? 1 : shim_verify(&st, k, err);
		if (same == 0 && repair)
			r = shim_again(&st, k, path, err);
		if (same == 0)
			strv_addf(ret_problems,
				  "the attributes of directories above layer %s are %s%s",
				  diff_ids[k], there ? "wrong" : "missing",
				  repair && r == 0 ? ": made again" : "");
		r = same < 0 ? same : r;
	}
	stack_done(&st);
	return r;
}
