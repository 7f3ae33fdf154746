/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading events (events.h), those of the past and those to come.
 *
 *   type=TYPE              container, image, volume, network
 *   event=ACTION           "exec_create", "exec_start" and "health_status" without what follows
 *                          their colon mean all of them
 *   container=NAME|ID      also by the beginning of the id; events of volumes that it mounts, too
 *   image=NAME|ID          of the image, and of containers made of it; a name without a tag: of any
 *   volume=NAME, network=NAME|ID
 *   label=KEY[=VALUE]      any attribute, as with docker; each must be met
 *   scope=local            all of them
 */
#pragma once

#include "engine/events.h"

struct event {
	int64_t seq; /* rises; there may be gaps */
	int64_t time_ns;
	char *type, *action, *actor;
	struct json_map attributes; /* sorted by key */
};

struct events_query {
	char *const *filters;       /* NULL: none */
	int64_t since_ns, until_ns; /* 0: not given */
	bool stream;                /* goes on with new ones, until until_ns */
	int (*event)(void *data, const struct event *ev, struct err *err);
	int (*idle)(void *data, struct err *err); /* nothing is there at the moment */
	void *data;
};
/* Oldest first. A stream without since_ns and until_ns begins with what comes now. Ends when
 * until_ns is over, or a function fails; without stream at the last event. */
int events_read(struct engine *eng, const struct events_query *query, struct err *err);
