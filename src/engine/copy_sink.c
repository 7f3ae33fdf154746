/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/artifact.h"
#include "engine/copy_internal.h"
#include "image/save.h"
#include "oci/digest.h"

static bool has_staging(const struct copy_sink *sink)
{
	return sink->staging.name != NULL;
}

void sink_done(struct copy *c)
{
	struct copy_sink *sink = &c->sink;
	bool borrowed = has_staging(sink) || sink->name->kind == TRANSPORT_DIR;

	registry_stop(&sink->conn);
	registry_endpoints_done(&sink->endpoints);
	reference_done(&sink->ref);
	if (!borrowed)
		fd_close(sink->blobs_fd);
	fd_close(sink->top_fd);
	staging_done(&c->eng->store, &sink->staging);
}

/* ---- opening ---- */

static int image_name_check(const char *ref, struct err *err)
{
	char *full = NULL;
	int r = ref ? copy_store_name(ref, &full, err) : 0;

	free(full);
	return r;
}

static int layout_name_check(const char *ref, struct err *err)
{
	if (!ref || layout_ref_valid(ref))
		return 0;
	cleanup_free char *shown = str_escape(ref);
	return err_hint(err,
			err_fail(err, ERR_USAGE, "an image layout has no name like \"%s\"", shown),
			"names are made of letters and digits, with one of - . _ : @ + / between "
			"them");
}

int sink_init(struct copy *c, struct err *err)
{
	struct copy_sink *sink = &c->sink;
	const struct transport_name *to = sink->name;

	switch (to->kind) {
	case TRANSPORT_DOCKER:
		return reference_parse(to->name, &sink->ref, err);
	case TRANSPORT_STORE:
		return c->options->artifact ? 0 : image_name_check(to->name, err);
	case TRANSPORT_DOCKER_ARCHIVE:
		return image_name_check(to->ref, err);
	case TRANSPORT_OCI:
	case TRANSPORT_OCI_ARCHIVE:
		return layout_name_check(to->ref, err);
	case TRANSPORT_DIR:
	case TRANSPORTS:
		break;
	}
	return 0;
}

bool sink_wants_foreign(const struct copy *c)
{
	return c->options->foreign || c->sink.name->kind == TRANSPORT_STORE ||
	       c->sink.name->kind == TRANSPORT_DOCKER_ARCHIVE;
}

/* Into the store: what waits there is nobody's until it is whole. */
static int staging_open(struct copy *c, struct err *err)
{
	struct copy_sink *sink = &c->sink;

	int r = store_lock_shared(&c->eng->store, err);
	if (r == 0)
		r = staging_new(&c->eng->store, &sink->staging, err);
	sink->blobs_fd = sink->staging.fd;
	sink->fresh = true;
	return r;
}

/* The name is looked at again when it is given away: here, so that nothing is fetched in vain. */
static int store_sink_open(struct copy *c, struct err *err)
{
	struct reference *ref = &c->sink.ref;
	int r = 0;

	if (c->options->artifact)
		r = reference_parse(c->sink.name->name, ref, err);
	if (r == 0 && ref->tag && !ref->digest) {
		cleanup_free char *full = reference_format(ref);

		r = artifact_check_name(c->eng, full, err);
	}
	return r < 0 ? r : staging_open(c, err);
}

static int layout_open(struct copy *c, struct err *err)
{
	struct copy_sink *sink = &c->sink;
	const char *path = sink->name->path;
	cleanup_fd int dir = path_mkdirs(path, 0755, err);

	if (dir < 0)
		return dir;
	sink->top_fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (sink->top_fd < 0)
		return err_errno(err, errno, "opening %s", path);
	cleanup_fd int blobs = layout_open_dir(sink->top_fd, "blobs", true, err);
	if (blobs >= 0)
		sink->blobs_fd = layout_open_dir(blobs, "sha256", true, err);
	int r = blobs < 0 ? blobs : sink->blobs_fd < 0 ? sink->blobs_fd : 0;
	if (r == 0)
		r = layout_check(sink->top_fd, err);
	return r < 0 ? err_wrap(err, r, "%s", path) : 0;
}

