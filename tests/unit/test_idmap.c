/* SPDX-License-Identifier: Apache-2.0 */
#include "child.h"

#include <sys/prctl.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/io.h"
#include "sys/clone.h"
#include "sys/idmap.h"
#include "sys/pidfd.h"

static void test_add_and_look_up(void **state)
{
	struct idmap m = { 0 };
	uint32_t id = 0;

	assert_int_equal(idmap_add(&m, 0, 1000, 1), 0);
	assert_int_equal(idmap_add(&m, 1, 100000, 65535), 0);
	assert_int_equal(idmap_to_outside(&m, 0, &id), 0);
	assert_int_equal(id, 1000);
	assert_int_equal(idmap_to_outside(&m, 65535, &id), 0);
	assert_int_equal(id, 165534);
	assert_int_equal(idmap_to_outside(&m, 65536, &id), -ENOENT);
	assert_int_equal(idmap_to_inside(&m, 100000, &id), 0);
	assert_int_equal(id, 1);
	assert_int_equal(idmap_to_inside(&m, 1001, &id), -ENOENT);
	assert_int_equal(idmap_to_inside(&m, 0, &id), -ENOENT);
	assert_false(idmap_is_full(&m));
	idmap_done(&m);
}

static void test_add_refuses(void **state)
{
	struct idmap m = { 0 };

	assert_int_equal(idmap_add(&m, 0, 0, 0), -EINVAL);
	assert_int_equal(idmap_add(&m, 1, 0, UINT32_MAX), -EINVAL);
	assert_int_equal(idmap_add(&m, 0, UINT32_MAX, 1), -EINVAL);
	assert_int_equal(idmap_add(&m, 10, 100, 10), 0);
	assert_int_equal(idmap_add(&m, 19, 200, 5), -EINVAL); /* overlaps inside */
	assert_int_equal(idmap_add(&m, 5, 200, 6), -EINVAL);
	assert_int_equal(idmap_add(&m, 50, 95, 6), -EINVAL); /* outside */
	assert_int_equal(idmap_add(&m, 20, 110, 5), 0);
	assert_int_equal(m.n, 2);
	idmap_done(&m);
	assert_int_equal(idmap_add(&m, 0, 0, UINT32_MAX), 0);
	assert_true(idmap_is_full(&m));
	idmap_done(&m);
	for (uint32_t i = 0; i < IDMAP_RANGES_MAX; i++)
		assert_int_equal(idmap_add(&m, i, 1000 + i, 1), 0);
	assert_int_equal(idmap_add(&m, 5000, 5000, 1), -E2BIG);
	idmap_done(&m);
}

static void test_parse_proc(void **state)
{
	static const char text[] = "         0       1000          1\n"
				   "         1     100000      65536\n";
	static const char *const bad[] = { "0 0\n",   "0 0 1 2\n", "a 0 1\n",
					   "0 0 0\n", "\n",        "0 0 99999999999\n" };
	struct idmap m = { 0 }, own = { 0 };
	struct err err = ERR_INIT;
	cleanup_buf struct buf b = BUF_INIT;

	assert_int_equal(idmap_parse_proc(text, strlen(text), &m, &err), 0);
	assert_int_equal(m.n, 2);
	assert_int_equal(m.ranges[1].inside, 1);
	assert_int_equal(m.ranges[1].outside, 100000);
	assert_int_equal(m.ranges[1].count, 65536);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(idmap_parse_proc(bad[i], strlen(bad[i]), &own, &err), -EINVAL);
	assert_null(own.ranges);
	assert_int_equal(io_read_file(AT_FDCWD, "/proc/self/uid_map", &b, 65536, &err), 0);
	assert_int_equal(idmap_parse_proc(b.data, b.len, &own, &err), 0);
	assert_true(own.n > 0);
	assert_true(idmap_equal(&m, &m));
	assert_false(idmap_equal(&m, &own));
	idmap_done(&m);
	idmap_done(&own);
}

static size_t subids(const char *text, const char *user, uint32_t uid, struct subid_range *r)
{
	return subid_parse(text, strlen(text), user, uid, r, 4);
}

