/* SPDX-License-Identifier: Apache-2.0 */
/* prctl(2) bits of this process, as functions with checked arguments. 0 or -errno. */
#pragma once

#include <signal.h>

#include "base/util.h"

int prctl_no_new_privs(void);
int prctl_keep_caps(bool on); /* permitted ones survive the next setuid; exec clears it */
int prctl_dumpable(bool on);  /* off: /proc/self belongs to root, no ptrace by the same uid */
bool prctl_is_dumpable(void);
int prctl_subreaper(bool on);     /* orphaned descendants come to us */
int prctl_name(const char *name); /* comm, cut at 15 bytes */
/* Signal when the parent (thread) dies. -ESRCH when it is dead already, which the signal would have
 * missed: expected_parent is getpid() of the parent, or 0 not to check (other pid namespace). */
int prctl_parent_death_signal(int signo, pid_t expected_parent);
