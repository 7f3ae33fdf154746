/* SPDX-License-Identifier: Apache-2.0 */
/* What code that has taken over inro-layer could still do to other processes. */
#include "child.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "image/layer/confine.h"

#if defined(__SANITIZE_ADDRESS__)
#define FILTERED false /* the sanitizers' runtimes make calls of their own */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FILTERED false
#endif
#endif
#ifndef FILTERED
#define FILTERED true
#endif

static int signals_nobody(const void *data)
{
	struct f_owner_ex owner = { .type = F_OWNER_PID, .pid = getppid() };
	struct err err = ERR_INIT;
	int dir, p[2];
	bool apart;

	CHECK(pipe2(p, O_CLOEXEC) == 0);
	dir = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(dir >= 0);
	CHECK_OK(confine_root(&dir, -EBADF, &apart, &err), &err);
	CHECK_OK(confine(dir, CONFINE_UNPACK, apart, UINT64_MAX, &err), &err);
	CHECK(fcntl(p[0], F_GETFL) >= 0);
	if (!FILTERED)
		return 0;
	CHECK(kill(owner.pid, 0) < 0 && errno == EPERM);
	CHECK(syscall(SYS_tgkill, owner.pid, owner.pid, 0) < 0 && errno == EPERM);
	CHECK(fcntl(p[0], F_SETOWN, owner.pid) < 0 && errno == EPERM);
	CHECK(fcntl(p[0], F_SETOWN_EX, &owner) < 0 && errno == EPERM);
	CHECK(fcntl(p[0], F_SETSIG, SIGKILL) < 0 && errno == EPERM);
	return 0;
}

static void test_signals_nobody(void **state)
{
	char path[] = "/tmp/inro-confine-XXXXXX";

	assert_non_null(mkdtemp(path));
	int r = child_result(signals_nobody, path, -1);
	assert_return_code(rmdir(path), errno);
	assert_int_equal(r, 0);
}

static int reads_only(const void *data)
{
	struct err err = ERR_INIT;
	int dir;
	bool apart;

	dir = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(dir >= 0);
	CHECK(mkdirat(dir, "sub", 0700) == 0);
	CHECK_OK(confine_root(&dir, -EBADF, &apart, &err), &err);
	CHECK_OK(confine_reading(dir, -EBADF, &err), &err);
	CHECK(openat(dir, "sub", O_RDONLY | O_DIRECTORY | O_CLOEXEC) >= 0);
	CHECK(openat(dir, "new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) < 0);
	CHECK(mkdirat(dir, "new", 0700) < 0);
	CHECK(unlinkat(dir, "sub", AT_REMOVEDIR) < 0);
	if (!FILTERED)
		return 0;
	CHECK(fchmod(dir, 0777) < 0 && errno == EPERM);
	CHECK(kill(getppid(), 0) < 0 && errno == EPERM);
	return 0;
}

/* What packs a container's files may look at them, and at nothing else. */
static void test_reads_only(void **state)
{
	char path[] = "/tmp/inro-confine-XXXXXX", sub[] = "/tmp/inro-confine-XXXXXX/sub";

	assert_non_null(mkdtemp(path));
	memcpy(sub, path, strlen(path));
	int r = child_result(reads_only, path, -1);
	assert_return_code(rmdir(sub), errno);
	assert_return_code(rmdir(path), errno);
	assert_int_equal(r, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signals_nobody),
		cmocka_unit_test(test_reads_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
