/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network namespace that all networks of an unprivileged user are in, and the user namespace
 * that owns it. A process that does nothing else holds both; pasta(1) connects them to the outside.
 * The first who needs them makes them, all others find them; they end some seconds after the last
 * one has closed `keep`.
 *
 * A container on a network has a user namespace of its own below this one: so whoever is root here
 * has the rights over its network namespace, and it has none over those here, nor over others'.
 *
 * Files in <runroot>/net: "holder" says who that process is, "hold" is locked (fcntl(2), open file
 * descriptions) shared by who uses them and alone by the holder which ends, "making" by who makes
 * them. "fresh" is there until what ran before they were made is in them as well.
 */
#pragma once

#include "net/place.h"
#include "sys/idmap.h"

struct net_rootless {
	struct net_place place; /* owned by net_rootless_close() */
	int keep;               /* an open file: they stay while anybody has it */
	bool fresh;             /* what ran before may not be in them yet */
};
#define NET_ROOTLESS_INIT                                                                          \
	{                                                                                          \
		.place = NET_PLACE_HERE, .keep = -EBADF                                            \
	}
void net_rootless_close(struct net_rootless *n);
#define cleanup_net_rootless CLEANUP(net_rootless_close)

/* The role of inro that holds them, and its arguments: the directory. It gets a socket as fd 3. */
#define NET_ROOTLESS_ROLE      "__hold"
#define NET_ROOTLESS_SOCKET_FD 3

struct net_rootless_args {
	const char *dir;                 /* path of <runroot>/net, which exists and is 0700 */
	const char *program;             /* path of inro */
	const struct idmap *uids, *gids; /* of the user namespace */
	int userns;    /* one that was made before and lost its holder; or negative */
	int cgroup_fd; /* of cgroup2 for the holder; <= 0: the caller's */
};
/* 20 ms and more for who makes them, else 0.1. Where pasta has ended it is started again. */
int net_rootless_open(const struct net_rootless_args *args, struct net_rootless *ret,
		      struct err *err);
/* Those that are there. -ESRCH, without an error record: there are none. */
int net_rootless_find(const char *dir, struct net_rootless *ret, struct err *err);
/* Who brings what ran before into fresh ones, one at a time: a lock, to be closed, or -ENOENT: it
 * has been done. dirfd: of the directory. */
int net_rootless_fresh_lock(int dirfd);
void net_rootless_fresh_done(int dirfd);
/* Is it one of these that this user namespace, a container's, is below? 1, 0 or -errno. */
int net_rootless_owns(const struct net_rootless *n, int userns);

/* What brings answers of containers to inro-net, which has connections to their ports in clients'
 * names: puts it there, or there again. */
int net_rootless_divert(const struct net_place *place, struct err *err);

/* The role: returns when nobody has needed them for a while, with pasta ended. userns: that of
 * struct net_rootless_args, or negative. */
int net_rootless_hold(const char *dir, int userns, struct err *err);
