/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <limits.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
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
		pause();
		_exit(0);
	}
	assert_true(pid > 0);
	return pid;
}

/* What is sent is signalled later, and the pid is written to files. */
static void test_only_a_child_is_taken(void **state)
{
	struct container c = { .pidfd = -EBADF };
	int pair[2], pidfd = -EBADF, own = pidfd_of(getpid());
	pid_t pid = make_child(&pidfd);
	struct sync_msg msg;

	(void)state;
	assert_int_equal(sync_pair(pair, NULL), 0);
	sync_send(pair[1], SYNC_INIT_PID, getpid(), &own, 1);
	sync_send(pair[1], SYNC_INIT_PID, 1, &pidfd, 1);
	sync_send(pair[1], SYNC_INIT_PID, pid, &pair[1], 1);
	sync_send(pair[1], SYNC_INIT_PID, pid, NULL, 0);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(sync_recv(pair[0], &msg, NULL), 1);
		assert_true(sync_take_process(&msg, &c, NULL) < 0);
		sync_msg_done(&msg);
		assert_true(c.pidfd < 0);
	}

	sync_send(pair[1], SYNC_EXEC, 0, NULL, 0);
	sync_send(pair[1], SYNC_INIT_PID, getpid(), &own, 1);
	sync_send(pair[1], SYNC_INIT_PID, pid, &pidfd, 1);
	fd_close(pair[1]);
	sync_drain_process(pair[0], &c);
	assert_int_equal(c.pid, pid);
	assert_true(pidfd_kill_child(&c.pidfd, c.pid, -1));
	fd_close(pair[0]);
	fd_close(pidfd);
	fd_close(own);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_once_and_only_if_due),
		cmocka_unit_test(test_only_a_child_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
