/* SPDX-License-Identifier: Apache-2.0 */
/*
 * docker-archive: manifest.json names a config and layers, each a member of the archive. There is
 * no manifest in it, so one is made: the same archive always gives the same one.
 */
#include <fcntl.h>

#include "base/fd.h"
#include "base/hex.h"
#include "base/io.h"
#include "base/str.h"
#include "image/load.h"
#include "image/sha256.h"
#include "oci/digest.h"

static int layer_media_type(const struct load *ld, const char *digest, const char **ret,
			    struct err *err)
{
	static const struct {
		const char *magic;
		size_t len;
		const char *type;
	} types[] = {
		{ "\x1f\x8b", 2, OCI_MEDIA_LAYER_GZIP },
		{ "\x28\xb5\x2f\xfd", 4, OCI_MEDIA_LAYER_ZSTD },
		{ "\xfd"
		  "7zXZ",
		  5, OCI_MEDIA_LAYER_XZ },
	};
	char head[8];
	cleanup_fd int fd =
	    openat(ld->staging.fd, digest_hex(digest), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	ssize_t n = fd < 0 ? -errno : io_read(fd, head, sizeof(head));
	if (n < 0)
		return err_errno(err, (int)-n, "reading layer %s", digest);
	*ret = OCI_MEDIA_LAYER;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if ((size_t)n >= types[i].len && memcmp(head, types[i].magic, types[i].len) == 0)
			*ret = types[i].type;
	return 0;
}

static void descriptor_fill(struct oci_descriptor *desc, const char *media_type,
			    const struct split_entry *entry)
{
	desc->media_type = xstrdup(media_type);
	desc->digest = xstrdup(entry->digest);
	desc->size = (int64_t)entry->size;
}

/* docker names a config by its digest: "<hex>.json", or "blobs/sha256/<hex>". */
static int config_check_name(const char *name, const struct split_entry *entry, struct err *err)
{
	uint8_t bytes[32];
	const char *slash = strrchr(name, '/');
	cleanup_free char *stem = xstrdup(slash ? slash + 1 : name);

	if (str_ends(stem, ".json"))
		stem[strlen(stem) - strlen(".json")] = '\0';
	if (hex_decode(stem, bytes, sizeof(bytes)) < 0 || str_eq(stem, digest_hex(entry->digest)))
		return 0;
	return err_fail(err, ERR_CORRUPT, "config %s has other content (%s)", name, entry->digest);
}

static int config_load(struct load *ld, const char *name, struct load_image *image, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	const struct split_entry *entry = load_member(ld, name);

	if (!entry)
		return err_fail(err, ERR_CORRUPT, "config %s is not in the archive", name);
	int r = config_check_name(name, entry, err);
	if (r == 0)
		r = load_read_staged(ld, entry->digest, &text, err);
	if (r == 0)
		r = oci_image_config_parse(buf_str(&text), text.len, &image->config, err);
	if (r < 0)
		return err_wrap(err, r, "config %s", name);
	image->manifest.config = xcalloc(1, sizeof(*image->manifest.config));
	descriptor_fill(image->manifest.config, OCI_MEDIA_CONFIG, entry);
	return 0;
}

static int layers_load(struct load *ld, char *const *names, struct oci_manifest *manifest,
		       struct err *err)
{
	size_t n = 0;

	while (names && names[n])
		n++;
	manifest->layers.items = xcalloc(n + 1, sizeof(*manifest->layers.items));
	for (size_t i = 0; i < n; i++) {
		const struct split_entry *entry = load_member(ld, names[i]);
		const char *type = NULL;
		if (!entry)
			return err_fail(err, ERR_CORRUPT, "layer %s is not in the archive",
					names[i]);
		int r = layer_media_type(ld, entry->digest, &type, err);
		if (r < 0)
			return r;
		descriptor_fill(&manifest->layers.items[i], type, entry);
		manifest->layers.n++;
	}
	return 0;
}

static int manifest_make(struct load *ld, struct load_image *image, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	char digest[SHA256_TEXT_MAX];

	image->manifest.schema_version = 2;
	image->manifest.media_type = xstrdup(OCI_MEDIA_MANIFEST);
	oci_manifest_write(&image->manifest, &text);
	image->manifest_digest = xstrdup(sha256_text(buf_str(&text), text.len, digest));
	image->made_manifest = true;
	return blob_stage(&ld->staging, digest, &text, err);
}

static int entry_load(struct load *ld, const struct docker_archive_entry *entry, struct err *err)
{
	cleanup_load_image struct load_image image = { 0 };

	int r = config_load(ld, entry->config, &image, err);
	if (r == 0)
		r = layers_load(ld, entry->layers, &image.manifest, err);
	if (r == 0)
		r = manifest_make(ld, &image, err);
	if (r < 0)
		return r;
	for (size_t i = 0; entry->repo_tags && entry->repo_tags[i]; i++)
		load_add_name(&image.names, entry->repo_tags[i]);
	return load_add_image(ld, &image, err);
}

int load_docker(struct load *ld, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_docker_archive struct docker_archive archive = { 0 };

	int r = load_read_member(ld, "manifest.json", &text, err);
	if (r == 0)
		r = docker_archive_parse(buf_str(&text), text.len, &archive, err);
	for (size_t i = 0; r == 0 && i < archive.entries.n; i++)
		r = entry_load(ld, &archive.entries.items[i], err);
	return r;
}
