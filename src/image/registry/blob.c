/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Downloading a blob: a stream into the request's fd, taken up again where it broke off, by a range
 * request; whoever does not do ranges sends all of it once more and what is known is skipped.
 */
#include <inttypes.h>

#include "base/str.h"
#include "image/registry/call.h"

struct blob {
	struct job *job;
	uint64_t start, pos; /* next byte to hand on; pos at the start of this try */
	uint64_t skip;       /* bytes of this answer that were handed on before */
	uint64_t end;        /* of the blob, when known */
	bool known;
	bool ranged;     /* this try asked for a range */
	bool no_range;   /* the server's ranges can't be used */
	bool bad_range;  /* found in this try */
	char *etag;      /* a strong one, of the first answer */
	const char *url; /* of whoever has it instead of the registry, or NULL */
};

static int wrong_length(struct blob *b, uint64_t says, struct err *err)
{
	return err_fail(err, ERR_CORRUPT,
			"the registry sends %" PRIu64 " bytes, but it has %" PRIu64, says, b->end);
}

static int accept_whole(struct blob *b, const struct http_reply *reply, struct err *err)
{
	const char *etag = reply->headers[HEADER_ETAG];

	if (b->known && reply->has_length && reply->length != b->end)
		return wrong_length(b, reply->length, err);
	if (!b->known && reply->has_length) {
		uint64_t limit = b->job->req.limit;
		if (limit > 0 && reply->length > limit)
			return err_fail(err, ERR_LIMIT, "it has more than %" PRIu64 " bytes",
					limit);
		b->end = reply->length;
		b->known = true;
	}
	if (etag && etag[0] == '"' && !b->etag && header_value_valid(etag))
		b->etag = xstrdup(etag);
	b->skip = b->pos;
	return 1;
}

static int accept_part(struct blob *b, const struct http_reply *reply, struct err *err)
{
	const char *value = reply->headers[HEADER_CONTENT_RANGE];
	struct content_range range;

	bool good = b->ranged && value && content_range_parse(value, &range) == 0 &&
		    range.has_range && range.first == b->pos;
	if (good && range.has_total && b->known && range.total != b->end)
		return wrong_length(b, range.total, err);
	if (good && b->known && range.last >= b->end)
		good = false;
	if (!good) {
		b->bad_range = true;
		return err_fail(err, ERR_INVALID,
				"the registry sends another range than asked for");
	}
	if (!b->known && range.has_total) {
		b->end = range.total;
		b->known = true;
	}
	b->skip = 0;
	return 1;
}

static int blob_accept(void *arg, const struct http_reply *reply, struct err *err)
{
	struct blob *b = arg;

	if (reply->status == 200)
		return accept_whole(b, reply, err);
	if (reply->status == 206)
		return accept_part(b, reply, err);
	return 0;
}

static int blob_data(void *arg, const char *data, size_t len, struct err *err)
{
	struct blob *b = arg;
	uint64_t limit = b->known ? b->end : b->job->req.limit;

	if (b->skip >= len) {
		b->skip -= len;
		return 0;
	}
	data += b->skip;
	len -= b->skip;
	b->skip = 0;
	if ((b->known || limit > 0) && len > limit - b->pos)
		return err_fail(err, ERR_CORRUPT, "the registry sends more than %" PRIu64 " bytes",
				limit);
	int r = job_write(b->job, data, len, err);
	if (r == 0)
		b->pos += len;
	return r;
}

static int blob_try(struct blob *b, struct call *call, struct err *err)
{
	const struct job *job = b->job;

	b->start = b->pos;
	b->bad_range = false;
	b->ranged = b->pos > 0 && !b->no_range;
	call_init(call, "GET",
		  b->url ? xstrdup(b->url)
			 : xasprintf("/v2/%s/blobs/%s", job->ep->repository, job->req.digest));
	if (!b->url)
		call->scopes = call_scope(job->ep->repository, "pull");
	call->x.accept = blob_accept;
	call->x.data = blob_data;
	call->x.arg = b;
	if (b->ranged) {
		call_header(call, "Range: bytes=%" PRIu64 "-", b->pos);
		if (b->etag)
			call_header(call, "If-Range: %s", b->etag);
	}
	int r = call_try(b->job, call, err);
	/* An end that came too early, of an answer that did not say its length. */
	int status = call->x.reply.status;
	if (r == 0 && (status == 200 || status == 206) && b->known && b->pos < b->end) {
		call->x.failure = HTTP_BROKEN;
		r = err_fail(err, ERR_CORRUPT, "it ended after %" PRIu64 " of %" PRIu64 " bytes",
			     b->pos, b->end);
	}
	return r;
}

/* Is all of it there although the registry says that there is no such range? */
static bool is_complete(const struct blob *b, const struct call *call)
{
	const char *value = call->x.reply.headers[HEADER_CONTENT_RANGE];
	struct content_range range;

	if (call->x.reply.status != 416 || !b->ranged)
		return false;
	return value && content_range_parse(value, &range) == 0 && !range.has_range &&
	       range.total == b->pos && (!b->known || b->end == b->pos);
}

static int blob_loop(struct blob *b, struct err *err)
{
	struct retry retry = { 0 };
	bool again;
	int r;

	do {
		struct call call;
		*err = (struct err)ERR_INIT;
		r = blob_try(b, &call, err);
		int status = call.x.reply.status;
		if (b->pos - b->start >= PROGRESS_MIN)
			retry.tries = 0;
		again = false;
		if ((b->bad_range || (r == 0 && status == 416)) && b->ranged &&
		    !is_complete(b, &call))
			again = b->no_range = true;
		else if (r == 0 && is_complete(b, &call))
			r = 0;
		else if (!call_again(b->job, &call, &retry, r, err))
			r = r == 0 && status != 200 && status != 206
				? call_error(b->job, &call, err)
				: r;
		else
			again = true;
		call_done(&call);
	} while (again);
	return r;
}

/* A foreign layer is where its owner says. The registry's own answer is the better error. */
static int blob_elsewhere(struct blob *b, int r, struct err *err)
{
	char *const *urls = b->job->req.urls;

	for (size_t i = 0; urls && urls[i] && i < REGISTRY_URLS_MAX; i++) {
		struct err own = ERR_INIT;
		int again;

		if (strlen(urls[i]) > REGISTRY_URL_MAX || !str_starts(urls[i], "http"))
			continue;
		b->url = urls[i];
		b->no_range = false;
		free(take_ptr(b->etag));
		again = blob_loop(b, &own);
		if (again == 0 || again == -EPIPE)
			return again;
		job_notice(b->job, "%s has it not either: %s", urls[i], own.msg);
	}
	return r;
}

int op_blob(struct job *job, struct err *err)
{
	const struct registry_request *req = &job->req;
	struct blob b = { .job = job, .end = req->size, .known = req->size > 0 };

	/* Another endpoint goes on where the one before it stopped. */
	b.pos = job->answer.done > req->offset ? job->answer.done : req->offset;
	if (b.known && b.pos > b.end)
		return err_fail(err, ERR_INVALID, "it has %" PRIu64 " bytes, not %" PRIu64, b.end,
				b.pos);
	int r = b.known && b.pos == b.end ? 0 : blob_loop(&b, err);
	if (r < 0 && job->last && err->kind == ERR_NOT_FOUND)
		r = blob_elsewhere(&b, r, err);
	job->answer.done = b.pos;
	job->answer.size = b.pos;
	free(b.etag);
	return r;
}
