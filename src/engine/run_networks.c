/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sys/socket.h>

#include "base/str.h"
#include "base/strv.h"
#include "engine/endpoints.h"
#include "engine/leases.h"
#include "engine/network_start.h"
#include "engine/run_internal.h"

/* docker's options of one interface, behind those of its word. */
static int add_options(const struct run_options *o, struct netspec *s, struct err *err)
{
	int r = 0;

	if (o->ip)
		r = net_addr_parse(o->ip, &s->ip, err);
	if (r == 0 && s->ip.family == AF_INET6)
		r = err_fail(err, ERR_USAGE, "not an address of IPv4, for which there is --ip6");
	if (r < 0)
		return err_wrap(err, r, "--ip %s", o->ip);
	if (o->ip6)
		r = net_addr_parse(o->ip6, &s->ip6, err);
	if (r == 0 && s->ip6.family == AF_INET)
		r = err_fail(err, ERR_USAGE, "not an address of IPv6, for which there is --ip");
	if (r < 0)
		return err_wrap(err, r, "--ip6 %s", o->ip6);
	if (o->mac_address) {
		r = net_mac_parse(o->mac_address, s->mac, err);
		s->has_mac = true;
	}
	if (r < 0)
		return err_wrap(err, r, "--mac-address %s", o->mac_address);
	for (char **w = o->link_local_ip; w && *w; w++) {
		s->link_local =
		    xrealloc(s->link_local, (s->n_link_local + 1) * sizeof(*s->link_local));
		r = net_addr_parse(*w, &s->link_local[s->n_link_local++], err);
		if (r < 0)
			return err_wrap(err, r, "--link-local-ip %s", *w);
	}
	strv_extend(&s->aliases, o->network_alias);
	return 0;
}

/* Those that mean one network. */
static const char *one_of(const struct run_options *o)
{
	return o->ip              ? "--ip"
	       : o->ip6           ? "--ip6"
	       : o->mac_address   ? "--mac-address"
	       : o->link_local_ip ? "--link-local-ip"
	       : o->network_alias ? "--network-alias"
				  : NULL;
}

static int check_kind(const struct run *run, const struct netspec *s, struct err *err)
{
	if (s->kind > NETSPEC_PATH)
		return err_fail(err, ERR_UNSUPPORTED, "--network %s is not implemented yet",
				run_network_word(run->opts));
	return 0;
}

int run_networks_check(struct run *run, struct err *err)
{
	const char *one = one_of(run->opts);
	struct netspec *list = NULL;
	size_t n = 0;
	int r;

	if (!run->opts->network && one)
		return err_hint(err,
				err_fail(err, ERR_USAGE, "%s: the container has no network", one),
				"add --network NAME");
	if (!run->opts->network)
		return 0;
	r = netspec_list_parse(run->opts->network, &list, &n, err);
	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = check_kind(run, &list[i], err);
	if (r == 0 && one && list[0].kind != NETSPEC_NETWORK)
		r = err_fail(err, ERR_USAGE, "conflicting options: %s and --network %s", one,
			     run->opts->network[0]);
	/* An alias is one on all of them, as docker and podman have it. */
	if (r == 0 && one && n > 1 && !str_eq(one, "--network-alias"))
		r = err_hint(err,
			     err_fail(err, ERR_USAGE,
				      "%s can only be set for a single network, there are %zu", one,
				      n),
			     "--network NAME:ip=ADDRESS,mac=ADDRESS says it of each");
	for (size_t i = 0; r == 0 && one && i < n; i++)
		r = add_options(run->opts, &list[i], err);
	if (r == 0 && list[0].kind == NETSPEC_NETWORK) {
		run->nets = list;
		run->n_nets = n;
		return 0;
	}
	netspec_list_free(list, n);
	return r;
}

int run_networks_find(struct run *run, struct err *err)
{
	int r = 0;

	run->networks = xcalloc(run->n_nets + 1, sizeof(*run->networks));
	for (size_t i = 0; r == 0 && i < run->n_nets; i++) {
		r = network_find(run->eng, run->nets[i].target, &run->networks[i], err);
		if (r == 0 && run->networks[i].driver != NETWORK_BRIDGE)
			r = err_fail(err, ERR_UNSUPPORTED,
				     "network %s: containers on a network of driver %s are not "
				     "implemented yet",
				     run->networks[i].name,
				     network_driver_names[run->networks[i].driver]);
		for (size_t k = 0; r == 0 && k < i; k++)
			if (str_eq(run->networks[k].id, run->networks[i].id))
				r = err_fail(err, ERR_USAGE, "network %s is given twice",
					     run->networks[i].name);
	}
	return r;
}

int run_networks_store(struct run *run, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < run->n_nets; i++) {
		const struct lease_addrs asked = { run->nets[i].ip, run->nets[i].ip6 };
		struct endpoint ep = { .owner = run->rec.id,
				       .network = run->networks[i].id,
				       .position = (int)i,
				       .asked = run->nets[i] };

		r = endpoint_insert(run->eng, &run->networks[i], &ep, err);
		free(ep.ifname);
		if (r == 0 && run->create)
			r = leases_reserve(run->eng, &run->networks[i], run->rec.id, &asked, err);
	}
	return r;
}
