/* SPDX-License-Identifier: Apache-2.0 */
#include "image/registry/call.h"

#include <stdarg.h>
#include <string.h>

#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "image/registry/auth.h"
#include "image/registry/failure.h"

#define REDIRECTS_MAX 5
#define PAUSE_FIRST   250u /* ms, doubled each time */
#define PAUSE_MAX     30000u
#define AFTER_MAX_S   60u /* a registry that says more is not waited for */
#define MIRROR_TRIES  1   /* when another endpoint is left */

void call_init(struct call *call, const char *method, char *target)
{
	memset(call, 0, sizeof(*call));
	call->x.method = method;
	call->x.body_fd = -EBADF;
	call->x.limit = HTTP_ERROR_BODY_MAX;
	call->target = target;
}

void call_done(struct call *call)
{
	http_reply_done(&call->x.reply);
	url_done(&call->url);
	free(call->target);
	free(call->scopes);
	strv_free(call->headers);
	memset(call, 0, sizeof(*call));
}

void call_header(struct call *call, const char *fmt, ...)
{
	char line[URL_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	/* Much of it is somebody's word; none of it may begin another header. */
	strv_add(&call->headers, str_mask_controls(line, ""));
}

char *call_scope(const char *repository, const char *actions)
{
	return xasprintf("repository:%s:%s", repository, actions);
}

/* ---- redirects ---- */

static bool is_redirect(const struct call *call)
{
	const struct http_reply *reply = &call->x.reply;
	bool reads = str_eq(call->x.method, "GET") || str_eq(call->x.method, "HEAD");

	if (!reply->headers[HEADER_LOCATION])
		return false;
	return reply->status == 307 || reply->status == 308 ||
	       (reads && (reply->status == 301 || reply->status == 302 || reply->status == 303));
}

bool call_insecure(const struct job *job, const struct url *url)
{
	return job->origin->insecure && url_same_host(url, &job->origin->url);
}

static int url_allowed(struct job *job, const struct url *url, struct err *err)
{
	int r;

	if (url->https || call_insecure(job, url))
		return 0;
	r = err_fail(err, ERR_DENIED, "%s is to be spoken to without TLS", url->host);
	if (job->origin->insecure)
		return err_hint(err, r, "that %s is allowed as insecure holds for no other host",
				job->origin->url.host);
	return err_hint(err, r,
			"allow the registry as insecure, if the network up to it is trusted");
}

/* One exchange with url, by the rules. */
static int call_hop(struct job *job, struct call *call, const struct url *base,
		    const char *authorization, struct err *err)
{
	const unsigned int own = __atomic_load_n(&job->origin->classes, __ATOMIC_RELAXED);
	const unsigned int refused =
	    (ADDRESS_LOOPBACK | ADDRESS_LINK_LOCAL | ADDRESS_SPECIAL) & ~own;
	struct http_exchange *x = &call->x;
	const struct url *home = call->home ? call->home : base;

	int r = url_allowed(job, &call->url, err);
	if (r < 0) {
		x->failure = HTTP_GIVEN_UP;
		return r;
	}
	call->foreign = !url_same_host(&call->url, base);
	call->own = url_same_origin(&call->url, base);
	x->url = &call->url;
	x->headers = call->headers;
	x->authorization = url_same_origin(&call->url, home) ? authorization : NULL;
	x->tls = job->origin->tls ? &job->origin->tls->tls : NULL;
	x->client_cert = !call->foreign;
	x->insecure = call_insecure(job, &call->url);
	x->refused = call->foreign ? &refused : NULL;
	x->seen = call->foreign ? NULL : &job->origin->classes;
	r = http_perform(job->http, x, err);
	if (call->own && x->reply.status > 0)
		__atomic_store_n(&job->origin->answered, true, __ATOMIC_RELAXED);
	x->refused = NULL;
	x->authorization = NULL;
	return r;
}

static int call_target(struct call *call, const struct url *base, struct err *err)
{
	url_done(&call->url);
	return call->target[0] == '/' ? url_resolve(base, call->target, &call->url, err)
				      : url_parse(call->target, &call->url, err);
}

static int call_follow(struct job *job, struct call *call, const struct url *base,
		       const char *authorization, struct err *err)
{
	int r = call_target(call, base, err);

	for (int hops = 0; r == 0; hops++) {
		r = call_hop(job, call, base, authorization, err);
		if (r < 0 || !is_redirect(call))
			break;
		if (hops == REDIRECTS_MAX) {
			call->x.failure = HTTP_GIVEN_UP;
			return err_fail(err, ERR_LIMIT, "more than %d redirects", REDIRECTS_MAX);
		}
		struct url next = { NULL };
		r = url_resolve(&call->url, call->x.reply.headers[HEADER_LOCATION], &next, err);
		if (r < 0) {
			call->x.failure = HTTP_GIVEN_UP;
			return err_wrap(err, r, "following a redirect");
		}
		url_done(&call->url);
		call->url = next;
		/* What is posted to a token server is as good as a password. */
		if (call->home && call->x.body && !url_same_origin(&call->url, call->home)) {
			call->x.failure = HTTP_GIVEN_UP;
			return err_fail(err, ERR_DENIED, "it sends us to another host, %s",
					call->url.host);
		}
	}
	return r;
}

/* ---- one try ---- */

/* The first answer decides whether an insecure registry speaks TLS. https: it was asked so; calls
 * that were under way when another one found out try again, too. */
static bool try_plain(struct job *job, struct call *call, bool https, int r)
{
	struct origin *o = job->origin;
	enum http_failure failure = call->x.failure;
	bool plain = false;

	pthread_mutex_lock(&o->lock);
	if (r == 0 && !call->home && !call->foreign) {
		o->settled = true;
	} else if (r < 0 && https && o->insecure && (!o->settled || o->plain) && !call->home &&
		   !call->foreign && (failure == HTTP_NOT_TLS || failure == HTTP_UNREACHABLE)) {
		o->plain = plain = true;
	}
	pthread_mutex_unlock(&o->lock);
	return plain;
}

static void not_plain(struct origin *o)
{
	pthread_mutex_lock(&o->lock);
	if (!o->settled)
		o->plain = false;
	pthread_mutex_unlock(&o->lock);
}

static int call_ask(struct job *job, struct call *call, const char *authorization, struct err *err)
{
	struct url base = { NULL };
	struct err first = ERR_INIT;

	origin_base(job->origin, &base);
	bool https = base.https;
	int r = call_follow(job, call, &base, authorization, err);
	url_done(&base);
	if (try_plain(job, call, https, r)) {
		first = *err;
		*err = (struct err)ERR_INIT;
		origin_base(job->origin, &base);
		int again = call_follow(job, call, &base, authorization, err);
		url_done(&base);
		if (try_plain(job, call, false, again) || again < 0) {
			/* Nobody is there: what was asked for first is what is reported. */
			not_plain(job->origin);
			*err = first;
			return r;
		}
		r = again;
	}
	return r;
}

/* What the registry wants people to know, once. */
static void pass_warning(struct job *job, const struct call *call)
{
	const char *value = call->x.reply.headers[HEADER_WARNING];
	cleanup_free char *text = value && !call->foreign ? warning_parse(value) : NULL;
	struct origin *o = job->origin;

	if (!text)
		return;
	pthread_mutex_lock(&o->lock);
	bool known = str_eq(o->warning, text);
	if (!known) {
		free(o->warning);
		o->warning = xstrdup(text);
	}
	pthread_mutex_unlock(&o->lock);
	if (!known)
		job_notice(job, "the registry warns: %s", text);
}

int call_try(struct job *job, struct call *call, struct err *err)
{
	cleanup_free char *authorization = NULL;

	if (call->home) {
		int r = call_ask(job, call, call->fixed, err);
		return failure_transport(job, call, r, err);
	}
	call->x.failure = HTTP_GIVEN_UP;
	int r = auth_get(job, call->scopes, &authorization, err);
	if (r < 0)
		return r;
	r = call_ask(job, call, authorization, err);
	if (r == 0 && call->x.reply.status == 401 && call->own) {
		cleanup_free char *renewed = NULL;
		call->x.failure = HTTP_GIVEN_UP;
		job->answer.status = 401;
		r = auth_renew(job, call, authorization, &renewed, err);
		if (r < 0)
			return r;
		r = call_ask(job, call, renewed, err);
		if (r == 0 && call->x.reply.status == 401 && call->own &&
		    str_starts(renewed, "Basic "))
			return failure_denied(
			    job, call, "the registry refuses the user name or the password", err);
	}
	if (call->x.reply.status)
		job->answer.status = call->x.reply.status;
	pass_warning(job, call);
	return failure_transport(job, call, r, err);
}

/* ---- further tries ---- */

/* Nobody is there: a wrong name, or, when it was there before, a restart. */
static bool is_away(struct job *job, const struct call *call)
{
	return call->x.failure == HTTP_UNREACHABLE &&
	       __atomic_load_n(&job->origin->answered, __ATOMIC_RELAXED);
}

static bool is_temporary(struct job *job, const struct call *call, int r)
{
	static const int statuses[] = { 408, 425, 429, 500, 502, 503, 504 };

	if (r < 0)
		return call->x.failure == HTTP_BROKEN || is_away(job, call);
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
		if (call->x.reply.status == statuses[i])
			return true;
	return false;
}

/* Milliseconds; negative: not worth waiting. */
static int64_t pause_ms(const struct session *session, const struct call *call, int tries, int r)
{
	const char *after = call->x.reply.headers[HEADER_RETRY_AFTER];
	uint64_t seconds, ms = PAUSE_FIRST;

	if (r == 0 && after &&
	    retry_after_parse(after, time_now_ns() / 1000000000, &seconds) == 0) {
		if (seconds > AFTER_MAX_S)
			return -1;
		if (seconds > 0)
			return (int64_t)(seconds * 1000);
	}
	if (session->retry_delay_ms >= 0)
		return session->retry_delay_ms;
	for (int i = 1; i < tries && ms < PAUSE_MAX; i++)
		ms *= 2;
	/* A quarter more or less, so that many clients do not come back at one time. */
	return (int64_t)(ms - ms / 4 + (uint64_t)time_monotonic_ns() / 1000 % (ms / 2));
}

/* Who keeps us waiting, and why. */
static void tell_pause(struct job *job, const struct call *call, int64_t ms, int r,
		       const struct err *err)
{
	const struct url *url = call->url.host ? &call->url : &job->origin->url;
	cleanup_free char *who = url_host_port(url);
	const double seconds = (double)ms / 1000;
	const int status = call->x.reply.status;

	if (r < 0)
		job_notice(job, "trying again in %.1f s: %s%s%s", seconds,
			   strstr(err->msg, who) ? "" : who, strstr(err->msg, who) ? "" : ": ",
			   err->msg);
	else
		job_notice(job, "trying again in %.1f s: %s answered %d %s", seconds, who, status,
			   failure_status_name(status));
}

bool call_again(struct job *job, struct call *call, struct retry *retry, int r,
		const struct err *err)
{
	int max = job->last ? job->session->retries : MIRROR_TRIES;

	if (!is_temporary(job, call, r) || retry->tries >= max)
		return false;
	int64_t ms = pause_ms(job->session, call, ++retry->tries, r);
	if (ms < 0)
		return false;
	tell_pause(job, call, ms, r, err);
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		;
	return true;
}

int call_run(struct job *job, struct call *call, struct err *err)
{
	struct retry retry = { 0 };
	int r;

	do {
		*err = (struct err)ERR_INIT;
		r = call_try(job, call, err);
	} while (call_again(job, call, &retry, r, err));
	return r;
}

int call_error(struct job *job, struct call *call, struct err *err)
{
	return failure_status(job, call, err);
}
