/* SPDX-License-Identifier: Apache-2.0 */
#include "image/signatures.h"

#include <sys/mman.h>

#include "base/base64.h"
#include "base/fd.h"
#include "base/io.h"
#include "image/layer_run.h"

static int request_make(char *const *keys, const struct verify_signature *signatures, size_t n,
			struct err *err)
{
	cleanup_free struct verify_item *items = xcalloc(n + 1, sizeof(*items));
	struct verify_request req = { .keys = (char **)keys };
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_fd int fd = memfd_create("signatures", MFD_CLOEXEC);
	int r;

	if (fd < 0)
		return err_errno(err, errno, "making a request");
	req.items.items = items;
	req.items.n = n;
	for (size_t i = 0; i < n; i++) {
		struct buf encoded = BUF_INIT;

		base64_encode(buf_str(signatures[i].payload), signatures[i].payload->len, &encoded);
		items[i].payload = buf_take(&encoded);
		items[i].signature = (char *)(uintptr_t)signatures[i].signature;
	}
	json_write(&verify_request_desc, &req, 0, &text);
	for (size_t i = 0; i < n; i++)
		free(items[i].payload);
	r = io_write(fd, text.data, text.len);
	if (r < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return err_errno(err, r < 0 ? -r : errno, "making a request");
	return take_fd(fd);
}

int signatures_verify(struct image_store *store, char *const *keys,
		      const struct verify_signature *signatures, size_t n, bool *good,
		      struct err *err)
{
	static const char *const args[] = { "verify", NULL };
	struct verify_result result = { { NULL } };
	cleanup_buf struct buf doc = BUF_INIT;
	struct layer_job job;
	int r;

	cleanup_fd int fd = request_make(keys, signatures, n, err);
	if (fd < 0)
		return fd;
	/* It has no use for a directory. */
	r = layer_start(store, args, fd, fd, false, &job, err);
	if (r == 0)
		r = layer_finish(&job, &doc, err);
	if (r == 0)
		r = json_parse(&verify_result_desc, &result, buf_str(&doc), doc.len,
			       "answer of inro-layer", err);
	if (r == 0 && result.keys.n != n)
		r = err_fail(err, ERR_CORRUPT, "inro-layer has lost a signature");
	for (size_t i = 0; r == 0 && i < n; i++)
		good[i] = result.keys.items[i] > 0;
	json_free(&verify_result_desc, &result);
	return r < 0 ? err_wrap(err, r, "verifying signatures") : 0;
}
