/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Uploading a blob (distribution-spec, Pushing Blobs): not at all when it is there or can be
 * mounted from another repository; else in one PUT, and in chunks where the registry or something
 * before it does not take that. What breaks off goes on from where the registry says it is.
 */
#include <inttypes.h>
#include <string.h>

#include "base/str.h"
#include "image/registry/call.h"

#define CHUNK_SIZE  (32u << 20) /* where one PUT was not taken */
#define CHUNK_LEAST (1u << 20)
#define STARTS_MAX  4 /* sessions that are begun for one blob */

struct upload {
	struct job *job;
	struct url location; /* of the session */
	uint64_t pos, chunk; /* chunk 0: all at once */
	uint64_t chunk_min;
};

static int has_blob(struct job *job, bool *ret, struct err *err)
{
	cleanup_call struct call call;

	call_init(&call, "HEAD",
		  xasprintf("/v2/%s/blobs/%s", job->ep->repository, job->req.digest));
	call.scopes = call_scope(job->ep->repository, "pull,push");
	int r = call_run(job, &call, err);
	if (r < 0)
		return r;
	if (call.x.reply.status != 200 && call.x.reply.status != 404)
		return call_error(job, &call, err);
	*ret = call.x.reply.status == 200;
	return 0;
}

/* Where the session goes on from here on. */
static int take_location(struct upload *u, struct call *call, struct err *err)
{
	const char *location = call->x.reply.headers[HEADER_LOCATION];
	struct url url = { NULL };

	if (!location)
		return err_fail(err, ERR_INVALID, "the registry does not say where to upload");
	int r = url_resolve(&call->url, location, &url, err);
	if (r < 0)
		return err_wrap(err, r, "reading where to upload");
	url_done(&u->location);
	u->location = url;
	return 0;
}

/* 1: mounted, nothing is left to do. */
static int begin(struct upload *u, bool mount, struct err *err)
{
	struct job *job = u->job;
	const char *name = job->ep->repository, *min;
	char *target = xasprintf("/v2/%s/blobs/uploads/", name);
	cleanup_call struct call call;

	call_init(&call, "POST", target);
	call.scopes = call_scope(name, "pull,push");
	if (!str_starts(job->req.digest, "sha256:")) {
		cleanup_free char *alg = xstrndup(job->req.digest, strcspn(job->req.digest, ":"));
		call.target = url_add_query(target, "digest-algorithm", alg);
		free(target);
		target = call.target;
	}
	if (mount) {
		cleanup_free char *own = take_ptr(call.scopes);
		cleanup_free char *other = call_scope(job->req.from, "pull");
		call.scopes = xasprintf("%s %s", own, other);
		call.target = url_add_query(target, "mount", job->req.digest);
		free(target);
		target = call.target;
		call.target = url_add_query(target, "from", job->req.from);
		free(target);
	}
	int r = call_run(job, &call, err);
	if (r < 0)
		return r;
	if (mount && call.x.reply.status == 201)
		return 1;
	if (call.x.reply.status != 202)
		return call_error(job, &call, err);
	min = call.x.reply.headers[HEADER_CHUNK_MIN];
	if (!min || str_parse_u64(min, &u->chunk_min) < 0)
		u->chunk_min = 0;
	u->pos = 0;
	return take_location(u, &call, err);
}

static void on_sent(void *arg, uint64_t bytes)
{
	struct upload *u = arg;

	job_progress(u->job, u->pos + bytes);
}

static void upload_call(struct upload *u, struct call *call, const char *method, char *target)
{
	call_init(call, method, target);
	call->scopes = call_scope(u->job->ep->repository, "pull,push");
	call->x.sent = on_sent;
	call->x.arg = u;
}

/* Asks how much of it is there. 1: the session is gone. */
static int ask_position(struct upload *u, struct err *err)
{
	cleanup_call struct call call;
	uint64_t pos = 0;

	upload_call(u, &call, "GET", xstrdup(u->location.text));
	int r = call_run(u->job, &call, err);
	if (r < 0)
		return r;
	const char *range = call.x.reply.headers[HEADER_RANGE];
	if (call.x.reply.status / 100 != 2 || (range && upload_range_parse(range, &pos) < 0) ||
	    pos > u->job->req.size)
		return 1;
	u->pos = pos;
	return call.x.reply.headers[HEADER_LOCATION] ? take_location(u, &call, err) : 0;
}

/* Sends bytes from pos on; all that is left with a PUT, which also ends the session. */
static int send_part(struct upload *u, uint64_t len, bool whole, struct call *call, struct err *err)
{
	char *target = whole ? url_add_query(u->location.text, "digest", u->job->req.digest)
			     : xstrdup(u->location.text);

	upload_call(u, call, whole ? "PUT" : "PATCH", target);
	call->x.body_fd = u->job->fd;
	call->x.body_offset = u->pos;
	call->x.body_size = len;
	call_header(call, "Content-Type: application/octet-stream");
	if (!whole || u->pos > 0)
		call_header(call, "Content-Range: %" PRIu64 "-%" PRIu64, u->pos, u->pos + len - 1);
	return call_try(u->job, call, err);
}