static void test_subid(void **state)
{
	static const char text[] = "# comment\n"
				   "anna:100000:65536\n"
				   "annabel:1:2\n"
				   "1000:300000:10\n"
				   "\n"
				   "anna:200000:1000\n"
				   "anna:nonsense:5\n"
				   "anna:5\n"
				   "anna:1:2:3\n"
				   "anna:4294967295:65536\n"
				   "anna:7:0\n"
				   "anna: 8:1\n"
				   ":9:1\n"
				   "anna:500000:1";
	struct subid_range r[4];

	assert_int_equal(subids(text, "anna", 77, r), 3);
	assert_int_equal(r[0].start, 100000);
	assert_int_equal(r[0].count, 65536);
	assert_int_equal(r[1].start, 200000);
	assert_int_equal(r[2].start, 500000); /* no newline at the end */
	assert_int_equal(subids(text, "anna", 1000, r), 4);
	assert_int_equal(r[1].start, 300000);
	assert_int_equal(subids(text, NULL, 1000, r), 1);
	assert_int_equal(subids(text, "", 77, r), 0);
	assert_int_equal(subids(text, "ann", 77, r), 0);
	assert_int_equal(subids("", "anna", 1000, r), 0);
	assert_int_equal(subid_parse(text, strlen(text), "anna", 1000, r, 1), 1);
	assert_int_equal(subid_parse(text, strlen(text), "anna", 1000, r, 0), 0);
}

static void test_rootless(void **state)
{
	static const struct subid_range sub[] = { { 100000, 65536 }, { 300000, 10 } };
	static const struct subid_range own[] = { { 900, 200 } };
	struct idmap m = { 0 };
	uint32_t id = 0;

	assert_int_equal(idmap_rootless(1000, sub, 2, &m), 0);
	assert_int_equal(idmap_to_outside(&m, 0, &id), 0);
	assert_int_equal(id, 1000);
	assert_int_equal(idmap_to_outside(&m, 1, &id), 0);
	assert_int_equal(id, 100000);
	assert_int_equal(idmap_to_outside(&m, 65537, &id), 0);
	assert_int_equal(id, 300000);
	idmap_done(&m);
	assert_int_equal(idmap_rootless(1000, NULL, 0, &m), 0);
	assert_int_equal(m.n, 1);
	idmap_done(&m);
	assert_int_equal(idmap_rootless(1000, own, 1, &m), -EINVAL);
	assert_null(m.ranges);
}

/* What this user may map: a range as root, else the own id. */
static void allowed_map(struct idmap *m, uint32_t own)
{
	if (geteuid() == 0)
		assert_int_equal(idmap_add(m, 0, 100000, 65536), 0);
	else
		assert_int_equal(idmap_add(m, 0, own, 1), 0);
}

static void test_userns_fd(void **state)
{
	struct idmap uids = { 0 }, gids = { 0 };
	struct err err = ERR_INIT;
	struct stat own, st;

	allowed_map(&uids, geteuid());
	allowed_map(&gids, getegid());
	int fd = idmap_userns_fd(&uids, &gids, &err);
	idmap_done(&uids);
	idmap_done(&gids);
	if (fd == -EPERM && strstr(err.msg, "making user namespace"))
		skip();
	if (fd < 0)
		fail_msg("%s", err.msg);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(fstat(fd, &st) | stat("/proc/self/ns/user", &own), 0);
	assert_int_not_equal(st.st_ino, own.st_ino);
	fd_close(fd);
}

/* A user's ids, then a container's of keep-id below them: ids are the namespace's in between. */
static void test_below(void **state)
{
	static const struct subid_range sub = { 100000, 65536 };
	struct idmap above = { 0 }, m = { 0 }, below = { 0 }, none = { 0 };

	assert_int_equal(idmap_rootless(1000, &sub, 1, &above), 0);
	assert_int_equal(idmap_below(&above, &above, &below), 0);
	assert_int_equal(below.n, 2);
	assert_int_equal(below.ranges[1].inside, 1);
	assert_int_equal(below.ranges[1].outside, 1);
	assert_int_equal(below.ranges[1].count, 65536);
	idmap_done(&below);
	assert_int_equal(idmap_add(&m, 0, 100000, 1000) | idmap_add(&m, 1000, 1000, 1), 0);
	assert_int_equal(idmap_below(&m, &above, &below), 0);
	assert_int_equal(below.n, 2);
	assert_int_equal(below.ranges[0].outside, 1);
	assert_int_equal(below.ranges[1].inside, 1000);
	assert_int_equal(below.ranges[1].outside, 0);
	idmap_done(&below);
	idmap_done(&m);
	/* one range that lies in two of those above, and one that leaves them */
	idmap_done(&above);
	assert_int_equal(idmap_add(&above, 0, 10, 5) | idmap_add(&above, 50, 15, 5), 0);
	assert_int_equal(idmap_add(&m, 7, 12, 6), 0);
	assert_int_equal(idmap_below(&m, &above, &below), 0);
	assert_int_equal(below.n, 2);
	assert_int_equal(below.ranges[0].outside, 2);
	assert_int_equal(below.ranges[0].count, 3);
	assert_int_equal(below.ranges[1].inside, 10);
	assert_int_equal(below.ranges[1].outside, 50);
	assert_int_equal(below.ranges[1].count, 3);
	idmap_done(&m);
	assert_int_equal(idmap_add(&m, 0, 18, 3), 0);
	assert_int_equal(idmap_below(&m, &above, &none), -ENOENT);
	assert_null(none.ranges);
	idmap_done(&m);
	idmap_done(&below);
	idmap_done(&above);
}

