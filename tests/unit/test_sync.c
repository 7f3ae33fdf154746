/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/cancel.h"
#include "runtime/container.h"
#include "runtime/sync.h"
#include "sys/clone.h"
#include "sys/pidfd.h"

static void test_each_once_and_only_if_due(void **state)
{
	unsigned int due = SYNC_BIT(SYNC_CONSOLE) | SYNC_BIT(SYNC_EXEC);

	(void)state;
	assert_false(sync_admit(&due, SYNC_LISTENER));
	assert_true(sync_admit(&due, SYNC_CONSOLE));
	assert_false(sync_admit(&due, SYNC_CONSOLE));
	assert_true(sync_admit(&due, SYNC_EXEC));
	assert_false(sync_admit(&due, SYNC_EXEC));
	due = UINT_MAX;
	assert_false(sync_admit(&due, (enum sync_type) - 1));
	assert_false(sync_admit(&due, (enum sync_type)32));
	assert_false(sync_admit(&due, (enum sync_type)INT_MAX));
}

static pid_t make_child(int *ret_pidfd)
{
	const struct clone_spec spec = { .cgroup_fd = -EBADF };
	pid_t pid = clone_process(&spec, ret_pidfd);

	if (pid == 0) {
		prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
		pause();
		_exit(0);
	}
	assert_true(pid > 0);
	return pid;
}

/* What is sent is signalled later, and the pid is written to files. */
static void only_a_child(bool plain)
{
	struct container c = { .pidfd = -EBADF };
	int pair[2], pidfd = -EBADF, own = pidfd_of(getpid());
	pid_t pid = make_child(&pidfd);
	struct sync_msg msg;

	assert_int_equal(sync_pair(pair, NULL), 0);
	sync_send(pair[1], SYNC_INIT_PID, getpid(), &own, 1);
	sync_send(pair[1], SYNC_INIT_PID, 1, &pidfd, 1);
	sync_send(pair[1], SYNC_INIT_PID, pid + (INT64_C(1) << 32), NULL, 0);
	sync_send(pair[1], SYNC_INIT_PID, -1, NULL, 0);
	sync_send(pair[1], SYNC_INIT_PID, INT_MAX, NULL, 0);
	if (!plain)
		sync_send(pair[1], SYNC_INIT_PID, pid, &pair[1], 1);
	for (int i = 0; i < (plain ? 5 : 6); i++) {
		assert_int_equal(plain ? sync_recv_plain(pair[0], &msg, NULL)
				       : sync_recv(pair[0], &msg, NULL),
				 1);
		assert_true(sync_take_process(&msg, 0, &c, NULL) < 0);
		sync_msg_done(&msg);
		assert_true(c.pidfd < 0);
	}

	sync_send(pair[1], SYNC_EXEC, 0, NULL, 0);
	sync_send(pair[1], SYNC_INIT_PID, getpid(), &own, 1);
	sync_send(pair[1], SYNC_INIT_PID, pid, &pidfd, 1);
	fd_close(pair[1]);
	sync_drain_process(pair[0], 0, &c);
	assert_int_equal(c.pid, pid);
	assert_true(pidfd_kill_child(&c.pidfd, c.pid, -1));
	fd_close(pair[0]);
	fd_close(pidfd);
	fd_close(own);
}

static void test_only_a_child_is_taken(void **state)
{
	(void)state;
	only_a_child(false);
	only_a_child(true);
}

static void test_the_maker_is_not_taken(void **state)
{
	struct sync_msg msg = { .type = SYNC_INIT_PID };
	struct container c = { .pidfd = -EBADF };
	int pidfd = -EBADF;
	pid_t pid = make_child(&pidfd);

	(void)state;
	msg.number = pid;
	assert_true(sync_take_process(&msg, pid, &c, NULL) < 0);
	assert_int_equal(sync_take_process(&msg, pid + 1, &c, NULL), 0);
	assert_int_equal(c.pid, pid);
	assert_true(pidfd_kill_child(&c.pidfd, c.pid, -1));
	fd_close(pidfd);
}

