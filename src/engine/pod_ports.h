/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Published ports of a pod. They belong to it as its networks do: their rows are its own, they lead
 * to its address while a member runs that has it, and each such member's monitor keeps the sockets,
 * so that they stay whichever of them ends first. A port that nobody has chosen is chosen when the
 * pod is made, and stays the same for its life, as podman has it.
 */
#pragma once

#include "engine/network_start.h"
#include "engine/pods.h"

/* Of the words that the user gave: can this pod publish them, and this user? */
int pod_ports_check(struct engine *eng, const struct pod_options *o, struct err *err);
/* Before its row: o->publish, the words with a port of the host each, of which those that were not
 * said are free. host: as of publish_bind(). *ret_keep keeps those until the row is there; -EBADF:
 * there are none. */
int pod_ports_choose(const struct engine *eng, const struct net_addr *host, struct pod_options *o,
		     int *ret_keep, struct err *err);
/* In the transaction of its row. -EAGAIN: another pod, which need not run, has chosen one of them.
 */
int pod_ports_distinct(struct engine *eng, const struct pod *pod, struct err *err);
/* Has it ports that were to be chosen? */
bool pod_ports_chosen(const struct pod_options *o);
/* In a start, with the pod's lock: of a member that has the pod's network, binds the pod's ports,
 * and their rows; or, joined, where another one has made that network, keeps them, too. */
int pod_ports_bind(struct engine *eng, const struct record *rec, bool joined, struct net_start *ns,
		   struct err *err);
