/* SPDX-License-Identifier: Apache-2.0 */
/* Resource limits by name: getrlimit(2). */
#pragma once

#include <sys/resource.h>

#include "base/err.h"

int rlimit_from_name(const char *name); /* "RLIMIT_NOFILE" -> RLIMIT_NOFILE, or -EINVAL */
const char *rlimit_name(int resource);  /* or NULL */
/* prlimit(2) of process pid, 0: this one. UINT64_MAX is RLIM_INFINITY. EPERM (raising a hard limit
 * without CAP_SYS_RESOURCE) is in err->errnum, so that a caller may clamp and warn. */
int rlimit_set(pid_t pid, int resource, uint64_t soft, uint64_t hard, struct err *err);
/* Of this process, soft and hard, for good. Never raises one: that would need CAP_SYS_RESOURCE. */
struct rlimit_value {
	int resource;
	uint64_t value;
};
int rlimit_lower(const struct rlimit_value *limits, size_t n, struct err *err);
int rlimit_get(pid_t pid, int resource, uint64_t *ret_soft, uint64_t *ret_hard);
