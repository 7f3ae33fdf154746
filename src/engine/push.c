/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/push.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/config.h"
#include "engine/db.h"
#include "engine/events.h"
#include "image/sha256.h"
#include "image/store.h"
#include "oci/digest.h"

#define DEPTH_MAX 3 /* lists in lists */

struct blob {
	char *digest, *from;
	uint64_t size, id;
	bool here; /* else the registry has it, or nobody */
};

/* A manifest or list, written once all that it names is there. */
struct document {
	char *digest, *media_type;
	char *origin; /* digest of what the store has */
	uint64_t size;
	char *text; /* in another format than the store has it, or NULL */
};

struct push {
	struct engine *eng;
	const struct reference *to;
	const struct push_options *options;
	struct registry_endpoints endpoints;
	struct registry_conn conn;
	int blobs_fd;
	struct staging staging; /* blobs that were made for this push */
	struct blob *blobs;
	struct document *documents; /* in the order of writing, the image's own last */
	char **there;               /* digests of members that only the registry has */
	size_t n_blobs, n_documents;
	size_t n_sent, n_done;
};

void push_result_done(struct push_result *result)
{
	free(result->digest);
	*result = (struct push_result){ 0 };
}

static void push_done(struct push *p)
{
	registry_stop(&p->conn);
	registry_endpoints_done(&p->endpoints);
	for (size_t i = 0; i < p->n_blobs; i++) {
		free(p->blobs[i].digest);
		free(p->blobs[i].from);
	}
	for (size_t i = 0; i < p->n_documents; i++) {
		free(p->documents[i].digest);
		free(p->documents[i].media_type);
		free(p->documents[i].origin);
		free(p->documents[i].text);
	}
	strv_free(p->there);
	free(p->blobs);
	free(p->documents);
	fd_close(p->blobs_fd);
	staging_done(&p->eng->store, &p->staging);
}
#define cleanup_push CLEANUP(push_done)

static void tell(const struct push *p, const struct push_event *event)
{
	if (p->options->event)
		p->options->event(p->options->ctx, event);
}

/* ---- what there is to push ---- */

static void add_blob(struct push *p, const struct oci_descriptor *desc)
{
	for (size_t i = 0; i < p->n_blobs; i++)
		if (str_eq(p->blobs[i].digest, desc->digest))
			return;
	p->blobs = xrealloc(p->blobs, (p->n_blobs + 1) * sizeof(*p->blobs));
	p->blobs[p->n_blobs++] =
	    (struct blob){ .digest = xstrdup(desc->digest), .size = (uint64_t)desc->size };
}

/* Returns its place among them. */
static size_t add_document(struct push *p, const char *digest, const char *media_type,
			   uint64_t size)
{
	for (size_t i = 0; i < p->n_documents; i++)
		if (str_eq(p->documents[i].digest, digest))
			return i;
	p->documents = xrealloc(p->documents, (p->n_documents + 1) * sizeof(*p->documents));
	p->documents[p->n_documents] = (struct document){ .digest = xstrdup(digest),
							  .media_type = xstrdup(media_type),
							  .size = size };
	return p->n_documents++;
}

/* One that is not in the store as it is to be written. */
static size_t add_text(struct push *p, const char *media_type, struct buf *text)
{
	char digest[SHA256_TEXT_MAX];
	size_t i =
	    add_document(p, sha256_text(text->data, text->len, digest), media_type, text->len);

	if (!p->documents[i].text)
		p->documents[i].text = buf_take(text);
	return i;
}

/* A layer that may not be copied, and says where its owner has it. */
static bool is_foreign(const struct oci_descriptor *desc)
{
	return desc->urls && desc->urls[0] && oci_media_kind(desc->media_type) == OCI_IS_FOREIGN;
}

