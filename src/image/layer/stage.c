/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/stage.h"

#include "base/io.h"

#define BLOCK_SIZE (256u << 10)

struct passing {
	const struct stage_hash *stage;
	char *block;
	uint64_t bytes;
};

/* The next stage gets it first: it works while this one hashes. */
static int block_pass(struct passing *pa, size_t len, bool append, struct err *err)
{
	int r = io_write(pa->stage->out_fd, pa->block, len);

	if (r < 0)
		return err_errno(err, -r, "passing data on");
	if (append)
		r = io_write(pa->stage->partial_fd, pa->block, len);
	if (r < 0)
		return err_errno(err, -r, "writing blob");
	hash_add(pa->stage->ctx, pa->block, len);
	pa->bytes += len;
	return 0;
}

static int file_pass(struct passing *pa, int fd, bool append, struct err *err)
{
	for (;;) {
		ssize_t n = NO_EINTR(read(fd, pa->block, BLOCK_SIZE));
		if (n < 0)
			return err_errno(err, errno, "reading data");
		if (n == 0)
			return 0;
		int r = block_pass(pa, (size_t)n, append, err);
		if (r < 0)
			return r;
	}
}

int stage_hash(const struct stage_hash *stage, struct stage_result *ret, struct err *err)
{
	struct passing pa = { .stage = stage, .block = xmalloc(BLOCK_SIZE) };
	int r = 0;

	if (stage->partial_fd >= 0)
		r = file_pass(&pa, stage->partial_fd, false, err);
	if (r == 0)
		r = file_pass(&pa, stage->in_fd, stage->partial_fd >= 0, err);
	free(pa.block);
	if (r < 0)
		return r;
	hash_finish(stage->ctx, ret->digest);
	ret->bytes = pa.bytes;
	return 0;
}

int stage_decompress(int in_fd, int out_fd, const struct source_limits *limits, struct err *err)
{
	struct source *src = source_new(in_fd, limits, 0);
	const void *data;
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = source_next(src, &data)) != 0) {
		if (n < 0 && err)
			*err = *source_error(src);
		r = n < 0 ? (int)n : io_write(out_fd, data, (size_t)n);
		if (n > 0 && r < 0)
			err_errno(err, -r, "passing data on");
	}
	source_free(src);
	return r;
}
