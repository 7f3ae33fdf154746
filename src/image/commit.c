/* SPDX-License-Identifier: Apache-2.0 */
#include "image/commit.h"

#include <fcntl.h>
#include <inttypes.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"
#include "image/layer_run.h"
#include "image/sha256.h"
#include "image/unpack.h"
#include "oci/digest.h"

#define BLOB_NAME "input"
#define PIPE_SIZE (1 << 20)

struct commit {
	struct image_store *store;
	const struct commit_tree *tree;
	const struct commit_options *opts;
	struct staging staging;
	struct apply_result layer;
	struct oci_manifest manifest; /* the base's, then the new one */
	char *id, *manifest_digest;
};

static int pack_start(struct commit *co, int out_fd, struct layer_job *ret, struct err *err)
{
	cleanup_strv char **args = NULL;

	strv_add(&args, "pack");
	if (co->opts->timestamp >= 0)
		strv_addf(&args, "--timestamp=%" PRId64, co->opts->timestamp);
	if (co->opts->newest >= 0)
		strv_addf(&args, "--newest=%" PRId64, co->opts->newest);
	for (size_t i = 0; co->tree->mounts && co->tree->mounts[i]; i++)
		strv_addf(&args, "--exclude=%s", co->tree->mounts[i]);
	const struct layer_tree tree = { .dir_fd = co->tree->upper_fd,
					 .idmap_fd = co->tree->idmap_fd,
					 .out_fd = out_fd,
					 .ids = co->tree->ids };
	return layer_start_tree(co->store, (const char *const *)args, &tree, ret, err);
}

/* Packed, hashed, stored and unpacked at once: what the store gets is what came out of the archive,
 * so that the image is the same here as anywhere else. */
