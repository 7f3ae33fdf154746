/* SPDX-License-Identifier: Apache-2.0 */
#include "image/image.h"

#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "image/shim.h"
#include "image/store.h"
#include "image/verified.h"
#include "oci/digest.h"

void image_done(struct image *image)
{
	free(take_ptr(image->manifest_digest));
	free(take_ptr(image->id));
	strv_free(take_ptr(image->names));
	strv_free(take_ptr(image->repo_digests));
	strv_free(take_ptr(image->diff_ids));
	free(take_ptr(image->architecture));
	free(take_ptr(image->os));
	free(take_ptr(image->variant));
	for (size_t i = 0; i < image->n_content; i++)
		free(image->content[i].digest);
	free(take_ptr(image->content));
	image->n_content = 0;
}

void image_list_done(struct image_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		image_done(&list->items[i]);
	free(take_ptr(list->items));
	list->n = 0;
}

void image_add_content(struct image *image, enum image_content_kind kind, const char *digest,
		       uint64_t size)
{
	for (size_t i = 0; i < image->n_content; i++)
		if (image->content[i].kind == kind && str_eq(image->content[i].digest, digest))
			return;
	image->content = xrealloc(image->content, (image->n_content + 1) * sizeof(*image->content));
	image->content[image->n_content++] = (struct image_content){
		.kind = kind,
		.digest = xstrdup(digest),
		.size = size,
	};
}

/* Of the size that it has: what a descriptor says of one that was not fetched is just words. */
static void add_blob(struct image_store *store, struct image *image, const char *digest)
{
	image_add_content(image, IMAGE_BLOB, digest, blob_size(store, digest));
}

static void add_manifest(struct image_store *store, struct image *image, const char *digest,
			 const struct oci_manifest *manifest)
{
	add_blob(store, image, digest);
	add_blob(store, image, manifest->config->digest);
	for (size_t i = 0; i < manifest->layers.n; i++)
		add_blob(store, image, manifest->layers.items[i].digest);
}

/* Whoever adds an image has seen that the blob unpacks to the layer. */
static int fill_layer(struct image_store *store, const char *diff_id, const char *digest,
		      struct image *image, struct err *err)
{
	struct apply_result info = { 0 };

	int r = layer_info(store, diff_id, &info, err);
	if (r == 0 && !str_eq(info.digest, digest))
		r = layer_note_blob(store, diff_id, digest, err);
	if (r == 0) {
		image->size += info.size;
		image_add_content(image, IMAGE_LAYER, diff_id, info.size);
	}
	json_free(&apply_result_desc, &info);
	return r;
}

int image_fill(struct image_store *store, const char *manifest_digest,
	       const struct oci_manifest *manifest, const struct oci_image_config *config,
	       struct image *ret, struct err *err)
{
	struct image image = { 0 };

	int r = shims_make(store, config->rootfs->diff_ids, err);
	for (size_t i = 0; r == 0 && i < manifest->layers.n; i++)
		r = fill_layer(store, config->rootfs->diff_ids[i], manifest->layers.items[i].digest,
			       &image, err);
	if (r < 0) {
		image_done(&image);
		return r;
	}
	add_manifest(store, &image, manifest_digest, manifest);
	image.manifest_digest = xstrdup(manifest_digest);
	image.id = xstrdup(manifest->config->digest);
	image.diff_ids = strv_copy(config->rootfs->diff_ids);
	image.architecture = config->architecture ? xstrdup(config->architecture) : NULL;
	image.os = config->os ? xstrdup(config->os) : NULL;
	image.variant = config->variant ? xstrdup(config->variant) : NULL;
	/* No time, or one that is none, counts as 1970. */
	if (config->created && time_parse_rfc3339(config->created, &image.created_ns) < 0)
		image.created_ns = 0;
	*ret = image;
	return 0;
}

int image_read_content(struct image_store *store, const char *manifest_digest, const char *id,
		       char *const *diff_ids, struct image *ret, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_manifest struct oci_manifest manifest = { 0 };
	struct err own = ERR_INIT;

	int r = blob_read(store, manifest_digest, &text, &own);
	if (r == 0)
		r = oci_manifest_parse(buf_str(&text), text.len, &manifest, &own);
	/* A disk that can't be read now says nothing about what the image needs. */
	if (r < 0 && own.kind == ERR_SYSTEM) {
		if (err)
			*err = own;
		return r;
	}
	if (r < 0)
		log_warn("manifest of image %s: %s", id, own.msg);
	add_blob(store, ret, manifest_digest);
	add_blob(store, ret, id);
	if (manifest.config)
		add_blob(store, ret, manifest.config->digest);
	for (size_t i = 0; i < manifest.layers.n; i++)
		add_blob(store, ret, manifest.layers.items[i].digest);
	for (size_t i = 0; diff_ids && diff_ids[i]; i++) {
		struct apply_result info = { 0 };
		if (digest_valid(diff_ids[i]))
			layer_info(store, diff_ids[i], &info, NULL);
		image_add_content(ret, IMAGE_LAYER, diff_ids[i], info.size);
		json_free(&apply_result_desc, &info);
	}
	return 0;
}
