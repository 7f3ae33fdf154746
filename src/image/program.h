/* SPDX-License-Identifier: Apache-2.0 */
/* Where our own programs in libexec are. */
#pragma once

#include "base/util.h"

/* Path of the program name: beside this one, where it lies in a build tree, else installed. The
 * caller frees. */
char *program_find(const char *name);
