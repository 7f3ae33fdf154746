/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fence around inro-registry, put up before the first request: as root it becomes a user that
 * owns nothing (65534); no capabilities, no_new_privs; nobody may trace it; Landlock leaves reading
 * what names and certificates of the system are looked up in; a seccomp allow-list leaves TCP and
 * UDP as a client, threads, and the fds that requests bring. No other program can be executed.
 */
#pragma once

#include "base/err.h"

/* extra: other paths that stay readable; NULLs among them are skipped. */
int confine(const char *const *extra, size_t n_extra, struct err *err);
