/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/auth_file.h"

#include "base/base64.h"
#include "base/str.h"

#define HUB        "docker.io"
#define HUB_SERVER "https://index.docker.io/v1/"

struct entry {
	char *auth, *username, *password, *identity_token, *registry_token;
};
static const struct json_field entry_fields[] = {
	JSON_FIELD(struct entry, auth, "auth", JSON_STR),
	JSON_FIELD(struct entry, username, "username", JSON_STR),
	JSON_FIELD(struct entry, password, "password", JSON_STR),
	JSON_FIELD(struct entry, identity_token, "identitytoken", JSON_STR),
	JSON_FIELD(struct entry, registry_token, "registrytoken", JSON_STR),
};
static const struct json_desc entry_desc = JSON_DESC(struct entry, entry_fields);

static const struct json_field file_fields[] = {
	JSON_FIELD(struct auth_file, auths, "auths", JSON_RAW_MAP),
	JSON_FIELD(struct auth_file, helpers, "credHelpers", JSON_MAP),
	JSON_FIELD(struct auth_file, store, "credsStore", JSON_STR),
};
static const struct json_desc file_desc = JSON_DESC(struct auth_file, file_fields);

static const struct json_field members_fields[] = {
	JSON_FIELD(struct auth_file, members, NULL, JSON_RAW_MAP),
};
static const struct json_desc members_desc = JSON_DESC(struct auth_file, members_fields);

static const struct json_field auths_fields[] = {
	JSON_FIELD(struct auth_file, auths, NULL, JSON_RAW_MAP),
};
static const struct json_desc auths_desc = JSON_DESC(struct auth_file, auths_fields);

void registry_auth_done(struct registry_auth *auth)
{
	char **const secrets[] = { &auth->username, &auth->password, &auth->identity_token,
				   &auth->registry_token };

	for (size_t i = 0; i < ARRAY_SIZE(secrets); i++) {
		if (*secrets[i])
			explicit_bzero(*secrets[i], strlen(*secrets[i]));
		free(*secrets[i]);
		*secrets[i] = NULL;
	}
}

/* ---- the file ---- */

int auth_file_parse(const char *text, size_t len, const char *what, struct auth_file *ret,
		    struct err *err)
{
	struct auth_file file = { 0 }, members = { 0 };
	int r;

	if (len > AUTH_FILE_MAX)
		return err_fail(err, ERR_LIMIT, "%s: larger than %u bytes", what, AUTH_FILE_MAX);
	r = json_parse(&file_desc, &file, text, len, what, err);
	if (r == 0)
		r = json_parse(&members_desc, &members, text, len, what, err);
	if (r < 0) {
		auth_file_done(&file);
		return r;
	}
	file.members = members.members;
	*ret = file;
	return 0;
}

void auth_file_write(const struct auth_file *file, struct buf *out)
{
	struct auth_file copy = { 0 };
	cleanup_buf struct buf auths = BUF_INIT;

	json_write(&auths_desc, file, 0, &auths);
	for (size_t i = 0; i < file->members.n; i++)
		json_map_set(&copy.members, file->members.items[i].key,
			     file->members.items[i].value);
	json_map_set(&copy.members, "auths", buf_str(&auths));
	json_write(&members_desc, &copy, JSON_PRETTY | JSON_NEWLINE, out);
	json_map_done(&copy.members);
}

void auth_file_done(struct auth_file *file)
{
	json_map_done(&file->members);
	json_map_done(&file->auths);
	json_map_done(&file->helpers);
	free(file->store);
	*file = (struct auth_file){ 0 };
}

/* ---- names ---- */

const char *auth_server_name(const char *host)
{
	return str_eq(host, HUB) ? HUB_SERVER : host;
}

/* The host of an entry in an old form, "https://host/v1/", or with nothing but the host. */
static char *entry_host(const char *key)
{
	const char *rest = str_after(key, "https://");
	char *host;

	if (!rest)
		rest = str_after(key, "http://");
	if (!rest && strchr(key, '/'))
		return NULL;
	if (!rest)
		rest = key;
	host = xstrndup(rest, strcspn(rest, "/"));
	if (str_eq(host, "index.docker.io") || str_eq(host, "registry-1.docker.io")) {
		free(host);
		host = xstrdup(HUB);
	}
	return host;
}