static int dir_sink_open(struct copy *c, struct err *err)
{
	c->sink.blobs_fd = c->options->out_fd;
	c->sink.fresh = true;
	return 0;
}

static int registry_sink_open(struct copy *c, struct err *err)
{
	struct copy_sink *sink = &c->sink;

	int r =
	    registries_resolve(c->eng, &sink->ref, true, &c->options->to, &sink->endpoints, err);
	if (r == 0)
		r = copy_connect(c, &sink->conn, err);
	return r < 0 ? r : staging_open(c, err);
}

int sink_open(struct copy *c, struct err *err)
{
	static int (*const opens[TRANSPORTS])(struct copy * c, struct err * err) = {
		[TRANSPORT_STORE] = store_sink_open,
		[TRANSPORT_DOCKER] = registry_sink_open,
		[TRANSPORT_OCI] = layout_open,
		[TRANSPORT_OCI_ARCHIVE] = staging_open,
		[TRANSPORT_DOCKER_ARCHIVE] = staging_open,
		[TRANSPORT_DIR] = dir_sink_open,
	};

	return opens[c->sink.name->kind](c, err);
}

bool sink_has(const struct copy *c, const struct copy_blob *b)
{
	/* Of an image, blobs that are there are found when its layers are unpacked. */
	return c->sink.name->kind == TRANSPORT_STORE &&
	       (c->options->artifact || copy_top(c)->list) &&
	       blob_exists(&c->eng->store, b->digest, (int64_t)b->size);
}

int sink_open_there(const struct copy *c, const struct copy_blob *b)
{
	const struct copy_sink *sink = &c->sink;
	uint64_t size = 0;

	if (sink->fresh)
		return -ENOENT;
	cleanup_fd int fd = layout_open_file(sink->blobs_fd, digest_hex(b->digest), &size, NULL);
	return fd >= 0 && size == b->size ? take_fd(fd) : -ENOENT;
}

/* A blob is never larger than the manifest says, so what is under way is a bound. */
int sink_check_room(struct copy *c, const struct copy_blob *b, struct err *err)
{
	uint64_t bytes = b->size;
	struct stat st;

	if (!has_staging(&c->sink))
		return 0;
	for (size_t i = 0; i < c->n_blobs; i++) {
		const struct copy_blob *other = &c->blobs[i];
		if (!other->running || fstat(other->file.fd, &st) < 0 ||
		    (uint64_t)st.st_size >= other->size)
			continue;
		if (__builtin_add_overflow(bytes, other->size - (uint64_t)st.st_size, &bytes))
			bytes = UINT64_MAX;
	}
	return layer_room_check(&c->eng->store, bytes, err);
}

/* ---- documents ---- */

int sink_write_docs(struct copy *c, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->n_docs; i++) {
		const struct copy_doc *d = &c->docs[i];

		copy_tell(c, &(struct push_event){
				 .kind = PUSH_MANIFEST, .digest = d->digest, .size = d->text.len });
		r = layout_add_text(c->sink.blobs_fd, digest_hex(d->digest), buf_str(&d->text),
				    d->text.len, err);
	}
	return r;
}

static int finish_layout(struct copy *c, struct copy_result *ret, struct err *err)
{
	struct oci_descriptor desc = { .media_type = copy_top(c)->media_type,
				       .digest = copy_top(c)->digest,
				       .size = (int64_t)copy_top(c)->text.len };

	int r = sink_write_docs(c, err);
	if (r == 0)
		r = layout_index_add(c->sink.top_fd, &desc, c->sink.name->ref, err);
	return r < 0 ? err_wrap(err, r, "%s", c->sink.name->path) : 0;
}

