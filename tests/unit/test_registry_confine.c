/* SPDX-License-Identifier: Apache-2.0 */
/* What code that has taken over inro-registry could still do. */
#include "child.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "image/registry/confine.h"
#include "sys/landlock.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FILTERED false /* the sanitizers' runtimes make calls of their own */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define FILTERED false
#endif
#endif
#ifndef FILTERED
#define FILTERED true
#endif

static int reads_no_files(const void *data)
{
	struct err err = ERR_INIT;
	int is_there = landlock_abi();

	const char *const extra[] = { NULL, "/usr/share/common-licenses" };
	CHECK_OK(confine(extra, 2, &err), &err);
	int fd = open("/etc/ssl/certs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(fd >= 0);
	if (!is_there)
		return 0;
	CHECK(open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES);
	CHECK(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC) < 0 && errno == EACCES);
	CHECK(open("/proc/self/environ", O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES);
	CHECK(open("/etc/hosts", O_WRONLY | O_CLOEXEC) < 0 && errno == EACCES);
	CHECK(open("/tmp/inro-confine", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) < 0 &&
	      errno == EACCES);
	return 0;
}

static int is_nobody(const void *data)
{
	struct err err = ERR_INIT;
	bool was_root = geteuid() == 0;

	CHECK_OK(confine(NULL, 0, &err), &err);
	if (!was_root)
		return 0;
	CHECK(getuid() == 65534 && geteuid() == 65534 && getgid() == 65534 && getegid() == 65534);
	CHECK(setuid(0) < 0 && errno == EPERM);
	return 0;
}

static void *thread_main(void *arg)
{
	*(int *)arg = 1;
	return NULL;
}

static int is_only_a_client(const void *data)
{
	char *const argv[] = { (char *)"true", NULL };
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct err err = ERR_INIT;
	pthread_t thread;
	int ran = 0, p[2];

	CHECK_OK(confine(NULL, 0, &err), &err);
	CHECK(pthread_create(&thread, NULL, thread_main, &ran) == 0);
	CHECK(pthread_join(thread, NULL) == 0 && ran == 1);
	int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(sock >= 0);
	CHECK(fcntl(sock, F_SETFL, O_NONBLOCK) == 0);
	if (!FILTERED)
		return 0;
	CHECK(execve("/bin/true", argv, argv + 1) < 0 && (errno == EPERM || errno == EACCES));
	CHECK(fork() < 0 && errno == EPERM);
	CHECK(socket(AF_UNIX, SOCK_STREAM, 0) < 0 && errno == EPERM);
	CHECK(socket(AF_NETLINK, SOCK_RAW, 0) < 0 && errno == EPERM);
	CHECK(socket(AF_PACKET, SOCK_RAW, 0) < 0 && errno == EPERM);
	CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, p) < 0 && errno == EPERM);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p) == 0);
	CHECK(bind(sock, (struct sockaddr *)&in, sizeof(in)) < 0 && errno == EPERM);
	CHECK(listen(sock, 1) < 0 && errno == EPERM);
	CHECK(kill(getppid(), 0) < 0 && errno == EPERM);
	CHECK(syscall(SYS_tgkill, getppid(), getppid(), 0) < 0 && errno == EPERM);
	CHECK(fcntl(p[0], F_SETOWN, getppid()) < 0 && errno == EPERM);
	CHECK(ioctl(0, TIOCSTI, "x") < 0 && errno == EPERM);
	CHECK(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL) < 0 && errno == EPERM);
	CHECK(syscall(SYS_mount, "none", "/", "tmpfs", 0, NULL) < 0 && errno == EPERM);
	return 0;
}

static void test_reads_no_files(void **state)
{
	child_run(reads_no_files, NULL);
}

static void test_becomes_nobody(void **state)
{
	child_run(is_nobody, NULL);
}

static void test_is_only_a_client(void **state)
{
	child_run(is_only_a_client, NULL);
}

/* Root of a user namespace that has no user 65534 is still confined. */
static void test_in_a_user_namespace(void **state)
{
	child_run_userns(is_only_a_client, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_no_files),
		cmocka_unit_test(test_becomes_nobody),
		cmocka_unit_test(test_is_only_a_client),
		cmocka_unit_test(test_in_a_user_namespace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
