/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "base/strv.h"
#include "engine/config.h"
#include "engine/endpoints.h"
#include "engine/leases.h"
#include "engine/network_cni.h"
#include "engine/pod_options.h"
#include "engine/publish.h"
#include "engine/run_internal.h"
#include "net/pasta.h"

int network_choose(struct engine *eng, char **words, char *one[2], char ***ret, struct err *err)
{
	const struct config *config;
	int r = words ? 0 : config_get(eng, &config, err);

	*ret = words;
	if (r < 0)
		return r;
	one[0] = words ? words[0] : config->network.fallback;
	one[1] = NULL;
	if (str_eq(one[0], "private"))
		one[0] = (char *)NETSPEC_DEFAULT;
	else if (words)
		return 0;
	*ret = one;
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

static int take_pasta(struct run *run, const struct netspec *s, struct err *err)
{
	cleanup_strv char **words = NULL;
	int r;

	if (!run->eng->rootless)
		return err_hint(err,
				err_fail(err, ERR_UNSUPPORTED,
					 "--network %s: pasta gives up root's rights before it "
					 "enters the container's network",
					 run_network_word(run->opts)),
				"use --network bridge");
	r = pasta_options_parse(s->target, &words, err);
	if (r == 0)
		run->rec.options.pasta = xstrdup(s->target ? s->target : "");
	return r;
}

static int take_cni(struct run *run, const struct netspec *s, struct err *err)
{
	const struct run_options *o = run->opts;
	int r;

	if (run->eng->rootless)
		return err_hint(err,
				err_fail(err, ERR_UNSUPPORTED,
					 "--network %s: CNI's plugins need root",
					 run_network_word(o)),
				"use --network bridge");
	if (o->network[1])
		return err_hint(err,
				err_fail(err, ERR_UNSUPPORTED,
					 "--network %s goes with no other network", o->network[0]),
				"a list may have several plugins");
	if (run->pod && strv_has(run->pod->share, "network"))
		return err_fail(err, ERR_USAGE,
				"--network %s: the container has the network of its pod",
				o->network[0]);
	r = net_cni_check(s, o->publish || o->publish_all, err);
	if (r == 0)
		run->rec.options.cni = xstrdup(o->network[0]);
	return r;
}

static int check_kind(struct run *run, const struct netspec *s, struct err *err)
{
	if (s->kind == NETSPEC_CNI)
		return take_cni(run, s, err);
	if (s->kind == NETSPEC_PASTA)
		return take_pasta(run, s, err);
	return 0;
}

int networks_words(const struct run_options *o, struct netspec *list, size_t n, struct err *err)
{
	const struct netspec_words words = { o->ip, o->ip6, o->mac_address, o->link_local_ip,
					     o->network_alias };
	const char *one = one_of(o);
	int r = 0;

	if (one && (!n || list[0].kind != NETSPEC_NETWORK)) {
		r = err_fail(err, ERR_USAGE, "conflicting options: %s and --network %s", one,
			     n ? run_network_word(o) : "none");
		return n && netspec_is_adhoc(&list[0])
			   ? err_hint(err, r, "behind its name: :ip=ADDRESS/PREFIX,mac=ADDRESS")
			   : r;
	}
	/* An alias is one on all of them, as docker and podman have it. */
	if (one && n > 1 && !str_eq(one, "--network-alias"))
		return err_hint(err,
				err_fail(err, ERR_USAGE,
					 "%s can only be set for a single network, there are %zu",
					 one, n),
				"--network NAME:ip=ADDRESS,mac=ADDRESS says it of each");
	for (size_t i = 0; r == 0 && one && i < n; i++)
		if (list[i].kind == NETSPEC_NETWORK)
			r = netspec_add(&list[i], &words, err);
	return r;
}

int run_networks_check(struct run *run, struct err *err)
{
	struct netspec *list = NULL;
	size_t n = 0;
	int r;

	/* In a pod. */
	if (!run->opts->network)
		return 0;
	r = netspec_list_parse(run->opts->network, &list, &n, err);
	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = check_kind(run, &list[i], err);
	if (r == 0)
		r = networks_words(run->opts, list, n, err);
	if (r == 0 && netspec_is_link(&list[0])) {
		run->nets = list;
		run->n_nets = n;
		return 0;
	}
	netspec_list_free(list, n);
	return r;
}

/* Who is on it has an address of somebody else's network, where the host is not in the way. */
int networks_check_ports(const struct network *list, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].driver != NETWORK_BRIDGE)
			return err_hint(
			    err,
			    err_fail(
				err, ERR_USAGE,
				"ports can't be published on network %s, which is of driver %s",
				list[i].name, network_driver_names[list[i].driver]),
			    "its containers are reached at their own addresses");
	return 0;
}

