/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pods with their members, each as it truly is (life.h).
 *
 *   id=PREFIX, name=REGEX, label=KEY[=VALUE], label!=..., until=TIME, status=WORD
 *   network=NAME or PREFIX of an id
 *   ctr-ids=PREFIX, ctr-names=REGEX, ctr-status=WORD   has a member that is so
 *   ctr-number=N                                       has so many
 */
#pragma once

#include "engine/pods.h"

struct pod_view {
	struct pod pod;
	const struct record **members; /* oldest first */
	size_t n;
	const struct record *infra;     /* one of them; or NULL */
	char **networks, **network_ids; /* that it is on */
	const char *state; /* podman's: Created, Running, Degraded, Paused, Stopped, Exited */
};
struct pod_views {
	struct pod_view *items;
	size_t n;
	struct record_list records; /* whose the members are */
};
void pod_views_done(struct pod_views *views);
#define cleanup_pod_views CLEANUP(pod_views_done)

/* One that `pod clone` was killed at goes before, unless a member of it has been started. */
/* Newest first. filters NULL: all. */
int pods_query(struct engine *eng, char *const *filters, struct pod_views *ret, struct err *err);
/* One; ERR_NOT_FOUND. */
int pod_view(struct engine *eng, const char *word, struct pod_views *ret, struct err *err);
/* Also of one that is unfinished: it stays. */
int pod_view_as_is(struct engine *eng, const char *word, struct pod_views *ret, struct err *err);
/* Has it gone, as nobody finishes it? */
bool pod_settle(struct engine *eng, const struct pod *pod);
