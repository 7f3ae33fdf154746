/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of a container, on each of its networks: files that the networks' name servers read, and
 * what it asks them by, 127.0.0.11 in its own network namespace, which inro-net answers at.
 */
#pragma once

#include "engine/network_start.h"

/* Is there the program that answers? Without it containers ask the machine's name servers. */
bool net_names_served(const struct engine *eng);
/* Writes the files. With netns, that of the container, and pidfd, whose end is its end: inro-net
 * gets new sockets in there, and the relays of published ports; both negative: of one that runs,
 * what it sees and what is relayed to it may be otherwise. */
int net_names_put(struct engine *eng, const struct record *rec, const struct net_start *ns,
		  int netns, int pidfd, struct err *err);
/* Of a pod's network: a member that runs has joined it, one is about to end. While any runs, names
 * and relays go on. Others are left alone; what fails is warned of. */
void net_names_join(struct engine *eng, const struct record *rec);
void net_names_leave(struct engine *eng, const char *id);
/* One that may run has another name: others find it by that, and no longer by the old one, which
 * the next container may have. */
void net_names_renamed(struct engine *eng, const char *id);
/* On one of its networks, or on all (NULL). What isn't there is no error. */
void net_names_drop(struct engine *eng, const char *network, const char *owner);
/* inro-net, which may have died, is started and told of all containers that run. What starts it
 * otherwise (above) does the same. */
int net_names_repair(struct engine *eng, struct err *err);
/* The same where it was killed together with who repairs that: for who looks at what runs. */
void net_names_look(struct engine *eng);
/* The same, where it does not run. */
int net_names_ensure(struct engine *eng, struct err *err);
