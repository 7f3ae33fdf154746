/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --sdnotify: when systemd is told that a container is ready, where it is run by a service
 * (NOTIFY_SOCKET). The service's main process is the container's monitor: it lives as long as the
 * container does.
 *
 *   conmon      when it runs
 *   container   when it says so itself: to a socket of its own, which the monitor reads
 *   healthy     when its health check has passed
 */
#pragma once

#include "engine/record.h"

enum sdnotify { SDNOTIFY_CONMON, SDNOTIFY_CONTAINER, SDNOTIFY_HEALTHY };
extern const char *const sdnotify_names[]; /* NULL-terminated */

/* NULL and "ignore": not at all. */
int sdnotify_parse(const char *word, struct record_options *to, struct err *err);
/* Is there anybody to be told? */
bool sdnotify_wanted(const struct record_options *o);
/* It runs. Waits for its health where that is to be waited for; again: it was ready before. */
void sdnotify_tell(struct engine *eng, const struct record *rec, pid_t monitor, bool again);
