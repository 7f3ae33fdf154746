/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Showing a pull or a push: bars on a terminal, a line per change elsewhere, JSON lines for
 * programs. Words and order are docker's.
 */
#pragma once

#include "engine/copy.h"
#include "engine/pull.h"
#include "engine/push.h"

enum progress_mode { PROGRESS_AUTO, PROGRESS_PLAIN, PROGRESS_TTY, PROGRESS_JSON, PROGRESS_QUIET };
extern const char *const progress_modes[]; /* what --progress takes; QUIET is not among them */
/* word: one of these, or NULL when none was given. */
enum progress_mode progress_mode_of(const char *word, bool quiet);

struct progress;
/* fd: where it is shown. */
struct progress *progress_new(enum progress_mode mode, int fd);
void progress_free(struct progress *p);
/* To be given to engine_pull(); belongs to p. */
const struct pull_events *progress_events(struct progress *p);
/* docker's words before a pull that a command begins by itself. */
void progress_missing(const char *word);
/* One that shows pushes of `to`, and what goes into struct push_options. */
struct progress *progress_new_push(enum progress_mode mode, int fd, const struct reference *to);
void progress_push_event(void *progress, const struct push_event *event);
void progress_pushed(struct progress *p, const struct push_result *result);
/* The same for copies. */
struct progress *progress_new_copy(enum progress_mode mode, int fd,
				   const struct transport_name *from,
				   const struct transport_name *to);
void progress_copied(struct progress *p, const struct copy_result *result);
