/* SPDX-License-Identifier: Apache-2.0 */
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/parse.h"

#define SECRETS_DIR  "/run/secrets"
#define MODE_DEFAULT 0444

void secret_request_done(struct secret_request *q)
{
	free(q->source);
	free(q->target);
	*q = (struct secret_request){ 0 };
}

static int wrong(const char *text, const char *word, struct err *err)
{
	return err_fail(err, ERR_USAGE, "invalid secret \"%s\": \"%s\"", text, word);
}

struct words {
	struct secret_request q;
	bool file; /* something was said that files alone have */
};

static int option(struct words *w, const char *word, const char *text, struct err *err)
{
	const char *value = strchr(word, '=');
	cleanup_free char *key = value ? xstrndup(word, (size_t)(value - word)) : xstrdup(word);
	struct secret_request *q = &w->q;

	if (!value || !value[1])
		return wrong(text, word, err);
	value++;
	if (str_eq(key, "type")) {
		q->env = str_eq(value, "env");
		return q->env || str_eq(value, "mount") ? 0 : wrong(text, word, err);
	}
	if (str_eq(key, "source") || str_eq(key, "src") || str_eq(key, "target")) {
		char **dst = key[0] == 's' ? &q->source : &q->target;

		free(*dst);
		*dst = xstrdup(value);
		return 0;
	}
	w->file = true;
	if (str_eq(key, "uid"))
		return str_parse_u32(value, &q->uid) < 0 ? wrong(text, word, err) : 0;
	if (str_eq(key, "gid"))
		return str_parse_u32(value, &q->gid) < 0 ? wrong(text, word, err) : 0;
	if (str_eq(key, "mode") && str_parse_mode(value, &q->mode) == 0 && q->mode <= 0777)
		return 0;
	return wrong(text, word, err);
}

static int env_target(struct words *w, const char *text, struct err *err)
{
	struct secret_request *q = &w->q;

	if (w->file)
		return err_fail(err, ERR_USAGE,
				"invalid secret \"%s\": uid, gid and mode are a file's, not a "
				"variable's",
				text);
	if (!q->target)
		q->target = xstrdup(q->source);
	return strchr(q->target, '=')
		   ? err_fail(err, ERR_USAGE, "invalid secret \"%s\": no name of a variable", text)
		   : 0;
}

static int file_target(struct secret_request *q, const char *text, struct err *err)
{
	cleanup_free char *joined = path_join(SECRETS_DIR, q->target ? q->target : q->source);

	if (q->target && q->target[0] == '/') {
		free(joined);
		joined = xstrdup(q->target);
	}
	free(q->target);
	q->target = path_clean(joined);
	if (str_eq(q->target, "/") || str_eq(q->target, SECRETS_DIR))
		return err_fail(err, ERR_USAGE, "invalid secret \"%s\": the target is a directory",
				text);
	return 0;
}

static void words_done(struct words *w)
{
	secret_request_done(&w->q);
}

int secret_parse(const char *text, struct secret_request *ret, struct err *err)
{
	CLEANUP(words_done) struct words w = { .q = { .mode = MODE_DEFAULT } };
	cleanup_strv char **words = strv_split(text, ',');
	int r = 0;

	for (size_t i = 0; r == 0 && words[i]; i++) {
		if (i == 0 && !strchr(words[0], '='))
			w.q.source = xstrdup(words[0]);
		else
			r = option(&w, words[i], text, err);
	}
	if (r == 0 && (!w.q.source || !w.q.source[0]))
		r = err_fail(err, ERR_USAGE, "invalid secret \"%s\": no name", text);
	if (r == 0)
		r = w.q.env ? env_target(&w, text, err) : file_target(&w.q, text, err);
	if (r < 0)
		return r;
	*ret = w.q;
	w.q = (struct secret_request){ 0 };
	return 0;
}

void secret_hide(char *const *words, char **env)
{
	for (size_t i = 0; env && words && words[i]; i++) {
		cleanup_secret_request struct secret_request q = { 0 };

		if (secret_parse(words[i], &q, NULL) == 0 && q.env)
			strv_env_unset(env, q.target);
	}
}
