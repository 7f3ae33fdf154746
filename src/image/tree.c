/* SPDX-License-Identifier: Apache-2.0 */
#include "image/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"
#include "image/layer_run.h"

#define PIPE_SIZE (1 << 20)

int tree_is_empty(struct image_store *store, int dir_fd, struct err *err)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *de;
	int empty = 1;

	/* It belongs to a subordinate id. */
	if (fd < 0 && errno == EACCES && store->rootless)
		return layer_dir_empty(store, dir_fd, err);
	if (!dir) {
		fd_close(fd);
		return err_errno(err, errno, "reading a directory");
	}
	while (empty && (de = readdir(dir)))
		empty = str_eq(de->d_name, ".") || str_eq(de->d_name, "..");
	closedir(dir);
	return empty;
}

static int unpack(struct image_store *store, const struct layer_input *in, int to_fd, int cancel_fd,
		  struct err *err)
{
	struct layer_unpack un = LAYER_UNPACK_INIT;
	struct apply_result result = { 0 };
	int r = layer_unpack_start(store, in, to_fd, &un, err);

	if (r < 0)
		return r;
	r = layer_unpack_wait(&un, cancel_fd, err);
	if (r < 0) {
		layer_unpack_abort(&un);
		return r;
	}
	r = layer_unpack_finish(&un, &result, err);
	json_free(&apply_result_desc, &result);
	return r;
}

int tree_copy(struct image_store *store, const struct commit_tree *tree, const char *path,
	      int to_fd, int to_idmap, int cancel_fd, struct err *err)
{
	struct layer_tree what = { .dir_fd = tree->upper_fd,
				   .idmap_fd = tree->idmap_fd,
				   .layers = tree->layers,
				   .n_layers = tree->n_layers };
	struct layer_job job = LAYER_JOB_INIT;
	cleanup_strv char **args = NULL;
	int pair[2];

	if (pipe2(pair, O_CLOEXEC) < 0)
		return err_errno(err, errno, "copying files");
	cleanup_fd int in = pair[0];
	cleanup_fd int out = pair[1];
	(void)fcntl(out, F_SETPIPE_SZ, PIPE_SIZE);
	strv_add(&args, "export");
	strv_addf(&args, "--layers=%zu", tree->n_layers);
	strv_addf(&args, "--path=%s", path);
	what.out_fd = out;
	int r = layer_start_tree(store, (const char *const *)args, &what, &job, err);
	if (r < 0)
		return r;
	out = fd_close(out);
	const struct layer_input input = {
		.fd = in, .partial_fd = -EBADF, .plain = true, .tree = true, .idmap_fd = to_idmap
	};
	r = unpack(store, &input, to_fd, cancel_fd, err);
	in = fd_close(in);
	return layer_finish_writer(&job, r, err);
}

int tree_chown(struct image_store *store, int dir_fd, const char *part, const struct image_ids *ids,
	       uint32_t uid, uint32_t gid, struct err *err)
{
	const struct layer_tree tree = {
		.dir_fd = dir_fd, .idmap_fd = -EBADF, .out_fd = -EBADF, .ids = ids
	};
	cleanup_strv char **args = NULL;
	cleanup_buf struct buf none = BUF_INIT;
	struct layer_job job;
	int r;

	strv_add(&args, "chown");
	strv_addf(&args, "--uid=%" PRIu32, uid);
	strv_addf(&args, "--gid=%" PRIu32, gid);
	if (part)
		strv_addf(&args, "--path=%s", part);
	r = layer_start_tree(store, (const char *const *)args, &tree, &job, err);
	return r < 0 ? r : layer_finish(&job, &none, err);
}

int tree_give(struct image_store *store, int dir_fd, const char *const *names,
	      const struct image_ids *ids, struct err *err)
{
	const struct layer_tree tree = {
		.dir_fd = dir_fd, .idmap_fd = -EBADF, .out_fd = -EBADF, .ids = ids
	};
	cleanup_strv char **args = NULL;
	cleanup_buf struct buf none = BUF_INIT;
	struct layer_job job;
	int r;

	strv_add(&args, "give");
	for (; *names; names++)
		strv_addf(&args, "--name=%s", *names);
	r = layer_start_tree(store, (const char *const *)args, &tree, &job, err);
	return r < 0 ? r : layer_finish(&job, &none, err);
}

int tree_pack(struct image_store *store, int dir_fd, int64_t newest, int out_fd, struct err *err)
{
	const struct commit_tree tree = { .upper_fd = dir_fd, .idmap_fd = -EBADF };

	return commit_export(store, &tree, newest, out_fd, err);
}

int tree_unpack(struct image_store *store, int in_fd, int to_fd, int cancel_fd, struct err *err)
{
	const struct layer_input input = { .fd = in_fd, .partial_fd = -EBADF, .tree = true };

	return unpack(store, &input, to_fd, cancel_fd, err);
}
