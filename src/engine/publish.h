/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Published ports of a container, or of a pod: from the words in its record (publish, publish_all,
 * expose) to what leads to them. There are sockets of the host's that keep them (net/ports.h; the
 * monitor has the one fd), rows of the table ports while the container runs, elements of the
 * firewall, and relays of the service for the host's loopback, where no packet is led elsewhere.
 *
 * In a start: publish_bind() before the record's transaction, publish_store() in it, the fd to the
 * monitor; then, with the addresses known, publish_elements() and publish_relays() with the other
 * steps of the plug. At the end: publish_load(), publish_elements() to take those out of the
 * firewall, publish_release() in the record's transaction. All of them do nothing for what
 * publishes no ports.
 */
#pragma once

#include "engine/record.h"
#include "net/firewall.h"
#include "net/ports.h"
#include "net/service_client.h"

/* Borrowed: of a record's options, or of a pod's. */
struct publish_words {
	char *const *publish;
	bool all;
	char *const *expose; /* of the image, too */
};

/* Whose ports, endpoints and leases a container's are: its own id, or its pod's, whose network it
 * shares. */
const char *publish_owner(const struct record *rec);

/* Whose its ports are: those of a service's, of a replica, else the same. */
const char *publish_ports_owner(const struct record *rec);

/* Binds them all, in the caller's network namespace, which is the host's. host: the address of the
 * network for words that say none, family 0: all. *ret_keep: the fd for the monitor, -EBADF: none.
 * What a dead container has left of the same ports is cleared away. ERR_CONFLICT: "Bind for
 * 0.0.0.0:80 failed: port is already allocated", and a hint that says who has it. */
int publish_bind(struct engine *eng, const char *owner, const struct publish_words *words,
		 const struct net_addr *host, struct port_bindings *ret, int *ret_keep,
		 struct err *err);
/* The same of one of a service's replicas: what others of it have is had by this one, too. */
int publish_bind_shared(struct engine *eng, const char *service, const struct publish_words *words,
			const struct net_addr *host, struct port_bindings *ret, int *ret_keep,
			struct err *err);
/* Rows instead of those that there are, in the caller's transaction. */
int publish_store(struct engine *eng, const char *owner, const struct port_bindings *ports,
		  struct err *err);
/* What is bound of a container, or pod, by its rows. */
int publish_load(struct engine *eng, const char *owner, struct port_bindings *ret, struct err *err);
/* Its rows go. */
int publish_release(struct engine *eng, const char *owner, struct err *err);

/* For firewall_change() and firewall_reconcile(): what leads to these addresses of the container
 * (family 0: it has none). Appended to *list, which the caller frees. The host's loopback has no
 * part in it, nor what a user's relay does. */
struct fw_ports {
	struct fw_port *items;
	size_t n;
};
void publish_elements(const struct engine *eng, const struct port_bindings *ports,
		      const struct net_addr *to4, const struct net_addr *to6,
		      struct fw_ports *list);
/* What the service has to listen at, for struct net_member. It binds with SO_REUSEADDR and
 * SO_REUSEPORT set: the monitor's socket has the port, and connections of its own that have ended
 * must not be in the way of the next container. Appended as above. */
struct publish_relays {
	struct net_relay *items;
	size_t n;
};
void publish_relays(const struct engine *eng, const struct port_bindings *ports,
		    const struct net_addr *to4, const struct net_addr *to6,
		    struct publish_relays *list);
/* Flows of UDP that the kernel remembers of these ports go: when they come and when they go, as
 * packets would be led where they were before. In the network namespace of the firewall; net_dir:
 * engine.net_fd. */
int publish_forget_flows(int net_dir, const struct port_bindings *ports, struct err *err);
