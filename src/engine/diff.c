/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/diff.h"

#include <fcntl.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/life.h"
#include "engine/lists.h"
#include "engine/mapped.h"
#include "engine/users_layer.h"
#include "image/store.h"
#include "oci/digest.h"
#include "sys/idmap.h"

#define CONFIG_MAX (16u << 20)

void container_tree_done(struct container_tree *ct)
{
	record_done(&ct->rec);
	image_row_done(&ct->image);
	spec_free(&ct->spec);
	commit_tree_done(&ct->tree);
	image_ids_done(&ct->ids);
}

static int read_spec(struct engine *eng, struct container_tree *ct, struct err *err)
{
	cleanup_free char *path = xasprintf("%s/config.json", ct->rec.id);
	cleanup_buf struct buf text = BUF_INIT;

	int r = io_read_file(eng->containers_fd, path, &text, CONFIG_MAX, err);
	if (r == 0)
		r = spec_parse(buf_str(&text), text.len, &ct->spec, err);
	for (size_t i = 0; r == 0 && i < ct->spec.mounts.n; i++)
		strv_take(&ct->tree.mounts, path_clean(ct->spec.mounts.items[i].destination));
	return r;
}

/* From ids of the host to those of the container. */
static int invert_maps(const spec_id_maps *maps, struct idmap *ret, struct err *err)
{
	for (size_t i = 0; i < maps->n; i++) {
		const struct spec_id_map *m = &maps->items[i];
		int r = idmap_add(ret, m->host_id, m->container_id, m->size);
		if (r < 0)
			return err_errno(err, -r, "mapping the ids of the container's files");
	}
	return 0;
}

/* Root's container with a user namespace of its own (--userns private): its files belong to other
 * ids out here. Rootless, inro-layer runs in a namespace of the same mapping. */
static int open_idmap(const struct engine *eng, const struct spec *spec, struct err *err)
{
	const struct spec_linux *l = spec->linux_;
	CLEANUP(idmap_done) struct idmap uids = { 0 };
	CLEANUP(idmap_done) struct idmap gids = { 0 };

	if (eng->rootless || !l || !l->uid_mappings.n)
		return -ENOENT;
	int r = invert_maps(&l->uid_mappings, &uids, err);
	if (r == 0)
		r = invert_maps(&l->gid_mappings, &gids, err);
	return r < 0 ? r : idmap_userns_fd(&uids, &gids, err);
}

int container_idmap(struct engine *eng, const char *id, struct err *err)
{
	cleanup_free char *path = xasprintf("%s/config.json", id);
	cleanup_buf struct buf text = BUF_INIT;
	struct spec spec = { 0 };
	int r = eng->rootless ? -ENOENT : 0;

	if (r == 0 && io_read_file(eng->containers_fd, path, &text, CONFIG_MAX, err) < 0)
		r = -EIO;
	if (r == 0)
		r = spec_parse(buf_str(&text), text.len, &spec, err);
	if (r == 0)
		r = open_idmap(eng, &spec, err);
	spec_free(&spec);
	return r;
}

