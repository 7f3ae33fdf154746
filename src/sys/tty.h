/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pseudoterminals and terminal modes: pts(4), ioctl_tty(2). The slave is reached from the master
 * with TIOCGPTPEER, never by a name that somebody could replace (design rule 6).
 */
#pragma once

#include <sys/ioctl.h>
#include <termios.h>

#include "base/err.h"

/* Opens ptmx in dirfd (the root of a devpts mount, or "/dev/pts") and its slave. ERR_DENIED when
 * either is not on a devpts. Both CLOEXEC; the slave does not become the controlling terminal. 0 or
 * -errno. */
int tty_open_pair(int dirfd, int *ret_master, int *ret_slave, struct err *err);
int tty_get_size(int fd, struct winsize *ret);
int tty_set_size(int fd, const struct winsize *size);
/* Makes fd the controlling terminal of this process, which is made a session leader. */
int tty_make_controlling(int fd, struct err *err);
/* Raw mode for a user's terminal; *ret_saved is what tty_restore() brings back. */
int tty_make_raw(int fd, struct termios *ret_saved);
int tty_restore(int fd, const struct termios *saved);