static int find_one(struct engine *eng, const struct netspec *asked, struct network *ret,
		    struct err *err)
{
	if (!netspec_is_adhoc(asked))
		return network_find(eng, asked->target, ret, err);
	network_of_adhoc(asked, ret);
	return eng->rootless
		   ? err_hint(err,
			      err_fail(err, ERR_UNSUPPORTED,
				       "--network %s needs root: the host's interfaces are not a "
				       "user's",
				       ret->name),
			      "use --network bridge")
		   : 0;
}

int networks_find(struct engine *eng, const struct netspec *nets, size_t n, struct network **ret,
		  struct err *err)
{
	struct network *list = *ret = xcalloc(n + 1, sizeof(*list));
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		r = find_one(eng, &nets[i], &list[i], err);
		for (size_t k = 0; r == 0 && k < i; k++)
			if (str_eq(list[k].id, list[i].id))
				r = err_fail(err, ERR_USAGE, "network %s is given twice",
					     list[i].name);
	}
	return r;
}

void networks_free(struct network *list, size_t n)
{
	for (size_t i = 0; list && i < n; i++)
		network_done(&list[i]);
	free(list);
}

int networks_store(struct engine *eng, char *owner, const struct netspec *nets,
		   const struct network *networks, size_t n, bool reserve, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		const struct lease_addrs asked = { nets[i].ip, nets[i].ip6 };
		struct endpoint ep = { .owner = owner,
				       .network = networks[i].id,
				       .position = (int)i,
				       .asked = nets[i] };

		r = endpoint_insert(eng, &networks[i], &ep, err);
		free(ep.ifname);
		if (r == 0 && reserve && !netspec_is_adhoc(&nets[i]))
			r = leases_reserve(eng, &networks[i], owner, &asked, err);
	}
	return r;
}

/* Its pod's networks are there already. */
static bool has_pods(const struct run *run)
{
	return publish_owner(&run->rec) != run->rec.id;
}

/* As spec.c and etcfiles.c have it, for containers on networks. */
static int choose_hostname(struct run *run, struct err *err)
{
	const struct run_options *o = run->opts;
	char here[HOST_NAME_MAX + 1] = "";
	struct ns_word uts;
	int r = ns_word_parse("uts", o->uts, &uts, err);

	if (r < 0)
		return r;
	if (uts.mode != NS_WORD_OWN && gethostname(here, sizeof(here) - 1) < 0)
		return err_errno(err, errno, "reading the host name");
	if (uts.mode != NS_WORD_OWN || o->hostname)
		run->rec.options.hostname = xstrdup(o->hostname ? o->hostname : here);
	return 0;
}

int run_networks_find(struct run *run, struct err *err)
{
	const char *one = one_of(run->opts);
	char **dns = run->opts->dns;
	int r;

	if (has_pods(run) && one)
		return err_fail(err, ERR_USAGE,
				"%s must be defined when the pod is created: network cannot be "
				"configured when it is shared with a pod",
				one);
	if ((run->n_nets || run->rec.options.pasta || run->rec.options.cni) && dns &&
	    !str_eq(dns[0], "none"))
		run->rec.options.dns = strv_copy(dns);
	r = choose_hostname(run, err);
	if (r == 0)
		r = networks_find(run->eng, run->nets, run->n_nets, &run->networks, err);
	if (r == 0 && (run->rec.options.publish || run->rec.options.publish_all))
		r = networks_check_ports(run->networks, run->n_nets, err);
	return r;
}

int run_networks_store(struct run *run, struct err *err)
{
	return has_pods(run) ? 0
			     : networks_store(run->eng, run->rec.id, run->nets, run->networks,
					      run->n_nets, run->create, err);
}

void run_networks_gateway(const struct run *run, char ret[NET_ADDR_TEXT])
{
	ret[0] = '\0';
	/* A user's networks are not on this machine's own. */
	for (size_t i = 0; !run->eng->rootless && !ret[0] && i < run->n_nets; i++) {
		const struct network *net = &run->networks[i];

		if (net->ip4.gateway.family)
			net_addr_format(&net->ip4.gateway, ret);
		else if (net->ip6.gateway.family)
			net_addr_format(&net->ip6.gateway, ret);
	}
}
