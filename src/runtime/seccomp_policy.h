/* SPDX-License-Identifier: Apache-2.0 */
/* The words of linux.seccomp (runtime-spec config-linux.md, "Seccomp") resolved to the kernel's
 * numbers. Pure. */
#pragma once

#include "runtime/container.h"
#include "sys/seccomp.h"

struct seccomp_policy_holder {
	struct seccomp_policy policy;
	struct seccomp_rule *rules;
	struct seccomp_arg *args;
};
/* Strings are borrowed from s. Also on failure: seccomp_policy_done(). */
int seccomp_policy_make(const struct spec_seccomp *s, struct seccomp_policy_holder *ret,
			struct err *err);
void seccomp_policy_done(struct seccomp_policy_holder *holder);
int seccomp_flags_make(const struct spec_seccomp *s, unsigned int *ret, struct err *err);
/* Both: bpf gets the program (struct sock_filter), *ret_flags what seccomp(2) takes. 0 or -errno.
 */
int seccomp_prepare(const struct spec_seccomp *s, struct buf *bpf, unsigned int *ret_flags,
		    struct err *err);

/* The words known, for `features`; NULL at the end. */
const char *seccomp_action_word(size_t i);
const char *seccomp_op_word(size_t i);
const char *seccomp_flag_word(size_t i);
bool seccomp_flag_supported(const char *word); /* by this kernel */
