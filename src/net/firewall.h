/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The nftables table of the networks, in our words: its text is static and loaded by nft(8) when it
 * is not there; networks and published ports are elements of its sets, changed in one batch over
 * netlink, at the same cost whatever is in there. All of it in the network namespace of the caller
 * (net/place.h). What should be there is the database's to say: firewall_reconcile() compares.
 *
 * The lock, a file in the directory dir, says who may look at all: who changes some holds it
 * shared, over the change and, when taking away, over the removal of what stands for it in the
 * database, too; who reconciles holds it alone, reads the database under it and writes nothing
 * there.
 */
#pragma once

#include "net/ipam.h"
#include "sys/rtnetlink.h"

struct firewall {
	const char *table; /* borrowed; one for each store that has networks in this namespace */
	int dir;           /* <runroot>/net; borrowed */
};

struct fw_network {
	char bridge[RTNL_NAME_MAX];
	struct subnet v4, v6; /* family 0: none */
	bool internal;        /* no way out, none in but from the machine itself */
	bool masquerade;      /* what leaves has the machine's address */
	bool routed;          /* others may reach each address directly (gateway_mode=routed) */
	bool open;            /* may reach, and be reached by, other networks that are open */
	bool icc;             /* containers of it reach each other */
};
struct fw_port {
	uint8_t proto;        /* IPPROTO_TCP, _UDP, _SCTP */
	struct net_addr host; /* that address alone; family 0: any of to's family */
	uint16_t host_port;
	struct net_addr to; /* the container's; says the family */
	uint16_t to_port;
};
/* One address of several containers alike, and the ports published of them: each new connection is
 * led to one of these slots, of which each belongs to one of the containers. */
#define FW_SLOTS 256
struct fw_service {
	struct net_addr vip; /* says the family */
	bool sticky;         /* the slot is of the client's address, else a random one */
	/* FW_SLOTS of them, of vip's family; NULL: nobody is there, and to be removed is what is
	 * led anywhere. */
	const struct net_addr *slots;
	const struct fw_port *ports; /* of that family, by host, host_port and to_port */
	size_t n_ports;
};
/* What is in the table; borrowed. A port on an address of 127.0.0.0/8 or ::1 is nothing here: those
 * are relayed. */
struct fw_state {
	const struct fw_network *networks;
	size_t n_networks;
	const struct fw_port *ports;
	size_t n_ports;
	const struct fw_service *services;
	size_t n_services;
};
struct fw_change {
	struct fw_state add, remove;
};

/* Takes the lock for as long as the fd is open, which is returned. */
int firewall_lock(const struct firewall *fw, bool alone, struct err *err);

/* One batch, whole or not at all, under the lock shared. To add what is there, or to take away what
 * is not, is no error: who starts a container names its networks each time. A port that leads
 * elsewhere leads to the new place then; only who has a port may take it away. -EAGAIN without an
 * error record: there is no table, or one of another inro; nothing has been done, and a reconcile
 * has to. */
int firewall_change(const struct firewall *fw, const struct fw_change *c, struct err *err);

struct fw_report {
	bool no_table;  /* there was none, or one of another inro, or some of its rules */
	size_t missing; /* elements that should have been there */
	size_t excess;  /* and those that should not */
	size_t wrong;   /* ports that led elsewhere */
};
/* Makes the table hold just what is wanted; dry: only says what is otherwise. The caller has the
 * lock alone. */
int firewall_reconcile(const struct firewall *fw, const struct fw_state *want, bool dry,
		       struct fw_report *ret, struct err *err);
/* Takes the table away; none is no error. The caller has the lock alone. */
int firewall_remove(const struct firewall *fw, struct err *err);

/* Lets the kernel pass packets on between interfaces, and remembers in dir what was off before; the
 * machine does not become a router between the interfaces that it has by it (table TABLE_guard). No
 * error when it is on already. The caller has the lock alone, here too. */
int firewall_forward_on(const struct firewall *fw, struct err *err);
/* Off again, what firewall_forward_on() has switched on, unless somebody else has switched it, or
 * has chains for what is forwarded. */
int firewall_forward_off(const struct firewall *fw, struct err *err);

/* Where there is docker's chain for others' rules (DOCKER-USER), lets through in it what our table
 * lets through: docker drops the rest. The caller has the lock alone. */
int firewall_docker_on(const struct firewall *fw, const struct fw_state *want, struct err *err);
int firewall_docker_off(const struct firewall *fw, struct err *err);
