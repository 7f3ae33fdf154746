/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/compress.h"

#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/io.h"
#include "base/str.h"
#include "image/layer/pack_out.h"

#define BLOCK_SIZE   (256u << 10)
#define GZIP_WINDOW  (15 + 16) /* the largest window, and gzip's header */
#define GZIP_MEMORY  8
#define ZSTD_DEFAULT 3

struct compress {
	int in_fd, out_fd, level;
	uint8_t *in, *out;
};

/* A block of the input; 0: its end. */
static ssize_t block_read(struct compress *co, struct err *err)
{
	size_t len = 0;

	while (len < BLOCK_SIZE) {
		ssize_t n = NO_EINTR(read(co->in_fd, co->in + len, BLOCK_SIZE - len));

		if (n < 0)
			return err_errno(err, errno, "reading data");
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

static int block_write(struct compress *co, size_t len, struct err *err)
{
	int r = io_write(co->out_fd, co->out, len);

	return r < 0 ? err_errno(err, -r, "passing data on") : 0;
}

/* ---- gzip ---- */

/* Fast, and as layers are packed that are made here. */
static int gzip_default(struct compress *co, struct err *err)
{
	struct pack_out *out = pack_out_new(co->out_fd, true);
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = block_read(co, err)) != 0)
		r = n < 0 ? (int)n : pack_out_add(out, co->in, (size_t)n, err);
	if (r == 0)
		r = pack_out_end(out, err);
	pack_out_free(out);
	return r;
}

static int gzip_block(struct compress *co, z_stream *z, size_t len, struct err *err)
{
	bool end = len < BLOCK_SIZE;
	int r = 0, status;

	z->next_in = co->in;
	z->avail_in = (uInt)len;
	do {
		z->next_out = co->out;
		z->avail_out = BLOCK_SIZE;
		status = deflate(z, end ? Z_FINISH : Z_NO_FLUSH);
		if (status == Z_STREAM_ERROR)
			return err_fail(err, ERR_SYSTEM, "compressing a layer");
		r = block_write(co, BLOCK_SIZE - z->avail_out, err);
	} while (r == 0 && (z->avail_out == 0 || (end && status != Z_STREAM_END)));
	return r;
}

static int gzip(struct compress *co, struct err *err)
{
	z_stream z = { 0 };
	ssize_t n;
	int r = 0;

	if (co->level == 0)
		return gzip_default(co, err);
	if (deflateInit2(&z, co->level, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY, Z_DEFAULT_STRATEGY) !=
	    Z_OK)
		return err_fail(err, ERR_SYSTEM, "starting zlib");
	do {
		n = block_read(co, err);
		r = n < 0 ? (int)n : gzip_block(co, &z, (size_t)n, err);
	} while (r == 0 && n == BLOCK_SIZE);
	deflateEnd(&z);
	return r;
}

/* ---- zstd ---- */

static int zstd_block(struct compress *co, ZSTD_CCtx *ctx, size_t len, struct err *err)
{
	ZSTD_EndDirective mode = len < BLOCK_SIZE ? ZSTD_e_end : ZSTD_e_continue;
	ZSTD_inBuffer in = { co->in, len, 0 };
	size_t left;
	int r = 0;

	do {
		ZSTD_outBuffer out = { co->out, BLOCK_SIZE, 0 };

		left = ZSTD_compressStream2(ctx, &out, &in, mode);
		if (ZSTD_isError(left))
			return err_fail(err, ERR_SYSTEM, "compressing a layer: %s",
					ZSTD_getErrorName(left));
		r = block_write(co, out.pos, err);
	} while (r == 0 && (in.pos < in.size || (mode == ZSTD_e_end && left > 0)));
	return r;
}

static int zstd(struct compress *co, struct err *err)
{
	ZSTD_CCtx *ctx = ZSTD_createCCtx();
	ssize_t n;
	int r = 0;

	if (!ctx || ZSTD_isError(ZSTD_CCtx_setParameter(ctx, ZSTD_c_compressionLevel,
							co->level ? co->level : ZSTD_DEFAULT)))
		r = err_fail(err, ERR_SYSTEM, "starting zstd");
	while (r == 0) {
		n = block_read(co, err);
		r = n < 0 ? (int)n : zstd_block(co, ctx, (size_t)n, err);
		if (n < BLOCK_SIZE)
			break;
	}
	ZSTD_freeCCtx(ctx);
	return r;
}

int stage_compress(int in_fd, int out_fd, const char *to, int level, struct err *err)
{
	struct compress co = { .in_fd = in_fd, .out_fd = out_fd, .level = level };
	int r;

	co.in = xmalloc(BLOCK_SIZE);
	co.out = xmalloc(BLOCK_SIZE);
	r = str_eq(to, "gzip") ? gzip(&co, err) : zstd(&co, err);
	free(co.in);
	free(co.out);
	return r;
}