#define NOBODY_KNOWN 3999999999U

/* A process in a new user namespace, made by somebody without rights and without subordinate ids.
 */
static pid_t unprivileged_child(int *ret_pidfd)
{
	struct clone_spec spec = { .flags = CLONE_NEWUSER, .cgroup_fd = -EBADF };

	if (geteuid() == 0) {
		if (setgid(NOBODY_KNOWN) < 0 || setuid(NOBODY_KNOWN) < 0)
			return -errno;
		/* Else what is below /proc/PID belongs to root. */
		prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	}
	pid_t pid = clone_process(&spec, ret_pidfd);
	if (pid == 0) {
		pause();
		_exit(1);
	}
	return pid;
}

static int refused(const void *data)
{
	struct idmap m = { 0 };
	struct err err = ERR_INIT;
	int pidfd;
	pid_t pid = unprivileged_child(&pidfd);

	if (pid == -EPERM)
		return CHILD_NO_USERNS;
	CHECK(pid > 0);
	CHECK(idmap_add(&m, 0, 7, 2) == 0);
	int r = idmap_write(pid, &m, &m, &err);
	idmap_done(&m);
	pidfd_kill(pidfd, SIGKILL);
	pidfd_wait(pidfd, NULL);
	CHECK(r == -EPERM);
	CHECK(strstr(err.msg, "mapping group ids") && strstr(err.msg, "newgidmap"));
	CHECK(strstr(err.hint, "uidmap") || strstr(err.hint, "/etc/subgid"));
	return 0;
}

/* The own ids need nobody's leave, but cost setgroups(2). */
static int own_ids(const void *data)
{
	struct idmap uids = { 0 }, gids = { 0 };
	cleanup_buf struct buf text = BUF_INIT;
	struct err err = ERR_INIT;
	char path[64];
	int pidfd;
	pid_t pid = unprivileged_child(&pidfd);

	if (pid == -EPERM)
		return CHILD_NO_USERNS;
	CHECK(pid > 0);
	CHECK(idmap_add(&uids, 0, geteuid(), 1) == 0 && idmap_add(&gids, 5, getegid(), 1) == 0);
	int r = idmap_write(pid, &uids, &gids, &err);
	snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
	if (r == 0)
		r = io_read_file(AT_FDCWD, path, &text, 4096, &err);
	pidfd_kill(pidfd, SIGKILL);
	pidfd_wait(pidfd, NULL);
	idmap_done(&uids);
	CHECK_OK(r, &err);
	CHECK_OK(idmap_parse_proc(text.data, text.len, &uids, &err), &err);
	CHECK(idmap_equal(&uids, &gids));
	idmap_done(&uids);
	idmap_done(&gids);
	return 0;
}

static void test_refused(void **state)
{
	int r = child_result(refused, NULL, -1);

	if (r == CHILD_NO_USERNS)
		skip();
	assert_int_equal(r, 0);
}

static void test_own_ids(void **state)
{
	int r = child_result(own_ids, NULL, -1);

	if (r == CHILD_NO_USERNS)
		skip();
	assert_int_equal(r, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_below),       cmocka_unit_test(test_add_and_look_up),
		cmocka_unit_test(test_add_refuses), cmocka_unit_test(test_parse_proc),
		cmocka_unit_test(test_subid),       cmocka_unit_test(test_rootless),
		cmocka_unit_test(test_userns_fd),   cmocka_unit_test(test_refused),
		cmocka_unit_test(test_own_ids),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