/* Layers as other blobs. 1: the manifest has become another. */
static int convert(struct push *p, struct oci_manifest *manifest, struct err *err)
{
	const struct convert_options *options = &p->options->convert;
	int r = 0;

	if (options->to == CONVERT_NOT)
		return 0;
	if (!p->staging.name)
		r = staging_new(&p->eng->store, &p->staging, err);
	if (r == 0)
		r = convert_layers(&p->eng->store, &p->staging, options, manifest, err);
	return r < 0 ? r : r > 0;
}

static int add_converted(struct push *p, struct oci_manifest *manifest, size_t *ret,
			 struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	enum push_format format = p->options->format;
	int r = 0;

	/* few know zstd in Docker's words */
	if (format == PUSH_AS_IT_IS && p->options->convert.to == CONVERT_ZSTD)
		format = PUSH_OCI;
	if (format == PUSH_AS_IT_IS)
		oci_manifest_write(manifest, &text);
	else
		r = push_format_convert(manifest, format, &text, err);
	if (r == 0 && !manifest->media_type)
		manifest->media_type = xstrdup(OCI_MEDIA_MANIFEST);
	if (r == 0)
		*ret = add_text(p, manifest->media_type, &text);
	return r;
}

static int collect_manifest(struct push *p, const char *digest, const char *media_type,
			    const struct buf *text, size_t *ret, struct err *err)
{
	cleanup_manifest struct oci_manifest manifest = { 0 };
	int r = oci_manifest_parse(buf_str(text), text->len, &manifest, err), made;

	if (r < 0)
		return r;
	made = convert(p, &manifest, err);
	if (made < 0)
		return made;
	add_blob(p, manifest.config);
	for (size_t i = 0; i < manifest.layers.n; i++) {
		const struct oci_descriptor *layer = &manifest.layers.items[i];

		if (is_foreign(layer) && !p->options->foreign)
			tell(p, &(struct push_event){ .kind = PUSH_SKIPPED,
						      .digest = layer->digest,
						      .size = (uint64_t)layer->size });
		else
			add_blob(p, layer);
	}
	if (made || p->options->format != PUSH_AS_IT_IS)
		return add_converted(p, &manifest, ret, err);
	if (manifest.media_type)
		media_type = manifest.media_type;
	*ret = add_document(p, digest, media_type ? media_type : OCI_MEDIA_MANIFEST, text->len);
	return 0;
}

/* Is a member of a list that isn't here at least there? */
static int check_there(struct push *p, const char *digest, struct err *err)
{
	cleanup_free char *reference = xstrdup(digest);
	cleanup_registry_answer struct registry_answer answer = { 0 };
	struct registry_request req = { .op = REGISTRY_HEAD, .reference = reference };
	int r;

	if (strv_has(p->there, digest))
		return 0;
	req.endpoints.items = p->endpoints.items;
	req.endpoints.n = p->endpoints.n;
	r = registry_call(&p->conn, &req, -1, &answer, err);
	if (r == 0 && !answer.exists)
		r = err_hint(err,
			     err_fail(err, ERR_NOT_FOUND,
				      "the list's member %s is neither here nor in the registry",
				      digest),
			     "pull it, for its platform, and it is pushed with the list");
	if (r == 0)
		strv_add(&p->there, digest);
	return r;
}

static int collect(struct push *p, const char *digest, bool list, const char *media_type, int depth,
		   size_t *ret, struct err *err);

/* A list may name a member thousands of times, and lists that do so, too. */
static bool is_collected(const struct push *p, const char *digest, size_t *ret)
{
	for (size_t i = 0; i < p->n_documents; i++) {
		if (!str_eq(p->documents[i].origin, digest))
			continue;
		*ret = i;
		return true;
	}
	return false;
}

