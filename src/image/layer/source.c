/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/source.h"

#include <inttypes.h>
#include <isa-l/igzip_lib.h>
#include <lzma.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <zstd.h>

#define IN_SIZE      (256u << 10)
#define OUT_SIZE     (256u << 10)
#define RATIO_FREE   (256u << 20)
#define XZ_MEM_LIMIT (192u << 20)
#define KEEP_STEP    (256u << 10) /* bytes between two looks at the disk */

struct source;
/* Decompresses from in[in_pos, in_len) into out. Returns bytes made, 0 when it needs input or has
 * ended, or -errno. */
struct codec {
	const char *name;
	uint8_t magic[6];
	size_t magic_len;
	int (*start)(struct source *src);
	ssize_t (*step)(struct source *src);
	void (*stop)(struct source *src);
};

struct source {
	int fd;
	struct source_limits limits;
	const struct codec *codec; /* NULL until the first bytes are seen */
	uint8_t *in, *out;
	size_t in_pos, in_len;
	bool in_eof;
	bool between; /* at a boundary of members or frames: the input may end here */
	struct inflate_state *gzip;
	ZSTD_DStream *zstd;
	lzma_stream xz;
	uint64_t in_bytes, out_bytes, kept_at;
	int failed; /* -errno of err */
	struct err err;
};

/* ---- codecs ---- */

static ssize_t corrupt(struct source *src, const char *what)
{
	return err_fail(&src->err, ERR_CORRUPT, "decompressing %s: %s", src->codec->name, what);
}

static int gzip_start(struct source *src)
{
	src->gzip = xcalloc(1, sizeof(*src->gzip));
	isal_inflate_init(src->gzip);
	src->gzip->crc_flag = ISAL_GZIP;
	src->between = false;
	return 0;
}

static ssize_t gzip_step(struct source *src)
{
	struct inflate_state *gz = src->gzip;

	if (gz->block_state == ISAL_BLOCK_FINISH) {
		/* Members follow each other (RFC 1952, 2.2). Only zeros may pad the end. */
		if (src->in[src->in_pos] == 0) {
			src->in_pos++;
			return 0;
		}
		isal_inflate_reset(gz);
		gz->crc_flag = ISAL_GZIP;
	}
	gz->next_in = src->in + src->in_pos;
	gz->avail_in = (uint32_t)(src->in_len - src->in_pos);
	gz->next_out = src->out;
	gz->avail_out = OUT_SIZE;
	int r = isal_inflate(gz);
	if (r != ISAL_DECOMP_OK && r != ISAL_END_INPUT)
		return corrupt(src, "invalid data");
	src->in_pos = src->in_len - gz->avail_in;
	src->between = gz->block_state == ISAL_BLOCK_FINISH;
	return (ssize_t)(OUT_SIZE - gz->avail_out);
}

static void gzip_stop(struct source *src)
{
	free(src->gzip);
}

static int zstd_start(struct source *src)
{
	src->zstd = ZSTD_createDStream();
	if (!src->zstd)
		abort();
	src->between = false;
	return 0;
}

static ssize_t zstd_step(struct source *src)
{
	ZSTD_inBuffer in = { src->in, src->in_len, src->in_pos };
	ZSTD_outBuffer out = { src->out, OUT_SIZE, 0 };
	size_t r = ZSTD_decompressStream(src->zstd, &out, &in);

	if (ZSTD_isError(r))
		return corrupt(src, ZSTD_getErrorName(r));
	src->in_pos = in.pos;
	src->between = r == 0;
	return (ssize_t)out.pos;
}

static void zstd_stop(struct source *src)
{
	ZSTD_freeDStream(src->zstd);
}

static int xz_start(struct source *src)
{
	src->xz = (lzma_stream)LZMA_STREAM_INIT;
	if (lzma_stream_decoder(&src->xz, XZ_MEM_LIMIT, LZMA_CONCATENATED) != LZMA_OK)
		abort();
	src->between = false;
	return 0;
}

static ssize_t xz_step(struct source *src)
{
	lzma_stream *xz = &src->xz;

	xz->next_in = src->in + src->in_pos;
	xz->avail_in = src->in_len - src->in_pos;
	xz->next_out = src->out;
	xz->avail_out = OUT_SIZE;
	lzma_ret r = lzma_code(xz, src->in_eof ? LZMA_FINISH : LZMA_RUN);
	if (r == LZMA_MEMLIMIT_ERROR)
		return corrupt(src, "needs too much memory");
	if (r != LZMA_OK && r != LZMA_STREAM_END && r != LZMA_BUF_ERROR)
		return corrupt(src, "invalid data");
	src->in_pos = src->in_len - xz->avail_in;
	src->between = r == LZMA_STREAM_END;
	return (ssize_t)(OUT_SIZE - xz->avail_out);
}

static void xz_stop(struct source *src)
{
	lzma_end(&src->xz);
}

static const struct codec codecs[] = {
	{ "gzip", { 0x1f, 0x8b }, 2, gzip_start, gzip_step, gzip_stop },
	{ "zstd", { 0x28, 0xb5, 0x2f, 0xfd }, 4, zstd_start, zstd_step, zstd_stop },
	{ "xz", { 0xfd, '7', 'z', 'X', 'Z', 0 }, 6, xz_start, xz_step, xz_stop },
	{ "plain", { 0 }, 0, NULL, NULL, NULL },
};

