/* SPDX-License-Identifier: Apache-2.0 */
/* musl has statx(2) since 1.2.4. */
#pragma once

#include_next <sys/stat.h>
#ifndef STATX_BASIC_STATS
#include <linux/stat.h>

int statx(int fd, const char *path, int flags, unsigned int mask, struct statx *ret);
#endif
