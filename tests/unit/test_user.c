/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/str.h"
#include "oci/user.h"
#include "oci/user_entry.h"

static const char passwd_text[] = "root:x:0:0:root:/root:/bin/sh\n"
				  "# comment:x:0:0::/:/bin/sh\n"
				  "+nis:x:0:0::/:\n"
				  "\n"
				  "bad:x:0x10:0::/:\n"
				  "wrap:x:4294967296:0::/:\n"
				  "minus:x:4294967295:0::/:\n"
				  "octal:x:010:010::/:\n"
				  "short:x:7\n"
				  "alice:x:1000:1000:Alice,,,:/home/alice:/bin/bash\n"
				  "1001:x:2001:2001:::\n"
				  "few:x:1003:1004\n"
				  "relative:x:1005:1005::home:sh\n"
				  "alice:x:6:6:again:/:/\n"
				  "last:x:1009:1009::/last:/bin/last";
static const char group_text[] = "root:x:0:\n"
				 "tty:x:5:alice\n"
				 "audio:x:29:bob,alice\n"
				 "video:x:44:malice,alices\n"
				 "alice:x:1000:alice\n"
				 "again:x:29:alice\n"
				 "wheel:x:10:alice,root\n"
				 "bad:x:-1:alice\n"
				 "wrap:x:4294967296:alice\n"
				 "1000:x:3000:\n"
				 "short:x\n";

static const struct user_files files = {
	.passwd = passwd_text,
	.passwd_len = sizeof(passwd_text) - 1,
	.group = group_text,
	.group_len = sizeof(group_text) - 1,
};

static void test_resolve(void **state)
{
	static const struct {
		const char *spec;
		uint32_t uid, gid;
		size_t n_groups;
		uint32_t groups[4];
		const char *name, *home, *shell;
	} rows[] = {
		{ "", 0, 0, 1, { 10 }, "root", "/root", "/bin/sh" },
		{ "root", 0, 0, 1, { 10 }, "root", "/root", "/bin/sh" },
		{ "0", 0, 0, 1, { 10 }, "root", "/root", "/bin/sh" },
		{ "alice", 1000, 1000, 3, { 5, 10, 29 }, "alice", "/home/alice", "/bin/bash" },
		{ "1000", 1000, 1000, 3, { 5, 10, 29 }, "alice", "/home/alice", "/bin/bash" },
		{ "alice:tty", 1000, 5, 0, { 0 }, "alice", "/home/alice", "/bin/bash" },
		{ "alice:7", 1000, 7, 0, { 0 }, "alice", "/home/alice", "/bin/bash" },
		{ "1234", 1234, 0, 0, { 0 }, NULL, NULL, NULL },
		{ "1234:1234", 1234, 1234, 0, { 0 }, NULL, NULL, NULL },
		{ "1234:audio", 1234, 29, 0, { 0 }, NULL, NULL, NULL },
		{ "4294967294:4294967294", 4294967294U, 4294967294U, 0, { 0 }, NULL, NULL, NULL },
		/* digits are an id, whatever names the files have */
		{ "1001", 1001, 0, 0, { 0 }, NULL, NULL, NULL },
		{ "1234:1000", 1234, 1000, 0, { 0 }, NULL, NULL, NULL },
		{ "few", 1003, 1004, 0, { 0 }, "few", NULL, NULL },
		{ "relative", 1005, 1005, 0, { 0 }, "relative", NULL, NULL },
		{ "last", 1009, 1009, 0, { 0 }, "last", "/last", "/bin/last" },
	};
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_user struct user_result u = { 0 };
		struct err err = ERR_INIT;

		if (user_resolve(rows[i].spec, &files, &u, &err) < 0)
			fail_msg("%s: %s", rows[i].spec, err.msg);
		assert_int_equal(u.uid, rows[i].uid);
		assert_int_equal(u.gid, rows[i].gid);
		assert_int_equal(u.groups.n, rows[i].n_groups);
		for (j = 0; j < u.groups.n; j++)
			assert_int_equal(u.groups.items[j], rows[i].groups[j]);
		assert_true(str_eq(u.name, rows[i].name));
		assert_true(str_eq(u.home, rows[i].home));
		assert_true(str_eq(u.shell, rows[i].shell));
	}
}

