/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/network_inspect.h"

#include <sys/socket.h>

#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "engine/db.h"
#include "engine/endpoints.h"
#include "engine/leases.h"
#include "engine/life.h"

#define KEEP .flags = JSON_KEEP

static const struct json_field subnet_fields[] = {
	JSON_FIELD(struct network_subnet_view, subnet, "Subnet", JSON_STR, KEEP),
	JSON_FIELD(struct network_subnet_view, range, "IPRange", JSON_STR),
	JSON_FIELD(struct network_subnet_view, gateway, "Gateway", JSON_STR),
	JSON_FIELD(struct network_subnet_view, aux, "AuxiliaryAddresses", JSON_MAP),
};
static const struct json_desc subnet_desc = JSON_DESC(struct network_subnet_view, subnet_fields);

static const struct json_field ipam_fields[] = {
	JSON_FIELD(struct network_ipam_view, driver, "Driver", JSON_STR, KEEP),
	JSON_FIELD(struct network_ipam_view, options, "Options", JSON_MAP, KEEP),
	JSON_FIELD(struct network_ipam_view, config, "Config", JSON_ARRAY, .desc = &subnet_desc,
		   KEEP),
};
static const struct json_desc ipam_desc = JSON_DESC(struct network_ipam_view, ipam_fields);

static const struct json_field member_fields[] = {
	JSON_FIELD(struct network_member_view, name, "Name", JSON_STR, KEEP),
	JSON_FIELD(struct network_member_view, endpoint, "EndpointID", JSON_STR, KEEP),
	JSON_FIELD(struct network_member_view, mac, "MacAddress", JSON_STR, KEEP),
	JSON_FIELD(struct network_member_view, ip4, "IPv4Address", JSON_STR, KEEP),
	JSON_FIELD(struct network_member_view, ip6, "IPv6Address", JSON_STR, KEEP),
};
static const struct json_desc member_desc = JSON_DESC(struct network_member_view, member_fields);

static const struct json_field from_fields[] = {
	JSON_FIELD(struct network_from_view, network, "Network", JSON_STR, KEEP),
};
static const struct json_desc from_desc = JSON_DESC(struct network_from_view, from_fields);

static const struct json_field lease_fields[] = {
	JSON_FIELD(struct network_lease_view, first, "start_ip", JSON_STR),
	JSON_FIELD(struct network_lease_view, last, "end_ip", JSON_STR),
};
static const struct json_desc lease_desc = JSON_DESC(struct network_lease_view, lease_fields);

static const struct json_field podman_fields[] = {
	JSON_FIELD(struct network_podman_view, subnet, "subnet", JSON_STR),
	JSON_FIELD(struct network_podman_view, gateway, "gateway", JSON_STR),
	JSON_FIELD(struct network_podman_view, lease, "lease_range", JSON_OBJ, .desc = &lease_desc),
};
static const struct json_desc podman_desc = JSON_DESC(struct network_podman_view, podman_fields);

