/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Readiness for systemd (sd_notify(3)), as runc and crun pass it on. When NOTIFY_SOCKET is set for
 * the runtime, the container gets a socket of its own, /run/notify/notify.sock, in a read-only bind
 * of a directory in its state directory, and systemd learns one thing from it: READY=1. All else
 * that comes (STATUS, WATCHDOG, MAINPID, file descriptors for systemd's store) ends here.
 */
#pragma once

#include <sys/un.h>

#include "runtime/container.h"

#define NOTIFY_ENV       "NOTIFY_SOCKET"
#define NOTIFY_DIR       "/run/notify" /* in the container */
#define NOTIFY_FILE      "notify.sock"
#define NOTIFY_BYTES_MAX 4096u /* systemd's limit as well */

/* Pure. Whether a datagram has the line READY=1. As with systemd, one that is longer than
 * NOTIFY_BYTES_MAX or has a NUL inside says nothing. */
bool notify_says_ready(const char *text, size_t len);
/* Pure. "/path" or "@abstract" to an address: its length, or -EINVAL. */
int notify_address(const char *name, struct sockaddr_un *ret);

/* Makes the directory that the container will see; label: SELinux's, or NULL. */
int notify_make_dir(int state_dir, const char *label, struct err *err);
/* Makes the container's socket, after one of a killed start was removed. fd, -ENOENT when the
 * container was created without NOTIFY_SOCKET, or -errno. */
int notify_listen(int state_dir, struct err *err);
/* Takes what has come, some of it when there is much, and closes the fds that came with it. Whether
 * one was READY=1; what is behind that stays. */
bool notify_receive(int sock);
/* Tells systemd that the service is ready and which process is its main one. Failures are
 * warnings: the container runs. */
void notify_tell(const char *host, pid_t main_pid);
/* The same, and waits until systemd has read it, which looks up whose process has written.
 * -ECANCELED by a signal at cancel_fd (runtime/cancel.h). */
int notify_tell_and_wait(const char *host, pid_t main_pid, int cancel_fd, struct err *err);
/* Tells it the main process alone, and waits until it knows: whoever has told may end then. */
void notify_main_pid(const char *host, pid_t main_pid);
/* Waits until the container is ready, tells systemd and waits until that has read it, for it looks
 * up whose process has written; or until the container's process, which need not be a child, has
 * ended. -ECANCELED by a signal at cancel_fd (runtime/cancel.h). */
int notify_wait(int sock, const char *host, const struct container *c, int cancel_fd,
		struct err *err);
