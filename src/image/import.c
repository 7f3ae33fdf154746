/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "image/sha256.h"
#include "image/store.h"
#include "image/unpack.h"
#include "oci/digest.h"

#define INPUT_NAME "input"

struct import {
	struct image_store *store;
	struct staging staging;
	struct apply_result layer;
	int64_t size; /* of the layer's blob */
	const char *media_type;
	char *id, *manifest_digest;
};

/* The tarball as it came is the layer's blob. */
static int import_layer(struct import *im, int fd, struct err *err)
{
	cleanup_fd int blob =
	    openat(im->staging.fd, INPUT_NAME, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (blob < 0)
		return err_errno(err, errno, "creating blob");
	int r = unpack_unknown(im->store, &im->staging, fd, blob, -EBADF, &im->layer, err);
	if (r < 0)
		return r;
	im->size = (int64_t)im->layer.input_size;
	if (im->size == 0)
		return err_fail(err, ERR_INVALID, "the tarball is empty");
	if (renameat(im->staging.fd, INPUT_NAME, im->staging.fd, digest_hex(im->layer.digest)) < 0)
		return err_errno(err, errno, "naming blob %s", im->layer.digest);
	uint8_t magic[2] = { 0 };
	if (pread(blob, magic, sizeof(magic), 0) < 0)
		return err_errno(err, errno, "reading blob %s", im->layer.digest);
	im->media_type = magic[0] == 0x1f && magic[1] == 0x8b   ? OCI_MEDIA_LAYER_GZIP
			 : magic[0] == 0x28 && magic[1] == 0xb5 ? OCI_MEDIA_LAYER_ZSTD
			 : magic[0] == 0xfd && magic[1] == '7'  ? OCI_MEDIA_LAYER "+xz"
								: OCI_MEDIA_LAYER;
	return 0;
}

static int import_stage(struct import *im, const struct buf *text, char **ret_digest,
			struct err *err)
{
	char digest[SHA256_TEXT_MAX];

	sha256_text(buf_str(text), text->len, digest);
	*ret_digest = xstrdup(digest);
	return blob_stage(&im->staging, digest, text, err);
}

/* The caller's config with what is true of this image put in its place. Borrows all strings. */
static int import_config(struct import *im, const struct oci_image_config *given,
			 struct oci_image_config *ret, struct oci_manifest *ret_manifest,
			 struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	char now[TIME_RFC3339_MAX];
	char *diff_ids[] = { im->layer.diff_id, NULL };
	struct oci_rootfs rootfs = { .type = (char *)"layers", .diff_ids = diff_ids };
	struct oci_platform native = oci_platform_native();
	struct oci_image_config config = *given;
	struct oci_history history = { .created_by = (char *)"inro import" };

	time_rfc3339(time_now_ns(), now);
	if (!config.created)
		config.created = now;
	if (!config.architecture) {
		config.architecture = native.architecture;
		config.variant = native.variant;
	}
	if (!config.os)
		config.os = native.os;
	config.rootfs = &rootfs;
	if (config.history.n > 0)
		history = config.history.items[config.history.n - 1];
	if (!history.created)
		history.created = config.created;
	history.empty_layer = false;
	config.history.items = &history;
	config.history.n = 1;
	oci_image_config_write(&config, &text);
	int r = import_stage(im, &text, &im->id, err);
	/* Read back: the writer's output must be what the parser accepts. */
	if (r == 0)
		r = oci_image_config_parse(buf_str(&text), text.len, ret, err);
	if (r < 0)
		return r;

	struct oci_descriptor config_desc = { .media_type = (char *)OCI_MEDIA_CONFIG,
					      .digest = im->id,
					      .size = (int64_t)text.len };
	struct oci_descriptor layer_desc = { .media_type = (char *)im->media_type,
					     .digest = im->layer.digest,
					     .size = im->size };
	struct oci_manifest manifest = { .schema_version = 2,
					 .media_type = (char *)OCI_MEDIA_MANIFEST,
					 .config = &config_desc };
	manifest.layers.items = &layer_desc;
	manifest.layers.n = 1;
	buf_reset(&text);
	oci_manifest_write(&manifest, &text);
	r = import_stage(im, &text, &im->manifest_digest, err);
	return r < 0 ? r : oci_manifest_parse(buf_str(&text), text.len, ret_manifest, err);
}

static int import_run(struct import *im, int fd, const struct oci_image_config *given,
		      struct image *ret, struct err *err)
{
	cleanup_image_config struct oci_image_config config = { 0 };
	cleanup_manifest struct oci_manifest manifest = { 0 };

	int r = store_lock_shared(im->store, err);
	if (r == 0)
		r = staging_new(im->store, &im->staging, err);
	if (r == 0)
		r = import_layer(im, fd, err);
	if (r == 0)
		r = import_config(im, given, &config, &manifest, err);
	if (r < 0)
		return r;
	char *digests[] = { im->layer.digest, im->id, im->manifest_digest, NULL };
	char *diff_ids[] = { im->layer.diff_id, NULL };
	r = store_commit(im->store, &im->staging, digests, diff_ids, err);
	if (r < 0)
		return r;
	return image_fill(im->store, im->manifest_digest, &manifest, &config, ret, err);
}

int image_import(struct image_store *store, int fd, const struct oci_image_config *config,
		 struct image *ret, struct err *err)
{
	const struct oci_image_config empty = { 0 };
	struct import im = { .store = store, .staging = STAGING_INIT };

	int r = import_run(&im, fd, config ? config : &empty, ret, err);
	json_free(&apply_result_desc, &im.layer);
	free(im.id);
	free(im.manifest_digest);
	staging_done(store, &im.staging);
	return r < 0 ? err_wrap(err, r, "importing tarball") : 0;
}
