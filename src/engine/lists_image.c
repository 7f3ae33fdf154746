/* SPDX-License-Identifier: Apache-2.0 */
/* The image of a list for one platform. */
#include "base/str.h"
#include "engine/lists.h"
#include "image/load.h"
#include "oci/digest.h"

static int not_here(const char *digest, struct err *err)
{
	return err_hint(err,
			err_fail(err, ERR_NOT_FOUND, "the list's image %s is not here", digest),
			"pull it by its own name");
}

static bool is_ours(const char *digest)
{
	return digest_valid(digest) && str_starts(digest, "sha256:");
}

static bool has_blobs(struct engine *eng, const struct oci_manifest *manifest)
{
	const struct oci_descriptor *config = manifest->config;

	if (!is_ours(config->digest) || !blob_exists(&eng->store, config->digest, config->size))
		return false;
	for (size_t i = 0; i < manifest->layers.n; i++) {
		const struct oci_descriptor *layer = &manifest->layers.items[i];

		if (!is_ours(layer->digest) ||
		    !blob_exists(&eng->store, layer->digest, layer->size))
			return false;
	}
	return true;
}

/* With the store's lock. The manifest is read from the staging directory, the rest where it is. */
static int unpack_locked(struct engine *eng, const char *digest, struct image_list *ret,
			 struct err *err)
{
	cleanup_manifest struct oci_manifest manifest = { 0 };
	cleanup_buf struct buf text = BUF_INIT;
	struct staging staging = STAGING_INIT;

	if (!blob_exists(&eng->store, digest, -1))
		return not_here(digest, err);
	int r = blob_read(&eng->store, digest, &text, err);
	if (r == 0)
		r = oci_manifest_parse(buf_str(&text), text.len, &manifest, err);
	if (r < 0)
		return r;
	if (oci_media_kind(manifest.config->media_type) != OCI_IS_CONFIG)
		return err_fail(err, ERR_UNSUPPORTED, "%s is an artifact, not an image", digest);
	if (!has_blobs(eng, &manifest))
		return not_here(digest, err);
	r = staging_new(&eng->store, &staging, err);
	if (r == 0)
		r = blob_stage(&staging, digest, &text, err);
	if (r == 0)
		r = image_load_staged(&eng->store, &staging, digest, NULL, false, ret, err);
	staging_done(&eng->store, &staging);
	return r;
}

/* Makes an image without a name of what a list has brought along. */
static int unpack(struct engine *eng, const char *digest, struct err *err)
{
	struct image_list list = { 0 };

	if (!is_ours(digest))
		return not_here(digest, err);
	int r = store_lock_shared(&eng->store, err);
	if (r < 0)
		return r;
	r = unpack_locked(eng, digest, &list, err);
	if (r == 0)
		r = images_enter(eng, IMAGE_KIND_IMAGE, NULL, list.items, list.n, err);
	images_added(eng, list.items, r == 0 ? list.n : 0);
	image_list_done(&list);
	return r;
}

/* By the manifest, or when that image is known by another one, by the config that it names. */
static int find(struct engine *eng, const char *digest, struct image_row *ret, struct err *err)
{
	/* a digest is looked for whatever the name before it is */
	cleanup_free char *word = xasprintf("any@%s", digest);
	cleanup_manifest struct oci_manifest manifest = { 0 };
	cleanup_buf struct buf text = BUF_INIT;
	int r = images_find(eng, word, ret, err);

	if (r != -ENOENT || !is_ours(digest) || blob_read(&eng->store, digest, &text, NULL) < 0 ||
	    oci_manifest_parse(buf_str(&text), text.len, &manifest, NULL) < 0)
		return r;
	return images_find(eng, manifest.config->digest, ret, err);
}

static int find_or_unpack(struct engine *eng, const char *digest, struct image_row *ret,
			  struct err *err)
{
	cleanup_image_row struct image_row row = { 0 };
	int r = find(eng, digest, &row, err);

	if (r == -ENOENT) {
		r = unpack(eng, digest, err);
		if (r == 0)
			r = find(eng, digest, &row, err);
	}
	if (r == 0 && row.kind != IMAGE_KIND_IMAGE)
		return not_here(digest, err);
	if (r < 0)
		return r;
	*ret = row;
	row = (struct image_row){ 0 };
	return 0;
}

int lists_image(struct engine *eng, const struct image_row *row, const char *platform,
		struct image_row *ret, struct err *err)
{
	cleanup_index struct oci_index index = { 0 };
	struct oci_platform want = { 0 };
	const struct oci_descriptor *desc = NULL;
	int r = lists_read_index(eng, row, &index, err);

	if (r == 0 && platform)
		r = oci_platform_parse(platform, &want, err);
	if (r == 0)
		desc =
		    platform ? oci_index_select_platform(&index, &want) : oci_index_select(&index);
	if (r == 0 && !desc)
		r = err_fail(err, ERR_NOT_FOUND, "the list has no image for this platform");
	if (r == 0)
		r = find_or_unpack(eng, desc->digest, ret, err);
	oci_platform_done(&want);
	return r;
}

static int check_platform(const struct image_row *row, const char *word, const char *platform,
			  struct err *err)
{
	const struct oci_platform have = { .os = row->os,
					   .architecture = row->architecture,
					   .variant = row->variant };
	cleanup_free char *wanted = NULL, *actual = oci_platform_text(&have);
	struct oci_platform want = { 0 };
	int r = oci_platform_parse(platform, &want, err);

	if (r < 0)
		return r;
	wanted = oci_platform_text(&want);
	if (!oci_platform_fits(&want, have.os, have.architecture, have.variant))
		r = err_fail(err, ERR_NOT_FOUND,
			     "image with reference %s was found but does not match the specified "
			     "platform: wanted %s, actual: %s",
			     word, wanted, actual);
	oci_platform_done(&want);
	return r;
}

int images_for_platform(struct engine *eng, const char *word, const char *platform, char **ret,
			struct err *err)
{
	cleanup_image_row struct image_row row = { 0 }, member = { 0 };
	int r = platform ? images_find(eng, word, &row, err) : 0;

	if (r < 0)
		return r;
	if (!platform || row.kind != IMAGE_KIND_LIST) {
		r = platform ? check_platform(&row, word, platform, err) : 0;
		if (r == 0)
			*ret = xstrdup(word);
		return r;
	}
	r = lists_image(eng, &row, platform, &member, err);
	if (r == 0)
		*ret = xasprintf("any@%s", member.manifest);
	return r;
}
