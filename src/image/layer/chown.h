/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/types.h>

#include "base/err.h"

/* The directory and all that is in it. Nothing is followed; what has that owner already is left
 * alone, as chown(2) takes a program's set-user-ID away. */
int chown_tree(int dir, uid_t uid, gid_t gid, struct err *err);
