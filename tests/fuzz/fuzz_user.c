/* SPDX-License-Identifier: Apache-2.0 */
/* "user[:group]", passwd and group of a root filesystem, as three parts cut at a 0xff byte. */
#include "base/str.h"
#include "oci/user.h"

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
	if (user_resolve_group(spec, &files, &gid, &err) == 0 && gid == UINT32_MAX)
		abort();
	return 0;
}