static int open_tree_fds(struct engine *eng, struct container_tree *ct, struct err *err)
{
	cleanup_free char *path = xasprintf("%s/upper", ct->rec.id);

	ct->tree.upper_fd =
	    openat(eng->containers_fd, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (ct->tree.upper_fd < 0)
		return err_errno(err, errno, "opening the files of container %s", ct->rec.name);
	int r = engine_store(eng, err);
	if (r == 0)
		r = images_find(eng, ct->rec.image, &ct->image, err);
	if (r == 0)
		r = engine_open_layers(eng, ct->image.diff_ids, ct->rec.options.mapping,
				       &ct->tree.layers, &ct->tree.n_layers, err);
	if (r == 0)
		r = users_layer_give(eng, &ct->rec, err);
	if (r == 0)
		r = users_layer_open(eng, ct->rec.id, &ct->tree.layers, &ct->tree.n_layers, err);
	if (r < 0 || !ct->rec.options.mapping)
		return r;
	ct->tree.ids = &ct->ids;
	return image_ids_parse(ct->rec.options.mapping, &ct->ids) < 0
		   ? err_fail(err, ERR_CORRUPT, "the record of container %s has no mapping",
			      ct->rec.name)
		   : 0;
}

int container_tree_open(struct engine *eng, const char *word, struct container_tree *ret,
			struct err *err)
{
	*ret = (struct container_tree){ .tree = { .upper_fd = -EBADF, .idmap_fd = -EBADF } };
	int r = record_find(eng, word, &ret->rec, err);
	if (r == 0)
		r = life_look(eng, &ret->rec, err);
	if (r == 1)
		r = err_fail(err, ERR_NOT_FOUND, "No such container: %s", word);
	if (r < 0)
		return r;
	if (ret->rec.options.rootfs)
		return err_fail(err, ERR_UNSUPPORTED,
				"container %s has the root directory %s (--rootfs) and no image",
				ret->rec.name, ret->rec.options.rootfs);
	if (str_eq(ret->rec.image, IMAGE_HOST))
		return err_fail(err, ERR_UNSUPPORTED,
				"container %s is made of this machine (image " IMAGE_HOST
				"): its files are no image's",
				ret->rec.name);
	r = read_spec(eng, ret, err);
	if (r < 0)
		return r;
	ret->tree.idmap_fd = open_idmap(eng, &ret->spec, err);
	if (ret->tree.idmap_fd < 0 && ret->tree.idmap_fd != -ENOENT)
		return ret->tree.idmap_fd;
	return open_tree_fds(eng, ret, err);
}

void change_list_done(struct change_list *list)
{
	free(take_ptr(list->items));
	buf_done(&list->text);
	list->n = 0;
}

/* inro-layer has looked at the container's files: its answer is looked at, too. */
static int changes_parse(struct change_list *list, struct err *err)
{
	const char *p = buf_str(&list->text), *end = p + list->text.len;
	size_t n = 0;

	for (const char *q = p; q < end; q++)
		n += !*q;
	list->items = xcalloc(n + 1, sizeof(*list->items));
	for (; p < end; p += strlen(p) + 1) {
		if (!strchr("ACD", *p) || p[0] == '\0' || p[1] != '/' || list->n == n)
			return err_fail(err, ERR_CORRUPT, "inro-layer gave no list of changes");
		list->items[list->n++] = (struct change){ .kind = *p, .path = p + 1 };
	}
	return 0;
}

int container_diff(struct engine *eng, const char *word, struct change_list *ret, struct err *err)
{
	cleanup_container_tree struct container_tree ct = { 0 };
	struct change_list list = { .text = BUF_INIT };

	int r = container_tree_open(eng, word, &ct, err);
	if (r < 0)
		return r;
	r = commit_diff(&eng->store, &ct.tree, &list.text, err);
	if (r == 0)
		r = changes_parse(&list, err);
	if (r < 0) {
		change_list_done(&list);
		return err_wrap(err, r, "container %s", ct.rec.name);
	}
	*ret = list;
	return 0;
}

/* ---- images ---- */

static int find_image(struct engine *eng, const char *word, struct image_row *ret, struct err *err)
{
	cleanup_image_row struct image_row row = { 0 };
	int r;

	if (str_eq(word, IMAGE_HOST))
		return err_fail(err, ERR_UNSUPPORTED,
				"the image " IMAGE_HOST " is this machine: it has no layers");
	r = images_find(eng, word, &row, err);
	if (r == 0 && row.kind == IMAGE_KIND_LIST)
		return lists_image(eng, &row, NULL, ret, err);
	if (r == 0 && row.kind == IMAGE_KIND_ARTIFACT)
		r = err_fail(err, ERR_UNSUPPORTED, "%s is an artifact, not an image", word);
	if (r < 0)
		return r;
	*ret = row;
	row = (struct image_row){ 0 };
	return 0;
}

/* With the store's lock. The tree of a layer looks like a container's upper directory. */
static int open_top(struct engine *eng, const struct image_row *row, struct commit_tree *tree,
		    struct err *err)
{
	cleanup_strv char **below = strv_copy(row->diff_ids);
	size_t n = strv_len(below);

	if (n == 0 || !digest_valid(below[n - 1]))
		return err_fail(err, ERR_UNSUPPORTED, "it has no layers");
	cleanup_free char *path = xasprintf("layers/%s/fs", digest_hex(below[n - 1]));
	free(take_ptr(below[n - 1]));
	tree->upper_fd = openat(eng->store.fd, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (tree->upper_fd < 0)
		return err_errno(err, errno, "opening %s", path);
	return image_open_layers(&eng->store, below, &tree->layers, &tree->n_layers, err);
}

int image_diff(struct engine *eng, const char *word, struct change_list *ret, struct err *err)
{
	cleanup_commit_tree struct commit_tree tree = { .upper_fd = -EBADF, .idmap_fd = -EBADF };
	cleanup_image_row struct image_row row = { 0 };
	struct change_list list = { .text = BUF_INIT };
	int r = engine_db(eng, err);

	if (r == 0)
		r = engine_store(eng, err);
	if (r == 0)
		r = find_image(eng, word, &row, err);
	if (r < 0)
		return r;
	r = store_lock_shared(&eng->store, err);
	if (r < 0)
		return r;
	r = open_top(eng, &row, &tree, err);
	if (r == 0)
		r = commit_diff(&eng->store, &tree, &list.text, err);
	if (r == 0)
		r = changes_parse(&list, err);
	images_added(eng, NULL, 0); /* gives the lock back */
	if (r < 0) {
		change_list_done(&list);
		return err_wrap(err, r, "image %s", word);
	}
	*ret = list;
	return 0;
}

/* ---- all of it ---- */

int container_export(struct engine *eng, const char *word, int64_t newest, int fd, struct err *err)
{
	cleanup_container_tree struct container_tree ct = { 0 };

	int r = container_tree_open(eng, word, &ct, err);
	if (r < 0)
		return r;
	r = commit_export(&eng->store, &ct.tree, newest, fd, err);
	return r < 0 ? err_wrap(err, r, "exporting container %s", ct.rec.name) : 0;
}