/* Nothing is opened, and what was sent is gone. */
static void test_fds_of_others_are_dropped(void **state)
{
	int pair[2], pipe_fds[2], next;
	struct sync_msg msg;
	char byte;

	(void)state;
	assert_int_equal(sync_pair(pair, NULL), 0);
	assert_int_equal(pipe(pipe_fds), 0);
	sync_send(pair[1], SYNC_LISTENER, 7, &pipe_fds[1], 1);
	fd_close(pipe_fds[1]);
	next = dup(pair[0]);
	fd_close(next);
	assert_int_equal(sync_recv_plain(pair[0], &msg, NULL), 1);
	assert_int_equal(msg.type, SYNC_LISTENER);
	assert_int_equal(msg.number, 7);
	assert_int_equal(msg.n_fds, 0);
	assert_int_equal(fcntl(next, F_GETFD), -1);
	assert_int_equal(read(pipe_fds[0], &byte, 1), 0);
	fd_close(pipe_fds[0]);
	fd_close(pair[1]);
	assert_int_equal(sync_recv_plain(pair[0], &msg, NULL), 0);
	fd_close(pair[0]);
}

/* As with a terminal on its way, whose message was not read yet. */
static void test_no_fds_are_opened_behind_a_failure(void **state)
{
	struct container c = { .pidfd = -EBADF };
	int pair[2], pidfd = -EBADF, both[2], next;
	pid_t pid = make_child(&pidfd);
	struct rlimit old, few;

	(void)state;
	assert_int_equal(sync_pair(pair, NULL), 0);
	both[0] = both[1] = pair[0];
	sync_send(pair[1], SYNC_CONSOLE, 0, both, 2);
	sync_send(pair[1], SYNC_INIT_PID, pid, &pidfd, 1);
	next = dup(pair[0]);
	fd_close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = old;
	few.rlim_cur = (rlim_t)next + 1; /* the process's, and no other */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	sync_drain_process(pair[0], 0, &c);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(c.pid, pid);
	assert_true(pidfd_kill_child(&c.pidfd, c.pid, -1));
	fd_close(pair[0]);
	fd_close(pair[1]);
	fd_close(pidfd);
}

/* The tracer has to wait for it before its parent can: who doesn't must not hold the parent up. */
static void test_a_traced_child_is_not_waited_for(void **state)
{
	const struct clone_spec spec = { .cgroup_fd = -EBADF };
	int pidfd = -EBADF, tracer_fd = -EBADF, ready[2];
	pid_t pid = make_child(&pidfd), tracer;
	char byte = 0;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	tracer = clone_process(&spec, &tracer_fd);
	if (tracer == 0) {
		for (int i = 0; i < 500 && !byte; i++, usleep(10000))
			byte = ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0;
		if (write(ready[1], &byte, 1) == 1)
			pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(byte, 1);
	assert_false(pidfd_kill_child(&pidfd, pid, 100));
	assert_true(pidfd >= 0);
	assert_true(pidfd_kill_child(&tracer_fd, tracer, 5000));
	assert_true(pidfd_kill_child(&pidfd, pid, 5000));
	assert_true(pidfd < 0);
	fd_close(ready[0]);
	fd_close(ready[1]);
}

static void test_signal_and_message(void **state)
{
	int signals[2], messages[2];
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(pipe(signals), 0);
	assert_int_equal(pipe(messages), 0);
	assert_int_equal(cancel_poll(signals[0], messages[0], 0), 0);
	assert_int_equal(write(signals[1], "", 1), 1);
	assert_int_equal(cancel_poll(signals[0], messages[0], -1), -ECANCELED);
	assert_int_equal(cancel_poll(-EBADF, messages[0], 0), 0);
	assert_int_equal(write(messages[1], "", 1), 1);
	assert_int_equal(cancel_poll(signals[0], messages[0], -1), 1);
	assert_int_equal(cancel_wait(signals[0], messages[0], &err), 0);
	for (int i = 0; i < 2; i++) {
		fd_close(signals[i]);
		fd_close(messages[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_once_and_only_if_due),
		cmocka_unit_test(test_only_a_child_is_taken),
		cmocka_unit_test(test_the_maker_is_not_taken),
		cmocka_unit_test(test_fds_of_others_are_dropped),
		cmocka_unit_test(test_no_fds_are_opened_behind_a_failure),
		cmocka_unit_test(test_a_traced_child_is_not_waited_for),
		cmocka_unit_test(test_signal_and_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
