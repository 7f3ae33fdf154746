/* SPDX-License-Identifier: Apache-2.0 */
#include "image/registry/job.h"

#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "oci/digest.h"
#include "oci/reference.h"

#define TEXT_MAX      1024
#define PROGRESS_STEP (1u << 20) /* bytes between partial answers */

struct job *job_new(struct session *s, struct registry_request *req, int fd)
{
	struct job *job = xcalloc(1, sizeof(*job));

	job->session = s;
	job->req = *req;
	job->fd = fd;
	job->answer.id = req->id;
	job->answer.error.kind = -1;
	memset(req, 0, sizeof(*req));
	return job;
}

void job_free(struct job *job)
{
	json_free(&registry_request_desc, &job->req);
	json_free(&registry_answer_desc, &job->answer);
	fd_close(job->fd);
	free(job);
}

void job_set(char **text, const char *value)
{
	free(*text);
	*text = value ? xstrndup(value, TEXT_MAX) : NULL;
}

/* ---- partial answers ---- */

void job_notice(struct job *job, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	struct registry_answer answer = { .id = job->req.id, .partial = true, .notice = text };
	answer.error.kind = -1;
	answer.done = job->answer.done;
	answer.endpoint = job->ep ? job->ep->url : NULL;
	session_answer(job->session, &answer);
}

void job_progress(struct job *job, uint64_t done)
{
	bool step = done / PROGRESS_STEP != job->answer.done / PROGRESS_STEP;

	job->answer.done = done;
	if (!step)
		return;
	struct registry_answer answer = { .id = job->req.id, .partial = true, .done = done };
	answer.error.kind = -1;
	session_answer(job->session, &answer);
}

/* ---- its fd ---- */

