/* SPDX-License-Identifier: Apache-2.0 */
/* As in glibc >= 2.36. */
#pragma once

#include <signal.h>
#include <sys/types.h>

int pidfd_open(pid_t pid, unsigned int flags);
int pidfd_getfd(int pidfd, int target_fd, unsigned int flags);
int pidfd_send_signal(int pidfd, int signo, siginfo_t *info, unsigned int flags);
