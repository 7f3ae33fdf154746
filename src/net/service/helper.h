/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The helper of inro-net: a process inside (service.h) that makes sockets there, runs a dnsmasq for
 * each view and reads the host's resolv.conf: what the confined service can't. It answers one
 * request after the other and ends with the service; the dnsmasqs end with it.
 */
#pragma once

#include "net/service/service.h"

/* Ports inside, of view number slot. */
#define HELPER_PORT_NAMES(slot)       ((uint16_t)(2000 + (slot)))
#define HELPER_PORT_UPSTREAM(slot, i) ((uint16_t)(20000 + (slot)*SERVICE_SERVERS + (i)))

enum helper_type {
	HELPER_SOCKETS = 1, /* n sockets; flags */
	HELPER_LISTEN,      /* UDP and TCP for upstream server number n of the view */
	HELPER_RUN,         /* dnsmasq with n upstream servers: pidfd, and a pipe of what it says */
	HELPER_REFRESH,     /* its names and its n upstream servers have changed */
	HELPER_END,         /* dnsmasq is to end, its files to go */
	HELPER_RESOLV,      /* the host's name servers; result 0: as before, 1: new */
	HELPER_LEAVE        /* the service ends: its socket is removed */
};
enum { HELPER_TCP = 1, HELPER_V6 = 2, HELPER_TRANSPARENT = 4 };

struct helper_ask {
	uint32_t type, flags, n, slot;
	uint32_t n_networks;
	uint8_t networks[SERVICE_NETWORKS][SERVICE_ID];
};
struct helper_answer {
	int32_t result;
	uint32_t n_servers;
	union address servers[SERVICE_SERVERS];
};
#define HELPER_FDS 16

/* Makes it; the fd to talk to it. place: join the namespaces at SERVICE_FD_USERNS and _NETNS. */
int helper_start(bool place, struct err *err);
/* Blocks: it is never busy for long. The result, or -errno; *ret_n fds come back. The service ends
 * when there is no helper any more: others make all of it anew. */
int helper_call(struct service *s, const struct helper_ask *ask, struct helper_answer *ret,
		int *ret_fds, size_t *ret_n);

#define HELPER_VIEWS "views" /* in <runroot>/net: one directory for each dnsmasq */

/* helper_dnsmasq.c: the part with files and programs. */
struct helper_view {
	int pidfd; /* of its dnsmasq */
};
struct helper {
	int sock, dir, exe; /* dir: <runroot>/net */
	char path[4096];    /* of dir */
	struct helper_view views[VIEWS_MAX];
	struct helper_answer resolv;
	bool resolv_known;
};
int helper_run(struct helper *h, const struct helper_ask *ask, int ret_fds[2]);
int helper_refresh(struct helper *h, const struct helper_ask *ask);
int helper_end(struct helper *h, const struct helper_ask *ask);
/* What inro-net is with the word "dnsmasq": confines itself and becomes it. */
#define HELPER_WORD "dnsmasq"
int helper_become(char **argv);

/* resolv.c: pure. Fills at most SERVICE_SERVERS. */
unsigned int resolv_parse(const char *text, union address *ret);
