/* SPDX-License-Identifier: Apache-2.0 */
#include "image/usage.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/str.h"
#include "base/usage.h"
#include "image/layer_run.h"
#include "oci/digest.h"

#define USAGE_FILE "usage"
#define TEXT_MAX   32

uint64_t store_blob_usage(const struct image_store *store, const char *digest)
{
	struct stat st;
	cleanup_free char *path = xasprintf("blobs/sha256/%s", digest_hex(digest));

	if (fstatat(store->fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return 0;
	return (uint64_t)st.st_blocks * 512;
}

static int dir_open(const struct image_store *store, const char *path)
{
	return openat(store->fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

uint64_t store_dir_usage(struct image_store *store, const char *name)
{
	struct usage use = { 0 }, mapped = { 0 };
	cleanup_fd int fd = dir_open(store, name);

	if (fd < 0)
		return 0;
	usage_tree(fd, &use);
	/* What belongs to subordinate ids may be closed to this process. */
	if (use.partly && store->rootless && layer_usage(store, fd, &mapped, NULL) == 0 &&
	    mapped.bytes > use.bytes)
		use = mapped;
	return use.bytes;
}

uint64_t store_layer_usage(struct image_store *store, const char *diff_id)
{
	cleanup_free char *path = xasprintf("layers/%s", digest_hex(diff_id));
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_fd int dir = dir_open(store, path);
	uint64_t bytes;

	if (dir < 0)
		return 0;
	if (io_read_file(dir, USAGE_FILE, &text, TEXT_MAX, NULL) == 0 &&
	    str_parse_u64(buf_str(&text), &bytes) == 0)
		return bytes;
	bytes = store_dir_usage(store, path);
	buf_reset(&text);
	buf_addf(&text, "%" PRIu64, bytes);
	io_replace_file(dir, USAGE_FILE, buf_str(&text), text.len, 0600, false, NULL);
	return bytes;
}

void store_layer_usage_forget(const struct image_store *store, const char *diff_id)
{
	cleanup_free char *path = xasprintf("layers/%s/" USAGE_FILE, digest_hex(diff_id));

	unlinkat(store->fd, path, 0);
}
