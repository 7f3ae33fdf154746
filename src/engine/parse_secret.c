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

static int option(struct secret_request *q, const char *word, const char *text, struct err *err)
{
	const char *value = strchr(word, '=');
	cleanup_free char *key = value ? xstrndup(word, (size_t)(value - word)) : xstrdup(word);

	if (!value || !value[1])
		return wrong(text, word, err);
	value++;
	if (str_eq(key, "type")) {
		if (str_eq(value, "mount"))
			return 0;
		return str_eq(value, "env")
			   ? err_fail(err, ERR_UNSUPPORTED,
				      "invalid secret \"%s\": variables are shown by inspect and "
				      "kept by commit; use type=mount",
				      text)
			   : wrong(text, word, err);
	}
	if (str_eq(key, "source") || str_eq(key, "src") || str_eq(key, "target")) {
		char **dst = key[0] == 's' ? &q->source : &q->target;

		free(*dst);
		*dst = xstrdup(value);
		return 0;
	}
	if (str_eq(key, "uid"))
		return str_parse_u32(value, &q->uid) < 0 ? wrong(text, word, err) : 0;
	if (str_eq(key, "gid"))
		return str_parse_u32(value, &q->gid) < 0 ? wrong(text, word, err) : 0;
	if (str_eq(key, "mode") && str_parse_mode(value, &q->mode) == 0 && q->mode <= 0777)
		return 0;
	return wrong(text, word, err);
}

int secret_parse(const char *text, struct secret_request *ret, struct err *err)
{
	cleanup_secret_request struct secret_request q = { .mode = MODE_DEFAULT };
	cleanup_strv char **words = strv_split(text, ',');
	cleanup_free char *joined = NULL;
	int r = 0;

	for (size_t i = 0; r == 0 && words[i]; i++) {
		if (i == 0 && !strchr(words[0], '='))
			q.source = xstrdup(words[0]);
		else
			r = option(&q, words[i], text, err);
	}
	if (r < 0)
		return r;
	if (!q.source || !q.source[0])
		return err_fail(err, ERR_USAGE, "invalid secret \"%s\": no name", text);
	joined = path_join(SECRETS_DIR, q.target ? q.target : q.source);
	if (q.target && q.target[0] == '/') {
		free(joined);
		joined = xstrdup(q.target);
	}
	free(q.target);
	q.target = path_clean(joined);
	if (str_eq(q.target, "/") || str_eq(q.target, SECRETS_DIR))
		return err_fail(err, ERR_USAGE, "invalid secret \"%s\": the target is a directory",
				text);
	*ret = q;
	q = (struct secret_request){ 0 };
	return 0;
}