/* A member of a list. 1: it is written in another form, and so described anew. */
static int collect_member(struct push *p, struct oci_descriptor *d, int depth, struct err *err)
{
	const struct document *doc;
	size_t i;
	int r;

	if (blob_size(&p->eng->store, d->digest) == 0) {
		if (!push_format_has(p->options->format, d->media_type))
			return err_hint(err,
					err_fail(err, ERR_NOT_FOUND,
						 "the list's member %s is not here: it can't be "
						 "written in another format",
						 d->digest),
					"pull it first");
		return check_there(p, d->digest, err);
	}
	r = collect(p, d->digest, oci_media_kind(d->media_type) == OCI_IS_INDEX, d->media_type,
		    depth, &i, err);
	if (r < 0)
		return r;
	doc = &p->documents[i];
	if (str_eq(doc->digest, d->digest))
		return 0;
	free(d->digest);
	free(d->media_type);
	d->digest = xstrdup(doc->digest);
	d->media_type = xstrdup(doc->media_type);
	d->size = (int64_t)doc->size;
	return 1;
}

static int add_list(struct push *p, struct oci_index *index, size_t *ret, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	int r = 0;

	if (p->options->format == PUSH_AS_IT_IS) {
		oci_index_choose_type(index);
		oci_index_write(index, &text);
	} else {
		r = push_format_convert_list(index, p->options->format, &text, err);
	}
	if (r == 0)
		*ret = add_text(p, index->media_type, &text);
	return r;
}

static int collect_list(struct push *p, const char *digest, const char *media_type,
			const struct buf *text, int depth, size_t *ret, struct err *err)
{
	cleanup_index struct oci_index index = { 0 };
	bool changed = p->options->format != PUSH_AS_IT_IS;
	int r = oci_index_parse(buf_str(text), text->len, &index, err);

	if (r == 0 && depth >= DEPTH_MAX)
		r = err_fail(err, ERR_LIMIT, "lists nested more than %d deep", DEPTH_MAX);
	for (size_t i = 0; r >= 0 && !p->options->list_alone && i < index.manifests.n; i++) {
		r = collect_member(p, &index.manifests.items[i], depth + 1, err);
		changed = changed || r > 0;
	}
	if (r < 0)
		return r;
	if (changed)
		return add_list(p, &index, ret, err);
	if (index.media_type)
		media_type = index.media_type;
	*ret = add_document(p, digest, media_type ? media_type : OCI_MEDIA_INDEX, text->len);
	return 0;
}

static int collect(struct push *p, const char *digest, bool list, const char *media_type, int depth,
		   size_t *ret, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	int r;

	if (is_collected(p, digest, ret))
		return 0;
	r = blob_read(&p->eng->store, digest, &text, err);
	if (r == 0)
		r = list ? collect_list(p, digest, media_type, &text, depth, ret, err)
			 : collect_manifest(p, digest, media_type, &text, ret, err);
	if (r < 0)
		return err_wrap(err, r, "manifest %s", digest);
	if (!p->documents[*ret].origin)
		p->documents[*ret].origin = xstrdup(digest);
	return 0;
}

/* ---- blobs ---- */

/* Another repository of the registry that has the blob: its path, or NULL. */
static int find_from(struct push *p, struct blob *b, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	cleanup_free char *own = reference_repository(p->to);
	cleanup_free char *first = xasprintf("%s/", p->to->domain);
	cleanup_free char *end = xasprintf("%s0", p->to->domain); /* '0' follows '/' */
	cleanup_free char *found = NULL;
	int r;

	r = db_query(p->eng->db, &stmt, err,
		     "SELECT repository FROM image_digests JOIN content USING (image)"
		     " WHERE kind = 'blob' AND content.digest = ?1 AND repository > ?2"
		     " AND repository < ?3 AND repository <> ?4 LIMIT 1",
		     "ssss", b->digest, first, end, own);
	if (r == 0)
		r = db_step(p->eng->db, stmt, err);
	if (r <= 0)
		return r;
	found = db_column_str(stmt, 0);
	b->from = xstrdup(found + strlen(first));
	return 0;
}

static int blob_open(const struct push *p, const char *digest)
{
	const int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW;
	int fd = -1;

	if (p->staging.name)
		fd = openat(p->staging.fd, digest_hex(digest), flags);
	if (fd < 0 && !blob_exists(&p->eng->store, digest, -1))
		return -ENOENT; /* also when the machine went down before it was on the disk */
	if (fd < 0)
		fd = openat(p->blobs_fd, digest_hex(digest), flags);
	return fd < 0 ? -errno : fd;
}

