/* SPDX-License-Identifier: Apache-2.0 */
#include "child.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/io.h"
#include "sys/ns.h"
#include "sys/procfs.h"

static int parse(const char *text, char *state, uint64_t *start)
{
	return procfs_parse_stat(text, strlen(text), state, start);
}

static void test_parse_stat(void **state)
{
	static const char *const rest =
	    " 1 7 7 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 98765 8 9 10\n";
	static const char *const comms[] = { "cat", "a b", ") R 1 1 1", "((", "" };
	char text[256], st;
	uint64_t start;

	for (size_t i = 0; i < ARRAY_SIZE(comms); i++) {
		snprintf(text, sizeof(text), "7 (%s) S%s", comms[i], rest);
		assert_int_equal(parse(text, &st, &start), 0);
		assert_int_equal(st, 'S');
		assert_int_equal(start, 98765);
	}
	/* The field may be the last one, as long as it is whole. */
	assert_int_equal(parse("7 (x) Z 1 7 7 0 -1 4 1 0 0 0 0 0 0 0 20 0 1 0 5", NULL, &start), 0);
	assert_int_equal(start, 5);
}

static void test_parse_stat_malformed(void **state)
{
	static const char *const bad[] = {
		"",
		"7",
		"7 (x)",
		"7 (x) S",
		"7 (x) S 1 7 7 0 -1 4 1 0 0 0 0 0 0 0 20 0 1 0",
		"7 (x) S 1 7 7 0 -1 4 1 0 0 0 0 0 0 0 20 0 1 0 ",
		"7 (x) S 1 7 7 0 -1 4 1 0 0 0 0 0 0 0 20 0 1 0 -5 6",
		"7 (x) S 1 7 7 0 -1 4 1 0 0 0 0 0 0 0 20 0 1 0 0x5 6",
		"7 x S 1 7 7 0 -1 4 1 0 0 0 0 0 0 0 20 0 1 0 5",
	};
	uint64_t start = 77;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(parse(bad[i], NULL, &start), -EINVAL);
	assert_int_equal(start, 77);
	assert_int_equal(procfs_parse_stat("7 (x\0) S", 9, NULL, &start), -EINVAL);
}

static void test_stat_of_processes(void **state)
{
	uint64_t own = 0, other = 0;
	char st;
	pid_t pid;

	assert_int_equal(procfs_stat(getpid(), &st, &own), 0);
	assert_true(own > 0);
	assert_true(st == 'R' || st == 'S');
	pid = fork();
	if (pid == 0)
		_exit(0);
	siginfo_t info;
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	assert_int_equal(procfs_stat(pid, &st, &other), 0);
	assert_int_equal(st, 'Z');
	assert_true(other >= own);
	waitpid(pid, NULL, 0);
	assert_int_equal(procfs_stat(pid, &st, &other), -ESRCH);
}

static void test_sysctl_path(void **state)
{
	static const char *const good[][2] = {
		{ "net.ipv4.ip_forward", "sys/net/ipv4/ip_forward" },
		{ "net/ipv4/ip_forward", "sys/net/ipv4/ip_forward" },
		{ "net.ipv4.conf.eth0/1.forwarding", "sys/net/ipv4/conf/eth0.1/forwarding" },
		{ "net/ipv4/conf/eth0.1/forwarding", "sys/net/ipv4/conf/eth0.1/forwarding" },
		{ "kernel.shm_rmid_forced", "sys/kernel/shm_rmid_forced" },
		{ "simple", "sys/simple" },
	};
	static const char *const bad[] = {
		"",   ".",    "..",     "a..b",           ".a",    "a.",       "/a",
		"a/", "a//b", "a/../b", "../../self/mem", "a/./b", "net.//.b", "a/..",
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		char *path = procfs_sysctl_path(good[i][0]);
		assert_non_null(path);
		assert_string_equal(path, good[i][1]);
		free(path);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char *path = procfs_sysctl_path(bad[i]);
		if (path)
			fail_msg("%s became %s", bad[i], path);
	}
}

