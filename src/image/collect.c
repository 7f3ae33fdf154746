/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "image/layer_run.h"
#include "image/store.h"
#include "oci/digest.h"

/* ---- removing trees ---- */

/* As root of the user namespace that the tree's files belong to. */
static int remove_mapped(struct image_store *store, int dir, const char *name, struct err *err)
{
	const char *args[] = { "remove", name, NULL };
	struct layer_job job;
	cleanup_buf struct buf doc = BUF_INIT;

	int r = layer_start(store, args, -EBADF, dir, true, &job, err);
	return r < 0 ? r : layer_finish(&job, &doc, err);
}

int image_remove_tree(struct image_store *store, const char *rel_path, struct err *err)
{
	cleanup_free char *name = NULL;
	cleanup_fd int parent = path_parent_in(store->fd, rel_path, false, &name, err);

	if (parent == -ENOENT)
		return 0;
	if (parent < 0)
		return parent;
	cleanup_fd int dir = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_errno(err, errno, "opening directory of %s", rel_path);
	/* Most trees hold nothing of subordinate ids, and starting a program takes longer. */
	int r = path_remove_tree(dir, name, err);
	if ((r == -EACCES || r == -EPERM) && store->rootless)
		r = remove_mapped(store, dir, name, err);
	return r;
}

/* ---- what is in use ---- */

struct keep {
	char **digests, **diff_ids;
};

static void keep_done(struct keep *keep)
{
	strv_free(keep->digests);
	strv_free(keep->diff_ids);
}

static int keep_manifest(struct image_store *store, const char *digest, struct keep *keep,
			 struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_manifest struct oci_manifest manifest = { 0 };
	cleanup_image_config struct oci_image_config config = { 0 };

	int r = blob_read(store, digest, &text, err);
	if (r == 0)
		r = oci_manifest_parse(buf_str(&text), text.len, &manifest, err);
	if (r == 0)
		r = image_read_config(store, manifest.config->digest, &config, err);
	if (r < 0)
		return err_wrap(err, r, "reading image %s", digest);
	strv_add(&keep->digests, digest);
	strv_add(&keep->digests, manifest.config->digest);
	for (size_t i = 0; i < manifest.layers.n; i++)
		strv_add(&keep->digests, manifest.layers.items[i].digest);
	strv_extend(&keep->diff_ids, config.rootfs->diff_ids);
	return 0;
}

static bool is_kept(char *const *digests, const char *hex)
{
	for (size_t i = 0; digests && digests[i]; i++)
		if (str_eq(digest_hex(digests[i]), hex))
			return true;
	return false;
}

/* ---- collecting ---- */

struct collect {
	struct image_store *store;
	struct keep keep;
	struct staging trash;
	uint64_t freed;
};

static int collect_blob(struct collect *co, int dir, const char *name, struct err *err)
{
	struct stat st;

	if (is_kept(co->keep.digests, name))
		return 0;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		co->freed += (uint64_t)st.st_size;
	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return err_errno(err, errno, "removing blob %s", name);
	return 0;
}

/* Moved out of the way first: a layer is there whole or not at all. */
static int collect_layer(struct collect *co, int dir, const char *name, struct err *err)
{
	struct apply_result info = { 0 };
	cleanup_free char *diff_id = xasprintf("sha256:%s", name);

	if (is_kept(co->keep.diff_ids, name))
		return 0;
	if (layer_info(co->store, diff_id, &info, NULL) == 0)
		co->freed += info.size;
	json_free(&apply_result_desc, &info);
	if (renameat(dir, name, co->trash.fd, name) < 0 && errno != ENOENT)
		return err_errno(err, errno, "removing layer %s", name);
	return 0;
}

static int collect_dir(struct collect *co, const char *path,
		       int (*one)(struct collect *co, int dir, const char *name, struct err *err),
		       struct err *err)
{
	struct dirent *entry;
	int r = store_open_dir(co->store, path, err);

	if (r < 0)
		return r;
	DIR *dir = fdopendir(r);
	if (!dir) {
		fd_close(r);
		return err_errno(err, ENOMEM, "reading %s", path);
	}
	r = 0;
	while (r == 0 && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			r = one(co, dirfd(dir), entry->d_name, err);
	closedir(dir);
	return r;
}

static int collect_run(struct collect *co, char *const *manifests, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && manifests && manifests[i]; i++)
		r = keep_manifest(co->store, manifests[i], &co->keep, err);
	if (r == 0)
		r = staging_new(co->store, &co->trash, err);
	/* Blobs first: a layer without its blob is unpacked again by the next load, while a
	 * manifest without its layers would look whole. */
	if (r == 0)
		r = collect_dir(co, "blobs/sha256", collect_blob, err);
	if (r == 0)
		r = collect_dir(co, "layers", collect_layer, err);
	return r;
}

int image_collect(struct image_store *store, char *const *manifest_digests, uint64_t *ret_freed,
		  struct err *err)
{
	struct collect co = { .store = store, .trash = STAGING_INIT };

	*ret_freed = 0;
	int r = store_lock_exclusive(store, err);
	if (r < 0)
		return r;
	if (r == 0) {
		log_debug("an image is being added to %s: nothing is collected now", store->root);
		return 0;
	}
	r = collect_run(&co, manifest_digests, err);
	staging_done(store, &co.trash);
	keep_done(&co.keep);
	store_unlock(store);
	*ret_freed = co.freed;
	return r < 0 ? err_wrap(err, r, "collecting garbage in %s", store->root) : 0;
}
