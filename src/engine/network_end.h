/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a container's networks: published ports leave the firewall, names go, then leases and
 * ports are released in the transaction that records the end. All of it can be done again: who
 * finds a container whose start or end was killed does so (life.h). Links go with the network
 * namespace, by themselves. Of a pod's network, the last member that runs does it.
 */
#pragma once

#include "engine/record.h"

/* What is to be taken away before the rows go. Returns a lock to be closed behind the transaction,
 * -EBADF when there is nothing to lock, or -errno with err set. */
int net_end_begin(struct engine *eng, const char *id, struct err *err);
/* In the transaction: leases are released, rows of ports go. */
int net_end_rows(struct engine *eng, const char *id, struct err *err);
