/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a container's networks: published ports leave the firewall, names go, then leases and
 * ports are released in the transaction that records the end. All of it can be done again: who
 * finds a container whose start or end was killed does so (life.h). Links go with the network
 * namespace, by themselves. Of a pod's network, the last member that runs does it.
 */
#pragma once

#include "engine/record.h"

/* What is held from before the rows go until they are gone. Each -EBADF when there is nothing to
 * lock. */
struct net_end {
	int members;  /* net_members_lock() */
	int firewall; /* nobody restores what is about to go */
	/* Ids, in pairs: networks, and whose names go there once more behind the transaction, as
	 * somebody who found the container running may have written them since. */
	char **names;
	struct engine *eng;
};
#define NET_END_INIT                                                                               \
	{                                                                                          \
		-EBADF, -EBADF, NULL, NULL                                                         \
	}
void net_end_done(struct net_end *end);
#define cleanup_net_end CLEANUP(net_end_done)

/* Held by the ends of members of a pod, and of replicas of a service (group: its id; NULL:
 * neither), so that one of those that end at once is the last; and by the transactions of their
 * starts, so that nobody takes away what is being made. Taken before lock-services and the
 * firewall's. -EBADF, without a message: there is nothing to lock. */
int net_members_lock(struct engine *eng, const char *group, struct err *err);

/* What is to be taken away before the rows go. */
int net_end_begin(struct engine *eng, const char *id, struct net_end *ret, struct err *err);
/* In the transaction: leases are released, rows of ports go. */
int net_end_rows(struct engine *eng, const char *id, struct net_end *end, struct err *err);
