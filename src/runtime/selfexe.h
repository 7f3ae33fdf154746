/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program's own file, out of reach of containers. Whoever is root in a container that shares
 * the host's ids can open /proc/PID/exe of a process of ours that is in there (before its exec, or
 * because the image's program is a link to /proc/self/exe) and overwrite the program on the host
 * (CVE-2019-5736). So processes that enter containers run from a read-only detached mount of the
 * file, which no path leads to, or from a sealed copy in memory.
 */
#pragma once

#include "base/err.h"

/* An fd to execute this program from (execveat(2), proc_spawn's exec_fd): a detached read-only
 * clone of the mount it is on, else a sealed memfd. path NULL: /proc/self/exe. fd or -errno. */
int selfexe_open(const char *path, struct err *err);
/* Whether the file of path can't be overwritten by a container that root or this user runs. */
bool selfexe_path_is_safe(const char *path);
/* Whether this process runs from such a file, or from one that nobody whom it may run can write. */
bool selfexe_is_protected(void);
/* The detached mount that this process was executed from, set CLOEXEC; -EBADF: another way was
 * taken. Closing it dissolves the mount, which waits for RCU (0.04 ms, on a busy machine 1 ms):
 * best done by a process that waits anyway. */
int selfexe_mount_fd(void);
/* Executes a runtime from such a mount, whose fd will be at least first_fd, so that it need not
 * execute itself once more. Returns where that can't be done: the runtime does what can. */
void selfexe_exec(const char *path, char *const *argv, int first_fd);
/* Executes the program again from selfexe_open() unless it is protected. Returns 0 when it is, or
 * -errno. */
int selfexe_protect(char *const *argv, struct err *err);
