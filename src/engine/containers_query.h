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
 *   restart-policy=WORD         docker's words
 *   should-start-on-boot=BOOL   record_starts_at_boot()
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
/* Newest first, each as it truly is (life.h). */
int containers_query(struct engine *eng, const struct containers_query *query,
		     struct record_list *ret, struct err *err);