/* ---- the stream ---- */

struct source *source_new(int fd, const struct source_limits *limits, unsigned int flags)
{
	struct source *src = xcalloc(1, sizeof(*src));

	src->fd = fd;
	src->limits = *limits;
	src->in = xmalloc(IN_SIZE);
	src->out = xmalloc(OUT_SIZE);
	if (flags & SOURCE_PLAIN)
		src->codec = &codecs[ARRAY_SIZE(codecs) - 1];
	return src;
}

void source_free(struct source *src)
{
	if (!src)
		return;
	if (src->codec && src->codec->stop)
		src->codec->stop(src);
	free(src->in);
	free(src->out);
	free(src);
}

/* Fills the input buffer, which is used up, with at least min bytes unless the input ends. */
static int input_fill(struct source *src, size_t min)
{
	src->in_pos = src->in_len = 0;
	while (src->in_len < min && !src->in_eof) {
		ssize_t n = NO_EINTR(read(src->fd, src->in + src->in_len, IN_SIZE - src->in_len));
		if (n < 0)
			return err_errno(&src->err, errno, "reading archive");
		src->in_eof = n == 0;
		src->in_len += (size_t)n;
	}
	src->in_bytes += src->in_len;
	return 0;
}

static int codec_choose(struct source *src)
{
	int r = input_fill(src, sizeof(codecs[0].magic));
	if (r < 0)
		return r;
	src->codec = codecs;
	while (src->codec->magic_len > src->in_len ||
	       memcmp(src->codec->magic, src->in, src->codec->magic_len) != 0)
		src->codec++;
	if (src->in_len >= 3 && memcmp(src->in, "BZh", 3) == 0)
		return err_fail(&src->err, ERR_UNSUPPORTED, "bzip2 compression is not supported");
	return src->codec->start ? src->codec->start(src) : 0;
}

static int keep_check(struct source *src)
{
	const struct source_limits *lim = &src->limits;
	struct statfs st;

	src->kept_at = src->out_bytes;
	if (fstatfs(lim->keep_fd, &st) < 0)
		return err_errno(&src->err, errno, "asking for room on the disk");
	uint64_t bytes = (uint64_t)st.f_bavail * (uint64_t)st.f_frsize;
	if (bytes < lim->keep_bytes)
		return err_fail(&src->err, ERR_LIMIT,
				"the disk is nearly full: less than %" PRIu64
				" bytes would be left for others",
				lim->keep_bytes);
	if (lim->keep_inodes && st.f_ffree < lim->keep_inodes)
		return err_fail(&src->err, ERR_LIMIT,
				"the disk is nearly full: less than %" PRIu64
				" inodes would be left for others",
				lim->keep_inodes);
	return 0;
}

static int limits_check(struct source *src)
{
	const struct source_limits *lim = &src->limits;

	if (lim->keep_bytes && src->out_bytes - src->kept_at >= KEEP_STEP) {
		int r = keep_check(src);
		if (r < 0)
			return r;
	}

	if (src->out_bytes > lim->max_bytes)
		return err_fail(&src->err, ERR_LIMIT,
				"archive unpacks to more than %" PRIu64
				" bytes: the disk has no room for more",
				lim->max_bytes);
	if (src->out_bytes > RATIO_FREE && src->out_bytes / lim->max_ratio > src->in_bytes)
		return err_fail(&src->err, ERR_LIMIT,
				"archive unpacks to more than %" PRIu64 " times its size",
				lim->max_ratio);
	return 0;
}

static ssize_t plain_next(struct source *src, const void **ret_data)
{
	if (src->in_pos == src->in_len && !src->in_eof) {
		int r = input_fill(src, 1);
		if (r < 0)
			return r;
	}
	*ret_data = src->in + src->in_pos;
	ssize_t n = (ssize_t)(src->in_len - src->in_pos);
	src->in_pos = src->in_len;
	return n;
}

static ssize_t codec_next(struct source *src, const void **ret_data)
{
	*ret_data = src->out;
	for (;;) {
		if (src->in_pos == src->in_len && !src->in_eof) {
			int r = input_fill(src, 1);
			if (r < 0)
				return r;
		}
		/* A decoder may hold output back while all input is used up: ask it once more. */
		if (src->in_pos == src->in_len && src->in_eof && src->between)
			return 0;
		size_t before = src->in_pos;
		ssize_t n = src->codec->step(src);
		if (n != 0)
			return n;
		if (src->in_pos == before && src->in_eof && !src->between)
			return corrupt(src, "the data ends too early");
	}
}

ssize_t source_next(struct source *src, const void **ret_data)
{
	ssize_t n = src->failed;

	if (n == 0 && !src->codec)
		n = codec_choose(src);
	if (n == 0)
		n = src->codec->step ? codec_next(src, ret_data) : plain_next(src, ret_data);
	if (n > 0) {
		src->out_bytes += (uint64_t)n;
		int r = limits_check(src);
		if (r < 0)
			n = r;
	}
	if (n < 0)
		src->failed = (int)n;
	return n;
}

const struct err *source_error(const struct source *src)
{
	return src->failed ? &src->err : NULL;
}

int source_drain(struct source *src, struct err *err)
{
	const void *data;
	ssize_t n;

	while ((n = source_next(src, &data)) > 0)
		;
	if (n < 0 && err)
		*err = src->err;
	return (int)n;
}
