/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/util.h"
#include "unit.h"

static int flags_of(int fd)
{
	return fcntl(fd, F_GETFD);
}

static void test_own(void **state)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), kept;

	kept = take_fd(fd);
	assert_int_equal(fd, -EBADF);
	assert_true(kept >= 0);
	errno = EXDEV;
	assert_int_equal(fd_close(kept), -EBADF);
	assert_int_equal(fd_close(-EBADF), -EBADF);
	assert_int_equal(errno, EXDEV);
	assert_int_equal(flags_of(kept), -1);
}

static void test_flags(void **state)
{
	char path[FD_PATH_MAX];
	int p[2], dup;

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(fd_set_cloexec(p[0], false), 0);
	assert_int_equal(flags_of(p[0]), 0);
	dup = fd_dup(p[0], 100);
	assert_true(dup >= 100);
	assert_int_equal(flags_of(dup), FD_CLOEXEC);
	assert_int_equal(fd_set_nonblock(p[0], true), 0);
	assert_true(fcntl(dup, F_GETFL) & O_NONBLOCK);
	assert_int_equal(fd_set_nonblock(dup, false), 0);
	assert_false(fcntl(p[0], F_GETFL) & O_NONBLOCK);
	assert_string_equal(fd_proc_path(17, path), "/proc/self/fd/17");
	assert_int_equal(fd_dup(9999, 0), -EBADF);
	assert_int_equal(fd_set_cloexec(9999, true), -EBADF);
	fd_close(dup);
	fd_close(p[0]);
	fd_close(p[1]);
}

static void test_cloexec_from(void **state)
{
	int low = fcntl(0, F_DUPFD, 200), high = fcntl(0, F_DUPFD, 210);

	assert_int_equal(flags_of(high), 0);
	assert_int_equal(fd_cloexec_from(205), 0);
	assert_int_equal(flags_of(low), 0);
	assert_int_equal(flags_of(high), FD_CLOEXEC);
	fd_close(low);
	fd_close(high);
}

static void test_close_from(void **state)
{
	int a = fcntl(0, F_DUPFD, 300), b = fcntl(0, F_DUPFD, 310), c = fcntl(0, F_DUPFD, 320),
	    d = fcntl(0, F_DUPFD, 330);
	const int keep[] = { d, -EBADF, 0, b, b };

	assert_int_equal(fd_close_from(300, keep, ARRAY_SIZE(keep)), 0);
	assert_int_equal(flags_of(0), 0);
	assert_int_equal(flags_of(a), -1);
	assert_int_equal(flags_of(b), 0);
	assert_int_equal(flags_of(c), -1);
	assert_int_equal(flags_of(d), 0);
	assert_int_equal(fd_close_from(300, NULL, 0), 0);
	assert_int_equal(flags_of(b), -1);
	assert_int_equal(flags_of(d), -1);
}

/* In a child, which loses its stdin and stderr. */
static void test_ensure_stdio(void **state)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		close(0);
		close(2);
		if (fd_ensure_stdio() < 0 || flags_of(0) != 0 || flags_of(2) != 0)
			_exit(1);
		_exit(open("/", O_PATH | O_CLOEXEC) > 2 ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_send(void **state)
{
	int s[2], p[2], got[4] = { -1, -1, -1, -1 };
	char data[8];
	size_t n = 4;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(fd_send(s[0], "hello", 5, p, 2), 5);
	assert_int_equal(fd_recv(s[1], data, sizeof(data), got, &n), 5);
	assert_int_equal(n, 2);
	assert_memory_equal(data, "hello", 5);
	assert_int_equal(flags_of(got[0]), FD_CLOEXEC);
	assert_int_equal(write(got[1], "x", 1), 1);
	assert_int_equal(read(p[0], data, sizeof(data)), 1);
	fd_close(got[0]);
	fd_close(got[1]);

	/* more than there is room for: an error, and none stays open behind our back */
	n = 1;
	assert_int_equal(fd_send(s[0], "x", 1, p, 2), 1);
	assert_int_equal(fd_recv(s[1], data, sizeof(data), got, &n), -EMSGSIZE);
	assert_int_equal(n, 0);
	assert_int_equal(flags_of(got[0]), -1);

	n = 4;
	assert_int_equal(fd_send(s[0], "y", 1, NULL, 0), 1);
	assert_int_equal(fd_recv(s[1], data, sizeof(data), got, &n), 1);
	assert_int_equal(n, 0);
	assert_int_equal(fd_send(s[0], "", 0, p, 1), -EINVAL);
	assert_int_equal(fd_send(s[0], "x", 1, p, 17), -EINVAL);
	fd_close(s[0]);
	n = 4;
	assert_int_equal(fd_recv(s[1], data, sizeof(data), got, &n), 0);
	/* the other end is gone: an error, no signal */
	assert_int_equal(fd_send(s[1], "x", 1, NULL, 0), -EPIPE);
	fd_close(s[1]);
	fd_close(p[0]);
	fd_close(p[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own),          cmocka_unit_test(test_flags),
		cmocka_unit_test(test_cloexec_from), cmocka_unit_test(test_close_from),
		cmocka_unit_test(test_ensure_stdio), cmocka_unit_test(test_send),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
