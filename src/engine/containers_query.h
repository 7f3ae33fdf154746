/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers that meet conditions: `ps --filter`.
 *
 *   id=PREFIX, name=REGEX, label=KEY[=VALUE], label!=...
 *   status=WORD       created, running, paused, restarting, exited; of docker's other words there
 *                     is none here. Given, containers that do not run are listed, too
 *   exited=STATUS     ended with it
 *   ancestor=IMAGE    made of that image
 *   pod=POD           is a member of it
 *   service=SERVICE   is a replica of it
 *   restart-policy=WORD         docker's words
 *   should-start-on-boot=BOOL   record_starts_at_boot()
 *   network=NETWORK   is on it, by name or id; "none" and "host", too
 *   publish=PORT[-LAST][/PROTOCOL]   runs, and has one of these ports of the host
 *   expose=PORT[-LAST][/PROTOCOL]    runs, and has one of these published or exposed
 *   volume=NAME|PATH  has that volume, or something mounted from or at that path
 *   until=TIME        made before it (filter_time())
 *   before=CONTAINER, since=CONTAINER   made before, after it
 */
#pragma once

#include "engine/record.h"

struct containers_query {
	char *const *filters; /* NULL: none */
	bool all;             /* also those that do not run */
	int last;             /* at most so many, the newest, running or not; 0: no limit */
};
/* Names of the networks that it is on, or was made for; the caller frees. */
char **containers_networks(struct engine *eng, const struct record *rec);
/* Of a filter network=: is it one of them, by its name, or how its id begins? */
bool network_filter_matches(char *const *names, char *const *ids, const char *value);
/* Newest first, each as it truly is (life.h). */
int containers_query(struct engine *eng, const struct containers_query *query,
		     struct record_list *ret, struct err *err);