static int blob_send(struct push *p, struct blob *b, struct err *err)
{
	cleanup_fd int fd = blob_open(p, b->digest);
	struct registry_request req = {
		.op = fd >= 0 ? REGISTRY_UPLOAD : REGISTRY_HEAD,
		.digest = b->digest,
		.size = b->size,
	};
	int r;

	if (fd < 0 && fd != -ENOENT)
		return err_errno(err, -fd, "opening blob %s", b->digest);
	b->here = fd >= 0;
	r = find_from(p, b, err);
	if (r < 0)
		return r;
	req.from = fd >= 0 ? b->from : NULL;
	req.endpoints.items = p->endpoints.items;
	req.endpoints.n = p->endpoints.n;
	r = registry_send(&p->conn, &req, fd, err);
	b->id = req.id;
	return r;
}

static struct blob *blob_of(struct push *p, uint64_t id)
{
	for (size_t i = 0; i < p->n_sent; i++)
		if (p->blobs[i].id == id)
			return &p->blobs[i];
	return NULL;
}

static int blob_answer(struct push *p, const struct blob *b, const struct registry_answer *a,
		       struct err *err)
{
	struct push_event event = { .digest = b->digest, .size = b->size };

	if (a->partial) {
		event.kind = a->notice ? PUSH_NOTICE : PUSH_PROGRESS;
		event.text = a->notice;
		event.done = a->done < b->size ? a->done : b->size;
		tell(p, &event);
		return 0;
	}
	if (!a->ok)
		return registry_answer_error(a, err);
	p->n_done++;
	if (a->mounted)
		event.kind = PUSH_MOUNTED;
	else
		event.kind = a->exists ? PUSH_EXISTS : PUSH_PUSHED;
	event.from = b->from;
	/* only asked for: the store has no file of it */
	if (event.kind == PUSH_PUSHED && !b->here)
		return err_fail(err, ERR_NOT_FOUND,
				"blob %s is neither in the store nor in the registry", b->digest);
	tell(p, &event);
	return 0;
}

