/* SPDX-License-Identifier: Apache-2.0 */
#include "image/verified.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"
#include "image/sync.h"
#include "oci/digest.h"

#define SAME_STEP (128u << 10)

static char *note_path(const char *diff_id, const char *digest)
{
	return xasprintf("layers/%s/" LAYER_NOTE "%s", digest_hex(diff_id), digest_hex(digest));
}

/* The one that the tree was made of. */
static bool is_first(const struct image_store *store, const char *diff_id, const char *digest)
{
	struct apply_result info = { 0 };

	bool same = layer_info(store, diff_id, &info, NULL) == 0 && str_eq(info.digest, digest);
	json_free(&apply_result_desc, &info);
	return same;
}

bool layer_comes_from(const struct image_store *store, const char *diff_id, const char *digest)
{
	cleanup_free char *note = note_path(diff_id, digest);

	if (!layer_exists(store, diff_id))
		return false;
	/* A tar without compression is its own proof. */
	return str_eq(diff_id, digest) || is_first(store, diff_id, digest) ||
	       faccessat(store->fd, note, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

bool layer_is_whole(const struct image_store *store, const char *diff_id, const char *digest,
		    int64_t size)
{
	return layer_comes_from(store, diff_id, digest) && blob_exists(store, digest, size);
}

int layer_note_blob(struct image_store *store, const char *diff_id, const char *digest,
		    struct err *err)
{
	cleanup_free char *note = note_path(diff_id, digest);

	if (layer_comes_from(store, diff_id, digest))
		return 0;
	if (mknodat(store->fd, note, S_IFREG | 0600, 0) < 0 && errno != EEXIST)
		return err_errno(err, errno, "noting a blob of layer %s", diff_id);
	return 0;
}

static void add_blob(char ***list, char *digest)
{
	if (digest_valid(digest) && !strv_has(*list, digest))
		strv_take(list, digest);
	else
		free(digest);
}

void layer_blobs(const struct image_store *store, const char *diff_id, char ***ret)
{
	cleanup_free char *path = xasprintf("layers/%s", digest_hex(diff_id));
	struct apply_result info = { 0 };
	struct dirent *entry;

	if (layer_info(store, diff_id, &info, NULL) == 0 && info.digest)
		add_blob(ret, xstrdup(info.digest));
	json_free(&apply_result_desc, &info);
	add_blob(ret, xstrdup(diff_id));
	int fd = store_open_dir(store, path, NULL);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		fd_close(fd);
		return;
	}
	while ((entry = readdir(dir))) {
		const char *hex = str_after(entry->d_name, LAYER_NOTE);

		if (hex)
			add_blob(ret, xasprintf("sha256:%s", hex));
	}
	closedir(dir);
}

/* Has the file of that name the same content? */
static bool is_same_file(int dir, const char *name, int with)
{
	cleanup_fd int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	cleanup_free char *a = xmalloc(SAME_STEP), *b = xmalloc(SAME_STEP);
	struct stat st, other;
	off_t at = 0;

	if (fd < 0 || fstat(fd, &st) < 0 || fstat(with, &other) < 0 || !S_ISREG(st.st_mode) ||
	    !S_ISREG(other.st_mode) || st.st_size != other.st_size)
		return false;
	while (at < st.st_size) {
		ssize_t n = NO_EINTR(pread(fd, a, SAME_STEP, at));
		ssize_t m = NO_EINTR(pread(with, b, SAME_STEP, at));

		if (n <= 0 || n != m || memcmp(a, b, (size_t)n) != 0)
			return false;
		at += n;
	}
	return true;
}

int store_put_blob(struct image_store *store, int from_dir, const char *name, const char *digest,
		   struct err *err)
{
	const char *hex = digest_hex(digest);
	cleanup_fd int blobs = store_open_dir(store, "blobs/sha256", err);

	if (blobs < 0)
		return blobs;
	cleanup_fd int fresh = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fresh < 0)
		return errno == ENOENT ? 0 : err_errno(err, errno, "storing blob %s", digest);
	/* One that is there may be on the disk already, for an image that has to stay. */
	if (blob_exists(store, digest, -1) && is_same_file(blobs, hex, fresh)) {
		unlinkat(from_dir, name, 0);
		return 0;
	}
	/* A new mark would make one that was lost in a power cut look whole. */
	int r = store_clear_blob(store, digest, err);
	if (r == 0)
		r = sync_mark(store, hex, err);
	if (r < 0)
		return r;
	if (renameat(from_dir, name, blobs, hex) < 0 && errno != ENOENT)
		return err_errno(err, errno, "storing blob %s", digest);
	return 0;
}
