/* SPDX-License-Identifier: Apache-2.0 */
/* What has come into the staging directory becomes an image, an artifact or a list of our store. */
#include "base/str.h"
#include "base/strv.h"
#include "engine/artifact.h"
#include "engine/copy_internal.h"
#include "engine/lists.h"

/* What is asked for by its digest gets no name, as an image doesn't. */
static int finish_artifact(struct copy *c, struct copy_result *ret, struct err *err)
{
	cleanup_strv char **names = NULL, **repo_digests = NULL;
	const struct reference *ref = &c->sink.ref;

	if (!ref->digest)
		strv_take(&names, reference_format(ref));
	if (c->source.repository)
		strv_addf(&repo_digests, "%s@%s", c->source.repository, copy_top(c)->digest);
	int r =
	    artifact_enter(c->eng, &c->sink.staging, &copy_top(c)->text, names, repo_digests, err);
	if (r == 0) {
		ret->id = xstrdup(copy_top(c)->digest);
		ret->names = take_ptr(names);
	}
	return r;
}

/* The names that it gets: the destination's, else those that the source has for it. */
static int names_read(const struct copy *c, char ***ret, struct err *err)
{
	char *full = NULL;

	if (!c->sink.name->name) {
		strv_extend(ret, c->source.names);
		return 0;
	}
	int r = copy_store_name(c->sink.name->name, &full, err);
	if (r == 0)
		strv_take(ret, full);
	return r;
}

static int finish_image(struct copy *c, struct copy_result *ret, struct err *err)
{
	struct engine *eng = c->eng;
	struct image_list list = { 0 };
	cleanup_strv char **names = NULL;

	int r = names_read(c, &names, err);
	if (r == 0)
		r = image_load_staged(&eng->store, &c->sink.staging, copy_top(c)->digest, names,
				      c->source.made, &list, err);
	c->sink.blobs_fd = c->sink.staging.fd; /* which is gone when it was taken over */
	if (r == 0 && c->source.repository)
		strv_addf(&list.items[0].repo_digests, "%s@%s", c->source.repository,
			  copy_top(c)->digest);
	if (r == 0)
		r = images_enter(eng, IMAGE_KIND_IMAGE, "pull", list.items, list.n, err);
	images_added(eng, list.items, r == 0 ? list.n : 0);
	if (r == 0) {
		ret->id = xstrdup(list.items[0].id);
		ret->names = take_ptr(names);
	}
	image_list_done(&list);
	return r;
}

/* ---- an index with its members ---- */

/* All that is waiting, what is named before what names it. */
static int commit_all(struct copy *c, uint64_t *ret_bytes, struct err *err)
{
	struct image_store *store = &c->eng->store;
	cleanup_free char **digests = xcalloc(c->n_blobs + c->n_docs + 1, sizeof(*digests));
	size_t n = 0;

	for (size_t i = 0; i < c->n_blobs; i++) {
		digests[n++] = c->blobs[i].digest;
		*ret_bytes += c->blobs[i].size;
	}
	for (size_t i = 0; i < c->n_docs; i++)
		digests[n++] = c->docs[i].digest;
	int r = store_commit(store, &c->sink.staging, digests, NULL, err);
	for (size_t i = 0; r == 0 && i < n; i++)
		if (!blob_exists(store, digests[i], -1))
			r = err_fail(err, ERR_CORRUPT, "blob %s is missing", digests[i]);
	return r;
}

/* A list of the store's. Nothing is unpacked before somebody runs it. */
static int finish_list(struct copy *c, struct copy_result *ret, struct err *err)
{
	struct engine *eng = c->eng;
	struct image added = { 0 };
	cleanup_strv char **names = NULL, **repo_digests = NULL;

	if (c->source.repository)
		strv_addf(&repo_digests, "%s@%s", c->source.repository, copy_top(c)->digest);
	int r = names_read(c, &names, err);
	if (r == 0)
		r = commit_all(c, &added.size, err);
	if (r == 0)
		r = lists_enter(eng, copy_top(c)->digest, names, repo_digests, &ret->id, err);
	images_added(eng, &added, r == 0);
	if (r == 0)
		ret->names = take_ptr(names);
	return r;
}

int store_finish(struct copy *c, struct copy_result *ret, struct err *err)
{
	int r = sink_write_docs(c, err);

	if (r < 0)
		return r;
	return c->options->artifact ? finish_artifact(c, ret, err)
	       : copy_top(c)->list  ? finish_list(c, ret, err)
				    : finish_image(c, ret, err);
}
