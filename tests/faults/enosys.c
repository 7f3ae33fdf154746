/* SPDX-License-Identifier: Apache-2.0 */
/*
 * enosys SYSCALL[,SYSCALL...] -- COMMAND [ARG...]
 * Runs COMMAND as on a kernel, or in a sandbox, that does not know the system calls named: each
 * fails with ENOSYS. A raw filter, so that the tests of the fallbacks need no library.
 */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <errno.h>
#include <unistd.h>

#define CALLS_MAX 32

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#error "unknown architecture"
#endif

/* These have the same number on all architectures. */
static const struct {
	const char *name;
	unsigned int nr;
} calls[] = {
	{ "pidfd_send_signal", 424 },
	{ "open_tree", 428 },
	{ "move_mount", 429 },
	{ "fsopen", 430 },
	{ "fsconfig", 431 },
	{ "fsmount", 432 },
	{ "fspick", 433 },
	{ "pidfd_open", 434 },
	{ "clone3", 435 },
	{ "close_range", 436 },
	{ "openat2", 437 },
	{ "pidfd_getfd", 438 },
	{ "faccessat2", 439 },
	{ "process_madvise", 440 },
	{ "mount_setattr", 442 },
	{ "landlock_create_ruleset", 444 },
	{ "kill", SYS_kill },
	{ "statx", SYS_statx },
	{ "copy_file_range", SYS_copy_file_range },
};

static int find_call(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (strlen(calls[i].name) == len && memcmp(calls[i].name, name, len) == 0)
			return (int)calls[i].nr;
	}
	return -1;
}

/* Reads "a,b,c" into nrs. Returns their count, or -1. */
static int parse_calls(const char *list, unsigned int nrs[CALLS_MAX])
{
	int n = 0;

	for (;;) {
		size_t len = strcspn(list, ",");
		int nr = find_call(list, len);

		if (nr < 0 || n == CALLS_MAX) {
			fprintf(stderr, "enosys: unknown system call: %.*s\n", (int)len, list);
			return -1;
		}
		nrs[n++] = (unsigned int)nr;
		if (!list[len])
			return n;
		list += len + 1;
	}
}

static int install(const unsigned int *nrs, int n)
{
	struct sock_filter code[2 * CALLS_MAX + 5];
	struct sock_fprog prog = { .filter = code };
	unsigned short len = 0;

	code[len++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						   offsetof(struct seccomp_data, arch));
	code[len++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
	code[len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	code[len++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						   offsetof(struct seccomp_data, nr));
	for (int i = 0; i < n; i++) {
		code[len++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nrs[i], 0, 1);
		code[len++] =
		    (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
	}
	code[len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	prog.len = len;
	/* without privileges a filter needs no_new_privs; with them setuid programs stay as they
	 * are */
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0)
		return 0;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

int main(int argc, char **argv)
{
	unsigned int nrs[CALLS_MAX];
	int n;

	if (argc < 4 || strcmp(argv[2], "--") != 0) {
		fprintf(stderr, "usage: enosys SYSCALL[,SYSCALL...] -- COMMAND [ARG...]\n");
		return 125;
	}
	n = parse_calls(argv[1], nrs);
	if (n < 0)
		return 125;
	if (install(nrs, n) < 0) {
		perror("enosys: installing the filter");
		return 125;
	}
	execvp(argv[3], argv + 3);
	perror(argv[3]);
	return 127;
}