static int finish(struct upload *u, struct err *err)
{
	cleanup_call struct call call;

	upload_call(u, &call, "PUT", url_add_query(u->location.text, "digest", u->job->req.digest));
	call_header(&call, "Content-Type: application/octet-stream");
	int r = call_run(u->job, &call, err);
	if (r < 0)
		return r;
	return call.x.reply.status / 100 == 2 ? 0 : call_error(u->job, &call, err);
}

enum { DONE, GO_ON, START_AGAIN };

/* After an answer that is no success: smaller pieces, where that may be the reason. */
static int refused(struct upload *u, struct call *call, struct err *err)
{
	int status = call->x.reply.status;
	uint64_t least = u->chunk_min > CHUNK_LEAST ? u->chunk_min : CHUNK_LEAST;

	if (status == 416)
		return START_AGAIN;
	if (u->chunk == 0 && (status == 400 || status == 404 || status == 405 || status == 411 ||
			      status == 413 || status == 415 || status == 501)) {
		u->chunk = u->chunk_min > CHUNK_SIZE ? u->chunk_min : CHUNK_SIZE;
		return START_AGAIN;
	}
	if (status == 413 && u->chunk / 2 >= least) {
		u->chunk /= 2;
		return START_AGAIN;
	}
	return call_error(u->job, call, err);
}

/* One request that carries bytes. */
static int step(struct upload *u, struct retry *retry, struct err *err)
{
	uint64_t left = u->job->req.size - u->pos, before = u->pos;
	bool whole = u->chunk == 0 && u->pos == 0;
	uint64_t len = u->chunk > 0 && u->chunk < left ? u->chunk : left;
	struct call call;

	if (left == 0) {
		int r = finish(u, err);
		return r < 0 ? r : DONE;
	}
	int r = send_part(u, len, whole, &call, err);
	int status = call.x.reply.status;
	if (r == 0 && status / 100 == 2) {
		u->pos += len;
		r = whole ? DONE : take_location(u, &call, err);
		if (r == 0 && !whole)
			r = GO_ON;
		retry->tries = 0;
	} else if (call_again(u->job, &call, retry, r, err)) {
		/* It goes on where the registry is, or from the start. One that loses what it has
		 * said that it has may do that a few times only. */
		r = ask_position(u, err);
		if (r == 1 || (r == 0 && u->pos < before))
			r = START_AGAIN;
		else if (r == 0)
			r = GO_ON;
		if (r == GO_ON && u->pos - before >= PROGRESS_MIN)
			retry->tries = 0;
	} else if (r == 0) {
		r = refused(u, &call, err);
	}
	call_done(&call);
	return r;
}

static int upload_all(struct upload *u, struct err *err)
{
	struct retry retry = { 0 };
	int starts = 1, r = GO_ON;

	while (r > DONE) {
		*err = (struct err)ERR_INIT;
		r = step(u, &retry, err);
		/* Sessions may be lost as often as tries are allowed, but not for ever. */
		if (r == START_AGAIN) {
			if (++starts > STARTS_MAX + u->job->session->retries)
				return err_fail(err, ERR_SYSTEM,
						"the registry loses the upload again and again");
			r = begin(u, false, err);
			if (r == 0)
				r = GO_ON;
		}
	}
	return r;
}

/* The registry need not wait for the rest; whether it hears that does not matter. */
static void cancel(struct upload *u)
{
	cleanup_call struct call call;
	struct err err = ERR_INIT;

	if (!u->location.text)
		return;
	upload_call(u, &call, "DELETE", xstrdup(u->location.text));
	call_try(u->job, &call, &err);
}

int op_upload(struct job *job, struct err *err)
{
	struct upload u = { .job = job, .chunk = job->req.limit };

	int r = job->req.absent ? 0 : has_blob(job, &job->answer.exists, err);
	if (r < 0 || job->answer.exists)
		return r;
	r = begin(&u, job->req.from, err);
	/* Who may not read the other repository may still upload. */
	if (r < 0 && job->req.from && job->answer.status / 100 == 4 && job->answer.status != 429) {
		*err = (struct err)ERR_INIT;
		r = begin(&u, false, err);
	}
	if (r == 1)
		job->answer.mounted = true;
	else if (r == 0) {
		if (u.chunk > 0 && u.chunk < u.chunk_min)
			u.chunk = u.chunk_min;
		int status = job->answer.status;
		r = upload_all(&u, err);
		/* Where there was an answer, there is somebody to tell. */
		if (r < 0 && job->answer.status > 0) {
			status = job->answer.status;
			cancel(&u);
		}
		job->answer.status = status;
	}
	url_done(&u.location);
	if (r < 0)
		return r;
	job_set(&job->answer.digest, job->req.digest);
	job->answer.size = job->req.size;
	return 0;
}

/* Without bytes to upload a session that was begun is of no use. */
int op_mount(struct job *job, struct err *err)
{
	struct upload u = { .job = job };

	int r = has_blob(job, &job->answer.exists, err);
	if (r < 0 || job->answer.exists || !job->req.from)
		return r;
	r = begin(&u, true, err);
	if (r == 1)
		job->answer.mounted = true;
	else if (r == 0)
		cancel(&u);
	/* Who may not read the other repository can't mount from it. */
	else if (job->answer.status / 100 == 4 && job->answer.status != 429)
		r = 0;
	url_done(&u.location);
	return r < 0 ? r : 0;
}
