/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests whose subject changes the process itself (namespaces, capabilities, filters) run it in a
 * forked child. The child's function returns 0 or the line of the CHECK() that failed. cmocka's own
 * assertions must not be used there: they jump.
 */
#pragma once

#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <sys/wait.h>

#include "base/err.h"

#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "%s:%d: not so: %s (errno %d)\n", __FILE__, __LINE__,      \
				#cond, errno);                                                     \
			return __LINE__;                                                           \
		}                                                                                  \
	} while (0)
/* For functions that return -errno and fill err. */
#define CHECK_OK(expr, err)                                                                        \
	do {                                                                                       \
		int check_r_ = (expr);                                                             \
		if (check_r_ < 0) {                                                                \
			fprintf(stderr, "%s:%d: %s: %s (%d)\n", __FILE__, __LINE__, #expr,         \
				(err)->msg, check_r_);                                             \
			return __LINE__;                                                           \
		}                                                                                  \
	} while (0)

#define CHILD_NO_USERNS -2

static inline int child_write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return n < 0 ? -1 : 0;
}

static inline int child_enter_userns(int flags)
{
	unsigned int uid = geteuid(), gid = getegid();
	char map[64];

	if (unshare(CLONE_NEWUSER | flags) < 0)
		return CHILD_NO_USERNS;
	if (child_write_file("/proc/self/setgroups", "deny") < 0)
		return __LINE__;
	snprintf(map, sizeof(map), "0 %u 1\n", uid);
	if (child_write_file("/proc/self/uid_map", map) < 0)
		return __LINE__;
	snprintf(map, sizeof(map), "0 %u 1\n", gid);
	return child_write_file("/proc/self/gid_map", map) < 0 ? __LINE__ : 0;
}

/* Runs fn in a child; ns_flags >= 0: as root of a new user namespace and those others. The result
 * comes over a pipe, so that a child which dies without one is seen. */
static inline int child_result(int (*fn)(const void *data), const void *data, int ns_flags)
{
	int p[2], result = -1;

	assert_return_code(pipe2(p, O_CLOEXEC), errno);
	pid_t pid = fork();
	assert_return_code(pid, errno);
	if (pid == 0) {
		int r = ns_flags >= 0 ? child_enter_userns(ns_flags) : 0;
		if (r == 0)
			r = fn(data);
		(void)!write(p[1], &r, sizeof(r));
		_exit(0);
	}
	close(p[1]);
	ssize_t n = read(p[0], &result, sizeof(result));
	close(p[0]);
	waitpid(pid, NULL, 0);
	return n == sizeof(result) ? result : -1;
}

#define child_run(fn, data) assert_int_equal(child_result(fn, data, -1), 0)

/* Only where this kernel lets nobody make user namespaces is the test skipped. */
#define child_run_userns(fn, data, flags)                                                          \
	do {                                                                                       \
		int child_r_ = child_result(fn, data, flags);                                      \
		if (child_r_ == CHILD_NO_USERNS) {                                                 \
			print_message("user namespaces are switched off here\n");                  \
			skip();                                                                    \
		}                                                                                  \
		assert_int_equal(child_r_, 0);                                                     \
	} while (0)
