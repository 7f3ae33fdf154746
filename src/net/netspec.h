/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of --network, each a mode or a network with options: podman's NAME:ip=...,alias=...,
 * docker's name=NAME,ip=...,alias=... The options may be either's in both. Pure: whether a network
 * is there, and an address in it, is the caller's to ask.
 */
#pragma once

#include "net/ipam.h"

#define NETSPEC_DEFAULT                                                                            \
	"bridge" /* docker's name for it; "default" and "podman" are read as this                  \
		  */

enum netspec_kind {
	NETSPEC_NETWORK,   /* target: its name or id */
	NETSPEC_PRIVATE,   /* a namespace of its own, as the defaults have it */
	NETSPEC_NONE,      /* loopback alone */
	NETSPEC_HOST,      /* the host's namespace */
	NETSPEC_CONTAINER, /* target: whose namespace it shares */
	NETSPEC_PATH,      /* target: a namespace's absolute path */
	NETSPEC_PASTA,     /* target: pasta's options with commas, or NULL */
	NETSPEC_CNI,       /* target: a list's name in CNI's directory */
	/* An interface of the host's, without a network: */
	NETSPEC_MACVLAN,     /* target: the parent interface */
	NETSPEC_VLAN,        /* target: the parent interface, as vlan says */
	NETSPEC_HOST_DEVICE, /* target: the interface itself */
};

struct netspec {
	enum netspec_kind kind;
	char *target;
	uint16_t vlan; /* 1 to 4094, of NETSPEC_VLAN */
	/* What follows is a network's, CNI's, or an interface's of the host's. */
	struct net_addr ip, ip6; /* family 0: chosen, or none where nobody could choose */
	/* Of what is no network; of CNI 0 where none is said. */
	uint8_t prefix, prefix6;
	struct net_addr gateway, gateway6; /* family 0: none; never of CNI */
	struct net_addr *link_local;       /* addresses beside these */
	size_t n_link_local;
	uint8_t mac[6];
	bool has_mac;
	char **aliases;
	char *interface, *host_interface; /* NULL: chosen */
	uint32_t mtu;                     /* 0: the network's */
	int gw_priority;                  /* the highest has the default route */
	uint64_t bandwidth;               /* bits per second each way, of CNI; 0: not said */
	char **sysctls;                   /* "net.ipv4.conf.IFNAME.rp_filter=0" */
};

/* ERR_USAGE. */
int netspec_parse(const char *word, struct netspec *ret, struct err *err);
void netspec_done(struct netspec *s);
/* docker's options of one interface, added to what the word has. Those that are NULL are not said.
 */
struct netspec_words {
	const char *ip, *ip6, *mac;
	char *const *link_local, *const *aliases;
};
int netspec_add(struct netspec *s, const struct netspec_words *w, struct err *err);
/* All words of a container. Several have to be networks, none twice, each interface once. Frees:
 * netspec_list_free(). */
int netspec_list_parse(char *const *words, struct netspec **ret, size_t *ret_n, struct err *err);
void netspec_list_free(struct netspec *list, size_t n);

/* docker's rule: [a-zA-Z0-9][a-zA-Z0-9_.-]*. */
bool netspec_is_name(const char *s);
/* Does it make an interface of ours: on a network, or without one by the host's? */
bool netspec_is_link(const struct netspec *s);
/* Without a network. */
bool netspec_is_adhoc(const struct netspec *s);
/* Is it one of the words that --network has for something else? Then no network may be called so.
 */
bool netspec_is_reserved(const char *name);
/* NETSPEC_DEFAULT or another word for it? */
bool netspec_is_default(const char *name);
/* Six pairs of hexadecimal digits with ":" or "-" between; an address of one interface, not of
 * many. */
int net_mac_parse(const char *text, uint8_t ret[6], struct err *err);
char *net_mac_text(const uint8_t mac[6]); /* heap */
