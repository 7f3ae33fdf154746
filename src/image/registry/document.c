/* SPDX-License-Identifier: Apache-2.0 */
/* Operations on one manifest or blob as a whole: head, manifest, put, delete, ping. */
#include <ctype.h>

#include "base/io.h"
#include "base/str.h"
#include "base/strv.h"
#include "image/registry/call.h"
#include "image/registry/failure.h"
#include "oci/digest.h"
#include "oci/image.h"

static const char *const all_manifests[] = {
	OCI_MEDIA_INDEX, OCI_MEDIA_MANIFEST, DOCKER_MEDIA_INDEX, DOCKER_MEDIA_MANIFEST, NULL,
};

/* What the headers say of the object. */
static void answer_headers(struct job *job, const struct http_reply *reply)
{
	const char *digest = reply->headers[HEADER_DIGEST];
	const char *type = reply->headers[HEADER_CONTENT_TYPE];
	cleanup_free char *media_type = type ? media_type_parse(type) : NULL;

	job_set(&job->answer.digest, digest_valid(digest) ? digest : NULL);
	job_set(&job->answer.media_type, media_type);
	if (reply->has_length)
		job->answer.size = reply->length;
}

static void add_accept(struct job *job, struct call *call)
{
	cleanup_strv char **defaults = NULL;

	for (size_t i = 0; all_manifests[i]; i++)
		strv_add(&defaults, all_manifests[i]);
	cleanup_free char *list =
	    strv_join(strv_len(job->req.accept) ? job->req.accept : defaults, ", ");
	call_header(call, "Accept: %s", list);
}

static char *manifest_path(const struct job *job, const char *reference)
{
	return xasprintf("/v2/%s/manifests/%s", job->ep->repository, reference);
}

int op_head(struct job *job, struct err *err)
{
	const struct registry_request *req = &job->req;
	cleanup_call struct call call;

	call_init(&call, "HEAD",
		  req->reference ? manifest_path(job, req->reference)
				 : xasprintf("/v2/%s/blobs/%s", job->ep->repository, req->digest));
	call.scopes = call_scope(job->ep->repository, "pull");
	if (req->reference)
		add_accept(job, &call);
	int r = call_run(job, &call, err);
	if (r < 0)
		return r;
	if (call.x.reply.status == 404)
		return 0;
	if (call.x.reply.status != 200)
		return call_error(job, &call, err);
	job->answer.exists = true;
	answer_headers(job, &call.x.reply);
	return 0;
}

/* A page for people: a login portal, a web server. */
static int refuse_page(const struct job *job, struct err *err)
{
	if (!job->answer.media_type || !str_starts(job->answer.media_type, "text/html"))
		return 0;
	return err_hint(err, err_fail(err, ERR_INVALID, "a web page came instead of a manifest"),
			"is this the address of a registry?");
}

int op_manifest(struct job *job, struct err *err)
{
	uint64_t limit = job->req.limit;
	cleanup_call struct call call;

	call_init(&call, "GET", manifest_path(job, job->req.reference));
	call.scopes = call_scope(job->ep->repository, "pull");
	call.x.limit = limit > 0 && limit < REGISTRY_DOC_MAX ? limit : REGISTRY_DOC_MAX;
	add_accept(job, &call);
	int r = call_run(job, &call, err);
	if (r < 0)
		return r;
	if (call.x.reply.status != 200)
		return call_error(job, &call, err);
	answer_headers(job, &call.x.reply);
	r = refuse_page(job, err);
	if (r < 0)
		return r;
	job->answer.size = call.x.reply.body.len;
	return job_write(job, buf_str(&call.x.reply.body), call.x.reply.body.len, err);
}

int op_put(struct job *job, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	const char *type = job->req.media_type ? job->req.media_type : OCI_MEDIA_MANIFEST;
	cleanup_call struct call call;

	call_init(&call, "PUT", manifest_path(job, job->req.reference));
	call.scopes = call_scope(job->ep->repository, "pull,push");
	int r = lseek(job->fd, 0, SEEK_SET) < 0 && errno != ESPIPE ? -errno : 0;
	if (r == 0)
		r = io_read_all(job->fd, &text, REGISTRY_DOC_MAX);
	if (r < 0)
		return err_errno(err, -r, "reading the manifest");
	call.x.body = buf_str(&text);
	call.x.body_size = text.len;
	call_header(&call, "Content-Type: %s", type);
	r = call_run(job, &call, err);
	if (r < 0)
		return r;
	if (call.x.reply.status / 100 != 2)
		return call_error(job, &call, err);
	answer_headers(job, &call.x.reply);
	job_set(&job->answer.media_type, NULL);
	job->answer.size = text.len;
	const char *subject = call.x.reply.headers[HEADER_SUBJECT];
	job_set(&job->answer.subject, digest_valid(subject) ? subject : NULL);
	return 0;
}

int op_delete(struct job *job, struct err *err)
{
	const struct registry_request *req = &job->req;
	cleanup_call struct call call;

	call_init(&call, "DELETE",
		  req->reference ? manifest_path(job, req->reference)
				 : xasprintf("/v2/%s/blobs/%s", job->ep->repository, req->digest));
	call.scopes = call_scope(job->ep->repository, "delete,pull");
	int r = call_run(job, &call, err);
	if (r < 0)
		return r;
	if (call.x.reply.status / 100 == 2)
		return 0;
	r = call_error(job, &call, err);
	if (r == -EOPNOTSUPP || call.x.reply.status == 405)
		err_hint(err, r, "this registry does not let anything be deleted%s",
			 req->reference && !digest_valid(req->reference) ? ", or not by tag" : "");
	return r;
}

int op_ping(struct job *job, struct err *err)
{
	cleanup_call struct call call;

	call_init(&call, "GET", xstrdup("/v2/"));
	int r = call_run(job, &call, err);
	if (r < 0)
		return r;
	if (call.x.reply.status == 200)
		return 0;
	r = call_error(job, &call, err);
	return call.x.reply.status == 404 ? err_hint(err, r, "is this the address of a registry?")
					  : r;
}
