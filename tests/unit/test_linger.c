/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "net/linger.h"
#include "sys/pidfd.h"
#include "unit.h"

#define MANY 600 /* more than a watcher keeps */

static char dir[] = "/tmp/inro-linger-XXXXXX";

/* The reading end of a pipe whose other end has been handed over. */
static int hand_over(int run_dir)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	net_linger(run_dir, ends[1]);
	return ends[0];
}

/* Has the last one closed the other end? */
static bool is_closed(int fd, int timeout_ms)
{
	struct pollfd p = { .fd = fd };

	return poll(&p, 1, timeout_ms) == 1 && (p.revents & POLLHUP);
}

static pid_t child(int listen, int pidfd)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (listen >= 0)
			net_linger_until(listen, pidfd);
		else
			pause();
		_exit(0);
	}
	return pid;
}

static void end(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_without_a_watcher_it_is_closed_at_once(void **state)
{
	cleanup_fd int run_dir = open(dir, O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int fd = hand_over(run_dir);

	assert_true(is_closed(fd, 0));
	net_linger(run_dir, -EBADF);
	/* nor with the name of one that has ended */
	cleanup_fd int gone = net_linger_listen(run_dir);
	gone = fd_close(gone);
	cleanup_fd int other = hand_over(run_dir);
	assert_true(is_closed(other, 0));
	cleanup_fd int nowhere = hand_over(-EBADF);
	assert_true(is_closed(nowhere, 0));
}

static void test_a_watcher_closes_it_when_nothing_comes_any_more(void **state)
{
	cleanup_fd int run_dir = open(dir, O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int listen = net_linger_listen(run_dir);
	cleanup_fd int first = hand_over(run_dir);
	pid_t watched = child(-EBADF, -EBADF);
	cleanup_fd int pidfd = pidfd_of(watched);

	assert_false(is_closed(first, 0));
	pid_t watcher = child(listen, pidfd);
	listen = fd_close(listen);
	assert_false(is_closed(first, 20));
	assert_true(is_closed(first, 5000));
	/* and again */
	cleanup_fd int second = hand_over(run_dir);
	assert_true(is_closed(second, 5000));
	kill(watched, SIGKILL);
	end(watcher);
	waitpid(watched, NULL, 0);
}

/* Whatever it is sent, and however fast: all are closed in the end, and it goes on. */
static void test_many(void **state)
{
	cleanup_fd int run_dir = open(dir, O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int listen = net_linger_listen(run_dir);
	pid_t watched = child(-EBADF, -EBADF);
	cleanup_fd int pidfd = pidfd_of(watched);
	pid_t watcher = child(listen, pidfd);
	int fds[MANY];

	listen = fd_close(listen);
	for (size_t i = 0; i < MANY; i++)
		fds[i] = hand_over(run_dir);
	for (size_t i = 0; i < MANY; i++) {
		assert_true(is_closed(fds[i], 5000));
		close(fds[i]);
	}
	cleanup_fd int last = hand_over(run_dir);
	kill(watched, SIGKILL);
	end(watcher);
	assert_true(is_closed(last, 0));
	waitpid(watched, NULL, 0);
}

static int make_dir(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	cleanup_fd int fd = open(dir, O_DIRECTORY | O_CLOEXEC);

	unlinkat(fd, "linger", 0);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_a_watcher_it_is_closed_at_once),
		cmocka_unit_test(test_a_watcher_closes_it_when_nothing_comes_any_more),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