/* CVE-2026-30892: "-u" numbers that wrapped, or were cut at the first odd letter, became root. */
static void test_cve_2026_30892_strict_numbers(void **state)
{
	static const struct {
		const char *spec;
		int kind;
	} rows[] = {
		{ "4294967296", ERR_INVALID },
		{ "4294967295", ERR_INVALID },
		{ "18446744073709551616", ERR_INVALID },
		{ "99999999999999999999999", ERR_INVALID },
		{ "-1", ERR_INVALID },
		{ "+0", ERR_INVALID },
		{ "00", ERR_INVALID },
		{ "01000", ERR_INVALID },
		{ "010", ERR_INVALID },
		{ " 0", ERR_INVALID },
		{ "0 ", ERR_INVALID },
		{ "0\n", ERR_INVALID },
		{ "0x0", ERR_NOT_FOUND },
		{ "1e3", ERR_NOT_FOUND },
		{ "1000a", ERR_NOT_FOUND },
		{ "0:4294967296", ERR_INVALID },
		{ "0:-1", ERR_INVALID },
		{ "0:00", ERR_INVALID },
		{ "0:0:0", ERR_INVALID },
		{ "wrap", ERR_NOT_FOUND },
		{ "minus", ERR_NOT_FOUND },
		{ "octal", ERR_NOT_FOUND },
		{ "bad", ERR_NOT_FOUND },
		{ "short", ERR_NOT_FOUND },
		{ "0:short", ERR_NOT_FOUND },
		{ "0:bad", ERR_NOT_FOUND },
		{ "+nis", ERR_INVALID },
		{ "# comment", ERR_INVALID },
		{ "nobody", ERR_NOT_FOUND },
		{ "alice:nogroup", ERR_NOT_FOUND },
		{ ":", ERR_INVALID },
		{ ":0", ERR_INVALID },
		{ "0:", ERR_INVALID },
		{ "../root", ERR_INVALID },
	};
	struct user_result u;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = ERR_INIT;

		if (user_resolve(rows[i].spec, &files, &u, &err) >= 0)
			fail_msg("accepted: \"%s\" as uid %u", rows[i].spec, u.uid);
		if ((int)err.kind != rows[i].kind)
			fail_msg("\"%s\": %s", rows[i].spec, err.msg);
	}
}

static void test_without_files(void **state)
{
	static const struct user_files none = { 0 };
	struct user_result u = { 0 };
	struct err err = ERR_INIT;

	assert_int_equal(user_resolve("", &none, &u, &err), 0);
	assert_int_equal(u.uid, 0);
	assert_null(u.name);
	assert_int_equal(user_resolve("5:6", &none, &u, &err), 0);
	assert_int_equal(u.gid, 6);
	assert_int_equal(user_resolve("alice", &none, &u, &err), -ENOENT);
	assert_string_equal(err.msg, "no such user in /etc/passwd: alice");
	assert_int_equal(user_resolve("5:tty", &none, &u, &err), -ENOENT);
	assert_string_equal(err.msg, "no such group in /etc/group: tty");
}

static void test_group(void **state)
{
	struct err err = ERR_INIT;
	uint32_t gid = 7;

	assert_int_equal(user_resolve_group("audio", &files, &gid, &err), 0);
	assert_int_equal(gid, 29);
	assert_int_equal(user_resolve_group("65534", &files, &gid, &err), 0);
	assert_int_equal(gid, 65534);
	assert_int_equal(user_resolve_group("nogroup", &files, &gid, &err), -ENOENT);
	assert_int_equal(user_resolve_group("", &files, &gid, &err), -EINVAL);
	assert_int_equal(gid, 65534);
}

