/* SPDX-License-Identifier: Apache-2.0 */
/* What `network inspect` tells: docker's document, with podman's fields that docker lacks. */
#pragma once

#include "engine/networks.h"

struct network_subnet_view {
	char *subnet, *range, *gateway; /* docker: "" when there is none */
	struct json_map aux;
};
struct network_ipam_view {
	char *driver;
	struct json_map options;
	JSON_LIST(struct network_subnet_view) config;
};
/* A container that runs, or a pod. */
struct network_member_view {
	char *id; /* the key */
	char *name, *endpoint, *mac, *ip4, *ip6;
};
struct network_from_view {
	char *network;
};
struct network_lease_view {
	char *first, *last;
};
struct network_podman_view {
	char *subnet, *gateway;
	struct network_lease_view *lease;
};
struct network_inspect {
	char *name, *id, *created, *scope, *driver;
	bool ipv4, ipv6;
	struct network_ipam_view ipam;
	bool internal, attachable, ingress;
	struct network_from_view from;
	bool config_only;
	JSON_LIST(struct network_member_view) containers;
	struct json_map options, labels;
	/* podman's */
	char *interface;
	JSON_LIST(struct network_podman_view) subnets;
	bool ipv6_enabled, dns_enabled;
	char **dns_servers;
};
extern const struct json_desc network_inspect_desc;

int network_inspect(struct engine *eng, const char *word, struct network_inspect *ret,
		    struct err *err);
void network_inspect_done(struct network_inspect *ni);
#define cleanup_network_inspect CLEANUP(network_inspect_done)
