/* SPDX-License-Identifier: Apache-2.0 */
/* Published ports, and networks in the firewall, of what is started and of what runs. */
#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/firewall.h"
#include "engine/network_start.h"

char *net_ports_binding(struct engine *eng, const struct record *rec)
{
	cleanup_endpoint_list struct endpoint_list list = { 0 };
	cleanup_network struct network net = { 0 };

	if (!strv_len(rec->options.publish) && !rec->options.publish_all)
		return NULL;
	if (endpoints_of(eng, rec->id, &list, NULL) < 0 || !list.n ||
	    network_get(eng, list.items[0].network, &net, NULL) < 0)
		return NULL;
	return take_ptr(net.options.host_binding);
}

/* What UDP remembers of them is led where it was before. A user's are relayed. */
static int forget(struct engine *eng, const struct port_bindings *ports, struct err *err)
{
	return eng->rootless ? 0 : publish_forget_flows(eng->net_fd, ports, err);
}

int net_ports_lead(struct engine *eng, const struct net_start *ns, struct err *err)
{
	cleanup_free struct fw_network *networks = xcalloc(ns->n + 1, sizeof(*networks));
	struct fw_ports ports = { 0 };
	struct fw_change change = { 0 };
	size_t n = 0;
	int r;

	for (size_t i = 0; i < ns->n; i++)
		n += engine_firewall_network(&ns->links[i].net, &networks[n]);
	r = engine_firewall_ports(eng, ns->owner, &ports, err);
	change.add = (struct fw_state){ networks, n, ports.items, ports.n };
	if (r == 0 && (n || ports.n))
		r = engine_firewall_change(eng, &change, err);
	if (r == 0)
		r = forget(eng, &ns->ports, err);
	free(ports.items);
	return r;
}

int net_ports_change(struct engine *eng, const char *owner, const struct port_bindings *ports,
		     bool remove, struct err *err)
{
	struct fw_ports elements = { 0 };
	struct fw_change change = { 0 };
	struct lease_addrs to;
	int r = ports->n ? engine_firewall_target(eng, owner, &to, err) : 0;

	if (r < 0 || !ports->n)
		return r;
	publish_elements(eng, ports, &to.ip4, &to.ip6, &elements);
	*(remove ? &change.remove : &change.add) =
	    (struct fw_state){ .ports = elements.items, .n_ports = elements.n };
	if (elements.n)
		r = engine_firewall_change(eng, &change, err);
	if (r == 0)
		r = forget(eng, ports, err);
	free(elements.items);
	return r;
}

static bool has_binding(const struct port_bindings *list, const struct port_binding *p)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct port_binding *q = &list->items[i];

		if (p->proto == q->proto && p->host_port == q->host_port && p->port == q->port &&
		    net_addr_equal(&p->host, &q->host))
			return true;
	}
	return false;
}

int net_ports_forget(struct engine *eng, const char *owner, const struct port_bindings *now,
		     struct err *err)
{
	cleanup_port_bindings struct port_bindings old = { 0 };
	cleanup_fd int lock = -EBADF;
	size_t kept = 0;
	int r = publish_load(eng, owner, &old, err);

	if (r < 0 || !old.n)
		return r;
	for (size_t i = 0; i < old.n; i++)
		if (!has_binding(now, &old.items[i]))
			old.items[kept++] = old.items[i];
	old.n = kept;
	if (old.n)
		r = lock = engine_firewall_lock(eng, false, err);
	if (r >= 0)
		r = net_ports_change(eng, owner, &old, true, err);
	return r < 0 ? r : publish_release(eng, owner, err);
}

int net_ports_bind(struct engine *eng, const struct record *rec, const char *binding,
		   struct net_start *ns, struct err *err)
{
	const struct record_options *o = &rec->options;
	const struct publish_words words = { o->publish, o->publish_all, o->expose };
	struct net_addr host = { .family = 0 };
	int r;

	if (binding && net_addr_parse(binding, &host, err) < 0)
		return -EINVAL;
	if (o->service)
		return publish_bind_shared(eng, o->service, &words, &host, &ns->ports, &ns->keep,
					   err);
	r = publish_bind(eng, rec->id, &words, &host, &ns->ports, &ns->keep, err);
	return r < 0 || !ns->ports.n ? r : net_ports_forget(eng, rec->id, &ns->ports, err);
}
