/* SPDX-License-Identifier: Apache-2.0 */
/* NetworkSettings of `inspect`, and what HostConfig and Config say of ports. */
#include <string.h>
#include <sys/socket.h>

#include "base/str.h"
#include "base/strv.h"
#include "engine/endpoints.h"
#include "engine/inspect_internal.h"
#include "engine/leases.h"
#include "engine/network_cni.h"
#include "engine/network_policy.h"
#include "engine/parse.h"
#include "engine/publish.h"
#include "engine/spec.h"

/* ---- ports ---- */

static char *port_key(uint16_t port, uint8_t proto)
{
	return xasprintf("%u/%s", port, port_proto_name(proto));
}

/* One more of docker's {"HostIp", "HostPort"} in the list of that key. */
static void add_binding(struct json_map *map, const char *key, const char *host, const char *port)
{
	const char *was = json_map_get(map, key);
	cleanup_buf struct buf list = BUF_INIT;

	if (was && was[0] == '[')
		buf_addf(&list, "%.*s,", (int)strlen(was) - 1, was);
	else
		buf_addc(&list, '[');
	buf_addf(&list, "{\"HostIp\":\"%s\",\"HostPort\":\"%s\"}]", host, port);
	json_map_set(map, key, buf_str(&list));
}

static void add_wanted(const struct port_publish *p, struct json_map *map)
{
	uint32_t n = p->ports.last - p->ports.first + 1U;
	char host[NET_ADDR_TEXT] = "";

	if (p->host.family)
		net_addr_format(&p->host, host);
	for (uint32_t i = 0; i < n; i++) {
		cleanup_free char *key = port_key((uint16_t)(p->ports.first + i), p->proto);
		cleanup_free char *port = NULL;

		if (!p->host_ports.first)
			port = xstrdup("");
		else if (n == 1 && p->host_ports.last > p->host_ports.first)
			port = xasprintf("%u-%u", p->host_ports.first, p->host_ports.last);
		else
			port = xasprintf("%u", p->host_ports.first + i);
		add_binding(map, key, host, port);
	}
}

void inspect_wanted_ports(char *const *words, struct json_map *ret)
{
	struct port_publish p;

	for (; words && *words; words++)
		if (port_publish_parse(*words, &p, NULL) == 0)
			add_wanted(&p, ret);
}

void inspect_ports_fill(const struct inspected *in, struct inspect_host_config *host,
			struct inspect_container_config *config)
{
	const struct run_options *o = &in->asked.options;

	host->publish_all = o->publish_all;
	inspect_wanted_ports(o->publish, &host->port_bindings);
	for (char **w = o->publish; w && *w; w++) {
		struct port_publish p;

		if (port_publish_parse(*w, &p, NULL) < 0)
			continue;
		for (uint32_t port = p.ports.first; port <= p.ports.last; port++) {
			cleanup_free char *key = port_key((uint16_t)port, p.proto);

			json_map_set(&config->exposed_ports, key, "{}");
		}
	}
}

/* What is bound, and, as docker has it, null for what is only exposed. */
static void fill_bound(const struct inspected *in, struct inspect_network *ret)
{
	cleanup_port_bindings struct port_bindings ports = { 0 };
	struct json_map exposed = { 0 };

	for (char **w = in->rec.options.expose; w && *w; w++)
		expose_parse(*w, &exposed, NULL);
	for (size_t i = 0; i < exposed.n; i++)
		json_map_set(&ret->ports, exposed.items[i].key, "null");
	json_map_done(&exposed);
	if (publish_load(in->eng, publish_ports_owner(&in->rec), &ports, NULL) < 0)
		return;
	ports_sort(&ports);
	for (size_t i = 0; i < ports.n; i++) {
		const struct port_binding *p = &ports.items[i];
		cleanup_free char *key = port_key(p->port, p->proto);
		cleanup_free char *port = xasprintf("%u", p->host_port);
		char host[NET_ADDR_TEXT];

		add_binding(&ret->ports, key, net_addr_format(&p->host, host), port);
	}
}

/* ---- networks ---- */

static char *addr_text(const struct net_addr *a)
{
	char text[NET_ADDR_TEXT];

	return xstrdup(a->family ? net_addr_format(a, text) : "");
}

static char *mac_text(const struct netspec *asked, const struct lease_addrs *addrs)
{
	uint8_t mac[6];

	if (!asked->has_mac && !addrs->ip4.family && !addrs->ip6.family)
		return xstrdup("");
	endpoint_mac(asked, addrs, mac);
	return xasprintf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
			 mac[5]);
}

/* What was asked for: null where nothing was. */
static char *ipam_config(const struct netspec *asked)
{
	cleanup_free char *ip4 = addr_text(&asked->ip), *ip6 = addr_text(&asked->ip6);
	cleanup_buf struct buf out = BUF_INIT;

	if (!asked->ip.family && !asked->ip6.family)
		return NULL;
	if (asked->ip.family)
		buf_addf(&out, "\"IPv4Address\":\"%s\"", ip4);
	if (asked->ip6.family)
		buf_addf(&out, "%s\"IPv6Address\":\"%s\"", out.len ? "," : "", ip6);
	return xasprintf("{%s}", buf_str(&out));
}

static char *words_json(char *const *words)
{
	cleanup_buf struct buf out = BUF_INIT;

	for (char *const *w = words; w && *w; w++) {
		buf_addc(&out, out.len ? ',' : '[');
		json_write_string(&out, *w);
	}
	if (out.len)
		buf_addc(&out, ']');
	return out.len ? xstrdup(buf_str(&out)) : NULL;
}

