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
	char *const *names; /* unknown to libseccomp: skipped */
	uint32_t action;    /* SECCOMP_RET_* | data */
	const struct seccomp_arg *args;
	size_t n_args;
};
struct seccomp_policy {
	uint32_t default_action;
	char *const *architectures; /* SCMP_ARCH_* words; NULL: native */
	const struct seccomp_rule *rules;
	size_t n_rules;
};
/* Compiles into BPF: an array of struct sock_filter in out. */
int seccomp_compile(const struct seccomp_policy *policy, struct buf *out, struct err *err);
/* Loads with SECCOMP_FILTER_FLAG_*; returns 0, or the listener fd when NEW_LISTENER is in flags, or
 * -errno. */
int seccomp_load(const void *bpf, size_t len, unsigned int flags, struct err *err);
bool seccomp_action_available(uint32_t action);
