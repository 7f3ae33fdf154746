/* SPDX-License-Identifier: Apache-2.0 */
#include "image/registry/auth.h"

#include <string.h>

#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "image/registry/failure.h"

#define TOKEN_DOC_MAX (64u << 10)
#define EXPIRES_S     60 /* where the token server says nothing */
#define EXPIRES_MAX_S 86400
#define SCOPES_MAX    8
#define CLIENT_ID     "inro"

/* ---- Basic ---- */

static void add_base64(struct buf *out, const uint8_t *data, size_t len)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < len; i += 3) {
		uint32_t b = (uint32_t)data[i] << 16;
		if (i + 1 < len)
			b |= (uint32_t)data[i + 1] << 8;
		if (i + 2 < len)
			b |= data[i + 2];
		buf_addc(out, digits[b >> 18]);
		buf_addc(out, digits[b >> 12 & 63]);
		buf_addc(out, i + 1 < len ? digits[b >> 6 & 63] : '=');
		buf_addc(out, i + 2 < len ? digits[b & 63] : '=');
	}
}

static bool has_password(const struct job *job)
{
	return job->ep->auth && job->ep->auth->username && job->ep->auth->password;
}

static char *basic(const struct job *job)
{
	const struct registry_auth *auth = job->ep->auth;
	cleanup_free char *pair = xasprintf("%s:%s", auth->username, auth->password);
	struct buf out = BUF_INIT;

	buf_adds(&out, "Basic ");
	add_base64(&out, (const uint8_t *)pair, strlen(pair));
	return buf_take(&out);
}

/* ---- the token server's answer ---- */

static const struct json_field token_fields[] = {
	JSON_FIELD(struct token_answer, token, "token", JSON_STR),
	JSON_FIELD(struct token_answer, access_token, "access_token", JSON_STR),
	JSON_FIELD(struct token_answer, expires_in, "expires_in", JSON_I64),
};
static const struct json_desc token_desc = JSON_DESC(struct token_answer, token_fields);

int token_parse(const char *text, size_t len, char **ret_token, int64_t *ret_seconds,
		struct err *err)
{
	struct token_answer answer = { NULL };

	int r = json_parse(&token_desc, &answer, text, len, "token", err);
	if (r < 0)
		return r;
	char **from = answer.token && answer.token[0] ? &answer.token : &answer.access_token;
	if (!*from || !header_value_valid(*from)) {
		json_free(&token_desc, &answer);
		return err_fail(err, ERR_INVALID, "there is no usable token in the answer");
	}
	*ret_token = take_ptr(*from);
	*ret_seconds = answer.expires_in > 0 ? answer.expires_in : EXPIRES_S;
	if (*ret_seconds > EXPIRES_MAX_S)
		*ret_seconds = EXPIRES_MAX_S;
	json_free(&token_desc, &answer);
	return 0;
}

/* ---- asking for one ---- */

/* Does "type:name:pull,push" allow all that "type:name:pull" does? */
static bool scope_covers(const char *scope, const char *other)
{
	const char *actions = strrchr(scope, ':'), *wanted = strrchr(other, ':');

	if (!actions || !wanted || actions - scope != wanted - other ||
	    strncmp(scope, other, (size_t)(actions - scope)) != 0)
		return false;
	cleanup_strv char **have = strv_split(actions + 1, ',');
	cleanup_strv char **want = strv_split(wanted + 1, ',');
	for (char **w = want; *w; w++)
		if (!strv_has(have, *w))
			return false;
	return true;
}

static bool scope_listed(char *const *list, const char *scope)
{
	for (; list && *list; list++)
		if (scope_covers(*list, scope) || str_eq(*list, scope))
			return true;
	return false;
}

/* Ours and those that the challenge names. */
static char **scope_list(const char *ours, const char *asked)
{
	const char *const texts[] = { ours, asked };
	char **list = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		cleanup_strv char **words = strv_split(texts[i] ? texts[i] : "", ' ');
		for (char **w = words; *w && strv_len(list) < SCOPES_MAX; w++)
			if (**w && !scope_listed(list, *w))
				strv_add(&list, *w);
	}
	return list;
}

