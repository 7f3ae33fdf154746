/* SPDX-License-Identifier: Apache-2.0 */
/* In glibc an enum. */
#pragma once

#include_next <sys/resource.h>

typedef int __rlimit_resource_t;
