/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Seccomp filters: compiled to classic BPF, loaded with seccomp(2). Input is a neutral description,
 * so that sys/ does not depend on the OCI structs.
 */
#pragma once

#include <linux/filter.h>

#include "base/buf.h"
#include "base/err.h"

#define SECCOMP_ARGS_MAX 6

/* How an argument is compared with a (and b), all without sign. */
enum seccomp_op {
	SECCOMP_OP_NE,
	SECCOMP_OP_LT,
	SECCOMP_OP_LE,
	SECCOMP_OP_EQ,
	SECCOMP_OP_GE,
	SECCOMP_OP_GT,
	SECCOMP_OP_MASKED_EQ, /* (argument & a) == (b & a) */
	SECCOMP_OPS
};

struct seccomp_arg {
	unsigned int index;
	enum seccomp_op op;
	uint64_t a, b;
};
struct seccomp_rule {
	char *const *names;             /* unknown ones: skipped */
	uint32_t action;                /* SECCOMP_RET_* | data */
	const struct seccomp_arg *args; /* all must hold; with one index twice: one of them */
	size_t n_args;
};
struct seccomp_policy {
	uint32_t default_action;
	char *const *architectures; /* SCMP_ARCH_* words; NULL: native */
	const struct seccomp_rule *rules;
	size_t n_rules;
};
/*
 * Compiles into BPF: an array of struct sock_filter in out (what it held is replaced). Answers as
 * libseccomp's filters do when runc feeds it the same policy:
 *
 * - The native architecture is always part of it. Words of architectures whose calls this machine
 *   can't make are skipped. Calls of an architecture that is not in the filter kill the thread.
 * - Rules with the default action, and names that no architecture has, count for nothing.
 * - Of the rules on one call, one without conditions decides, the first if there are several. Else
 *   the first that holds does, the more special ones being asked first: those on later arguments,
 *   then "equal" before "less" before "greater", then the tighter limit, then more conditions.
 * - 32-bit architectures, x32 among them, are asked about the lower halves of arguments.
 * - Where socketcall(2) and ipc(2) exist, a rule on "socket" is one on socketcall(SYS_SOCKET) too.
 *   There its condition on the first argument is left out: what the call is given is in memory.
 * - Where the default action is ERRNO, calls with a higher number than any that the policy names
 *   fail with ENOSYS instead: they are newer than the policy, and libc takes its older way only
 *   after ENOSYS. The number -1, by which tracers skip a call, is no such call.
 */
int seccomp_compile(const struct seccomp_policy *policy, struct buf *out, struct err *err);
/* A call of the native architecture, of whose arguments only the first is known, if that. */
struct seccomp_call {
	int nr;
	bool first_known;
	uint64_t first;
};
/* What a filter of seccomp_compile() says to it. False: it depends on what is not known. */
bool seccomp_answer(const void *bpf, size_t len, const struct seccomp_call *call, uint32_t *ret);
/* Loads with SECCOMP_FILTER_FLAG_*; returns 0, or the listener fd when NEW_LISTENER is in flags, or
 * -errno. */
int seccomp_install(const void *bpf, size_t len, unsigned int flags, struct err *err);
bool seccomp_flags_available(unsigned int flags); /* SECCOMP_FILTER_FLAG_* */
