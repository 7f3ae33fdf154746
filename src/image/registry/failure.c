/* SPDX-License-Identifier: Apache-2.0 */
#include "image/registry/failure.h"

#include <ctype.h>
#include <inttypes.h>

#include "base/str.h"
#include "base/timeutil.h"

#define TEXT_MAX 300

/* ---- the registry's own words ---- */

struct reason {
	char *code, *message;
};
struct reasons {
	JSON_LIST(struct reason) errors;
	/* of token servers */
	char *details, *error, *description, *message;
};

static const struct json_field reason_fields[] = {
	JSON_FIELD(struct reason, code, "code", JSON_RAW),
	JSON_FIELD(struct reason, message, "message", JSON_RAW),
};
static const struct json_desc reason_desc = JSON_DESC(struct reason, reason_fields);
static const struct json_field reasons_fields[] = {
	JSON_FIELD(struct reasons, errors, "errors", JSON_ARRAY, .desc = &reason_desc),
	JSON_FIELD(struct reasons, details, "details", JSON_RAW),
	JSON_FIELD(struct reasons, error, "error", JSON_RAW),
	JSON_FIELD(struct reasons, description, "error_description", JSON_RAW),
	JSON_FIELD(struct reasons, message, "message", JSON_RAW),
};
static const struct json_desc reasons_desc = JSON_DESC(struct reasons, reasons_fields);

/* A JSON string as text that can be shown; NULL when it is something else. */
static char *shown(const char *raw)
{
	struct text {
		char *text;
	} value = { NULL };
	static const struct json_field fields[] = {
		JSON_FIELD(struct text, text, "t", JSON_STR),
	};
	static const struct json_desc desc = JSON_DESC(struct text, fields);
	struct err err;

	if (!raw || raw[0] != '"' || !raw[1] || raw[1] == '"')
		return NULL;
	cleanup_free char *doc = xasprintf("{\"t\":%s}", raw);
	if (json_parse(&desc, &value, doc, strlen(doc), "text", &err) < 0 || !value.text)
		return NULL;
	size_t n = 0, len;
	while (n < TEXT_MAX && (len = str_utf8_len(value.text + n)) > 0)
		n += len;
	value.text[n] = '\0';
	return str_mask_controls(value.text, "");
}

void failure_parse(const char *body, size_t len, char **ret_code, char **ret_message)
{
	struct reasons all = { .details = NULL };
	struct err err;

	*ret_code = *ret_message = NULL;
	if (json_parse(&reasons_desc, &all, body, len, "error", &err) < 0)
		return;
	if (all.errors.n > 0) {
		*ret_code = shown(all.errors.items[0].code);
		*ret_message = shown(all.errors.items[0].message);
	} else {
		const char *const texts[] = { all.description, all.details, all.message,
					      all.error };
		for (size_t i = 0; i < ARRAY_SIZE(texts) && !*ret_message; i++)
			*ret_message = shown(texts[i]);
	}
	json_free(&reasons_desc, &all);
}

/* ---- statuses ---- */

static const struct {
	int status;
	enum err_kind kind;
	const char *name;
} statuses[] = {
	{ 400, ERR_INVALID, "Bad Request" },
	{ 401, ERR_DENIED, "Unauthorized" },
	{ 403, ERR_DENIED, "Forbidden" },
	{ 404, ERR_NOT_FOUND, "Not Found" },
	{ 405, ERR_UNSUPPORTED, "Method Not Allowed" },
	{ 406, ERR_UNSUPPORTED, "Not Acceptable" },
	{ 408, ERR_SYSTEM, "Request Timeout" },
	{ 409, ERR_CONFLICT, "Conflict" },
	{ 413, ERR_LIMIT, "Content Too Large" },
	{ 416, ERR_INVALID, "Range Not Satisfiable" },
	{ 429, ERR_LIMIT, "Too Many Requests" },
	{ 500, ERR_SYSTEM, "Internal Server Error" },
	{ 502, ERR_SYSTEM, "Bad Gateway" },
	{ 503, ERR_SYSTEM, "Service Unavailable" },
	{ 504, ERR_SYSTEM, "Gateway Timeout" },
};

const char *failure_status_name(int status)
{
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
		if (statuses[i].status == status)
			return statuses[i].name;
	return "";
}

