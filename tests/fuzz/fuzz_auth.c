/* SPDX-License-Identifier: Apache-2.0 */
/* auth.json, docker's config.json, and what credential helpers answer. */
#include "base/str.h"
#include "engine/auth_file.h"
#include "engine/credhelper.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void find(const struct auth_file *file, const char *name)
{
	struct registry_auth auth = { 0 };
	struct err err = ERR_INIT;
	int r = auth_file_find(file, name, "file", &auth, &err);

	if (r > 0 && !auth.username && !auth.identity_token && !auth.registry_token)
		abort();
	if (r < 0 && (!*err.msg || auth.username))
		abort();
	registry_auth_done(&auth);
}

/* What is written reads back, with one entry more. */
static void change(struct auth_file *file)
{
	struct registry_auth auth = { .username = xstrdup("u"), .password = xstrdup("p") };
	struct registry_auth back = { 0 };
	struct auth_file again = { 0 };
	struct err err = ERR_INIT;
	struct buf text = BUF_INIT;

	auth_file_set(file, "new.example/x", &auth);
	auth_file_write(file, &text);
	if (text.len <= AUTH_FILE_MAX) {
		if (auth_file_parse(buf_str(&text), text.len, "again", &again, &err) < 0 ||
		    again.auths.n != file->auths.n ||
		    auth_file_find(&again, "new.example/x/y", "again", &back, &err) != 1 ||
		    !str_eq(back.password, "p") || !auth_file_remove(&again, "new.example/x"))
			abort();
	}
	registry_auth_done(&auth);
	registry_auth_done(&back);
	auth_file_done(&again);
	buf_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct registry_auth auth = { 0 };
	struct auth_file file = { 0 };
	struct err err = ERR_INIT;

	if (auth_file_parse((const char *)data, size, "file", &file, &err) == 0) {
		for (size_t i = 0; i < file.auths.n && i < 20; i++)
			find(&file, file.auths.items[i].key);
		find(&file, "docker.io/library/debian");
		find(&file, "a.example/team/app");
		auth_file_helper(&file, "docker.io");
		change(&file);
		auth_file_remove(&file, "docker.io");
	}
	auth_file_done(&file);
	if (credhelper_parse((const char *)data, size, &auth, &err) == 0 && !auth.identity_token &&
	    (!auth.username || !auth.password))
		abort();
	registry_auth_done(&auth);
	return 0;
}
