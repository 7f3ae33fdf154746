/* SPDX-License-Identifier: Apache-2.0 */
#include "image/adopt.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "image/layer_run.h"
#include "oci/digest.h"
#include "sys/xattr.h"

static bool is_copied(const char *name)
{
	return !str_starts(name, "trusted.overlay.") && !str_starts(name, "user.overlay.");
}

/* The layer's tree, in staging or in the store. */
static int layer_open_any(struct image_store *store, const struct staging *st, const char *diff_id,
			  bool *ret_staged)
{
	cleanup_free char *staged = xasprintf(STAGED_LAYER "%s/fs", digest_hex(diff_id));
	cleanup_free char *stored = xasprintf("layers/%s/fs", digest_hex(diff_id));

	int fd = openat(st->fd, staged, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	*ret_staged = fd >= 0;
	if (fd < 0)
		fd = openat(store->fd, stored, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int attributes_copy(struct image_store *store, int from, int to, const char *path,
			   struct err *err)
{
	struct stat st;
	char name[FD_PATH_MAX];

	if (fstat(from, &st) < 0)
		return err_errno(err, errno, "examining %s", path);
	/* Through /proc because the fds are O_PATH. Rootless, only root of the user namespace can
	 * give it away: adopt_mapped(). */
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

int image_init_upper(struct image_store *store, int top_layer_fd, int upper_fd, struct err *err)
{
	return attributes_copy(store, top_layer_fd, upper_fd, "upper directory", err);
}

/*
 * Finds the directory path in the layers below k, nearest first. fd, -EACCES where only root of the
 * user namespace can look, or -ENOENT.
 */
static int lower_find(struct image_store *store, const struct staging *st, char *const *diff_ids,
		      size_t k, const char *path)
{
	while (k-- > 0) {
		bool staged;
		cleanup_fd int layer = layer_open_any(store, st, diff_ids[k], &staged);
		int fd = layer < 0 ? layer
				   : path_open_in(layer, path, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0,
						  NULL);
		/* Something else of that name hides what is below. */
		if (fd != -ENOENT)
			return fd < 0 && fd != -EACCES ? -ENOENT : fd;
	}
	return -ENOENT;
}

/* Rootless, in the user namespace: for what belongs to others or is below what does. One process
 * for each lower layer, however many directories there are. */
static int adopt_mapped(struct image_store *store, const struct staging *st, char *const *diff_ids,
			size_t k, int to, char *const *paths, struct err *err)
{
	cleanup_strv char **left = strv_copy(paths);
	int r = 0;

	while (r == 0 && strv_len(left) > 0 && k-- > 0) {
		bool staged;
		char **missing = NULL;
		cleanup_fd int layer = layer_open_any(store, st, diff_ids[k], &staged);

		if (layer < 0)
			return err_errno(err, -layer, "opening layer %s", diff_ids[k]);
		r = layer_own(store, layer, to, left, &missing, err);
		strv_free(left);
		left = missing;
	}
	return r;
}

/* 1: it is for adopt_mapped(). */
static int adopt_path(struct image_store *store, const struct staging *st, char *const *diff_ids,
		      size_t k, int layer, const char *path, struct err *err)
{
	cleanup_fd int from = lower_find(store, st, diff_ids, k, path);
	struct stat want = { 0 };
	int r = 0;

	if (from >= 0) {
		cleanup_fd int to =
		    path_open_in(layer, path, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0, NULL);

		if (to >= 0)
			r = attributes_copy(store, from, to, path, err);
		if (r < 0 || fstat(from, &want) < 0)
			return r;
	}
	return store->rootless && from != -ENOENT &&
	       (from < 0 || want.st_uid != geteuid() || want.st_gid != getegid());
}

int adopt_layer(struct image_store *store, const struct staging *st, char *const *diff_ids,
		size_t k, struct err *err)
{
	struct apply_result info = { 0 };
	cleanup_strv char **mapped = NULL;
	bool staged;
	cleanup_fd int layer = layer_open_any(store, st, diff_ids[k], &staged);
	int r = 0;

	if (layer < 0)
		return err_errno(err, -layer, "opening layer %s", diff_ids[k]);
	if (!staged)
		return 0;
	r = layer_info_staged(st, diff_ids[k], &info, err);
	/* Children first: a parent that was given away may be closed to this process. */
	for (size_t i = strv_len(info.implied); r >= 0 && i-- > 0;) {
		r = adopt_path(store, st, diff_ids, k, layer, info.implied[i], err);
		if (r > 0)
			strv_add(&mapped, info.implied[i]);
	}
	if (r >= 0)
		r = adopt_mapped(store, st, diff_ids, k, layer, mapped, err);
	json_free(&apply_result_desc, &info);
	return r;
}

int adopt_implied(struct image_store *store, const struct staging *st, char *const *diff_ids,
		  struct err *err)
{
	int r = 0;

	for (size_t k = 1; r == 0 && diff_ids && diff_ids[0] && diff_ids[k]; k++)
		r = adopt_layer(store, st, diff_ids, k, err);
	return r;
}
