/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/digest.h"

#include <inttypes.h>

#include "base/io.h"

#define BLOCK_SIZE (256u << 10)

int digest_copy(struct evp_md_ctx_st *ctx, int in_fd, int out_fd, uint64_t max,
		char ret_digest[HASH_TEXT_MAX], uint64_t *ret_size, struct err *err)
{
	cleanup_free char *block = xmalloc(BLOCK_SIZE);
	uint64_t size = 0;
	ssize_t n;

	while ((n = NO_EINTR(read(in_fd, block, BLOCK_SIZE))) > 0) {
		size += (uint64_t)n;
		if (size > max)
			return err_fail(err, ERR_LIMIT, "there are more than %" PRIu64 " bytes",
					max);
		int r = io_write(out_fd, block, (size_t)n);
		if (r < 0)
			return err_errno(err, -r, "writing a copy");
		hash_add(ctx, block, (size_t)n);
	}
	if (n < 0)
		return err_errno(err, errno, "reading data");
	hash_finish(ctx, ret_digest);
	*ret_size = size;
	return 0;
}
