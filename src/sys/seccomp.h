/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Seccomp filters: compiled by libseccomp to BPF once, cached by content, loaded with seccomp(2).
 * Input is a neutral description so that sys/ does not depend on the OCI structs.
 */
#pragma once

#include <linux/filter.h>

#include "base/buf.h"
#include "base/err.h"

struct seccomp_arg {
	unsigned int index;
	int op; /* enum scmp_compare */
	uint64_t a, b;
};
struct seccomp_rule {
	char *const *names;             /* unknown to libseccomp: skipped */
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
 * Compiles into BPF: an array of struct sock_filter in out (what it held is replaced). The native
 * architecture is always part of it; words of architectures that libseccomp does not know are
 * skipped. Where the default action is ERRNO, calls with a higher number than any that the policy
 * names fail with ENOSYS instead: they are newer than the policy, and libc takes its older way only
 * after ENOSYS.
 *
 * On 32-bit x86 (and other machines with socketcall(2) and ipc(2)) rules with arguments on
 * "socket" and its like can't hold: the multiplexed call passes them in memory, and is let through.
 */
int seccomp_compile(const struct seccomp_policy *policy, struct buf *out, struct err *err);
/* Loads with SECCOMP_FILTER_FLAG_* (libseccomp owns the name seccomp_load); returns 0, or the
 * listener fd when NEW_LISTENER is in flags, or -errno. */
int seccomp_install(const void *bpf, size_t len, unsigned int flags, struct err *err);
bool seccomp_action_available(uint32_t action);
bool seccomp_flags_available(unsigned int flags); /* SECCOMP_FILTER_FLAG_* */