static enum err_kind status_kind(int status, const char *code)
{
	enum err_kind kind = status >= 500 ? ERR_SYSTEM : ERR_INVALID;

	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
		if (statuses[i].status == status)
			kind = statuses[i].kind;
	if (str_eq(code, "UNSUPPORTED"))
		return ERR_UNSUPPORTED;
	if (str_eq(code, "DENIED") || str_eq(code, "UNAUTHORIZED"))
		return ERR_DENIED;
	return kind;
}

static void hint_login(struct job *job, struct err *err)
{
	cleanup_free char *host = url_host_port(&job->origin->url);
	const struct registry_auth *auth = job->ep->auth;

	if (!auth)
		err_hint(err, 0, "it may not exist, or need credentials: inro login %s", host);
	else if (auth->username)
		err_hint(err, 0, "it may not exist, or %s may not do this", auth->username);
	else
		err_hint(err, 0, "it may not exist, or the token may not do this");
}

static void hint_rate(struct job *job, struct err *err)
{
	uint64_t after = job->answer.error.after;
	char text[TIME_HUMAN_MAX];

	if (after > 0)
		err_hint(err, 0, "too many requests; try again in %s%s",
			 time_human((int64_t)after * 1000000000, text),
			 job->ep->auth ? "" : ", or log in for a higher limit");
	else
		err_hint(err, 0, "too many requests; try again later%s",
			 job->ep->auth ? "" : ", or log in for a higher limit");
}

int failure_status(struct job *job, struct call *call, struct err *err)
{
	const struct http_reply *reply = &call->x.reply;
	cleanup_free char *code = NULL, *message = NULL;
	const char *name = failure_status_name(reply->status);
	const char *after = reply->headers[HEADER_RETRY_AFTER];

	failure_parse(buf_str(&reply->body), reply->body.len, &code, &message);
	enum err_kind kind = status_kind(reply->status, code);
	cleanup_free char *other = url_host_port(&call->url);
	const char *who = call->home ? "the token server" : call->own ? "the registry" : other;
	int r = err_fail(err, kind, "%s answered %d%s%s%s%s%s%s%s", who, reply->status,
			 *name ? " " : "", name, message ? ": " : "", message ? message : "",
			 code ? " (" : "", code ? code : "", code ? ")" : "");
	job_set(&job->answer.error.code, code);
	if (!after ||
	    retry_after_parse(after, time_now_ns() / 1000000000, &job->answer.error.after) < 0)
		job->answer.error.after = 0;
	if (reply->status == 429)
		hint_rate(job, err);
	else if (kind == ERR_DENIED && (call->own || call->home))
		hint_login(job, err);
	else if (reply->status / 100 == 3)
		err_hint(err, 0, "it sends us somewhere else, which is not followed here");
	return r;
}

int failure_denied(struct job *job, struct call *call, const char *why, struct err *err)
{
	cleanup_free char *code = NULL, *message = NULL;

	failure_parse(buf_str(&call->x.reply.body), call->x.reply.body.len, &code, &message);
	cleanup_free char *host = url_host_port(&job->origin->url);
	int r = err_fail(err, ERR_DENIED, "%s%s%s%s", why, message ? " (" : "",
			 message ? message : "", message ? ")" : "");
	job_set(&job->answer.error.code, code);
	return err_hint(err, r, "log in%s: inro login %s", job->ep->auth ? " again" : "", host);
}

/* ---- no answer ---- */

int failure_transport(struct job *job, struct call *call, int r, struct err *err)
{
	cleanup_free char *host = NULL;

	if (r >= 0)
		return r;
	host = url_host_port(&job->origin->url);
	if (call->x.failure == HTTP_UNTRUSTED && call->foreign)
		return err_hint(err, err_wrap(err, r, "%s", call->url.host),
				"if that is the right one, put its CA into /etc/inro/certs.d/%s/, "
				"beside the registry's",
				host);
	if (!call->own && !call->home)
		return r;
	if (call->x.failure == HTTP_UNTRUSTED)
		return err_hint(err, r,
				"if %s is the right one, put its CA into "
				"/etc/inro/certs.d/%s/ca.crt, or allow it as insecure",
				host, host);
	if (call->x.failure == HTTP_NOT_TLS)
		return err_hint(err, r, "if %s is meant to speak plain http, allow it as insecure",
				host);
	return r;
}