/* Names that others of the network find it by. */
static char *dns_names(const struct inspected *in, const struct netspec *asked)
{
	cleanup_strv char **names = NULL;
	cleanup_free char *id = xstrndup(in->rec.id, 12);

	strv_add(&names, in->rec.name);
	for (char **w = asked->aliases; w && *w; w++)
		if (!strv_has(names, *w))
			strv_add(&names, *w);
	strv_add(&names, id);
	return words_json(names);
}

static void fill_addresses(const struct inspected *in, const struct network *net,
			   const struct endpoint *ep, struct inspect_endpoint *to)
{
	static const struct net_addr none;
	struct lease_addrs addrs = { 0 };
	bool on = in->rec.running && endpoint_addrs(in->eng, net, ep, &addrs, NULL) == 0 &&
		  (addrs.ip4.family || addrs.ip6.family);

	if (!in->rec.running)
		addrs = (struct lease_addrs){ .ip4 = none };
	to->endpoint_id = on ? endpoint_id(ep, net) : xstrdup("");
	to->ip_address = addr_text(&addrs.ip4);
	to->ip_prefix = addrs.ip4.family ? net->ip4.subnet.prefix : 0;
	to->gateway = addr_text(addrs.ip4.family ? &net->ip4.gateway : &none);
	to->ip6_address = addr_text(&addrs.ip6);
	to->ip6_prefix = addrs.ip6.family ? net->ip6.subnet.prefix : 0;
	to->ip6_gateway = addr_text(addrs.ip6.family ? &net->ip6.gateway : &none);
	to->mac = mac_text(&ep->asked, &addrs);
}

static void fill_endpoint(const struct inspected *in, const struct endpoint *ep,
			  struct inspect_network *ret)
{
	cleanup_network struct network net = { 0 };
	struct inspect_endpoint *to = LIST_ADD(ret->networks);

	to->aliases = words_json(ep->asked.aliases);
	to->ipam_config = ipam_config(&ep->asked);
	to->gw_priority = ep->asked.gw_priority;
	if (endpoint_network(in->eng, ep, &net, NULL) < 0) {
		to->key = xstrdup(ep->network);
		to->network_id = xstrdup("");
		return;
	}
	to->key = xstrdup(net.name);
	to->network_id = xstrdup(netspec_is_adhoc(&ep->asked) ? "" : net.id);
	to->dns_names = net.options.no_dns ? NULL : dns_names(in, &ep->asked);
	fill_addresses(in, &net, ep, to);
}

/* As its plugins have said it. */
static void fill_cni(const struct inspected *in, struct inspect_network *ret)
{
	struct inspect_endpoint *to = LIST_ADD(ret->networks);
	cleanup_cni_result struct cni_result result = { 0 };
	cleanup_free char *ifname = NULL;
	CLEANUP(netspec_done) struct netspec asked = { 0 };
	struct net_addr addr, gateway;
	int prefix;

	if (netspec_parse(in->rec.options.cni, &asked, NULL) == 0)
		to->key = xasprintf("cni:%s", asked.target);
	to->network_id = xstrdup("");
	if (!in->rec.running || net_cni_result(in->eng, &in->rec, &ifname, &result) < 0)
		return;
	for (size_t i = 0; (prefix = cni_result_address(&result, i, &addr, &gateway)) >= 0; i++) {
		bool four = addr.family == AF_INET;

		if (four ? to->ip_address : to->ip6_address)
			continue;
		*(four ? &to->ip_address : &to->ip6_address) = addr_text(&addr);
		*(four ? &to->gateway : &to->ip6_gateway) = addr_text(&gateway);
		*(four ? &to->ip_prefix : &to->ip6_prefix) = prefix;
	}
	for (size_t i = 0; i < result.interfaces.n; i++)
		if (str_eq(result.interfaces.items[i].name, ifname) && !to->mac)
			to->mac = xstrdup(
			    result.interfaces.items[i].mac ? result.interfaces.items[i].mac : "");
}

/* docker has at the top what the default network says; here it is the first one's. */
static void fill_first(struct inspect_network *ret)
{
	const struct inspect_endpoint *e = &ret->networks.items[0];

	ret->endpoint_id = xstrdup(e->endpoint_id ? e->endpoint_id : "");
	ret->gateway = xstrdup(e->gateway ? e->gateway : "");
	ret->ip_address = xstrdup(e->ip_address ? e->ip_address : "");
	ret->ip_prefix = e->ip_prefix;
	ret->ip6_gateway = xstrdup(e->ip6_gateway ? e->ip6_gateway : "");
	ret->ip6_address = xstrdup(e->ip6_address ? e->ip6_address : "");
	ret->ip6_prefix = e->ip6_prefix;
	ret->mac = xstrdup(e->mac ? e->mac : "");
}

/* docker's "none" and "host" are networks, too, in which nothing has an address. */
void inspect_network_fill(const struct inspected *in, const char *mode, int64_t pid,
			  struct inspect_network *ret)
{
	cleanup_endpoint_list struct endpoint_list list = { 0 };

	if (pid > 0)
		ret->sandbox_key = xasprintf("/proc/%lld/ns/net", (long long)pid);
	if (in->rec.running)
		fill_bound(in, ret);
	ret->firewall = policy_inspect(&in->rec, pid);
	if (endpoints_of(in->eng, publish_owner(&in->rec), &list, NULL) == 0)
		for (size_t i = 0; i < list.n; i++)
			fill_endpoint(in, &list.items[i], ret);
	if (in->rec.options.cni)
		fill_cni(in, ret);
	if (ret->networks.n)
		fill_first(ret);
	else if (str_eq(mode, "none") || str_eq(mode, "host"))
		LIST_ADD(ret->networks)->key = xstrdup(mode);
}
