/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oci-archive: a tar of an OCI image layout (image-spec image-layout.md). Each entry of index.json
 * is an image, or an index of the same image for several platforms.
 */
#include "base/str.h"
#include "image/load.h"

#define INDEX_DEPTH_MAX 4
/* containerd, docker and buildkit write the full name; the specification's annotation may hold a
 * tag alone. */
static const char *const name_annotations[] = { "io.containerd.image.name",
						"org.opencontainers.image.ref.name" };

static const char *annotated_name(const struct oci_descriptor *desc)
{
	for (size_t i = 0; i < ARRAY_SIZE(name_annotations); i++) {
		const char *name = json_map_get(&desc->annotations, name_annotations[i]);
		if (name && *name)
			return name;
	}
	return NULL;
}

static int config_load(struct load *ld, struct load_image *image, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	const struct oci_descriptor *desc = image->manifest.config;

	int r = load_read_blob(ld, desc, &text, err);
	if (r == 0)
		r = oci_image_config_parse(buf_str(&text), text.len, &image->config, err);
	return r < 0 ? err_wrap(err, r, "config %s", desc->digest) : 0;
}

int load_oci_manifest(struct load *ld, const struct oci_descriptor *desc, const char *name,
		      struct err *err)
{
	cleanup_load_image struct load_image image = { 0 };
	struct load_image *known = load_find_image(ld, desc->digest);
	cleanup_buf struct buf text = BUF_INIT;

	/* One entry for each name. */
	if (known) {
		if (name)
			load_add_name(&known->names, name);
		return 0;
	}
	int r = load_read_blob(ld, desc, &text, err);
	if (r == 0)
		r = oci_manifest_parse(buf_str(&text), text.len, &image.manifest, err);
	if (r < 0)
		return err_wrap(err, r, "manifest %s", desc->digest);
	const char *config_type = image.manifest.config->media_type;
	if (oci_media_kind(config_type) != OCI_IS_CONFIG)
		return err_fail(err, ERR_UNSUPPORTED, "manifest %s is not of an image but of %s",
				desc->digest, config_type ? config_type : "an unknown type");
	r = config_load(ld, &image, err);
	for (size_t i = 0; r == 0 && i < image.manifest.layers.n; i++) {
		const struct oci_descriptor *layer = &image.manifest.layers.items[i];
		enum oci_media kind = oci_media_kind(layer->media_type);
		r = kind == OCI_IS_LAYER || kind == OCI_IS_FOREIGN
			? load_check_blob(ld, layer, err)
			: err_fail(err, ERR_UNSUPPORTED, "layer %s is of type %s", layer->digest,
				   layer->media_type ? layer->media_type : "unknown");
	}
	if (r < 0)
		return r;
	image.manifest_digest = xstrdup(desc->digest);
	if (name)
		load_add_name(&image.names, name);
	return load_add_image(ld, &image, err);
}

static int no_image(const struct load *ld, const char *what, const char *name, struct err *err)
{
	cleanup_free char *platform = oci_platform_text(ld->platform);

	return err_fail(err, ERR_NOT_FOUND, "%s %s has no image for %s", what, name, platform);
}

/* Follows indexes down to the manifest for the platform. */
static int descriptor_load(struct load *ld, const struct oci_descriptor *desc, const char *name,
			   int depth, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_index struct oci_index index = { 0 };

	if (oci_media_kind(desc->media_type) == OCI_IS_MANIFEST)
		return load_oci_manifest(ld, desc, name, err);
	if (oci_media_kind(desc->media_type) != OCI_IS_INDEX)
		return err_fail(err, ERR_UNSUPPORTED, "%s is of type %s, which is no image",
				desc->digest, desc->media_type ? desc->media_type : "unknown");
	if (depth >= INDEX_DEPTH_MAX)
		return err_fail(err, ERR_LIMIT, "more than %d indexes inside each other",
				INDEX_DEPTH_MAX);
	int r = load_read_blob(ld, desc, &text, err);
	if (r == 0)
		r = oci_index_parse(buf_str(&text), text.len, &index, err);
	if (r < 0)
		return err_wrap(err, r, "index %s", desc->digest);
	const struct oci_descriptor *one = ld->platform
					       ? oci_index_select_platform(&index, ld->platform)
					       : oci_index_select(&index);
	if (!one)
		return no_image(ld, "index", desc->digest, err);
	return descriptor_load(ld, one, name ? name : annotated_name(one), depth + 1, err);
}

/* index.json itself may list one image for many platforms. */
static bool is_foreign(const struct load *ld, const struct oci_descriptor *desc)
{
	const struct oci_platform *p = desc->platform;

	return p && !oci_platform_fits(ld->platform, p->os, p->architecture, p->variant);
}

int load_oci(struct load *ld, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_index struct oci_index index = { 0 };

	int r = load_read_member(ld, "index.json", &text, err);
	if (r == 0)
		r = oci_index_parse(buf_str(&text), text.len, &index, err);
	if (r < 0)
		return err_wrap(err, r, "index.json");
	for (size_t i = 0; r == 0 && i < index.manifests.n; i++) {
		const struct oci_descriptor *desc = &index.manifests.items[i];
		if (!is_foreign(ld, desc))
			r = descriptor_load(ld, desc, annotated_name(desc), 0, err);
	}
	if (r == 0 && ld->n_images == 0)
		return no_image(ld, "the", "archive", err);
	return r;
}
