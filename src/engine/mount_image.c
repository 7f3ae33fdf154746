/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/images.h"
#include "engine/mapped.h"
#include "engine/volume_mounts.h"
#include "image/commit.h"
#include "runtime/mount_opts.h"

void overlay_lower_add(struct buf *list, const char *path)
{
	if (list->len)
		buf_addc(list, ':');
	for (; *path; path++) {
		if (*path == ':' || *path == '\\')
			buf_addc(list, '\\');
		buf_addc(list, *path);
	}
}

/* The layers' directories: where they are is nobody's to change but ours. */
static int list_layers(const int *fds, size_t n, char **ret_first, struct buf *list,
		       struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		char path[PATH_MAX], link[FD_PATH_MAX];
		ssize_t len =
		    readlinkat(AT_FDCWD, fd_proc_path(fds[i], link), path, sizeof(path) - 1);

		if (len < 0)
			return err_errno(err, errno, "finding the path of a layer");
		path[len] = '\0';
		if (i == 0)
			*ret_first = xstrdup(path);
		overlay_lower_add(list, path);
	}
	return 0;
}

/* A single layer is the tree itself; overlayfs wants two. */
static void set_options(struct mount_request *m, const struct buf *list, size_t n)
{
	bool bind = n == 1 && m->readonly;

	strv_add(&m->options, bind ? "bind" : "rprivate");
	if (m->readonly)
		strv_add(&m->options, "ro");
	else
		strv_add(&m->options, MOUNT_O);
	if (!bind)
		strv_addf(&m->options, "lowerdir=%s", buf_str(list));
	if (!m->subpath || str_eq(m->subpath, "."))
		return;
	if (bind)
		mount_below(m);
	else
		strv_addf(&m->options, MOUNT_OPT_PART "=%s", m->subpath);
}

int mount_image_resolve(struct engine *eng, const char *mapping, struct mount_request *m,
			struct err *err)
{
	cleanup_commit_tree struct commit_tree tree = { .upper_fd = -EBADF, .idmap_fd = -EBADF };
	cleanup_image_row struct image_row row = { 0 };
	cleanup_buf struct buf list = BUF_INIT;
	int r = engine_store(eng, err);

	if (r == 0)
		r = images_find(eng, m->source, &row, err);
	if (r == 0 && row.kind != IMAGE_KIND_IMAGE)
		r = err_fail(err, ERR_INVALID, "%s is no image of one platform", m->source);
	if (r == 0)
		r = engine_open_layers(eng, row.diff_ids, mapping, &tree.layers, &tree.n_layers,
				       err);
	if (r == 0)
		r = list_layers(tree.layers, tree.n_layers, &m->host_path, &list, err);
	if (r < 0)
		return err_wrap(err, r, "mount at %s", m->target);
	free(m->source);
	m->source = xstrdup(row.id);
	/* Its files have the container's own ids, whatever they are out here. */
	m->idmap = !eng->rootless;
	set_options(m, &list, tree.n_layers);
	return 0;
}
