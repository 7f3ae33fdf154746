/* SPDX-License-Identifier: Apache-2.0 */
#include "child.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/fd.h"
#include "sys/clone.h"
#include "sys/pidfd.h"
#include "sys/uapi.h"

static int deny(long nr, int errnum)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)errnum),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { ARRAY_SIZE(f), f };

	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0);
	return 0;
}

static void on_signal(int signo)
{
}

static ino_t ns_inode(const char *path)
{
	struct stat st;

	return stat(path, &st) < 0 ? 0 : st.st_ino;
}

/* Makes a child and looks at it from both sides. */
static int clone_and_wait(uint64_t flags, const char *ns_file)
{
	struct clone_spec spec = { .flags = flags, .cgroup_fd = -EBADF };
	int pidfd = -EBADF;
	ino_t before = ns_inode(ns_file);
	siginfo_t info;
	pid_t pid = clone_process(&spec, &pidfd);

	if (pid == 0)
		_exit(ns_inode(ns_file) != before ? 42 : 43);
	CHECK(pid > 0);
	CHECK(pidfd >= 0);
	CHECK(fcntl(pidfd, F_GETFD) & FD_CLOEXEC);
	CHECK(pidfd_poll(pidfd, 10000) == 1);
	CHECK(pidfd_wait(pidfd, &info) == 0);
	CHECK(info.si_pid == pid && info.si_code == CLD_EXITED);
	CHECK(info.si_status == (flags & CLONE_NEWUTS ? 42 : 43));
	fd_close(pidfd);
	return 0;
}

static int clones(const void *data)
{
	int r = clone_and_wait(0, "/proc/self/ns/uts");

	return r ? r : clone_and_wait(CLONE_NEWUTS | CLONE_NEWIPC, "/proc/self/ns/uts");
}

static int clones_without_clone3(const void *data)
{
	struct clone_spec into_cgroup = { .cgroup_fd = 0 };
	int pidfd, r = deny(SYS_clone3, ENOSYS);

	if (r)
		return r;
	CHECK(clone_process(&into_cgroup, &pidfd) == -ENOSYS);
	return clones(NULL);
}

/* A new time namespace for the child alone, whichever call makes it. */
static int clone_newtime(const void *data)
{
	struct clone_spec spec = { .flags = CLONE_NEWTIME, .cgroup_fd = -EBADF };
	ino_t before = ns_inode("/proc/self/ns/time_for_children");
	siginfo_t info;
	int pidfd;

	if (data && deny(SYS_clone3, ENOSYS))
		return __LINE__;
	pid_t pid = clone_process(&spec, &pidfd);
	if (pid == 0)
		_exit(ns_inode("/proc/self/ns/time") != before ? 42 : 43);
	CHECK(pid > 0);
	CHECK(pidfd_wait(pidfd, &info) == 0 && info.si_status == 42);
	/* After unshare(2) the way back needs rights over the namespace that this one is in. */
	CHECK(data || ns_inode("/proc/self/ns/time_for_children") == before);
	return 0;
}

static int clear_handlers(const void *data)
{
	struct clone_spec spec = { .flags = CLONE_CLEAR_SIGHAND, .cgroup_fd = -EBADF };
	struct sigaction sa;
	siginfo_t info;
	int pidfd;

	if (data && deny(SYS_clone3, ENOSYS))
		return __LINE__;
	CHECK(signal(SIGUSR1, on_signal) != SIG_ERR);
	CHECK(signal(SIGUSR2, SIG_IGN) != SIG_ERR);
	pid_t pid = clone_process(&spec, &pidfd);
	if (pid == 0) {
		sigaction(SIGUSR1, NULL, &sa);
		bool ok = sa.sa_handler == SIG_DFL;
		sigaction(SIGUSR2, NULL, &sa);
		_exit(ok && sa.sa_handler == SIG_IGN ? 42 : 43);
	}
	CHECK(pid > 0);
	CHECK(pidfd_wait(pidfd, &info) == 0 && info.si_status == 42);
	CHECK(sigaction(SIGUSR1, NULL, &sa) == 0 && sa.sa_handler == on_signal);
	return 0;
}

static void test_clone(void **state)
{
	child_run_userns(clones, NULL, 0);
}

static void test_clone_without_clone3(void **state)
{
	child_run_userns(clones_without_clone3, NULL, 0);
}

static void test_clone_newtime(void **state)
{
	child_run_userns(clone_newtime, NULL, 0);
	child_run_userns(clone_newtime, "without clone3", 0);
}

static void test_clear_handlers(void **state)
{
	child_run(clear_handlers, NULL);
	child_run(clear_handlers, "without clone3");
}

static void test_clone_fails(void **state)
{
	/* A thread needs CLONE_SIGHAND. */
	struct clone_spec spec = { .flags = CLONE_THREAD, .cgroup_fd = -EBADF };
	int pidfd = -77;

	assert_int_equal(clone_process(&spec, &pidfd), -EINVAL);
	assert_int_equal(pidfd, -77);
}

static void test_pidfd(void **state)
{
	siginfo_t info;
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(1);
	}
	int fd = pidfd_of(pid);
	assert_return_code(fd, -fd);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(pidfd_pid(fd), pid);
	assert_int_equal(pidfd_poll(fd, 0), 0);
	assert_int_equal(pidfd_poll(fd, 10), 0);
	assert_int_equal(pidfd_kill(fd, SIGTERM), 0);
	assert_int_equal(pidfd_poll(fd, 10000), 1);
	assert_int_equal(pidfd_wait(fd, &info), 0);
	assert_int_equal(info.si_code, CLD_KILLED);
	assert_int_equal(info.si_status, SIGTERM);
	/* Reaped: the fd names nobody else from now on. */
	assert_int_equal(pidfd_kill(fd, SIGTERM), -ESRCH);
	assert_int_equal(pidfd_pid(fd), -ESRCH);
	assert_int_equal(pidfd_of(pid), -ESRCH);
	fd_close(fd);
	assert_int_equal(pidfd_poll(fd, 0), -EBADF);
}

static void test_pidfd_steal_fd(void **state)
{
	int fd = pidfd_of(getpid());
	int copy = pidfd_steal_fd(fd, 2);

	/* Some hosts forbid it by a ptrace policy. */
	if (copy < 0) {
		assert_int_equal(copy, -EPERM);
	} else {
		struct stat a, b;
		assert_int_equal(fstat(2, &a) | fstat(copy, &b), 0);
		assert_int_equal(a.st_ino, b.st_ino);
		assert_true(fcntl(copy, F_GETFD) & FD_CLOEXEC);
		close(copy);
	}
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clone),          cmocka_unit_test(test_clone_without_clone3),
		cmocka_unit_test(test_clone_newtime),  cmocka_unit_test(test_clear_handlers),
		cmocka_unit_test(test_clone_fails),    cmocka_unit_test(test_pidfd),
		cmocka_unit_test(test_pidfd_steal_fd),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
