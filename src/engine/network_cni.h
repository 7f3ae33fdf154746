/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --network cni:NAME: a container of root's with the network that CNI's plugins make (net/cni.h),
 * one interface, none of ours. Its namespace is mounted in <runroot>/net/netns for as long, so that
 * plugins find it at its end as well, when nobody is in it any more, and after a kill.
 */
#pragma once

#include "engine/record.h"
#include "net/cni.h"
#include "net/netspec.h"
#include "net/ports.h"

/* The word of --network: its list is there and takes what is asked for. ports: some are published.
 */
int net_cni_check(const struct netspec *asked, bool ports, struct err *err);
/* A step of a start: ADD, /etc/hosts, and /etc/resolv.conf by what the plugins say. What another
 * life of it has left is undone before. */
int net_cni_start(struct engine *eng, const struct record *rec, const struct port_bindings *ports,
		  int netns, int cancel_fd, struct err *err);
/* DEL, at the container's end, as often as one likes; there may be none. What a plugin does not do
 * is warned of and tried again by the next start of one on such a network. */
void net_cni_end(struct engine *eng, const char *id);
/* CHECK of a container that runs: are its plugins content? ERR_UNSUPPORTED: the list's version has
 * no such question. */
int net_cni_look(struct engine *eng, const struct record *rec, struct err *err);
/* What the plugins have said of a container that runs, and its interface's name, on the heap.
 * -ENOENT: it is on none. */
int net_cni_result(struct engine *eng, const struct record *rec, char **ret_ifname,
		   struct cni_result *ret);