/* By the name itself, then without its last component, and so on. */
static const char *find_text(const struct auth_file *file, const char *name)
{
	cleanup_free char *part = xstrdup(name);
	const char *text;

	for (;;) {
		char *slash = strrchr(part, '/');

		text = json_map_get(&file->auths, part);
		if (text || !slash)
			break;
		*slash = '\0';
	}
	for (size_t i = 0; !text && i < file->auths.n; i++) {
		cleanup_free char *host = entry_host(file->auths.items[i].key);

		if (str_eq(host, part))
			text = file->auths.items[i].value;
	}
	return text;
}

/* ---- entries ---- */

/* "user:password" in base64. docker pads the password with NUL bytes. */
static int decode_auth(const char *text, struct registry_auth *ret)
{
	cleanup_buf struct buf plain = BUF_INIT;
	char *colon = NULL;

	if (base64_decode(text, strlen(text), &plain) == 0)
		colon = plain.len ? memchr(plain.data, ':', plain.len) : NULL;
	while (colon && plain.len > 0 && plain.data[plain.len - 1] == '\0')
		plain.len--;
	/* nothing but an identity token has no password */
	if (!colon || strlen(plain.data) < plain.len) {
		if (plain.data)
			explicit_bzero(plain.data, plain.len);
		return -EINVAL;
	}
	*colon = '\0';
	ret->username = xstrdup(plain.data);
	ret->password = xstrdup(colon + 1);
	explicit_bzero(plain.data, plain.len);
	return 0;
}

static void take_entry(struct entry *e, struct registry_auth *ret)
{
	if (e->username && e->password && !ret->username) {
		ret->username = take_ptr(e->username);
		ret->password = take_ptr(e->password);
	}
	if (e->identity_token && *e->identity_token)
		ret->identity_token = take_ptr(e->identity_token);
	if (e->registry_token && *e->registry_token)
		ret->registry_token = take_ptr(e->registry_token);
}

int auth_file_find(const struct auth_file *file, const char *name, const char *what,
		   struct registry_auth *ret, struct err *err)
{
	const char *text = find_text(file, name);
	struct registry_auth auth = { 0 };
	struct entry e = { 0 };
	int r;

	if (!text)
		return 0;
	r = json_parse(&entry_desc, &e, text, strlen(text), name, err);
	if (r < 0)
		return err_wrap(err, r, "%s: auths", what);
	if (e.auth && *e.auth)
		r = decode_auth(e.auth, &auth);
	if (r < 0)
		r = err_fail(err, ERR_INVALID,
			     "%s: auths: %s: expected \"auth\" to be base64 of user:password", what,
			     name);
	else
		take_entry(&e, &auth);
	if (e.auth)
		explicit_bzero(e.auth, strlen(e.auth));
	json_free(&entry_desc, &e);
	if (r < 0)
		return r;
	*ret = auth;
	return auth.username || auth.identity_token || auth.registry_token;
}

const char *auth_file_helper(const struct auth_file *file, const char *host)
{
	const char *helper = json_map_get(&file->helpers, host);

	if (!helper)
		helper = json_map_get(&file->helpers, auth_server_name(host));
	if (!helper && str_eq(host, HUB))
		helper = json_map_get(&file->helpers, "index.docker.io");
	return helper && *helper ? helper : NULL;
}

void auth_file_set(struct auth_file *file, const char *name, const struct registry_auth *auth)
{
	cleanup_buf struct buf plain = BUF_INIT;
	cleanup_buf struct buf encoded = BUF_INIT;
	cleanup_buf struct buf text = BUF_INIT;
	struct entry e = { .identity_token = auth->identity_token };

	buf_addf(&plain, "%s:%s", auth->username ? auth->username : "",
		 auth->password && !auth->identity_token ? auth->password : "");
	base64_encode(plain.data, plain.len, &encoded);
	e.auth = encoded.data;
	json_write(&entry_desc, &e, 0, &text);
	json_map_set(&file->auths, name, buf_str(&text));
	explicit_bzero(plain.data, plain.len);
	explicit_bzero(encoded.data, encoded.len);
	explicit_bzero(text.data, text.len);
}

bool auth_file_remove(struct auth_file *file, const char *name)
{
	bool removed = json_map_remove(&file->auths, name);
	size_t i = 0;

	if (strchr(name, '/'))
		return removed;
	while (i < file->auths.n) {
		cleanup_free char *host = entry_host(file->auths.items[i].key);

		if (str_eq(host, name))
			removed = json_map_remove(&file->auths, file->auths.items[i].key);
		else
			i++;
	}
	return removed;
}