int job_write(struct job *job, const void *data, size_t len, struct err *err)
{
	const char *from = data;

	while (len > 0) {
		ssize_t n = write(job->fd, from, len);
		if (n < 0 && errno == EAGAIN) {
			struct pollfd p = { .fd = job->fd, .events = POLLOUT };
			poll(&p, 1, -1);
			continue;
		}
		if (n < 0 && errno != EINTR)
			return err_errno(err, errno, "handing on what came");
		if (n > 0) {
			from += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

/* ---- the operations ---- */

enum { REPOSITORY = 1 << 0, REFERENCE = 1 << 1, DIGEST = 1 << 2, EITHER = 1 << 3 };

static const struct op {
	int (*run)(struct job *job, struct err *err);
	unsigned int needs;
	const char *doing; /* with the reference or digest and the place */
} ops[REGISTRY_OPS] = {
	[REGISTRY_HEAD] = { op_head, REPOSITORY | EITHER, "looking for %s in %s" },
	[REGISTRY_MANIFEST] = { op_manifest, REPOSITORY | REFERENCE, "reading manifest %s of %s" },
	[REGISTRY_BLOB] = { op_blob, REPOSITORY | DIGEST, "downloading %s of %s" },
	[REGISTRY_UPLOAD] = { op_upload, REPOSITORY | DIGEST, "uploading %s to %s" },
	[REGISTRY_MOUNT] = { op_mount, REPOSITORY | DIGEST, "mounting %s in %s" },
	[REGISTRY_PUT] = { op_put, REPOSITORY | REFERENCE, "writing manifest %s of %s" },
	[REGISTRY_TAGS] = { op_tags, REPOSITORY, "listing tags of%.0s %s" },
	[REGISTRY_CATALOG] = { op_catalog, 0, "listing repositories of%.0s %s" },
	[REGISTRY_REFERRERS] = { op_referrers, REPOSITORY | DIGEST,
				 "listing referrers of %s in %s" },
	[REGISTRY_SEARCH] = { op_search, 0, "searching%.0s %s" },
	[REGISTRY_DELETE] = { op_delete, REPOSITORY | EITHER, "deleting %s from %s" },
	[REGISTRY_PING] = { op_ping, 0, "asking%.0s %s" },
};

char *job_place(const struct job *job)
{
	cleanup_free char *host = url_host_port(&job->origin->url);

	return job->ep->repository ? xasprintf("%s/%s", host, job->ep->repository) : take_ptr(host);
}

/* A path of the registry is made of these: they must not say anything else in it. */
static bool repository_valid(const char *name)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyz0123456789._-/";

	return name && strlen(name) <= REFERENCE_NAME_MAX && strspn(name, chars) == strlen(name) &&
	       name[0] != '/' && !str_ends(name, "/") && !strstr(name, "//") &&
	       !strstr(name, "..") && !str_starts(name, "./") && !strstr(name, "/./");
}

static int job_check(const struct job *job, const struct op *op, struct err *err)
{
	const struct registry_request *req = &job->req;
	bool reference =
	    req->reference && (digest_valid(req->reference) || reference_tag_valid(req->reference));

	if (registry_op_has_fd(req->op) && job->fd < 0)
		return err_fail(err, ERR_INVALID, "the request came without a file descriptor");
	if ((op->needs & REPOSITORY) && !repository_valid(job->ep->repository))
		return err_fail(err, ERR_INVALID, "not the name of a repository");
	if ((req->reference && !reference) || (!reference && (op->needs & REFERENCE)))
		return err_fail(err, ERR_INVALID, "neither a tag nor a digest");
	if ((req->digest && !digest_valid(req->digest)) || (!req->digest && (op->needs & DIGEST)))
		return err_fail(err, ERR_INVALID, "not a digest");
	if ((op->needs & EITHER) && !req->reference && !req->digest)
		return err_fail(err, ERR_INVALID, "neither a reference nor a digest");
	if (req->from && !repository_valid(req->from))
		return err_fail(err, ERR_INVALID, "not the name of a repository to mount from");
	return 0;
}

/* "sha256:0123456789ab" is enough of a digest for people. */
static void short_name(const struct registry_request *req, char out[REFERENCE_NAME_MAX])
{
	const char *name = req->reference ? req->reference : req->digest ? req->digest : "";

	if (digest_valid(name))
		snprintf(out, REFERENCE_NAME_MAX, "%.*s", (int)(digest_hex(name) - name) + 12,
			 name);
	else
		snprintf(out, REFERENCE_NAME_MAX, "%s", name);
}

static int job_wrap(struct job *job, const struct op *op, int r, struct err *err)
{
	cleanup_free char *place = job_place(job);
	char name[REFERENCE_NAME_MAX];

	short_name(&job->req, name);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	return err_wrap(err, r, op->doing, name, place);
#pragma GCC diagnostic pop
}

static int job_try(struct job *job, const struct registry_endpoint *ep, struct err *err)
{
	const struct op *op = &ops[job->req.op];

	job->ep = ep;
	job->answer.error.after = 0;
	job_set(&job->answer.error.code, NULL);
	job_set(&job->answer.endpoint, ep->url);
	job->origin = session_origin(job->session, ep, err);
	if (!job->origin)
		return -EINVAL;
	job->http = session_take_http(job->session, job->origin);
	int r = job_check(job, op, err);
	if (r == 0)
		r = op->run(job, err);
	session_give_http(job->session, take_ptr(job->http), job->origin);
	return r < 0 ? job_wrap(job, op, r, err) : 0;
}

void job_run(struct job *job)
{
	struct registry_error *error = &job->answer.error;
	struct err err = ERR_INIT;
	int r = 0;

	for (size_t i = 0; i < job->req.endpoints.n; i++) {
		err = (struct err)ERR_INIT;
		job->last = i + 1 == job->req.endpoints.n;
		r = job_try(job, &job->req.endpoints.items[i], &err);
		/* Nobody reads any more: no other endpoint can help that. */
		if (r >= 0 || r == -EPIPE)
			break;
		if (!job->last)
			job_notice(job, "%s; trying %s", err.msg,
				   job->req.endpoints.items[i + 1].url);
	}
	/* Readers see the end of a blob before they hear that it is whole. */
	job->fd = fd_close(job->fd);
	job->answer.ok = r >= 0;
	if (r < 0) {
		error->kind = (int)err.kind;
		error->errnum = err.errnum > 0 ? err.errnum : -r;
		job_set(&error->message, err.msg);
		job_set(&error->hint, err.hint[0] ? err.hint : NULL);
	} else {
		job_set(&error->code, NULL);
		error->after = 0;
	}
	session_answer(job->session, &job->answer);
}
