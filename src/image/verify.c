/* SPDX-License-Identifier: Apache-2.0 */
#include "image/verify.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "image/layer_run.h"
#include "image/sync.h"
#include "image/unpack.h"
#include "image/verified.h"
#include "oci/digest.h"

#define SHOWN_MAX 3 /* differences of a layer that are named */

static const char lost[] = "was not on the disk yet when the machine went down";

/* What had the mark of another boot has been looked at all the same: it has come to the disk after
 * all, as when the machine went down in good order, or it has not. Without a blob here to compare a
 * layer with, it has not. */
static int lost_settle(struct image_store *store, const char *name, int r, char **ret_problem)
{
	if (r == 0)
		sync_forget(store, name);
	if (r != -ENOENT && r <= 0)
		return r;
	free(*ret_problem);
	*ret_problem = xstrdup(lost);
	return 1;
}

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
	bool is_lost = sync_is_lost(store, digest_hex(digest));
	if (is_lost && quick) {
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
	int r = quick ? 0 : blob_hash(store, digest, ret_problem, err);
	return is_lost ? lost_settle(store, digest_hex(digest), r, ret_problem) : r;
}

/* ---- layers ---- */

/* What a blob of the right content could not be unpacked to is nobody's fault but this machine's:
 * memory, room, a process that was killed. */
static int again_failed(struct image_store *store, const char *digest, const struct err *why,
			char **ret_problem, struct err *err)
{
	cleanup_free char *other = NULL;
	int r = blob_hash(store, digest, &other, err);

	if (r == 1)
		*ret_problem = xasprintf("its blob %s %s", digest, other);
	if (r == 0 && err)
		*err = *why;
	return r == 0 ? -EIO : r < 0 ? r : 0;
}

/* The blob once more, as it was unpacked when it came: an fd of the tree; or *ret_problem, and
 * nothing that is an fd; or -errno. */
static int layer_again(struct image_store *store, const struct staging *st, const char *digest,
		       const char *diff_id, struct apply_result *now, char **ret_problem,
		       struct err *err)
{
	cleanup_fd int blob = store_open_blob(store, digest);
	struct err own = ERR_INIT;
	struct layer_unpack job;

	if (blob < 0)
		return err_errno(err, -blob, "opening blob %s", digest);
	cleanup_fd int dir = unpack_mkdir(st, digest_hex(digest), err);
	if (dir < 0)
		return dir;
	const struct layer_input in = { .fd = blob,
					.partial_fd = -EBADF,
					.plain = str_eq(digest, diff_id) };
	int r = layer_unpack_start(store, &in, dir, &job, err);
	if (r < 0)
		return r;
	r = layer_unpack_finish(&job, now, &own);
	if (r < 0)
		r = again_failed(store, digest, &own, ret_problem, err);
	else if (!str_eq(now->digest, digest) || !str_eq(now->diff_id, diff_id))
		*ret_problem = xasprintf("is not what its blob %s unpacks to", digest);
	return r < 0 ? r : *ret_problem ? -ENODATA : take_fd(dir);
}

/* Directories without an entry of their own have the time of their making. */
static bool is_told(const struct apply_result *now, const char *difference)
{
	return difference[0] != 'm' || !strv_has(now->implied, difference + 1);
}

