/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a starter says to inro-net, the one program that runs while any container of a store is on a
 * network: it relays what containers ask of 127.0.0.11 to a dnsmasq, and what arrives at published
 * ports on the host's loopback to containers. It has no state that can't be made again: whoever
 * finds it gone starts it and puts all members that run (`inro __network repair`).
 *
 *   net_service_open()    finds it, or starts it and does not wait for it
 *   net_service_put()     as often as there are members; written down, not waited for
 *   net_service_done()    waits for its word on all of them
 *
 * A member ends by itself when its pidfd does: nobody has to say so.
 */
#pragma once

#include "base/err.h"
#include "net/ipam.h"

#define NET_SERVICE_NETWORKS 32   /* of a member */
#define NET_SERVICE_SERVERS  8    /* upstream, of a member */
#define NET_SERVICE_RELAYS   4096 /* of a member */

struct net_place;

/* Where a store has it. All are borrowed. */
struct net_service_place {
	const char *program;           /* path of inro-net */
	int run_dir;                   /* <runroot>/net, which is ours alone (0700) */
	const struct net_place *place; /* where the networks are (net/place.h); NULL: here */
	/* What is executed when it is killed, NULL at the end: it starts another one and puts all
	 * members. NULL: nothing. */
	const char *const *repair;
	int cgroup_fd; /* of cgroup2, for it to run in; <= 0: the caller's */
};

struct net_service {
	int sock;
	int pidfd;            /* of the service; a monitor that gets it sees its end */
	bool started;         /* by this call: what others had put is gone, "repair" is due */
	unsigned int waiting; /* answers that are to come */
};
#define NET_SERVICE_INIT                                                                           \
	{                                                                                          \
		.sock = -EBADF, .pidfd = -EBADF                                                    \
	}
void net_service_close(struct net_service *s);
#define cleanup_net_service CLEANUP(net_service_close)

/* A port of the host's that is relayed. Without a socket the service binds one itself, with
 * SO_REUSEPORT, so a socket that is bound and does not listen may hold the port meanwhile. */
struct net_relay {
	uint8_t proto;    /* IPPROTO_TCP, IPPROTO_UDP */
	bool transparent; /* a user's: the container sees who connects (IP_TRANSPARENT) */
	struct net_addr from, to;
	uint16_t from_port, to_port;
};

/* A container that has its own network namespace, or the pod whose it is. */
struct net_member {
	const char *id; /* 64 hexadecimal digits */
	/* An init, and of which container: of a pod each has its own, and the member ends with the
	 * last of them. */
	const char *process;
	int pidfd;
	/* On 127.0.0.11 in its namespace (net/names.h). Both negative: it keeps what it has. */
	int dns_udp, dns_tcp;
	const char *const *networks; /* ids of those whose names it sees */
	size_t n_networks;
	const struct net_addr *servers; /* asked for names of the world, in turn; none: the host's
					   of /etc/resolv.conf */
	size_t n_servers;
	bool internal; /* nobody is asked for names of the world */
	const struct net_relay *relays;
	size_t n_relays;
	/* Its own, family 0: none. When nothing listens at a relay's, the other one is tried for
	 * clients whose address the container does not see. */
	struct net_addr ip4, ip6;
};

/* Needs no lock; several may call it at once. -ENOENT: the program is missing. This and what
 * follows: -ECONNRESET: it has been killed meanwhile, and all can be said again to another one. */
int net_service_open(const struct net_service_place *where, struct net_service *ret,
		     struct err *err);
/* Adds m, or replaces all that is known of m->id: relays that it had already keep their
 * connections. Call it behind net_names_write(), and again when names have changed. */
int net_service_put(struct net_service *s, const struct net_member *m, struct err *err);
/* What it had is closed at once. One that is not there is no error. */
int net_service_remove(struct net_service *s, const char *id, struct err *err);
/* 0, or the first thing that went wrong: -EADDRINUSE when a port of a relay is taken (that member
 * has no relays then, but names), -ESRCH when one
 * that was put without sockets is not known. May take as long as the program's start. */
int net_service_done(struct net_service *s, struct err *err);
/* Where it runs: a connection, nothing is started. -ESRCH: it does not run. */
int net_service_find(const struct net_service_place *where, struct net_service *ret,
		     struct err *err);
/* It has not ended by itself, and nothing has come to repair that. */
bool net_service_was_killed(int run_dir);
/* One that was killed, and that nobody needs: it counts as one that has ended. */
void net_service_forget(int run_dir);
/* Ends it, if it runs, as if somebody had killed it: what repairs its death comes. */
int net_service_end(const struct net_service_place *where, struct err *err);
