/* SPDX-License-Identifier: Apache-2.0 */
#include "image/verify.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"
#include "image/layer_run.h"
#include "image/sync.h"
#include "image/unpack.h"
#include "oci/digest.h"

#define SHOWN_MAX 3 /* differences of a layer that are named */

static const char lost[] = "was not on the disk yet when the machine went down";

/* ---- blobs ---- */

static int blob_hash(struct image_store *store, const char *digest, char **ret_problem,
		     struct err *err)
{
	cleanup_fd int blob = store_open_blob(store, digest);
	cleanup_fd int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	cleanup_free char *found = NULL;
	struct layer_job job;
	uint64_t size;

	if (blob < 0 || null < 0)
		return err_errno(err, blob < 0 ? -blob : errno, "opening blob %s", digest);
	int r = layer_digest_start(store, blob, null, UINT64_MAX, &job, err);
	if (r == 0)
		r = layer_digest_finish(&job, &found, &size, err);
	if (r < 0 || str_eq(found, digest))
		return r;
	*ret_problem = xasprintf("has other content (%s)", found);
	return 1;
}

int verify_blob(struct image_store *store, const char *digest, bool quick, char **ret_problem,
		struct err *err)
{
	struct stat st;

	if (!digest_valid(digest) || !str_starts(digest, "sha256:")) {
		*ret_problem = xstrdup("is no sha256 digest");
		return 1;
	}
	cleanup_free char *path = xasprintf("blobs/sha256/%s", digest_hex(digest));
	if (sync_is_lost(store, digest_hex(digest))) {
		*ret_problem = xstrdup(lost);
	} else if (fstatat(store->fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return err_errno(err, errno, "looking at blob %s", digest);
		*ret_problem = xstrdup("is missing");
	} else if (!S_ISREG(st.st_mode)) {
		*ret_problem = xstrdup("is not a file");
	}
	if (*ret_problem)
		return 1;
	return quick ? 0 : blob_hash(store, digest, ret_problem, err);
}

/* ---- layers ---- */

/* Does what the blob unpacks to have this diff id? The reason in *ret_problem when it has not. */
static int again_finish(struct layer_unpack *job, const char *digest, const char *diff_id,
			struct apply_result *now, char **ret_problem, struct err *err)
{
	struct err own = ERR_INIT;
	int r = layer_unpack_finish(job, now, &own);

	if (r < 0 && own.kind != ERR_CORRUPT && own.kind != ERR_INVALID) {
		if (err)
			*err = own;
		return r;
	}
	if (r < 0 || !str_eq(now->diff_id, diff_id))
		*ret_problem = xasprintf("is not what its blob %s unpacks to", digest);
	return 0;
}

/* The blob once more, as it was unpacked when it came: an fd of the tree. -ENOENT: it isn't there,
 * which is a problem of the blob's. */
static int layer_again(struct image_store *store, const struct staging *st, const char *digest,
		       const char *diff_id, struct apply_result *now, char **ret_problem,
		       struct err *err)
{
	cleanup_fd int blob = store_open_blob(store, digest);
	struct layer_unpack job;