static int push_blobs(struct push *p, size_t at_once, struct err *err)
{
	for (size_t i = 0; i < p->n_blobs; i++)
		tell(p, &(struct push_event){ .kind = PUSH_WAITING,
					      .digest = p->blobs[i].digest,
					      .size = p->blobs[i].size });
	while (p->n_done < p->n_blobs) {
		cleanup_registry_answer struct registry_answer answer = { 0 };
		struct blob *b;
		int r = 0;

		while (r == 0 && p->n_sent < p->n_blobs && p->n_sent - p->n_done < at_once)
			r = blob_send(p, &p->blobs[p->n_sent++], err);
		if (r == 0)
			r = registry_next(&p->conn, -1, &answer, err);
		b = r < 0 ? NULL : blob_of(p, answer.id);
		if (b)
			r = blob_answer(p, b, &answer, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- manifests ---- */

static int document_open(const struct push *p, const struct document *d)
{
	cleanup_fd int fd = -EBADF;

	if (!d->text)
		return blob_open(p, d->digest);
	fd = memfd_create("manifest", MFD_CLOEXEC);
	if (fd < 0 || io_write(fd, d->text, d->size) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	return take_fd(fd);
}

static int push_document(struct push *p, const struct document *d, bool last, struct err *err)
{
	cleanup_fd int fd = document_open(p, d);
	cleanup_free char *reference = xstrdup(last && p->to->tag ? p->to->tag : d->digest);
	cleanup_registry_answer struct registry_answer answer = { 0 };
	struct registry_request req = {
		.op = REGISTRY_PUT,
		.reference = reference,
		.digest = d->digest,
		.media_type = d->media_type,
	};
	int r;

	if (fd < 0)
		return err_errno(err, -fd, "opening manifest %s", d->digest);
	tell(p,
	     &(struct push_event){ .kind = PUSH_MANIFEST, .digest = d->digest, .size = d->size });
	req.endpoints.items = p->endpoints.items;
	req.endpoints.n = p->endpoints.n;
	r = registry_call(&p->conn, &req, fd, &answer, err);
	if (r == 0 && answer.digest && !str_eq(answer.digest, d->digest))
		r = err_fail(err, ERR_CORRUPT,
			     "the registry calls manifest %s by another digest, %s", d->digest,
			     answer.digest);
	return r;
}

/* The registry has it: for later pushes' mounts and for `inspect`. */
static int remember(struct push *p, const struct image_row *row, const char *digest,
		    struct err *err)
{
	cleanup_free char *repository = reference_repository(p->to);
	int r = db_exec(p->eng->db, err,
			"INSERT OR REPLACE INTO image_digests (repository, digest, image, manifest)"
			/* it may be gone */
			" SELECT ?, ?, id, iif(kind = 'list', NULL, ?) FROM images WHERE id = ?",
			"ssss", repository, digest, row->manifest, row->id);

	return r < 0 ? r : 0;
}

static void pass_notice(void *data, const char *text)
{
	tell(data, &(struct push_event){ .kind = PUSH_NOTICE, .text = text });
}

static int push_row(struct push *p, const struct image_row *row, struct push_result *ret,
		    struct err *err)
{
	const struct document *own;
	const struct config *config;
	size_t top = 0;
	int r;

	r = config_get(p->eng, &config, err);
	if (r == 0)
		r = registries_resolve(p->eng, p->to, true, &p->options->access, &p->endpoints,
				       err);
	if (r == 0)
		r = registries_start(p->eng, &p->conn, err);
	p->conn.notice = pass_notice;
	p->conn.notice_data = p;
	if (r == 0)
		r = collect(p, row->manifest, row->kind == IMAGE_KIND_LIST, NULL, 0, &top, err);
	if (r < 0)
		return r;
	own = &p->documents[top];
	if (p->to->digest && !str_eq(p->to->digest, own->digest))
		r = err_fail(err, ERR_INVALID, "the image's digest is %s", own->digest);
	if (r == 0)
		r = push_blobs(p, (size_t)config->transfer.parallel, err);
	for (size_t i = 0; r == 0 && i < p->n_documents; i++)
		r = push_document(p, &p->documents[i], i + 1 == p->n_documents, err);
	if (r == 0)
		r = remember(p, row, own->digest, err);
	if (r < 0)
		return r;
	ret->digest = xstrdup(own->digest);
	ret->size = own->size;
	return 0;
}

int push(struct engine *eng, const char *word, const struct reference *to,
	 const struct push_options *options, struct push_result *ret, struct err *err)
{
	cleanup_push struct push p = { .eng = eng,
				       .to = to,
				       .options = options,
				       .conn = REGISTRY_CONN_INIT,
				       .blobs_fd = -EBADF,
				       .staging = STAGING_INIT };
	cleanup_image_row struct image_row row = { 0 };
	cleanup_free char *name = reference_format(to);
	int r;

	r = engine_store(eng, err);
	if (r == 0)
		r = store_lock_shared(&eng->store, err); /* nothing is collected meanwhile */
	if (r < 0)
		return r;
	r = images_find(eng, word, &row, err);
	if (r == 0) {
		p.blobs_fd = store_open_dir(&eng->store, "blobs/sha256", err);
		r = p.blobs_fd < 0 ? p.blobs_fd : 0;
	}
	if (r == 0)
		r = push_row(&p, &row, ret, err);
	if (r == 0) {
		cleanup_free char *shown = reference_familiar(to);
		cleanup_free char *repository = reference_familiar_repository(to);

		images_used(eng, &row);
		event_note_image(eng, "push", shown, repository);
	}
	images_added(eng, NULL, 0); /* gives the lock back */
	return r < 0 ? err_wrap(err, r, "pushing %s", name) : 0;
}