#define FIELD(member, key, kind, ...)                                                              \
	JSON_FIELD(struct network_inspect, member, key, kind, KEEP, ##__VA_ARGS__)
static const struct json_field inspect_fields[] = {
	FIELD(name, "Name", JSON_STR),
	FIELD(id, "Id", JSON_STR),
	FIELD(created, "Created", JSON_STR),
	FIELD(scope, "Scope", JSON_STR),
	FIELD(driver, "Driver", JSON_STR),
	FIELD(ipv4, "EnableIPv4", JSON_BOOL),
	FIELD(ipv6, "EnableIPv6", JSON_BOOL),
	FIELD(ipam, "IPAM", JSON_STRUCT, .desc = &ipam_desc),
	FIELD(internal, "Internal", JSON_BOOL),
	FIELD(attachable, "Attachable", JSON_BOOL),
	FIELD(ingress, "Ingress", JSON_BOOL),
	FIELD(from, "ConfigFrom", JSON_STRUCT, .desc = &from_desc),
	FIELD(config_only, "ConfigOnly", JSON_BOOL),
	FIELD(containers, "Containers", JSON_OBJ_MAP, .desc = &member_desc),
	FIELD(options, "Options", JSON_MAP),
	FIELD(labels, "Labels", JSON_MAP),
	JSON_FIELD(struct network_inspect, interface, "network_interface", JSON_STR),
	FIELD(subnets, "subnets", JSON_ARRAY, .desc = &podman_desc),
	FIELD(ipv6_enabled, "ipv6_enabled", JSON_BOOL),
	FIELD(dns_enabled, "dns_enabled", JSON_BOOL),
	JSON_FIELD(struct network_inspect, dns_servers, "network_dns_servers", JSON_STRV),
};
const struct json_desc network_inspect_desc = JSON_DESC(struct network_inspect, inspect_fields);

void network_inspect_done(struct network_inspect *ni)
{
	json_free(&network_inspect_desc, ni);
}

/* ---- subnets ---- */

/* docker has a subnet here; podman's may be any two addresses. */
static char *range_text(const struct network_ip *ip)
{
	unsigned int bits = ip->subnet.base.family == AF_INET6 ? 128 : 32;
	uint64_t first, last, lo, hi;
	char a[NET_ADDR_TEXT], b[NET_ADDR_TEXT];

	if (!ip->ranged || subnet_host(&ip->subnet, &ip->first, &first) < 0 ||
	    subnet_host(&ip->subnet, &ip->last, &last) < 0)
		return NULL;
	subnet_hosts(&ip->subnet, &lo, &hi);
	for (unsigned int prefix = bits; prefix > ip->subnet.prefix && bits - prefix < 48;
	     prefix--) {
		uint64_t size = UINT64_C(1) << (bits - prefix), from = first & ~(size - 1);
		uint64_t to = from + size - 1;
		struct net_addr base;

		if ((from < lo ? lo : from) == first && (to > hi ? hi : to) == last &&
		    subnet_address(&ip->subnet, from, &base) == 0)
			return xasprintf("%s/%u", net_addr_format(&base, a), prefix);
	}
	net_addr_format(&ip->first, a);
	net_addr_format(&ip->last, b);
	return xasprintf("%s-%s", a, b);
}

static void add_subnet(const struct network *net, const struct network_ip *ip,
		       struct network_inspect *ni)
{
	struct network_subnet_view *docker = &ni->ipam.config.items[ni->ipam.config.n];
	struct network_podman_view *podman = &ni->subnets.items[ni->subnets.n];
	struct net_addr a;

	if (!ip->subnet.base.family)
		return;
	docker->subnet = network_subnet_text(ip);
	docker->gateway = net_addr_text(&ip->gateway);
	docker->range = range_text(ip);
	for (size_t i = 0; i < net->options.aux.n; i++) {
		const struct json_pair *aux = &net->options.aux.items[i];

		if (net_addr_parse(aux->value, &a, NULL) == 0 && a.family == ip->subnet.base.family)
			json_map_set(&docker->aux, aux->key, aux->value);
	}
	ni->ipam.config.n++;
	podman->subnet = network_subnet_text(ip);
	podman->gateway = net_addr_text(&ip->gateway);
	if (ip->ranged) {
		podman->lease = xcalloc(1, sizeof(*podman->lease));
		podman->lease->first = net_addr_text(&ip->first);
		podman->lease->last = net_addr_text(&ip->last);
	}
	ni->subnets.n++;
}

/* ---- containers ---- */

static char *with_prefix(const struct network_ip *ip, const struct net_addr *a)
{
	char text[NET_ADDR_TEXT];

	return a->family ? xasprintf("%s/%u", net_addr_format(a, text), ip->subnet.prefix)
			 : xstrdup("");
}

static int add_member(struct engine *eng, const struct network *net, const struct endpoint *ep,
		      struct network_inspect *ni, struct err *err)
{
	struct network_member_view *m = &ni->containers.items[ni->containers.n];
	struct lease_addrs addrs = { 0 };
	uint8_t mac[6];
	int r = leases_of(eng, net, ep->owner, &addrs, err);

	if (r < 0 || (!addrs.ip4.family && !addrs.ip6.family)) /* it does not run */
		return r;
	endpoint_mac(&ep->asked, &addrs, mac);
	*m = (struct network_member_view){
		.id = xstrdup(ep->owner),
		.name = lease_owner_name(eng, ep->owner),
		.endpoint = endpoint_id(ep, net),
		.mac = net_mac_text(mac),
		.ip4 = with_prefix(&net->ip4, &addrs.ip4),
		.ip6 = with_prefix(&net->ip6, &addrs.ip6),
	};
	ni->containers.n++;
	return 0;
}

static int add_members(struct engine *eng, const struct network *net, struct network_inspect *ni,
		       struct err *err)
{
	cleanup_endpoint_list struct endpoint_list eps = { 0 };
	cleanup_record_list struct record_list records = { 0 };
	int r = net->uses ? life_list(eng, &records, err) : 0; /* as they truly are */

	if (r == 0)
		r = endpoints_in(eng, net->id, &eps, err);
	if (r == 0 && eps.n)
		ni->containers.items = xcalloc(eps.n, sizeof(*ni->containers.items));
	for (size_t i = 0; r == 0 && i < eps.n; i++)
		r = add_member(eng, net, &eps.items[i], ni, err);
	return r;
}

/* ---- all ---- */

int network_inspect(struct engine *eng, const char *word, struct network_inspect *ret,
		    struct err *err)
{
	cleanup_network_inspect struct network_inspect ni = { 0 };
	cleanup_network struct network net = { 0 };
	char created[TIME_RFC3339_MAX];
	int r = network_find(eng, word, &net, err);

	if (r < 0)
		return r;
	ni = (struct network_inspect){
		.name = xstrdup(net.name),
		.id = xstrdup(net.id),
		.created = xstrdup(time_rfc3339(net.created_ns, created)),
		.scope = xstrdup("local"),
		.driver = xstrdup(network_driver_names[net.driver]),
		.ipv4 = net.ip4.subnet.base.family != 0,
		.ipv6 = net.ip6.subnet.base.family != 0,
		.internal = net.options.internal,
		.attachable = true,
		.interface = net.bridge ? xstrdup(net.bridge) : NULL,
		.dns_enabled = !net.options.no_dns,
		.dns_servers = strv_copy(net.options.dns),
		.from.network = xstrdup(""),
	};
	ni.ipv6_enabled = ni.ipv6;
	ni.ipam.driver = xstrdup(net.options.no_ipam ? "none" : "default");
	ni.ipam.config.items = xcalloc(2, sizeof(*ni.ipam.config.items));
	ni.subnets.items = xcalloc(2, sizeof(*ni.subnets.items));
	add_subnet(&net, &net.ip4, &ni);
	add_subnet(&net, &net.ip6, &ni);
	r = add_members(eng, &net, &ni, err);
	if (r < 0)
		return r;
	ni.options = net.options.given;
	ni.labels = net.labels;
	net.options.given = net.labels = (struct json_map){ 0 };
	*ret = ni;
	ni = (struct network_inspect){ 0 };
	return 0;
}
