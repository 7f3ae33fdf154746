/* SPDX-License-Identifier: Apache-2.0 */
#include "image/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/hex.h"
#include "base/io.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "image/background.h"
#include "image/mapped.h"
#include "image/sha256.h"
#include "image/shim.h"
#include "image/sync.h"
#include "oci/digest.h"
#include "sys/mount.h"

#define INFO_MAX (64u << 20) /* lists of implied directories */

/* ---- opening ---- */

static int store_make_dirs(struct image_store *store, struct err *err)
{
	/* staging last: where it is, the others are. */
	static const char *const dirs[] = { "blobs", "blobs/sha256", "layers", "staging" };

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		if (mkdirat(store->fd, dirs[i], 0700) < 0 && errno != EEXIST)
			return err_errno(err, errno, "creating %s/%s", store->root, dirs[i]);
	return 0;
}

int store_open_dir(const struct image_store *store, const char *name, struct err *err)
{
	int fd = openat(store->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_errno(err, errno, "opening %s/%s", store->root, name) : fd;
}

/* An fd of the staging directory name, locked, unless a process holds it. */
static int staging_take(int dir, const char *name)
{
	cleanup_fd int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 ? take_fd(fd) : -EBUSY;
}

static bool staging_is_left(struct image_store *store, int dir, const char *name)
{
	cleanup_fd int fd = staging_take(dir, name);

	return fd >= 0;
}

static bool staging_clean(struct image_store *store, int dir, const char *name)
{
	cleanup_fd int fd = staging_take(dir, name);
	cleanup_free char *path = path_join("staging", name);

	if (fd >= 0)
		image_remove_tree(store, path, NULL);
	return false;
}

/* 1 when fn is true of one, with which it ends; 0; or -errno. */
static int staging_each(struct image_store *store,
			bool (*fn)(struct image_store *store, int dir, const char *name))
{
	struct dirent *entry;
	int found = 0;
	int fd = openat(store->fd, "staging", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	DIR *dir = fdopendir(fd);
	if (!dir) {
		int r = -errno;
		fd_close(fd);
		return r;
	}
	while (!found && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			found = fn(store, dirfd(dir), entry->d_name);
	closedir(dir);
	return found;
}

/* What killed commands have left may be large: nobody waits until it is gone. */
static int staging_clean_all(struct image_store *store)
{
	int r = staging_each(store, staging_is_left);

	if (r > 0 && background_start(store) == 0) {
		staging_each(store, staging_clean);
		_exit(0);
	}
	return r < 0 ? r : 0;
}

int image_store_open(const char *root, bool rootless, struct image_store *ret, struct err *err)
{
	struct image_store store = { .rootless = rootless, .lock_fd = -EBADF, .marker_fd = -EBADF };
	cleanup_fd int path_fd = path_mkdirs(root, 0700, err);

	if (path_fd < 0)
		return err_wrap(err, path_fd, "opening image store");
	cleanup_fd int fd = openat(path_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, errno, "opening image store %s", root);
	cleanup_free char *copy = xstrdup(root);
	store.fd = fd;
	store.root = copy;
	int r = staging_clean_all(&store);
	if (r == -ENOENT)
		r = store_make_dirs(&store, err);
	else if (r < 0)
		r = err_errno(err, -r, "reading %s/staging", root);
	if (r < 0)
		return r;
	store.fd = take_fd(fd);
	store.root = take_ptr(copy);
	*ret = store;
	return 0;
}

void image_store_done(struct image_store *store)
{
	image_store_unlock(store);
	store->fd = fd_close(store->fd);
	free(take_ptr(store->root));
}

/* ---- locks ---- */

static int store_lock(struct image_store *store, int how, struct err *err)
{
	if (store->lock_fd < 0)
		store->lock_fd =
		    openat(store->fd, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	/* Nobody adds or removes anything there: it is enough to have something to lock. */
	if (store->lock_fd < 0 && errno == EROFS)
		store->lock_fd = openat(store->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store->lock_fd < 0)
		return err_errno(err, errno, "opening %s/lock", store->root);
	if (NO_EINTR(flock(store->lock_fd, how)) == 0)
		return 1;
	if (errno == EWOULDBLOCK)
		return 0;
	return err_errno(err, errno, "locking %s", store->root);
}

int store_lock_shared(struct image_store *store, struct err *err)
{
	int r = store_lock(store, LOCK_SH, err);
	return r < 0 ? r : 0;
}

int store_lock_exclusive(struct image_store *store, struct err *err)
{
	return store_lock(store, LOCK_EX | LOCK_NB, err);
}

int image_store_hold(struct image_store *store, struct err *err)
{
	int r = store_lock_shared(store, err);

	return r < 0 ? r : take_fd(store->lock_fd);
}

void image_store_unlock(struct image_store *store)
{
	store->lock_fd = fd_close(store->lock_fd);
	store->marker_fd = fd_close(store->marker_fd);
}

/* ---- staging ---- */

void store_spread_directories(int dir)
{
	int flags;

	if (ioctl(dir, FS_IOC_GETFLAGS, &flags) == 0 && !(flags & FS_TOPDIR_FL)) {
		flags |= FS_TOPDIR_FL;
		(void)ioctl(dir, FS_IOC_SETFLAGS, &flags);
	}
}

/* -EAGAIN: another process took it for abandoned before it was locked. */
static int staging_try(int dir, const char *name)
{
	struct stat st;

	if (mkdirat(dir, name, 0700) < 0)
		return -errno;
	cleanup_fd int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &st) < 0)
		return errno == ENOENT || errno == EWOULDBLOCK ? -EAGAIN : -errno;
	return st.st_nlink == 0 ? -EAGAIN : take_fd(fd);
}

int staging_new(struct image_store *store, struct staging *ret, struct err *err)
{
	cleanup_fd int dir = store_open_dir(store, "staging", err);
	char id[HEX_ID_LEN + 1];
	int r = -EAGAIN;

	if (dir < 0)
		return dir;
	store_spread_directories(dir);
	for (int i = 0; i < 100 && r == -EAGAIN; i++) {
		r = hex_random_id(id);
		if (r == 0)
			r = staging_try(dir, id);
	}
	if (r < 0)
		return err_errno(err, -r, "creating a directory in %s/staging", store->root);
	ret->fd = r;
	ret->name = xstrdup(id);
	return 0;
}

void staging_done(struct image_store *store, struct staging *st)
{
	struct err err = ERR_INIT;

	if (st->name) {
		cleanup_free char *path = path_join("staging", st->name);
		if (image_remove_tree(store, path, &err) < 0)
			log_warn("removing %s/%s: %s", store->root, path, err.msg);
	}
	free(take_ptr(st->name));
	st->fd = fd_close(st->fd);
}

/* ---- blobs ---- */

int store_open_blob(const struct image_store *store, const char *digest)
{
	cleanup_free char *path = xasprintf("blobs/sha256/%s", digest_hex(digest));
	struct stat st;
	/* Opening a fifo would wait for somebody who writes to it. */
	cleanup_fd int fd = openat(store->fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return errno == ELOOP || errno == ENXIO ? -EINVAL : -errno;
	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? take_fd(fd) : -EINVAL;
}

bool blob_exists(const struct image_store *store, const char *digest, int64_t size)
{
	struct stat st;

	/* The mark first: who puts another one in its place gives that its mark last. */
	if (sync_is_lost(store, digest_hex(digest)))
		return false;
	cleanup_fd int fd = store_open_blob(store, digest);
	return fd >= 0 && fstat(fd, &st) == 0 && (size < 0 || st.st_size == size);
}

uint64_t blob_size(const struct image_store *store, const char *digest)
{
	struct stat st;
	cleanup_fd int fd = store_open_blob(store, digest);

	return fd >= 0 && fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static int blob_verify(int fd, const char *digest, struct buf *out, struct err *err)
{
	char text[SHA256_TEXT_MAX];

	buf_reset(out);
	int r = io_read_all(fd, out, OCI_BLOB_MAX);
	if (r == -EFBIG)
		return err_fail(err, ERR_LIMIT, "document %s is larger than %u bytes", digest,
				OCI_BLOB_MAX);
	if (r < 0)
		return err_errno(err, -r, "reading blob %s", digest);
	if (!str_eq(sha256_text(buf_str(out), out->len, text), digest))
		return err_fail(err, ERR_CORRUPT, "blob %s has other content (%s)", digest, text);
	return 0;
}

int blob_read(const struct image_store *store, const char *digest, struct buf *out, struct err *err)
{
	if (!digest_valid(digest) || !str_starts(digest, "sha256:"))
		return err_fail(err, ERR_INVALID, "not a sha256 digest: %s", digest);
	cleanup_fd int fd = store_open_blob(store, digest);
	if (fd == -ENOENT)
		return err_hint(
		    err, err_fail(err, ERR_NOT_FOUND, "no blob %s in %s", digest, store->root),
		    STORE_AGAIN_HINT);
	if (fd == -EINVAL)
		return err_fail(err, ERR_CORRUPT, "blob %s is not a file", digest);
	if (fd < 0)
		return err_errno(err, -fd, "opening blob %s", digest);
	return blob_verify(fd, digest, out, err);
}

int blob_read_at(int dir_fd, const char *digest, struct buf *out, struct err *err)
{
	cleanup_fd int fd = openat(dir_fd, digest_hex(digest), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return err_errno(err, errno, "opening blob %s", digest);
	return blob_verify(fd, digest, out, err);
}

int blob_stage(const struct staging *st, const char *digest, const struct buf *data,
	       struct err *err)
{
	return io_replace_file(st->fd, digest_hex(digest), buf_str(data), data->len, 0644, false,
			       err);
}

int image_read_config(struct image_store *store, const char *id, struct oci_image_config *ret,
		      struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;

	int r = blob_read(store, id, &text, err);
	if (r < 0)
		return err_hint(err, r, STORE_AGAIN_HINT);
	return oci_image_config_parse(buf_str(&text), text.len, ret, err);
}

/* ---- layers ---- */

static char *layer_path(const char *diff_id, const char *what)
{
	return xasprintf("layers/%s/%s", digest_hex(diff_id), what);
}

static bool layer_is_lost(const struct image_store *store, const char *diff_id)
{
	cleanup_free char *mark = xasprintf(STAGED_LAYER "%s", digest_hex(diff_id));

	return sync_is_lost(store, mark);
}

bool layer_exists(const struct image_store *store, const char *diff_id)
{
	struct stat st;
	cleanup_free char *path = layer_path(diff_id, "fs");

	return !layer_is_lost(store, diff_id) &&
	       fstatat(store->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static int info_read(int dir, const char *path, struct apply_result *ret, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;

	int r = io_read_file(dir, path, &text, INFO_MAX, err);
	if (r < 0)
		return r;
	return json_parse(&apply_result_desc, ret, buf_str(&text), text.len, path, err);
}

int layer_info(const struct image_store *store, const char *diff_id, struct apply_result *ret,
	       struct err *err)
{
	cleanup_free char *path = layer_path(diff_id, "info.json");

	return info_read(store->fd, path, ret, err);
}

int layer_implied(const struct image_store *store, const char *diff_id, struct apply_result *ret,
		  struct err *err)
{
	cleanup_free char *path = layer_path(diff_id, "implied.json");

	return info_read(store->fd, path, ret, err);
}

/* A readable fd, or O_PATH where the layer's root shuts this user out. */
static int layer_open(const struct image_store *store, const char *diff_id, const char *map,
		      struct err *err)
{
	cleanup_free char *base = xasprintf("layers/%s", digest_hex(diff_id));
	cleanup_free char *path = map ? mapped_tree(store, base, map) : layer_path(diff_id, "fs");
	int flags = O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

	/* Before it is opened: then what is opened is another one, or was never lost. */
	if (layer_is_lost(store, diff_id))
		return err_hint(err,
				err_fail(err, ERR_CORRUPT,
					 "layer %s was not on the disk yet when the machine went "
					 "down",
					 diff_id),
				STORE_AGAIN_HINT
				", or see by `inro system check` whether it is whole after all");
	if (!path)
		return -ENODATA;
	int fd = openat(store->fd, path, O_RDONLY | flags);
	if (fd < 0 && errno == EACCES)
		fd = openat(store->fd, path, O_PATH | flags);
	if (fd < 0 && errno == ENOENT)
		return err_hint(
		    err, err_fail(err, ERR_NOT_FOUND, "no layer %s in %s", diff_id, store->root),
		    STORE_AGAIN_HINT);
	return fd < 0 ? err_errno(err, errno, "opening layer %s", diff_id) : fd;
}

bool layer_has_mark(const struct image_store *store, const char *diff_id, const char *mark)
{
	cleanup_free char *path = layer_path(diff_id, mark);

	return faccessat(store->fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool is_among(char *const *diff_ids, size_t from, const char *diff_id)
{
	for (; diff_ids[from]; from++)
		if (str_eq(diff_ids[from], diff_id))
			return true;
	return false;
}

/* overlayfs wants a lower directory. */
static int empty_open(const struct image_store *store, struct err *err)
{
	if (mkdirat(store->fd, "empty", 0755) < 0 && errno != EEXIST)
		return err_errno(err, errno, "creating %s/empty", store->root);
	return store_open_dir(store, "empty", err);
}

/* The layer's directories for overlayfs, topmost first. Returns how many. */
static int layer_fds(struct image_store *store, char *const *diff_ids, size_t k, const char *map,
		     int *fds, struct err *err)
{
	int n = 0, shim = shim_open(store, diff_ids, k, map, err);
	if (shim < 0 && shim != -ENOENT)
		return shim;
	if (shim >= 0)
		fds[n++] = shim;
	int fd = layer_open(store, diff_ids[k], map, err);
	if (fd < 0) {
		fd_close(shim);
		return fd;
	}
	fds[n++] = fd;
	return n;
}

static int too_many(size_t n, struct err *err)
{
	return err_hint(
	    err,
	    err_fail(err, ERR_LIMIT,
		     "the image's %zu layers take more than the %d directories that overlayfs can "
		     "show as one",
		     n, MOUNT_LAYERS_MAX),
	    "have it built again with fewer: by fewer steps, or with --squash");
}

int store_open_layers(struct image_store *store, char *const *diff_ids, const char *map,
		      int **ret_fds, size_t *ret_n, struct err *err)
{
	size_t n = 0, total = strv_len(diff_ids);
	cleanup_free int *fds = xcalloc(2 * total + 1, sizeof(*fds));

	for (size_t i = 0; i < total; i++)
		if (!digest_valid(diff_ids[i]))
			return err_fail(err, ERR_INVALID, "not a digest: %s", diff_ids[i]);
	if (total == 0) {
		int fd = empty_open(store, err);
		if (fd < 0)
			return fd;
		fds[n++] = fd;
	}

	for (size_t i = total; i > 0; i--) {
		const char *diff_id = diff_ids[i - 1];
		/* overlayfs refuses a layer that comes twice; the upper one covers the lower. */
		if (is_among(diff_ids, i, diff_id))
			continue;
		int r = layer_fds(store, diff_ids, i - 1, map, fds + n, err);
		n += r > 0 ? (size_t)r : 0;
		if (n > MOUNT_LAYERS_MAX)
			r = too_many(total, err);
		if (r < 0) {
			while (n > 0)
				fd_close(fds[--n]);
			return r;
		}
		/* overlayfs heeds no opaque mark on a layer's root. */
		if (layer_has_mark(store, diff_id, "opaque"))
			break;
	}
	*ret_fds = take_ptr(fds);
	*ret_n = n;
	return 0;
}

int image_open_layers(struct image_store *store, char *const *diff_ids, int **ret_fds,
		      size_t *ret_n, struct err *err)
{
	int r = store_open_layers(store, diff_ids, NULL, ret_fds, ret_n, err);

	if (r != -ENODATA)
		return r;
	r = shims_make(store, diff_ids, err);
	if (r == 0)
		r = store_open_layers(store, diff_ids, NULL, ret_fds, ret_n, err);
	return r == -ENODATA ? err_fail(err, ERR_CORRUPT, "layers have lost their shims") : r;
}

/* ---- commit ---- */

/* What has the name and is not what it stands for: the machine went down before it was on the disk,
 * or somebody has put something else there. One process at a time looks and takes it away: else
 * that could be what another one has just put in its place. */
static int spoilt_lock(int dir, const char *name, struct err *err)
{
	if (faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		return 0;
	return NO_EINTR(flock(dir, LOCK_EX)) < 0 ? err_errno(err, errno, "replacing %s", name) : 1;
}

int store_clear_blob(struct image_store *store, const char *digest, struct err *err)
{
	cleanup_fd int blobs = store_open_dir(store, "blobs/sha256", err);
	cleanup_free char *path = xasprintf("blobs/sha256/%s", digest_hex(digest));
	int r = blobs < 0 ? blobs : spoilt_lock(blobs, digest_hex(digest), err);

	if (r > 0 && !blob_exists(store, digest, -1))
		r = image_remove_tree(store, path, err);
	return r < 0 ? err_wrap(err, r, "replacing blob %s", digest) : 0;
}

/* Out of the way, into a directory that is removed at the end; shims go along with the new one, for
 * nobody would make those of other images. */
static int layer_clear(struct image_store *store, const struct staging *st, int layers,
		       const char *diff_id, struct err *err)
{
	const char *name = digest_hex(diff_id);
	cleanup_free char *old = xasprintf("lost-%s", name);
	cleanup_free char *shims = xasprintf("%s/shims", name);
	cleanup_free char *kept = xasprintf(STAGED_LAYER "%s/shims", name);
	int r = spoilt_lock(layers, name, err);

	if (r <= 0 || layer_exists(store, diff_id))
		return r < 0 ? r : 0;
	renameat(layers, shims, st->fd, kept);
	if (renameat(layers, name, st->fd, old) < 0 && errno != ENOENT)
		return err_errno(err, errno, "replacing layer %s", diff_id);
	return 0;
}

int store_add_blob(struct image_store *store, int from_dir, const char *digest, struct err *err)
{
	const char *name = digest_hex(digest);
	cleanup_fd int blobs = store_open_dir(store, "blobs/sha256", err);

	if (blobs < 0)
		return blobs;
	if (blob_exists(store, digest, -1))
		return 0;
	int r = store_clear_blob(store, digest, err);
	if (r == 0)
		r = sync_mark(store, name, err);
	if (r < 0)
		return r;
	/* Who comes second leaves its own copy where it is. */
	if (renameat2(from_dir, name, blobs, name, RENAME_NOREPLACE) == 0 || errno == ENOENT ||
	    errno == EEXIST)
		return 0;
	return err_errno(err, errno, "storing blob %s", digest);
}

int store_add_layer(struct image_store *store, const struct staging *st, const char *diff_id,
		    struct err *err)
{
	const char *name = digest_hex(diff_id);
	cleanup_free char *staged = xasprintf(STAGED_LAYER "%s", name);
	cleanup_fd int layers = store_open_dir(store, "layers", err);

	if (layers < 0)
		return layers;
	if (faccessat(st->fd, staged, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		return 0;
	if (layer_exists(store, diff_id))
		return 0;
	int r = layer_clear(store, st, layers, diff_id, err);
	if (r == 0)
		r = sync_mark(store, staged, err);
	if (r < 0)
		return r;
	if (renameat2(st->fd, staged, layers, name, RENAME_NOREPLACE) == 0 || errno == EEXIST)
		return 0;
	return err_errno(err, errno, "storing layer %s", diff_id);
}

int store_commit(struct image_store *store, const struct staging *st, char *const *digests,
		 char *const *diff_ids, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && diff_ids && diff_ids[i]; i++)
		r = store_add_layer(store, st, diff_ids[i], err);
	for (size_t i = 0; r == 0 && digests && digests[i]; i++)
		r = store_add_blob(store, st->fd, digests[i], err);
	return r;
}
