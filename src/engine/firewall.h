/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The firewall of a store's networks: net/firewall.h where the networks are (net/place.h), with
 * what should be there from the database.
 */
#pragma once

#include "engine/engine.h"
#include "engine/leases.h"
#include "engine/publish.h"
#include "net/firewall.h"

/* The lock of net/firewall.h; the fd is it. Who removes rows of ports or networks takes it shared
 * before (and before a transaction), and keeps it until that is done. */
int engine_firewall_lock(struct engine *eng, bool alone, struct err *err);
/* firewall_change(), and where the table is gone all that should be there, if anything is added:
 * who does has no lock; who only removes may have it shared. What is added has to be in the
 * database, committed. */
int engine_firewall_change(struct engine *eng, const struct fw_change *c, struct err *err);
/* Makes the table hold just what the database says of networks and running containers; with no
 * network, takes it away. */
int engine_firewall_repair(struct engine *eng, struct err *err);
/* Only says what is otherwise. Networks come into the table with their first container: one that
 * nobody runs on is not missed. 1: somebody runs on one; 0: nobody does. */
int engine_firewall_look(struct engine *eng, struct fw_report *ret, struct err *err);

/* A network in the firewall's words; net is borrowed. False: it has no part in it. */
bool engine_firewall_network(const struct network *net, struct fw_network *ret);
/* Where the published ports of a container, or pod, lead: its address of each family in the network
 * that its default route would be in, of those that are not internal. */
int engine_firewall_target(struct engine *eng, const char *owner, struct lease_addrs *ret,
			   struct err *err);
/* What the rows of its ports come to, appended. */
int engine_firewall_ports(struct engine *eng, const char *owner, struct fw_ports *ret,
			  struct err *err);