static char *differences(const struct apply_result *now, const struct buf *doc)
{
	static const char *const words[] = {
		['-'] = "is missing",         ['+'] = "is not part of it",
		['t'] = "is of another type", ['a'] = "has other attributes",
		['m'] = "has another time",   ['c'] = "has other content"
	};
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

int verify_trees(struct image_store *store, int expected, int tree, struct buf *ret_doc,
		 struct err *err)
{
	static const char *const args[] = { "compare", "--layers=1", NULL };
	struct layer_job job;
	const struct layer_tree trees = { .dir_fd = expected,
					  .idmap_fd = -EBADF,
					  .out_fd = -EBADF,
					  .layers = &tree,
					  .n_layers = 1 };
	int r = layer_start_tree(store, args, &trees, &job, err);

	return r < 0 ? r : layer_finish(&job, ret_doc, err);
}

static int trees_compare(struct image_store *store, int fresh, const char *diff_id,
			 const struct apply_result *now, char **ret_problem, struct err *err)
{
	cleanup_free char *path = xasprintf("layers/%s/fs", digest_hex(diff_id));
	cleanup_fd int tree =
	    openat(store->fd, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_buf struct buf doc = BUF_INIT;

	if (tree < 0)
		return err_errno(err, errno, "opening layer %s", diff_id);
	int r = verify_trees(store, fresh, tree, &doc, err);
	if (r < 0)
		return err_wrap(err, r, "comparing layer %s", diff_id);
	*ret_problem = differences(now, &doc);
	return *ret_problem != NULL;
}

/* ---- what is beside the tree ---- */

static int text_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The first that only one of the lists has, or NULL. Sorts them. "." has a mark of its own. */
static const char *first_other(char **a, char **b)
{
	size_t i = 0, k = 0, n = strv_len(a), m = strv_len(b);

	if (n > 1)
		qsort(a, n, sizeof(*a), text_compare);
	if (m > 1)
		qsort(b, m, sizeof(*b), text_compare);
	while (i < n || k < m) {
		if (i < n && str_eq(a[i], "."))
			i++;
		else if (i == n || k == m || !str_eq(a[i], b[k]))
			return i < n ? a[i] : b[k];
		else
			i++, k++;
	}
	return NULL;
}

/* What decides how the layer is shown in an image. Heap, or NULL: all is as it should be. */
static char *description_problem(struct image_store *store, const char *diff_id,
				 const struct apply_result *info, struct apply_result *now)
{
	struct apply_result noted = { 0 };
	char *problem = NULL;
	struct err own = ERR_INIT;
	int r = layer_implied(store, diff_id, &noted, &own);

	if (layer_has_mark(store, diff_id, "opaque") != now->opaque)
		problem = xstrdup("has a wrong mark (opaque)");
	else if (layer_has_mark(store, diff_id, "noroot") != strv_has(now->implied, "."))
		problem = xstrdup("has a wrong mark (noroot)");
	else if (info->size != now->size)
		problem = xstrdup("has a wrong size in its description");
	else if (r < 0 && r != -ENOENT)
		problem = xasprintf("its list of directories: %s", own.msg);
	else if (first_other(now->implied, noted.implied))
		problem = xstrdup("has a wrong list of directories without an entry");
	else if (noted.whiteouts && first_other(now->whiteouts, noted.whiteouts))
		problem = xstrdup("has a wrong list of directories with whiteouts");
	json_free(&apply_result_desc, &noted);
	return problem;
}

/* Any blob will do that it comes from: which of them are here depends on the images. */
static int fresh_tree(struct image_store *store, const struct staging *st, const char *diff_id,
		      char *const *blobs, struct apply_result *now, char **ret_problem,
		      struct err *err)
{
	int r = -ENOENT;

	for (size_t i = 0; r < 0 && blobs && blobs[i]; i++) {
		if (!blob_exists(store, blobs[i], -1))
			continue;
		free(take_ptr(*ret_problem));
		json_free(&apply_result_desc, now);
		r = layer_again(store, st, blobs[i], diff_id, now, ret_problem, err);
		if (r < 0 && !*ret_problem)
			return r;
	}
	return r == -ENOENT ? err_fail(err, ERR_NOT_FOUND, "no blob that it comes from is here")
			    : r;
}

static int layer_deep(struct image_store *store, const char *diff_id,
		      const struct apply_result *info, char **ret_problem, struct err *err)
{
	cleanup_strv char **blobs = NULL;
	struct staging st = STAGING_INIT;
	struct apply_result now = { 0 };

	int r = staging_new(store, &st, err);
	if (r < 0)
		return r;
	layer_blobs(store, diff_id, &blobs);
	cleanup_fd int fresh = fresh_tree(store, &st, diff_id, blobs, &now, ret_problem, err);
	if (fresh >= 0)
		r = trees_compare(store, fresh, diff_id, &now, ret_problem, err);
	else
		r = *ret_problem ? 1 : fresh;
	if (r == 0) {
		*ret_problem = description_problem(store, diff_id, info, &now);
		r = *ret_problem != NULL;
	}
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
	bool is_lost = sync_is_lost(store, mark);
	if (is_lost && quick)
		*ret_problem = xstrdup(lost);
	else if (fstatat(store->fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
		*ret_problem = xstrdup("is missing");
	else if (layer_info(store, diff_id, &info, &own) < 0)
		*ret_problem = xasprintf("has no description: %s", own.msg);
	else
		r = quick ? 0 : layer_deep(store, diff_id, &info, ret_problem, err);
	json_free(&apply_result_desc, &info);
	return is_lost && !quick ? lost_settle(store, mark, r, ret_problem) : r;
}

/* ---- repair ---- */

/* Which blobs it is known to come from, and the shims, are as true of the new one. */
static int notes_carry(struct image_store *store, const struct staging *st, const char *dir,
		       const char *diff_id, char *const *blobs, struct err *err)
{
	cleanup_free char *shims = xasprintf("layers/%s/shims", digest_hex(diff_id));
	cleanup_free char *to = xasprintf("%s/shims", dir);

	for (size_t i = 0; blobs && blobs[i]; i++) {
		cleanup_free char *note =
		    xasprintf("%s/" LAYER_NOTE "%s", dir, digest_hex(blobs[i]));
		if (!str_eq(blobs[i], diff_id) && mknodat(st->fd, note, S_IFREG | 0600, 0) < 0)
			return err_errno(err, errno, "noting a blob of layer %s", diff_id);
	}
	if (renameat(store->fd, shims, st->fd, to) < 0 && errno != ENOENT)
		return err_errno(err, errno, "keeping what belongs to layer %s", diff_id);
	return 0;
}

/* Exchanged, so that there is one at any moment. One that was lost has a mark, which says so until
 * the new one is there. */
static int layer_replace(struct image_store *store, const struct staging *st, const char *dir,
			 const char *diff_id, struct err *err)
{
	cleanup_free char *path = xasprintf("layers/%s", digest_hex(diff_id));
	cleanup_free char *mark = xasprintf(STAGED_LAYER "%s", digest_hex(diff_id));
	bool was_lost = sync_is_lost(store, mark);
	int r = was_lost ? 0 : sync_mark(store, mark, err);

	if (r < 0)
		return r;
	if (renameat2(st->fd, dir, store->fd, path, RENAME_EXCHANGE) < 0 &&
	    (errno != ENOENT || renameat(st->fd, dir, store->fd, path) < 0))
		return err_errno(err, errno, "replacing layer %s", diff_id);
	return was_lost ? sync_mark(store, mark, err) : 0;
}

static void result_done(struct apply_result *result)
{
	json_free(&apply_result_desc, result);
}

/* *ret_dir: where the old one is afterwards, in the staging directory. Heap. */
static int repair_in(struct image_store *store, const struct staging *st, const char *diff_id,
		     char *const *more, char **ret_dir, struct err *err)
{
	CLEANUP(result_done) struct apply_result now = { 0 };
	cleanup_strv char **blobs = NULL;
	cleanup_free char *problem = NULL;

	layer_blobs(store, diff_id, &blobs);
	cleanup_strv char **all = strv_copy(blobs);
	for (; more && *more; more++)
		if (!strv_has(all, *more))
			strv_add(&all, *more);
	cleanup_fd int fresh = fresh_tree(store, st, diff_id, all, &now, &problem, err);
	if (fresh < 0)
		return problem ? err_fail(err, ERR_CORRUPT, "layer %s: %s", diff_id, problem)
			       : fresh;
	const char *dir = digest_hex(now.digest);
	int r = unpack_seal(st, dir, &now, err);
	if (r == 0)
		r = notes_carry(store, st, dir, diff_id, blobs, err);
	if (r == 0)
		r = layer_replace(store, st, dir, diff_id, err);
	if (r == 0)
		*ret_dir = xstrdup(dir);
	return r;
}

/* Whoever opened the layer before it was exchanged has a record by now. */
static void old_keep(struct image_store *store, const struct staging *st, const char *dir,
		     const char *diff_id)
{
	cleanup_free char *kept = xasprintf("layers/%s/replaced-%s", digest_hex(diff_id), st->name);

	if (renameat(st->fd, dir, store->fd, kept) < 0 && errno != ENOENT)
		log_warn("keeping what containers have of layer %s: %s", diff_id, strerror(errno));
}

int repair_layer(struct image_store *store, const char *diff_id, char *const *more,
		 bool (*in_use)(void *data), void *data, struct err *err)
{
	struct staging st = STAGING_INIT;
	cleanup_free char *dir = NULL;

	int r = staging_new(store, &st, err);
	if (r < 0)
		return r;
	r = repair_in(store, &st, diff_id, more, &dir, err);
	if (r == 0 && in_use(data))
		old_keep(store, &st, dir, diff_id);
	staging_done(store, &st);
	return r < 0 ? r : sync_finish(store, SYNC_WAIT, err);
}