static int read_at(int procfd, const char *path, char *text, size_t size)
{
	struct err err = ERR_INIT;
	int fd = procfs_open_at(procfd, path, O_RDONLY, &err);

	if (fd < 0)
		return fd;
	ssize_t n = io_read(fd, text, size - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return n < 0 ? (int)n : 0;
}

/* Sets the default TTL of an own network namespace through the handle and asks a socket. */
static int sysctl_works(int procfd)
{
	struct err err = ERR_INIT;
	socklen_t len = sizeof(int);
	char text[256];
	int ttl = 0, sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	CHECK(fcntl(procfd, F_GETFD) & FD_CLOEXEC);
	CHECK_OK(procfs_write_sysctl(procfd, "net.ipv4.ip_default_ttl", "77", &err), &err);
	CHECK(getsockopt(sock, IPPROTO_IP, IP_TTL, &ttl, &len) == 0 && ttl == 77);
	CHECK(procfs_write_sysctl(procfd, "kernel.no_such", "1", &err) == -ENOENT);
	CHECK(strstr(err.msg, "kernel.no_such"));
	CHECK(procfs_write_sysctl(procfd, "kernel/../../self/comm", "x", &err) == -EINVAL);
	CHECK(read_at(procfd, "self/comm", text, sizeof(text)) == 0);
	CHECK(procfs_open_at(procfd, "self/exe", O_RDONLY, &err) == -ELOOP);
	CHECK(procfs_open_at(procfd, "self/root/etc/passwd", O_RDONLY, &err) < 0);
	CHECK(procfs_open_at(procfd, "../etc/passwd", O_RDONLY, &err) < 0);
	CHECK_OK(procfs_write_oom_score_adj(procfd, 1000, &err), &err);
	CHECK(read_at(procfd, "self/oom_score_adj", text, sizeof(text)) == 0);
	CHECK(strcmp(text, "1000\n") == 0);
	return 0;
}

static int handle(const void *data)
{
	struct err err = ERR_INIT;
	int procfd = procfs_open(0, &err);

	CHECK_OK(procfd, &err);
	return sysctl_works(procfd);
}

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

static int handle_without_fsopen(const void *data)
{
	int r = deny(SYS_fsopen, ENOSYS);

	return r ? r : handle(NULL);
}

/* CVE-2019-16884, CVE-2025-52881: /proc, or a file below it, is covered by something else. */
static int covered(const void *no_openat2)
{
	struct err err = ERR_INIT;

	CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	CHECK(mount("/proc/self/comm", "/proc/sys/kernel/hostname", NULL, MS_BIND, NULL) == 0);
	if (deny(SYS_fsopen, ENOSYS) || (no_openat2 && deny(SYS_openat2, ENOSYS)))
		return __LINE__;
	int procfd = procfs_open(0, &err);
	CHECK_OK(procfd, &err);
	CHECK(procfs_write_sysctl(procfd, "kernel.hostname", "wrong", &err) == -EXDEV);
	CHECK(err.kind == ERR_DENIED && strstr(err.msg, "covered by a mount"));
	CHECK_OK(procfs_open_at(procfd, "self/comm", O_RDONLY, &err), &err);

	CHECK(mount("tmpfs", "/proc", "tmpfs", 0, NULL) == 0);
	CHECK(procfs_open(0, &err) < 0);
	CHECK(err.kind == ERR_DENIED && strstr(err.msg, "/proc"));
	return 0;
}

static void test_handle(void **state)
{
	child_run_userns(handle, NULL, CLONE_NEWNET | CLONE_NEWNS);
}

static void test_handle_without_fsopen(void **state)
{
	child_run_userns(handle_without_fsopen, NULL, CLONE_NEWNET | CLONE_NEWNS);
}

static void test_covered(void **state)
{
	child_run_userns(covered, NULL, CLONE_NEWNS);
	child_run_userns(covered, "without openat2", CLONE_NEWNS);
}

/* A private instance with processes only, in a pid namespace of its own. */
static int subset(const void *data)
{
	struct err err = ERR_INIT;
	char text[64];
	int status;

	CHECK(unshare(CLONE_NEWPID) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		int procfd = procfs_open(PROCFS_SUBSET_PID, &err);
		if (procfd < 0 || read_at(procfd, "1/comm", text, sizeof(text)) < 0)
			_exit(1);
		/* Without the right to a new instance (/proc is not wholly visible here) it is
		 * the mounted one, where pid 1 is somebody else's. */
		_exit(0);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	return 0;
}

static void test_subset(void **state)
{
	child_run_userns(subset, NULL, CLONE_NEWNS);
}

static void test_ns_types(void **state)
{
	assert_int_equal(ns_by_name("network")->flag, CLONE_NEWNET);
	assert_int_equal(ns_by_name("net")->flag, CLONE_NEWNET);
	assert_int_equal(ns_by_name("mount")->flag, CLONE_NEWNS);
	assert_int_equal(ns_by_name("mnt")->flag, CLONE_NEWNS);
	assert_null(ns_by_name("nets"));
	assert_null(ns_by_name(""));
	assert_null(ns_by_flag(CLONE_NEWNS | CLONE_NEWNET));
	for (size_t i = 0; i < NS_TYPES; i++)
		assert_ptr_equal(ns_by_flag(ns_types[i].flag), &ns_types[i]);
}

static void test_ns_open(void **state)
{
	struct err err = ERR_INIT;
	int fd = ns_open("/proc/self/ns/net", CLONE_NEWNET, &err);

	assert_return_code(fd, -fd);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(ns_is_own(fd, CLONE_NEWNET), 1);
	assert_int_equal(ns_is_own(fd, CLONE_NEWUTS), 0);
	close(fd);
	fd = ns_open_of(getpid(), CLONE_NEWPID, &err);
	assert_return_code(fd, -fd);
	close(fd);
	assert_int_equal(ns_open("/proc/self/ns/net", CLONE_NEWNS, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "is a network namespace, not a mount namespace"));
	assert_int_equal(ns_open("/dev/null", CLONE_NEWNET, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "/dev/null is not a namespace"));
	assert_int_equal(ns_open("/nonexistent", CLONE_NEWNET, &err), -ENOENT);
}

static int join(const void *data)
{
	struct err err = ERR_INIT;
	int before = ns_open("/proc/self/ns/uts", CLONE_NEWUTS, &err);

	CHECK_OK(before, &err);
	CHECK(unshare(CLONE_NEWUTS) == 0);
	CHECK(ns_is_own(before, CLONE_NEWUTS) == 0);
	CHECK_OK(ns_join(before, CLONE_NEWUTS, &err), &err);
	CHECK(ns_is_own(before, CLONE_NEWUTS) == 1);
	CHECK(ns_join(before, CLONE_NEWNET, &err) == -EINVAL);
	CHECK(strstr(err.msg, "joining network namespace"));
	return 0;
}

static void test_join(void **state)
{
	child_run_userns(join, NULL, CLONE_NEWUTS);
}

static int time_offsets(const void *data)
{
	static const struct ns_time_offset offsets[] = { { CLOCK_BOOTTIME, 1000000, 5 },
							 { CLOCK_MONOTONIC, 2000000, 0 } };
	struct err err = ERR_INIT;
	struct timespec before, boot, mono;
	int procfd = procfs_open(0, &err), status;

	CHECK_OK(procfd, &err);
	CHECK(clock_gettime(CLOCK_BOOTTIME, &before) == 0);
	int fd = procfs_open_at(procfd, NS_TIME_OFFSETS, O_WRONLY, &err);
	CHECK_OK(fd, &err);
	CHECK_OK(ns_unshare_time(fd, offsets, 2, &err), &err);
	pid_t pid = fork();
	if (pid == 0) {
		clock_gettime(CLOCK_BOOTTIME, &boot);
		clock_gettime(CLOCK_MONOTONIC, &mono);
		time_t ahead = boot.tv_sec - before.tv_sec;
		_exit(ahead >= 1000000 && ahead < 1000100 && mono.tv_sec >= 2000000 ? 42 : 43);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 42);
	/* Somebody is in it now: too late. */
	CHECK(procfs_write(procfd, "self/timens_offsets", "1 5 0\n", &err) == -EACCES);
	return 0;
}

static void test_time_offsets(void **state)
{
	child_run_userns(time_offsets, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_stat),
		cmocka_unit_test(test_parse_stat_malformed),
		cmocka_unit_test(test_stat_of_processes),
		cmocka_unit_test(test_sysctl_path),
		cmocka_unit_test(test_handle),
		cmocka_unit_test(test_handle_without_fsopen),
		cmocka_unit_test(test_covered),
		cmocka_unit_test(test_subset),
		cmocka_unit_test(test_ns_types),
		cmocka_unit_test(test_ns_open),
		cmocka_unit_test(test_join),
		cmocka_unit_test(test_time_offsets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