static char *get_target(const struct job *job, const struct challenge *c, char *const *scopes)
{
	char *target = xstrdup(c->realm);
	const struct {
		const char *name, *value;
	} fixed[] = {
		{ "service", c->service },
		{ "account", has_password(job) ? job->ep->auth->username : NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) {
		cleanup_free char *old = target;
		target = fixed[i].value ? url_add_query(old, fixed[i].name, fixed[i].value)
					: take_ptr(old);
	}
	for (char *const *s = scopes; s && *s; s++) {
		cleanup_free char *old = target;
		target = url_add_query(old, "scope", *s);
	}
	return target;
}

static char *post_form(const struct job *job, const struct challenge *c, char *const *scopes)
{
	cleanup_free char *scope = strv_join(scopes, " ");
	const struct {
		const char *name, *value;
	} fields[] = {
		{ "grant_type", "refresh_token" },
		{ "service", c->service ? c->service : "" },
		{ "client_id", CLIENT_ID },
		{ "scope", scope },
		{ "refresh_token", job->ep->auth->identity_token },
	};
	char *form = xstrdup("");

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		cleanup_free char *old = form;
		form = url_add_query(old, fields[i].name, fields[i].value);
		/* the first one began with "?", the others with "&" */
	}
	memmove(form, form + 1, strlen(form));
	return form;
}

static int realm_parse(struct job *job, const struct challenge *c, struct url *ret, struct err *err)
{
	int r = url_parse(c->realm ? c->realm : "", ret, err);

	if (r < 0)
		return err_wrap(err, r, "reading the address of the token server");
	if (ret->https || call_insecure(job, ret))
		return 0;
	r = err_fail(err, ERR_DENIED, "the registry names a token server without TLS, %s",
		     ret->host);
	url_done(ret);
	return r;
}

/* Adds the token to those kept. */
static void token_keep(struct origin *o, const char *scopes, const char *token, int64_t seconds)
{
	size_t at = 0;

	while (at < o->n_tokens && !str_eq(o->tokens[at].scopes, scopes))
		at++;
	if (at == TOKENS_MAX)
		at = 0;
	if (at < o->n_tokens) {
		free(o->tokens[at].scopes);
		free(o->tokens[at].value);
	} else {
		o->n_tokens++;
	}
	/* It must live through the request that it is for. */
	int64_t spare = seconds / 5 < 10 ? seconds / 5 : 10;
	o->tokens[at] = (struct token){
		.scopes = xstrdup(scopes),
		.value = xstrdup(token),
		.expires_ns = time_monotonic_ns() + (seconds - spare) * 1000000000,
	};
}

/* With the origin's auth_lock held. scopes: what the token is kept for. */
static int token_fetch(struct job *job, const char *scopes, char **ret, struct err *err)
{
	const struct challenge *c = &job->origin->challenge;
	bool refresh = job->ep->auth && job->ep->auth->identity_token;
	cleanup_strv char **list = scope_list(scopes, c->scope);
	cleanup_free char *form = refresh ? post_form(job, c, list) : NULL;
	cleanup_free char *authorization = !refresh && has_password(job) ? basic(job) : NULL;
	cleanup_free char *token = NULL;
	cleanup_url struct url realm = { NULL };
	cleanup_call struct call call;
	int64_t seconds;

	call_init(&call, refresh ? "POST" : "GET", NULL);
	int r = realm_parse(job, c, &realm, err);
	if (r < 0)
		return r;
	call.target = refresh ? xstrdup(c->realm) : get_target(job, c, list);
	call.home = &realm;
	call.fixed = authorization;
	call.x.limit = TOKEN_DOC_MAX;
	if (refresh) {
		call.x.body = form;
		call.x.body_size = strlen(form);
		call_header(&call, "Content-Type: application/x-www-form-urlencoded");
	}
	r = call_run(job, &call, err);
	if (r < 0)
		return err_wrap(err, r, "getting a token from %s", realm.host);
	if (call.x.reply.status / 100 != 2) {
		if (job->ep->auth && (call.x.reply.status == 401 || call.x.reply.status == 400))
			r = failure_denied(job, &call, "the token server refuses the credentials",
					   err);
		else
			r = call_error(job, &call, err);
		return err_wrap(err, r, "getting a token from %s", realm.host);
	}
	r = token_parse(buf_str(&call.x.reply.body), call.x.reply.body.len, &token, &seconds, err);
	if (r < 0)
		return err_wrap(err, r, "getting a token from %s", realm.host);
	token_keep(job->origin, scopes, token, seconds);
	*ret = xasprintf("Bearer %s", token);
	return 0;
}

/* ---- what a request gets ---- */