static int finish_dir(struct copy *c, struct copy_result *ret, struct err *err)
{
	int fd = c->sink.blobs_fd;
	int r = layout_add_text(fd, "version", DIR_VERSION, strlen(DIR_VERSION), err);

	for (size_t i = 0; r == 0 && i < c->n_docs; i++) {
		const struct copy_doc *d = &c->docs[i];
		cleanup_free char *name =
		    d == copy_top(c) ? xstrdup("manifest.json")
				     : xasprintf("%s.manifest.json", digest_hex(d->digest));

		r = layout_add_text(fd, name, buf_str(&d->text), d->text.len, err);
	}
	return r;
}

static int finish_archive(struct copy *c, struct copy_result *ret, struct err *err)
{
	const char *ref = c->sink.name->ref;
	cleanup_strv char **names = NULL;
	bool docker = c->sink.name->kind == TRANSPORT_DOCKER_ARCHIVE;
	const struct save_options opts = {
		.format = docker ? SAVE_DOCKER_ARCHIVE : SAVE_OCI_ARCHIVE,
		.mtime = c->options->mtime,
		.cancel_fd = c->options->cancel_fd,
	};

	if (docker && ref) {
		char *full = NULL;
		int r = copy_store_name(ref, &full, err);
		if (r < 0)
			return r;
		strv_take(&names, full);
	}
	for (size_t i = 0; c->options->more_names && c->options->more_names[i]; i++) {
		char *full = NULL;
		int r = copy_store_name(c->options->more_names[i], &full, err);
		if (r < 0)
			return r;
		strv_take(&names, full);
	}
	const struct save_image image = { .manifest = copy_top(c)->digest,
					  .list = copy_top(c)->list,
					  .names = names,
					  .ref = ref };
	int r = sink_write_docs(c, err);
	return r < 0
		   ? r
		   : image_save_blobs(c->sink.blobs_fd, &image, 1, &opts, c->options->out_fd, err);
}

static int document_put(struct copy *c, const struct copy_doc *d, struct err *err)
{
	struct copy_sink *sink = &c->sink;
	cleanup_registry_answer struct registry_answer answer = { 0 };
	struct registry_request req = {
		.op = REGISTRY_PUT,
		.reference = d == copy_top(c) && sink->ref.tag ? sink->ref.tag : d->digest,
		.digest = d->digest,
		.media_type = d->media_type,
	};
	cleanup_fd int fd = memfd_create("manifest", MFD_CLOEXEC);

	if (fd < 0 || io_write(fd, buf_str(&d->text), d->text.len) < 0 ||
	    lseek(fd, 0, SEEK_SET) < 0)
		return err_errno(err, errno, "writing manifest %s", d->digest);
	copy_tell(c, &(struct push_event){
			 .kind = PUSH_MANIFEST, .digest = d->digest, .size = d->text.len });
	req.endpoints.items = sink->endpoints.items;
	req.endpoints.n = sink->endpoints.n;
	int r = registry_call(&sink->conn, &req, fd, &answer, err);
	if (r == 0 && answer.digest && !str_eq(answer.digest, d->digest))
		r = err_fail(err, ERR_CORRUPT,
			     "the registry calls manifest %s by another digest, %s", d->digest,
			     answer.digest);
	return r;
}

static int finish_registry(struct copy *c, struct copy_result *ret, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->n_docs; i++)
		r = document_put(c, &c->docs[i], err);
	return r;
}

int sink_finish(struct copy *c, struct copy_result *ret, struct err *err)
{
	static int (*const finishes[TRANSPORTS])(struct copy * c, struct copy_result * ret,
						 struct err * err) = {
		[TRANSPORT_STORE] = store_finish,
		[TRANSPORT_DOCKER] = finish_registry,
		[TRANSPORT_OCI] = finish_layout,
		[TRANSPORT_OCI_ARCHIVE] = finish_archive,
		[TRANSPORT_DOCKER_ARCHIVE] = finish_archive,
		[TRANSPORT_DIR] = finish_dir,
	};

	int r = finishes[c->sink.name->kind](c, ret, err);
	if (r < 0)
		return r;
	ret->digest = xstrdup(copy_top(c)->digest);
	ret->size = copy_top(c)->text.len;
	return 0;
}
