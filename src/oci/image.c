/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "oci/image_internal.h"

static const struct {
	const char *name;
	enum oci_media kind;
} media_types[] = {
	{ OCI_MEDIA_INDEX, OCI_IS_INDEX },          { OCI_MEDIA_MANIFEST, OCI_IS_MANIFEST },
	{ OCI_MEDIA_CONFIG, OCI_IS_CONFIG },        { OCI_MEDIA_LAYER, OCI_IS_LAYER },
	{ OCI_MEDIA_LAYER_GZIP, OCI_IS_LAYER },     { OCI_MEDIA_LAYER_ZSTD, OCI_IS_LAYER },
	{ OCI_MEDIA_LAYER_XZ, OCI_IS_LAYER },       { DOCKER_MEDIA_INDEX, OCI_IS_INDEX },
	{ DOCKER_MEDIA_MANIFEST, OCI_IS_MANIFEST }, { DOCKER_MEDIA_CONFIG, OCI_IS_CONFIG },
	{ DOCKER_MEDIA_LAYER, OCI_IS_LAYER },       { DOCKER_MEDIA_LAYER_GZIP, OCI_IS_LAYER },
	{ DOCKER_MEDIA_LAYER_ZSTD, OCI_IS_LAYER },  { OCI_MEDIA_FOREIGN, OCI_IS_FOREIGN },
	{ OCI_MEDIA_FOREIGN_GZIP, OCI_IS_FOREIGN }, { OCI_MEDIA_FOREIGN_ZSTD, OCI_IS_FOREIGN },
	{ DOCKER_MEDIA_FOREIGN, OCI_IS_FOREIGN },   { DOCKER_MEDIA_FOREIGN_GZIP, OCI_IS_FOREIGN },
};

enum oci_media oci_media_kind(const char *media_type)
{
	size_t i;

	for (i = 0; media_type && i < ARRAY_SIZE(media_types); i++)
		if (strcmp(media_type, media_types[i].name) == 0)
			return media_types[i].kind;
	return OCI_MEDIA_UNKNOWN;
}

static int parse(const struct json_desc *desc, void *object, const char *text, size_t len,
		 const char *what, struct err *err)
{
	if (len > OCI_BLOB_MAX) {
		err_fail(err, ERR_LIMIT, "%s: expected at most %u bytes, got %zu", what,
			 OCI_BLOB_MAX, len);
		return -EFBIG;
	}
	memset(object, 0, desc->size);
	return json_parse(desc, object, text, len, what, err);
}

int oci_image_config_parse(const char *text, size_t len, struct oci_image_config *ret,
			   struct err *err)
{
	struct oci_image_config config;
	int r = parse(&oci_image_config_desc, &config, text, len, "image config", err);

	if (r < 0)
		return r;
	*ret = config;
	return 0;
}

int oci_manifest_parse(const char *text, size_t len, struct oci_manifest *ret, struct err *err)
{
	struct oci_manifest manifest;
	int r = parse(&oci_manifest_desc, &manifest, text, len, "image manifest", err);

	if (r < 0)
		return r;
	*ret = manifest;
	return 0;
}

int oci_index_parse(const char *text, size_t len, struct oci_index *ret, struct err *err)
{
	struct oci_index index;
	int r = parse(&oci_index_desc, &index, text, len, "image index", err);

	if (r < 0)
		return r;
	*ret = index;
	return 0;
}

int docker_archive_parse(const char *text, size_t len, struct docker_archive *ret, struct err *err)
{
	struct docker_archive archive;
	int r = parse(&docker_archive_desc, &archive, text, len, "manifest.json", err);

	if (r < 0)
		return r;
	*ret = archive;
	return 0;
}

void oci_image_config_write(const struct oci_image_config *config, struct buf *out)
{
	json_write(&oci_image_config_desc, config, 0, out);
}

void oci_manifest_write(const struct oci_manifest *manifest, struct buf *out)
{
	json_write(&oci_manifest_desc, manifest, 0, out);
}

void oci_index_write(const struct oci_index *index, struct buf *out)
{
	json_write(&oci_index_desc, index, 0, out);
}

void docker_archive_write(const struct docker_archive *archive, struct buf *out)
{
	json_write(&docker_archive_desc, archive, 0, out);
}

void oci_image_config_done(struct oci_image_config *config)
{
	json_free(&oci_image_config_desc, config);
}

void oci_manifest_done(struct oci_manifest *manifest)
{
	json_free(&oci_manifest_desc, manifest);
}

void oci_index_done(struct oci_index *index)
{
	json_free(&oci_index_desc, index);
}

void docker_archive_done(struct docker_archive *archive)
{
	json_free(&docker_archive_desc, archive);
}
