/* SPDX-License-Identifier: Apache-2.0 */
/* "user[:group]", passwd and group of a root filesystem, as three parts cut at a 0xff byte. */
#include "base/str.h"
#include "oci/user.h"
#include "oci/user_entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Nothing but a strict zero, the name of a line that says so, or an unlisted number is root. */
static void check(const char *spec, const struct user_files *files, const struct user_result *user)
{
	size_t i;

	if (user->uid == UINT32_MAX || user->gid == UINT32_MAX)
		abort();
	if (user->uid == 0 && strspn(spec, "0123456789") == strcspn(spec, ":") && *spec &&
	    !(spec[0] == '0' && (!spec[1] || spec[1] == ':')))
		abort();
	for (i = 1; i < user->groups.n; i++)
		if (user->groups.items[i - 1] >= user->groups.items[i])
			abort();
	if (user->home && user->home[0] != '/')
		abort();
	if (user->name && !files->passwd)
		abort();
}

/* Whoever gets a line is found by it, whatever stands before. */
static void check_entry(const struct user_files *files, uint32_t uid, uint32_t gid)
{
	const struct user_entry e = { "container-user", "", "/x:y", uid, gid };
	struct user_files longer = *files;
	cleanup_user struct user_result user = { 0 };
	cleanup_buf struct buf text = BUF_INIT;
	char word[16];

	if (files->passwd_len)
		buf_add(&text, files->passwd, files->passwd_len);
	user_entry_add(&text, NULL, &e);
	longer.passwd = text.data;
	longer.passwd_len = text.len;
	snprintf(word, sizeof(word), "%u", uid);
	if (user_resolve(word, &longer, &user, NULL) < 0)
		return; /* in too many groups */
	if (user.uid != uid || user.gid != gid || !user.name || strcmp(user.home, "/") != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = data + size, *cut = memchr(data, 0xff, size);
	size_t spec_len = cut ? (size_t)(cut - data) : size;
	cleanup_free char *spec = xstrndup((const char *)data, spec_len);
	cleanup_user struct user_result user = { 0 };
	struct user_files files = { 0 };
	struct err err = ERR_INIT;
	uint32_t gid;

	if (cut) {
		files.passwd = (const char *)cut + 1;
		files.passwd_len = (size_t)(end - cut) - 1;
		cut = memchr(files.passwd, 0xff, files.passwd_len);
	}
	if (cut) {
		files.passwd_len = (size_t)((const char *)cut - files.passwd);
		files.group = (const char *)cut + 1;
		files.group_len = (size_t)(end - cut) - 1;
	}
	if (user_resolve(spec, &files, &user, &err) == 0)
		check(spec, &files, &user);
	if (user.uid && !user.name)
		check_entry(&files, user.uid, user.gid);
	if (user_resolve_group(spec, &files, &gid, &err) == 0 && gid == UINT32_MAX)
		abort();
	return 0;
}