/* One for these scopes, or for more, that has not expired. */
static const struct token *token_find(const struct origin *o, const char *scopes)
{
	int64_t now = time_monotonic_ns();

	for (size_t i = 0; i < o->n_tokens; i++) {
		const struct token *t = &o->tokens[i];
		bool fits = str_eq(t->scopes, scopes) ||
			    (!strchr(t->scopes, ' ') && scope_covers(t->scopes, scopes));
		if (fits && t->expires_ns > now)
			return t;
	}
	return NULL;
}

int auth_get(struct job *job, const char *scopes, char **ret, struct err *err)
{
	const struct registry_auth *auth = job->ep->auth;
	struct origin *o = job->origin;
	int r = 0;

	*ret = NULL;
	if (auth && auth->registry_token) {
		if (!header_value_valid(auth->registry_token))
			return err_fail(err, ERR_INVALID, "the token has characters it can't have");
		*ret = xasprintf("Bearer %s", auth->registry_token);
		return 0;
	}
	scopes = scopes ? scopes : "";
	pthread_mutex_lock(&o->auth_lock);
	if (o->challenged && o->challenge.scheme == CHALLENGE_BASIC) {
		*ret = has_password(job) ? basic(job) : NULL;
	} else if (o->challenged) {
		const struct token *token = token_find(o, scopes);
		if (token)
			*ret = xasprintf("Bearer %s", token->value);
		else
			r = token_fetch(job, scopes, ret, err);
	}
	pthread_mutex_unlock(&o->auth_lock);
	return r;
}

static void challenge_keep(struct origin *o, const struct challenge *c)
{
	struct challenge *own = &o->challenge;

	free(own->realm);
	free(own->service);
	free(own->scope);
	free(own->error);
	*own = (struct challenge){
		.scheme = c->scheme,
		.realm = c->realm ? xstrdup(c->realm) : NULL,
		.service = c->service ? xstrdup(c->service) : NULL,
	};
	o->challenged = true;
}

/* The registry does not take it any more, whatever its time says. */
static void token_drop(struct origin *o, const char *value)
{
	for (size_t i = 0; i < o->n_tokens;) {
		if (!str_eq(o->tokens[i].value, value)) {
			i++;
			continue;
		}
		free(o->tokens[i].scopes);
		free(o->tokens[i].value);
		o->tokens[i] = o->tokens[--o->n_tokens];
	}
}

static int renew_bearer(struct job *job, const char *scopes, const struct challenge *c,
			const char *used, char **ret, struct err *err)
{
	struct origin *o = job->origin;

	if (used && str_starts(used, "Bearer "))
		token_drop(o, str_after(used, "Bearer "));
	/* Another thread may have got a new one meanwhile. */
	const struct token *token = token_find(o, scopes);
	if (token) {
		*ret = xasprintf("Bearer %s", token->value);
		return 0;
	}
	challenge_keep(o, c);
	/* For this one token also what the challenge asks for; it is another for each request. */
	o->challenge.scope = c->scope ? xstrdup(c->scope) : NULL;
	int r = token_fetch(job, scopes, ret, err);
	free(take_ptr(o->challenge.scope));
	return r;
}

int auth_renew(struct job *job, struct call *call, const char *used, char **ret, struct err *err)
{
	const struct challenges *all = &call->x.reply.challenges;
	const struct challenge *bearer = challenges_find(all, CHALLENGE_BEARER);
	const struct challenge *own = challenges_find(all, CHALLENGE_BASIC);
	const struct registry_auth *auth = job->ep->auth;
	struct origin *o = job->origin;
	int r;

	if (auth && auth->registry_token)
		return failure_denied(job, call, "the registry refuses the token", err);
	pthread_mutex_lock(&o->auth_lock);
	if (bearer) {
		r = renew_bearer(job, call->scopes ? call->scopes : "", bearer, used, ret, err);
	} else if (!own) {
		r = failure_denied(
		    job, call, "the registry wants credentials of a kind that is not known", err);
	} else if (!has_password(job)) {
		r = failure_denied(job, call, "the registry wants a user name and a password", err);
	} else if (used && str_starts(used, "Basic ")) {
		r = failure_denied(job, call, "the registry refuses the user name or the password",
				   err);
	} else {
		challenge_keep(o, own);
		*ret = basic(job);
		r = 0;
	}
	pthread_mutex_unlock(&o->auth_lock);
	return r;
}
