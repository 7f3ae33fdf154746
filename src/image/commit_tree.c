/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "base/fd.h"
#include "base/strv.h"
#include "image/commit.h"
#include "image/layer_run.h"

void commit_tree_done(struct commit_tree *tree)
{
	tree->upper_fd = fd_close(tree->upper_fd);
	tree->idmap_fd = fd_close(tree->idmap_fd);
	for (size_t i = 0; i < tree->n_layers; i++)
		fd_close(tree->layers[i]);
	free(take_ptr(tree->layers));
	tree->n_layers = 0;
	strv_free(take_ptr(tree->mounts));
}

static int tree_run(struct image_store *store, const struct commit_tree *tree, char *const *args,
		    int out_fd, struct buf *ret, struct err *err)
{
	const struct layer_tree what = { .dir_fd = tree->upper_fd,
					 .idmap_fd = tree->idmap_fd,
					 .out_fd = out_fd,
					 .ids = tree->ids,
					 .layers = tree->layers,
					 .n_layers = tree->n_layers };
	struct layer_job job;

	int r = layer_start_tree(store, (const char *const *)args, &what, &job, err);
	return r < 0 ? r : layer_finish(&job, ret, err);
}

int commit_diff(struct image_store *store, const struct commit_tree *tree, struct buf *ret,
		struct err *err)
{
	cleanup_strv char **args = NULL;

	strv_add(&args, "diff");
	strv_addf(&args, "--layers=%zu", tree->n_layers);
	for (size_t i = 0; tree->mounts && tree->mounts[i]; i++)
		strv_addf(&args, "--exclude=%s", tree->mounts[i]);
	return tree_run(store, tree, args, -EBADF, ret, err);
}

int commit_export(struct image_store *store, const struct commit_tree *tree, int64_t newest,
		  int out_fd, struct err *err)
{
	cleanup_buf struct buf none = BUF_INIT;
	cleanup_strv char **args = NULL;

	strv_add(&args, "export");
	strv_addf(&args, "--layers=%zu", tree->n_layers);
	if (newest >= 0)
		strv_addf(&args, "--newest=%" PRId64, newest);
	return tree_run(store, tree, args, out_fd, &none, err);
}
