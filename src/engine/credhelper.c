/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/credhelper.h"

#include <signal.h>

#include "base/path.h"
#include "base/proc.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/auth_file.h"

#define PREFIX     "docker-credential-"
#define TOKEN_USER "<token>"
#define ANSWER_MAX (256u << 10)
#define TIMEOUT_MS 120000 /* somebody may have to unlock a key ring */
#define SHOWN_MAX  200

struct answer {
	char *server, *username, *secret;
};
static const struct json_field answer_fields[] = {
	JSON_FIELD(struct answer, server, "ServerURL", JSON_STR),
	JSON_FIELD(struct answer, username, "Username", JSON_STR, .flags = JSON_REQUIRED),
	JSON_FIELD(struct answer, secret, "Secret", JSON_STR, .flags = JSON_REQUIRED),
};
static const struct json_desc answer_desc = JSON_DESC(struct answer, answer_fields);

int credhelper_parse(const char *text, size_t len, struct registry_auth *ret, struct err *err)
{
	struct answer a = { 0 };
	int r = json_parse(&answer_desc, &a, text, len, "answer", err);

	if (r < 0)
		return r;
	*ret = (struct registry_auth){ 0 };
	if (str_eq(a.username, TOKEN_USER)) {
		ret->identity_token = a.secret;
		free(a.username);
	} else {
		ret->username = a.username;
		ret->password = a.secret;
	}
	free(a.server);
	return 0;
}

/* The helper's name comes from a file: it must not lead out of PATH. */
static int find_program(const char *helper, char **ret, struct err *err)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_.-";
	cleanup_free char *name = xasprintf(PREFIX "%s", helper);
	const char *path = getenv("PATH");
	cleanup_strv char **dirs = strv_split(path ? path : "/usr/local/bin:/usr/bin:/bin", ':');

	if (!*helper || strspn(helper, allowed) != strlen(helper))
		return err_fail(err, ERR_INVALID, "\"%.100s\" is no name of a credential helper",
				helper);
	for (size_t i = 0; dirs[i]; i++) {
		cleanup_free char *file = path_join(dirs[i], name);

		if (dirs[i][0] == '/' && access(file, X_OK) == 0) {
			*ret = take_ptr(file);
			return 0;
		}
	}
	return err_fail(err, ERR_NOT_FOUND, "credential helper %s is not installed", name);
}

/* Returns the exit status. */
static int ask(const char *helper, const char *verb, const struct buf *in, struct buf *out,
	       struct err *err)
{
	cleanup_free char *path = NULL;
	cleanup_strv char **argv = NULL;
	struct proc_spawn spec = PROC_SPAWN_INIT;
	int r;

	r = find_program(helper, &path, err);
	if (r < 0)
		return r;
	strv_addf(&argv, PREFIX "%s", helper);
	strv_add(&argv, verb);
	spec.path = path;
	spec.argv = argv;
	spec.pdeath_signal = SIGKILL;
	r = proc_run(&spec, in, out, ANSWER_MAX, TIMEOUT_MS, err);
	return r < 0 ? err_wrap(err, r, "asking " PREFIX "%s", helper) : r;
}

/* What it says on stdout is its error message. */
static int fail_status(const char *helper, const char *verb, int status, const struct buf *out,
		       struct err *err)
{
	cleanup_free char *text = xstrndup(buf_str(out), strcspn(buf_str(out), "\r\n"));

	str_mask_controls(text, "");
	return err_fail(err, ERR_SYSTEM, PREFIX "%s %s: %.*s", helper, verb, SHOWN_MAX,
			*text         ? text
			: status == 1 ? "failed"
				      : "ended with an error");
}

static bool says_not_found(const struct buf *out)
{
	return str_starts(buf_str(out), "credentials not found in native keychain");
}

static void wipe(struct buf *b)
{
	if (b->data)
		explicit_bzero(b->data, b->len);
	buf_done(b);
}

int credhelper_get(const char *helper, const char *server, struct registry_auth *ret,
		   struct err *err)
{
	CLEANUP(wipe) struct buf out = BUF_INIT;
	cleanup_buf struct buf in = BUF_INIT;
	struct registry_auth auth = { 0 };
	int r;

	buf_adds(&in, server);
	r = ask(helper, "get", &in, &out, err);
	if (r < 0)
		return r;
	if (r > 0)
		return says_not_found(&out) ? 0 : fail_status(helper, "get", r, &out, err);
	r = credhelper_parse(buf_str(&out), out.len, &auth, err);
	if (r < 0)
		return err_wrap(err, r, PREFIX "%s get", helper);
	if (!auth.identity_token && (!*auth.username || !*auth.password)) {
		registry_auth_done(&auth);
		return 0;
	}
	*ret = auth;
	return 1;
}

int credhelper_store(const char *helper, const char *server, const struct registry_auth *auth,
		     struct err *err)
{
	CLEANUP(wipe) struct buf in = BUF_INIT;
	cleanup_buf struct buf out = BUF_INIT;
	cleanup_free char *name = xstrdup(server);
	char token[] = TOKEN_USER;
	struct answer a = { .server = name, .username = auth->username, .secret = auth->password };
	int r;

	if (auth->identity_token) {
		a.username = token;
		a.secret = auth->identity_token;
	}
	json_write(&answer_desc, &a, 0, &in);
	r = ask(helper, "store", &in, &out, err);
	return r > 0 ? fail_status(helper, "store", r, &out, err) : r;
}

int credhelper_erase(const char *helper, const char *server, struct err *err)
{
	cleanup_buf struct buf in = BUF_INIT;
	cleanup_buf struct buf out = BUF_INIT;
	int r;

	buf_adds(&in, server);
	r = ask(helper, "erase", &in, &out, err);
	if (r > 0 && !says_not_found(&out))
		return fail_status(helper, "erase", r, &out, err);
	return r < 0 ? r : 0;
}
