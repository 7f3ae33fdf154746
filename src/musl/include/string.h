/* SPDX-License-Identifier: Apache-2.0 */
/* As in glibc >= 2.32. */
#pragma once

#include_next <string.h>

const char *strerrordesc_np(int errnum); /* in glibc's words; NULL: there is no such error */
const char *sigabbrev_np(int signo);     /* "TERM"; NULL: there is no such signal */