static int layer_make(struct commit *co, struct err *err)
{
	struct layer_job job = LAYER_JOB_INIT;
	cleanup_buf struct buf none = BUF_INIT;
	struct err pack_err = ERR_INIT;
	int pair[2];
	cleanup_fd int blob =
	    openat(co->staging.fd, BLOB_NAME, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (blob < 0 || pipe2(pair, O_CLOEXEC) < 0)
		return err_errno(err, errno, "packing the layer");
	cleanup_fd int in = pair[0];
	cleanup_fd int out = pair[1];
	/* It may be refused to a user with many pipes. */
	(void)fcntl(out, F_SETPIPE_SZ, PIPE_SIZE);
	int r = pack_start(co, out, &job, err);
	if (r < 0)
		return r;
	out = fd_close(out);
	r = unpack_unknown(co->store, &co->staging, in, blob, co->opts->cancel_fd, &co->layer, err);
	in = fd_close(in);
	if (r == -ECANCELED) {
		layer_abort(&job);
		return r;
	}
	/* When both fail, the writer knows why: a cut archive is what the reader saw. */
	int packed = layer_finish(&job, &none, &pack_err);
	if (packed < 0 && (r >= 0 || packed != -EPIPE)) {
		if (err)
			*err = pack_err;
		return packed;
	}
	if (r < 0)
		return r;
	if (renameat(co->staging.fd, BLOB_NAME, co->staging.fd, digest_hex(co->layer.digest)) < 0)
		return err_errno(err, errno, "naming blob %s", co->layer.digest);
	return 0;
}

static int document_stage(struct commit *co, const struct buf *text, char **ret_digest,
			  struct err *err)
{
	char digest[SHA256_TEXT_MAX];

	sha256_text(buf_str(text), text->len, digest);
	*ret_digest = xstrdup(digest);
	return blob_stage(&co->staging, digest, text, err);
}

static int config_make(struct commit *co, struct oci_image_config *ret, int64_t *ret_size,
		       struct err *err)
{
	struct oci_image_config *config = co->opts->config;
	cleanup_buf struct buf text = BUF_INIT;
	size_t n = config->history.n;

	if (strv_len(config->rootfs->diff_ids) != co->manifest.layers.n)
		return err_fail(err, ERR_CORRUPT,
				"the base image has another number of layers than of diff ids");
	strv_add(&config->rootfs->diff_ids, co->layer.diff_id);
	config->history.items =
	    xrealloc(config->history.items, (n + 1) * sizeof(*config->history.items));
	config->history.items[n] = *co->opts->history;
	*co->opts->history = (struct oci_history){ 0 };
	config->history.n++;
	oci_image_config_write(config, &text);
	*ret_size = (int64_t)text.len;
	int r = document_stage(co, &text, &co->id, err);
	/* Read back: the writer's output must be what the parser accepts. */
	return r < 0 ? r : oci_image_config_parse(buf_str(&text), text.len, ret, err);
}

/* A layer's type in the words of one of the two formats. */
static const char *layer_type(const char *type, bool docker)
{
	static const char *const same[][2] = {
		{ OCI_MEDIA_LAYER, DOCKER_MEDIA_LAYER },
		{ OCI_MEDIA_LAYER_GZIP, DOCKER_MEDIA_LAYER_GZIP },
		{ OCI_MEDIA_LAYER_ZSTD, DOCKER_MEDIA_LAYER_ZSTD },
	};

	for (size_t i = 0; i < ARRAY_SIZE(same); i++)
		if (str_eq(type, same[i][docker ? 0 : 1]))
			return same[i][docker ? 1 : 0];
	return type;
}

static void replace(char **dst, const char *value)
{
	char *copy = value ? xstrdup(value) : NULL;

	free(*dst);
	*dst = copy;
}

static int manifest_make(struct commit *co, int64_t config_size, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct oci_manifest *m = &co->manifest;
	bool docker = co->opts->docker;
	size_t n = m->layers.n;

	m->schema_version = 2;
	replace(&m->media_type, docker ? DOCKER_MEDIA_MANIFEST : OCI_MEDIA_MANIFEST);
	replace(&m->config->media_type, docker ? DOCKER_MEDIA_CONFIG : OCI_MEDIA_CONFIG);
	replace(&m->config->digest, co->id);
	m->config->size = config_size;
	/* What was said of the base image, or in it, is not true of this one. */
	json_map_done(&m->annotations);
	replace(&m->config->data, NULL);
	json_map_done(&m->config->annotations);
	for (size_t i = 0; i < n; i++)
		replace(&m->layers.items[i].media_type,
			layer_type(m->layers.items[i].media_type, docker));
	m->layers.items = xrealloc(m->layers.items, (n + 1) * sizeof(*m->layers.items));
	m->layers.items[n] = (struct oci_descriptor){
		.media_type = xstrdup(docker ? DOCKER_MEDIA_LAYER_GZIP : OCI_MEDIA_LAYER_GZIP),
		.digest = xstrdup(co->layer.digest),
		.size = (int64_t)co->layer.input_size,
	};
	m->layers.n++;
	oci_manifest_write(m, &text);
	return document_stage(co, &text, &co->manifest_digest, err);
}

static int base_read(struct commit *co, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;

	int r = blob_read(co->store, co->opts->base_manifest, &text, err);
	if (r == 0)
		r = oci_manifest_parse(buf_str(&text), text.len, &co->manifest, err);
	if (r < 0)
		return r;
	/* Another image's relation is not this one's. */
	struct oci_descriptor *subject = take_ptr(co->manifest.subject);
	if (subject) {
		struct oci_manifest only = { .subject = subject };
		oci_manifest_done(&only);
	}
	replace(&co->manifest.artifact_type, NULL);
	return 0;
}

static int commit_run(struct commit *co, struct image *ret, struct err *err)
{
	cleanup_image_config struct oci_image_config config = { 0 };
	int64_t config_size = 0;

	int r = store_lock_shared(co->store, err);
	if (r == 0)
		r = staging_new(co->store, &co->staging, err);
	if (r == 0)
		r = base_read(co, err);
	if (r == 0)
		r = layer_make(co, err);
	if (r == 0)
		r = config_make(co, &config, &config_size, err);
	if (r == 0)
		r = manifest_make(co, config_size, err);
	if (r < 0)
		return r;
	char *digests[] = { co->layer.digest, co->id, co->manifest_digest, NULL };
	char *diff_ids[] = { co->layer.diff_id, NULL };
	r = store_commit(co->store, &co->staging, digests, diff_ids, err);
	if (r < 0)
		return r;
	return image_fill(co->store, co->manifest_digest, &co->manifest, &config, ret, err);
}

int image_commit(struct image_store *store, const struct commit_tree *tree,
		 const struct commit_options *opts, struct image *ret, struct err *err)
{
	struct commit co = { .store = store, .tree = tree, .opts = opts, .staging = STAGING_INIT };

	int r = commit_run(&co, ret, err);
	json_free(&apply_result_desc, &co.layer);
	oci_manifest_done(&co.manifest);
	free(co.id);
	free(co.manifest_digest);
	staging_done(store, &co.staging);
	return r;
}
