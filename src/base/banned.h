/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions that have no safe use here become compile errors; the name of the poisoned macro says
 * what to use instead. Included by base/util.h, so by every file.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BANNED(func, instead) banned_##func##_use_##instead

#undef strcpy
#define strcpy(d, s) BANNED(strcpy, buf_or_snprintf)
#undef strcat
#define strcat(d, s) BANNED(strcat, buf)
#undef strncpy
#define strncpy(d, s, n) BANNED(strncpy, snprintf)
#undef strncat
#define strncat(d, s, n) BANNED(strncat, buf)
#undef sprintf
#define sprintf(...) BANNED(sprintf, snprintf)
#undef vsprintf
#define vsprintf(...) BANNED(vsprintf, vsnprintf)
#undef strtok
#define strtok(s, d) BANNED(strtok, strv_split)
#undef strtok_r
#define strtok_r(s, d, p) BANNED(strtok_r, strv_split)
#undef atoi
#define atoi(s) BANNED(atoi, str_parse_i64)
#undef atol
#define atol(s) BANNED(atol, str_parse_i64)
#undef atoll
#define atoll(s) BANNED(atoll, str_parse_i64)
#undef system
#define system(c) BANNED(system, proc_spawn)
#undef popen
#define popen(c, m) BANNED(popen, proc_spawn)
#undef alloca
#define alloca(n) BANNED(alloca, xmalloc)
#undef gmtime
#define gmtime(t) BANNED(gmtime, gmtime_r)
#undef localtime
#define localtime(t) BANNED(localtime, localtime_r)
#undef ctime
#define ctime(t) BANNED(ctime, timeutil)
#undef asctime
#define asctime(t) BANNED(asctime, timeutil)
#undef mktemp
#define mktemp(t) BANNED(mktemp, openat_with_random_name)
#undef tmpnam
#define tmpnam(s) BANNED(tmpnam, openat_with_random_name)
#undef realpath
#define realpath(p, r) BANNED(realpath, path_open_in)
