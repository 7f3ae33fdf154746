/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to a running container's monitor, or to its clean-up role between an end and a restart,
 * by the control socket in its run directory (runtime/monitor_proto.h).
 */
#pragma once

#include "engine/engine.h"

/* The socket that a monitor is given: made new, whatever was there. For whoever holds the
 * container's lock. fd or -errno. */
int control_listen(struct engine *eng, const char *id, struct err *err);

/* A connection. -ENOENT, -ECONNREFUSED: nobody is there; or another -errno. */
int control_open(struct engine *eng, const char *id);
/* The next four: 0 or -errno; -EPIPE: the other end is gone, and the record tells more. */
int control_signal(int sock, int signo);
/* Nothing follows but the end, for control_wait(). */
int control_want_exit(int sock);
/* The container has ended and its end is in the database: its status and when (ns since 1970).
 * -ETIME after timeout_ms; -1: no limit. */
int control_wait(int sock, int timeout_ms, int *ret_code, int64_t *ret_ns);
/* No restart follows the next end. Waits for the answer. */
int control_stop_restart(int sock);
/* The same for whoever is there; that nobody is, is as wished. */
void control_forbid_restart(struct engine *eng, const char *id);
/* A health probe, now. Waits for its answer, as control_wait() does: *ret: enum monitor_probed. */
int control_probe(int sock, int timeout_ms, int *ret);
/* The health check is another one: as of struct monitor_start; first_ms -1: there is none. */
int control_health(int sock, int first_ms, uint32_t limit_ms);
/* keep keeps its published ports from now on (net/ports.h), instead of what does; negative: it has
 * none any more. It stays the caller's. */
int control_ports(int sock, int keep);
/* Joins the container's stdio. ret_fds: as STARTED brings them, the caller's to close. */
int control_attach(int sock, bool with_stdin, int ret_fds[3], size_t *ret_n);
