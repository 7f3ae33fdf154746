/* SPDX-License-Identifier: Apache-2.0 */
#include "image/convert.h"

#include <fcntl.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"
#include "image/layer/compress.h"
#include "image/layer_run.h"
#include "oci/digest.h"

#define OUT_NAME "converting"
#define GZIP_MAX 9

static const char *const words[] = {
	[CONVERT_NOT] = NULL,
	[CONVERT_GZIP] = "gzip",
	[CONVERT_ZSTD] = "zstd",
	[CONVERT_PLAIN] = "none",
};

static const struct {
	const char *media_type;
	enum convert_to how;
	bool docker;
} types[] = {
	{ OCI_MEDIA_LAYER, CONVERT_PLAIN, false },
	{ OCI_MEDIA_LAYER_GZIP, CONVERT_GZIP, false },
	{ OCI_MEDIA_LAYER_ZSTD, CONVERT_ZSTD, false },
	{ DOCKER_MEDIA_LAYER, CONVERT_PLAIN, true },
	{ DOCKER_MEDIA_LAYER_GZIP, CONVERT_GZIP, true },
	{ DOCKER_MEDIA_LAYER_ZSTD, CONVERT_ZSTD, true },
};

int convert_parse(const char *format, const struct opt_i64 *level, struct convert_options *ret,
		  struct err *err)
{
	enum convert_to to = CONVERT_NOT;
	int64_t max;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (format && str_eq(format, words[i]))
			to = (enum convert_to)i;
	if (str_eq(format, "zstd:chunked"))
		return err_hint(err,
				err_fail(err, ERR_UNSUPPORTED,
					 "--compression-format zstd:chunked is not supported"),
				"zstd is");
	if (format && to == CONVERT_NOT)
		return err_fail(err, ERR_USAGE,
				"--compression-format: expected gzip, zstd or none, got \"%s\"",
				format);
	max = to == CONVERT_GZIP ? GZIP_MAX : COMPRESS_ZSTD_MAX;
	if (level->set && to != CONVERT_GZIP && to != CONVERT_ZSTD)
		return err_fail(err, ERR_USAGE,
				"--compression-level needs --compression-format gzip or zstd");
	if (level->set && (level->value < 1 || level->value > max))
		return err_fail(err, ERR_USAGE, "--compression-level: expected 1 to %d for %s",
				(int)max, format);
	ret->to = to;
	ret->level = level->set ? (int)level->value : 0;
	return 0;
}

/* ---- one layer ---- */

/* -1: not one of ours. */
static int type_of(const char *media_type)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (str_eq(media_type, types[i].media_type))
			return (int)i;
	return -1;
}

static const char *media_type(enum convert_to how, bool docker)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (types[i].how == how && types[i].docker == docker)
			return types[i].media_type;
	return NULL;
}

/* What was said of the old blob: where parts of it are. */
static void drop_annotations(struct json_map *map)
{
	static const char *const prefixes[] = { "io.github.containers.zstd-chunked.",
						"io.containers.estargz.",
						"containerd.io/snapshot/stargz/" };
	for (size_t i = 0; i < map->n;) {
		bool drop = false;

		for (size_t k = 0; k < ARRAY_SIZE(prefixes); k++)
			drop = drop || str_starts(map->items[i].key, prefixes[k]);
		if (!drop || !json_map_remove(map, map->items[i].key))
			i++;
	}
}

static int check(const struct apply_result *in, const struct oci_descriptor *layer,
		 const char *diff_id, struct err *err)
{
	if (!str_eq(in->digest, layer->digest))
		return err_fail(err, ERR_CORRUPT, "it has other content (%s)", in->digest);
	if (!str_eq(in->diff_id, diff_id))
		return err_fail(err, ERR_CORRUPT, "it unpacks to %s, the config says %s",
				in->diff_id, diff_id);
	return 0;
}

static int blob_make(struct image_store *store, const struct staging *st,
		     const struct convert_options *options, const struct oci_descriptor *layer,
		     const char *diff_id, struct convert_result *ret, struct err *err)
{
	struct apply_result in = { 0 };
	cleanup_fd int from = store_open_blob(store, layer->digest);

	if (from == -ENOENT)
		return err_hint(err,
				err_fail(err, ERR_NOT_FOUND,
					 "its blob is not in the store: only the registry has it"),
				"leave the compression as it is");
	if (from < 0)
		return err_errno(err, -from, "opening its blob");
	cleanup_fd int out =
	    openat(st->fd, OUT_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (out < 0)
		return err_errno(err, errno, "creating a blob");
	const struct layer_input input = { .fd = from,
					   .partial_fd = -EBADF,
					   .plain = str_eq(layer->digest, diff_id) };
	const struct layer_convert how = { .to = words[options->to],
					   .level = options->level,
					   .out_fd = out };
	int r = layer_convert(store, &input, st->fd, &how, &in, ret, err);
	if (r == 0)
		r = check(&in, layer, diff_id, err);
	if (r == 0 && !digest_valid(ret->digest))
		r = err_fail(err, ERR_CORRUPT, "it has become %s", ret->digest);
	if (r == 0 && renameat(st->fd, OUT_NAME, st->fd, digest_hex(ret->digest)) < 0)
		r = err_errno(err, errno, "naming a blob");
	json_free(&apply_result_desc, &in);
	return r;
}

/* 1: made; 0: it may stay. */
static int convert_one(struct image_store *store, const struct staging *st,
		       const struct convert_options *options, struct oci_descriptor *layer,
		       const char *diff_id, struct err *err)
{
	int type = type_of(layer->media_type);
	struct convert_result made = { .digest = NULL };

	if (type < 0 || types[type].how == options->to ||
	    (!options->all && types[type].how != CONVERT_PLAIN))
		return 0;
	int r = blob_make(store, st, options, layer, diff_id, &made, err);
	if (r < 0) {
		json_free(&convert_result_desc, &made);
		return err_wrap(err, r, "compressing layer %s", layer->digest);
	}
	free(layer->digest);
	free(layer->media_type);
	free(take_ptr(layer->data));
	strv_free(take_ptr(layer->urls));
	layer->digest = take_ptr(made.digest);
	layer->size = (int64_t)made.size;
	layer->media_type = xstrdup(media_type(options->to, types[type].docker));
	drop_annotations(&layer->annotations);
	json_free(&convert_result_desc, &made);
	return 1;
}

int convert_layers(struct image_store *store, const struct staging *st,
		   const struct convert_options *options, struct oci_manifest *manifest,
		   struct err *err)
{
	cleanup_image_config struct oci_image_config config = { 0 };
	int r, n = 0;

	if (options->to == CONVERT_NOT ||
	    oci_media_kind(manifest->config->media_type) != OCI_IS_CONFIG)
		return 0;
	r = image_read_config(store, manifest->config->digest, &config, err);
	if (r < 0)
		return r;
	if (strv_len(config.rootfs->diff_ids) != manifest->layers.n)
		return err_fail(err, ERR_CORRUPT, "config %s has %zu diff ids for %zu layers",
				manifest->config->digest, strv_len(config.rootfs->diff_ids),
				manifest->layers.n);
	for (size_t i = 0; r >= 0 && i < manifest->layers.n; i++) {
		r = convert_one(store, st, options, &manifest->layers.items[i],
				config.rootfs->diff_ids[i], err);
		n += r > 0;
	}
	return r < 0 ? r : n;
}
