/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A rolling update: the replicas of a service are replaced by containers of another image, some at
 * a time. Each new one is made as its old one was, under its name and number; the old one has the
 * name "ID_NAME" meanwhile (compose's), which says that it is on its way, and is kept until the
 * new one has shown that it works. So who is killed in between leaves nothing that the next
 * command can't see: service_settle() gives such an old one its name and its part back.
 */
#pragma once

#include "engine/engine.h"

struct pull_events;

/* In docker's words; NULL: its default. */
struct service_update {
	char *image;                /* NULL: each replica's own, with force */
	bool force;                 /* those of that image already, too */
	char *order;                /* stop-first, start-first */
	char *failure_action;       /* pause, continue, rollback */
	char *delay;                /* between two groups: "0s" */
	char *monitor;              /* how long a new one has to work until it counts: "5s" */
	struct opt_u64 parallelism; /* at a time: 1; 0: all */

	/* What the user sees; all may be NULL. */
	const struct pull_events *pull_events;
	void (*on_missing)(const char *word);
	void (*done)(const char *replica);
	void (*failed)(const struct err *err); /* one that was taken back; the update's own error
						* comes back as always */
};
extern const char *const service_orders[], *const service_failure_actions[];

/* ERR_CONFLICT: it is no service. A signal that ends others (runtime/cancel.h) ends it behind the
 * replicas that it is at, which are then as they were. */
int engine_service_update(struct engine *eng, const char *word, const struct service_update *how,
			  struct err *err);

/* One change of a service at a time: an fd that is the lock, or ERR_CONFLICT. */
int service_change_lock(struct engine *eng, const char *id, const char *name, struct err *err);
/* Under that lock: what a killed command has left half done is taken back. */
int service_settle(struct engine *eng, const char *id, struct err *err);