	if (blob == -ENOENT)
		return blob;
	if (blob < 0)
		return err_errno(err, -blob, "opening blob %s", digest);
	cleanup_fd int dir = unpack_mkdir(st, "again", err);
	if (dir < 0)
		return dir;
	const struct layer_input in = { .fd = blob,
					.partial_fd = -EBADF,
					.plain = str_eq(digest, diff_id) };
	int r = layer_unpack_start(store, &in, dir, &job, err);
	if (r == 0)
		r = again_finish(&job, digest, diff_id, now, ret_problem, err);
	return r < 0 ? r : take_fd(dir);
}

/* Directories without an entry of their own have the attributes and the time of their making. */
static bool is_told(const struct apply_result *now, const char *difference)
{
	return difference[0] != 'a' || !strv_has(now->implied, difference + 1);
}

static char *differences(const struct apply_result *now, const struct buf *doc)
{
	static const char *const words[] = { ['-'] = "is missing",
					     ['+'] = "is not part of it",
					     ['t'] = "is of another type",
					     ['a'] = "has other attributes",
					     ['c'] = "has other content" };
	cleanup_buf struct buf out = BUF_INIT;
	size_t n = 0;

	for (const char *p = buf_str(doc), *end = p + doc->len; p < end; p += strlen(p) + 1) {
		unsigned char what = (unsigned char)*p;
		const char *word = what < ARRAY_SIZE(words) ? words[what] : NULL;

		if (!word || !is_told(now, p) || ++n > SHOWN_MAX)
			continue;
		cleanup_free char *shown = str_escape(p + 1);
		buf_addf(&out, "%s/%s %s", out.len ? ", " : "", str_eq(shown, ".") ? "" : shown,
			 word);
	}
	if (n > SHOWN_MAX)
		buf_addf(&out, ", and %zu more", n - SHOWN_MAX);
	return n ? buf_take(&out) : NULL;
}

static int trees_compare(struct image_store *store, int fresh, const char *diff_id,
			 const struct apply_result *now, char **ret_problem, struct err *err)
{
	static const char *const args[] = { "compare", "--layers=1", NULL };
	cleanup_free char *path = xasprintf("layers/%s/fs", digest_hex(diff_id));
	cleanup_fd int tree =
	    openat(store->fd, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_buf struct buf doc = BUF_INIT;
	struct layer_job job;

	if (tree < 0)
		return err_errno(err, errno, "opening layer %s", diff_id);
	const struct layer_tree trees = { .dir_fd = fresh,
					  .idmap_fd = -EBADF,
					  .out_fd = -EBADF,
					  .layers = &tree,
					  .n_layers = 1 };
	int r = layer_start_tree(store, args, &trees, &job, err);
	if (r == 0)
		r = layer_finish(&job, &doc, err);
	if (r < 0)
		return err_wrap(err, r, "comparing layer %s", diff_id);
	*ret_problem = differences(now, &doc);
	return *ret_problem != NULL;
}

static int layer_deep(struct image_store *store, const char *digest, const char *diff_id,
		      char **ret_problem, struct err *err)
{
	struct staging st = STAGING_INIT;
	struct apply_result now = { 0 };

	int r = staging_new(store, &st, err);
	if (r < 0)
		return r;
	int fresh = layer_again(store, &st, digest, diff_id, &now, ret_problem, err);
	if (fresh < 0 && fresh != -ENOENT)
		r = fresh;
	else if (*ret_problem)
		r = 1;
	else if (fresh >= 0)
		r = trees_compare(store, fresh, diff_id, &now, ret_problem, err);
	fd_close(fresh);
	json_free(&apply_result_desc, &now);
	staging_done(store, &st);
	return r;
}

int verify_layer(struct image_store *store, const char *diff_id, bool quick, char **ret_problem,
		 struct err *err)
{
	struct apply_result info = { 0 };
	struct err own = ERR_INIT;
	struct stat st;
	int r = 1;

	if (!digest_valid(diff_id)) {
		*ret_problem = xstrdup("is no digest");
		return 1;
	}
	cleanup_free char *path = xasprintf("layers/%s/fs", digest_hex(diff_id));
	cleanup_free char *mark = xasprintf(STAGED_LAYER "%s", digest_hex(diff_id));
	if (sync_is_lost(store, mark))
		*ret_problem = xstrdup(lost);
	else if (fstatat(store->fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
		*ret_problem = xstrdup("is missing");
	else if (layer_info(store, diff_id, &info, &own) < 0)
		*ret_problem = xasprintf("has no description: %s", own.msg);
	else
		r = quick || !info.digest || !digest_valid(info.digest)
			? 0
			: layer_deep(store, info.digest, diff_id, ret_problem, err);
	json_free(&apply_result_desc, &info);
	return r;
}
