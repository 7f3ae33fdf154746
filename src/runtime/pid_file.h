/* SPDX-License-Identifier: Apache-2.0 */
/* --pid-file: the number alone, without a line's end, as with runc. */
#pragma once

#include "base/err.h"

/* path NULL: nothing. The file appears whole. *ret_made: it is there by now, to be removed when
 * what follows fails. */
int pid_file_write(const char *path, pid_t pid, bool *ret_made, struct err *err);
