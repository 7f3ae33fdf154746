/* SPDX-License-Identifier: Apache-2.0 */
/* Capabilities: names, sets, and the order in which a process takes them on. capabilities(7). */
#pragma once

#include "base/err.h"

#define CAP_COUNT_MAX 64
int cap_from_name(const char *name); /* "CAP_NET_ADMIN" -> 12, or -EINVAL */
const char *cap_name(int cap);       /* or NULL */
int cap_last(void);                  /* the kernel's last one, from prctl probing */

struct cap_sets {
	uint64_t bounding, effective, inheritable, permitted, ambient;
};
int cap_get(struct cap_sets *ret); /* of this process */
/* The same without bounding and ambient, which take a system call for each capability. */
int cap_get_three(struct cap_sets *ret);
int cap_drop_bounding(uint64_t keep, struct err *err); /* before the uid changes */
/* capset + ambient, after the uid changed (with PR_SET_KEEPCAPS before it). A capability that the
 * kernel does not know or this process may not have is an error that names it. */
int cap_apply(const struct cap_sets *sets, struct err *err);
