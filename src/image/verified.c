/* SPDX-License-Identifier: Apache-2.0 */
#include "image/verified.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "image/sync.h"
#include "oci/digest.h"

static char *note_path(const char *diff_id, const char *digest)
{
	return xasprintf("layers/%s/from-%s", digest_hex(diff_id), digest_hex(digest));
}

/* The one that the tree was made of. */
static bool is_first(const struct image_store *store, const char *diff_id, const char *digest)
{
	struct apply_result info = { 0 };

	bool same = layer_info(store, diff_id, &info, NULL) == 0 && str_eq(info.digest, digest);
	json_free(&apply_result_desc, &info);
	return same;
}

bool layer_comes_from(const struct image_store *store, const char *diff_id, const char *digest)
{
	cleanup_free char *note = note_path(diff_id, digest);

	if (!layer_exists(store, diff_id))
		return false;
	/* A tar without compression is its own proof. */
	return str_eq(diff_id, digest) || is_first(store, diff_id, digest) ||
	       faccessat(store->fd, note, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

bool layer_is_whole(const struct image_store *store, const char *diff_id, const char *digest,
		    int64_t size)
{
	return layer_comes_from(store, diff_id, digest) && blob_exists(store, digest, size);
}

int layer_note_blob(struct image_store *store, const char *diff_id, const char *digest,
		    struct err *err)
{
	cleanup_free char *note = note_path(diff_id, digest);

	if (layer_comes_from(store, diff_id, digest))
		return 0;
	if (mknodat(store->fd, note, S_IFREG | 0600, 0) < 0 && errno != EEXIST)
		return err_errno(err, errno, "noting a blob of layer %s", diff_id);
	return 0;
}

int store_put_blob(struct image_store *store, int from_dir, const char *name, const char *digest,
		   struct err *err)
{
	const char *hex = digest_hex(digest);
	cleanup_fd int blobs = store_open_dir(store, "blobs/sha256", err);

	if (blobs < 0)
		return blobs;
	if (faccessat(from_dir, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		return 0;
	/* A new mark would make one that was lost in a power cut look whole. */
	if (sync_is_lost(store, hex) && unlinkat(blobs, hex, 0) < 0 && errno != ENOENT)
		return err_errno(err, errno, "replacing blob %s", digest);
	int r = sync_mark(store, hex, err);
	if (r < 0)
		return r;
	if (renameat(from_dir, name, blobs, hex) < 0 && errno != ENOENT)
		return err_errno(err, errno, "storing blob %s", digest);
	return 0;
}