static void test_limits(void **state)
{
	cleanup_buf struct buf big = BUF_INIT;
	struct user_files f = { .passwd = "u:x:1:1::/:\n", .passwd_len = 12 };
	struct user_result u = { 0 };
	struct err err = ERR_INIT;
	int i;

	for (i = 0; i <= USER_GROUPS_MAX; i++)
		buf_addf(&big, "g%d:x:%d:u\n", i, 100000 - i);
	f.group = big.data;
	f.group_len = big.len;
	assert_true(user_resolve("u", &f, &u, &err) < 0);
	assert_int_equal(err.kind, ERR_LIMIT);
	f.group_len = USER_FILE_MAX + 1;
	assert_true(user_resolve("u", &f, &u, &err) < 0);
	assert_int_equal(err.kind, ERR_LIMIT);
	/* a NUL byte hides nothing behind it */
	f = (struct user_files){ .passwd = "u:x:0\0:1:1::/:\nu:x:5:5::/:", .passwd_len = 26 };
	assert_int_equal(user_resolve("u", &f, &u, &err), 0);
	assert_int_equal(u.uid, 5);
	user_result_done(&u);
}

static void test_group_name(void **state)
{
	static const struct {
		uint32_t gid;
		const char *name;
	} rows[] = {
		{ 0, "root" }, { 29, "audio" }, { 3000, "1000" }, { 7, NULL }, { 4294967295U, NULL }
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_free char *name = user_group_name(&files, rows[i].gid);

		if (!rows[i].name)
			assert_null(name);
		else
			assert_string_equal(name, rows[i].name);
	}
	cleanup_user struct user_result u = { 0 };
	assert_int_equal(user_resolve("alice", &files, &u, NULL), 0);
	assert_string_equal(u.gecos, "Alice,,,");
}

/* What stands there stays as it is; the line is podman's, or the user's own. */
static void test_entries(void **state)
{
	const struct user_entry e = { "me", "Me", "/home/me", 7, 8 };
	const struct user_entry evil = { "me", "Me", "/x:/bin/sh\n", 7, 8 };
	const struct user_entry broken = { "me", "$UID", "/x\nroot2::0:0::/:", 7, 8 };
	const struct group_entry g = { "ours", "me", 8 };
	cleanup_buf struct buf text = BUF_INIT;
	struct err err = ERR_INIT;

	user_entry_add(&text, NULL, &e);
	assert_string_equal(buf_str(&text), "me:*:7:8:Me:/home/me:/bin/sh\n");
	buf_reset(&text);
	buf_adds(&text, "a:x:1:1::/:");
	user_entry_add(&text, NULL, &evil);
	user_entry_add(&text, "$USERNAME$UID$GID $NAME $HOME $OTHER $", &broken);
	assert_string_equal(buf_str(&text),
			    "a:x:1:1::/:\nme:*:7:8:Me:/:/bin/sh\nme78 $UID / $OTHER $\n");
	buf_reset(&text);
	group_entry_add(&text, NULL, &g);
	group_entry_add(&text, "g-$GROUPNAME:x:$GID:$USERLIST,$USERNAME", &g);
	assert_string_equal(buf_str(&text), "ours:x:8:me\ng-ours:x:8:me,$USERNAME\n");

	assert_int_equal(user_entry_check("--passwd-entry", NULL, &err), 0);
	assert_int_equal(user_entry_check("--passwd-entry", "x:y", &err), 0);
	assert_int_equal(user_entry_check("--passwd-entry", "", &err), -EINVAL);
	assert_int_equal(user_entry_check("--passwd-entry", "a\nb", &err), -EINVAL);
	assert_string_equal(err.msg, "--passwd-entry: expected one line");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resolve),
		cmocka_unit_test(test_cve_2026_30892_strict_numbers),
		cmocka_unit_test(test_without_files),
		cmocka_unit_test(test_group),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_group_name),
		cmocka_unit_test(test_entries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
