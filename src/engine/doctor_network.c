/* SPDX-License-Identifier: Apache-2.0 */
/* What networks of containers need, and what of others is in their way. */
#include <fcntl.h>
#include <linux/netfilter.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "base/strv.h"
#include "engine/doctor_internal.h"
#include "net/firewall.h"
#include "sys/nft.h"

#define RELOAD          "inro network reload"
#define CONNECTIONS_MAX 80 /* per cent */

static bool any_exists(const struct doctor *d, const char *const *paths)
{
	bool found = false;

	for (size_t i = 0; paths[i]; i++)
		found = found || doctor_exists(d, paths[i]);
	return found;
}

static void check_interfaces(const struct doctor *d, struct doctor_finding *f)
{
	if (d->net.links_problem)
		doctor_say(f, DOCTOR_FAIL, "modprobe -a bridge veth",
			   "no interfaces for containers can be made: %s", d->net.links_problem);
	else
		doctor_say(f, DOCTOR_OK, NULL, "bridges and veths can be made");
}

static void check_nft(const struct doctor *d, struct doctor_finding *f)
{
	static const char *const paths[] = { "usr/sbin/nft", "sbin/nft", "usr/local/sbin/nft",
					     "usr/bin/nft", NULL };

	if (!any_exists(d, paths))
		doctor_say(f, DOCTOR_WARN,
			   "apt-get install nftables (Debian), or dnf install nftables",
			   "there is no program nft: containers need --network none or host");
	else if (d->net.nft_problem)
		doctor_say(f, DOCTOR_FAIL,
			   "modprobe -a nf_tables nft_chain_nat nft_fib_inet nft_masq "
			   "nft_reject_inet nft_ct, or run a kernel that has them",
			   "the kernel does not take the rules of networks: %s",
			   d->net.nft_problem);
	else if (d->net.slots_problem)
		doctor_say(f, DOCTOR_WARN,
			   "modprobe -a nft_numgen nft_hash, or run a kernel that has them",
			   "the kernel can't share connections out: %s", d->net.slots_problem);
	else
		doctor_say(f, DOCTOR_OK, NULL, "nft loads the rules of networks");
}

static void check_rules(const struct doctor *d, struct doctor_finding *f)
{
	const struct doctor_net *n = &d->net;

	if (n->rules_problem)
		doctor_say(f, DOCTOR_WARN, RELOAD, "the rules can't be looked at: %s",
			   n->rules_problem);
	else if (!n->in_use)
		doctor_say(f, DOCTOR_OK, NULL, "no container is on a network");
	else if (n->no_table)
		doctor_say(f, DOCTOR_FAIL, RELOAD,
			   "the rules are gone: somebody has taken them away");
	else if (n->missing + n->wrong)
		doctor_say(f, DOCTOR_FAIL, RELOAD,
			   "of the rules %zu parts are missing, and %zu lead elsewhere", n->missing,
			   n->wrong);
	else if (n->excess)
		doctor_say(f, DOCTOR_WARN, RELOAD, "%zu parts of the rules are nobody's",
			   n->excess);
	else
		doctor_say(f, DOCTOR_OK, NULL, "all rules are there");
}

static void check_forwarding(const struct doctor *d, struct doctor_finding *f)
{
	if (!d->rootless && d->net.in_use &&
	    doctor_read_number(d, "proc/sys/net/ipv4/ip_forward", 1) == 0)
		doctor_say(f, DOCTOR_FAIL, RELOAD,
			   "somebody has switched it off (net.ipv4.ip_forward): containers have no "
			   "way out");
	else
		doctor_say(f, DOCTOR_OK, NULL,
			   d->rootless ? "pasta does that for users"
				       : "it is on, or comes with the first container");
}

/* ---- others' rules ---- */

static const char *family_name(uint8_t family)
{
	return family == NFPROTO_IPV4   ? "ip"
	       : family == NFPROTO_IPV6 ? "ip6"
	       : family == NFPROTO_INET ? "inet"
					: "bridge";
}

static bool has_chain(const struct nft_chains *chains, uint8_t family, const char *table,
		      const char *start)
{
	for (size_t i = 0; i < chains->n; i++)
		if ((!family || chains->items[i].family == family) &&
		    str_eq(chains->items[i].table, table) &&
		    str_starts(chains->items[i].name, start))
			return true;
	return false;
}

/* A chain that drops what is forwarded and that nobody has decided on. */
static void tell_drop(const struct nft_chains *chains, const struct nft_chain *c,
		      struct doctor_finding *f)
{
	const char *family = family_name(c->family);
	cleanup_free char *cure = NULL;

	if (has_chain(chains, c->family, c->table, "DOCKER-USER")) {
		if (!has_chain(chains, c->family, c->table, "INRO"))
			doctor_say(
			    f, DOCTOR_FAIL, RELOAD,
			    "docker drops what goes to and from containers (%s %s, chain %s)",
			    family, c->table, c->name);
		return;
	}
	if (has_chain(chains, c->family, c->table, "ufw")) {
		doctor_say(
		    f, DOCTOR_WARN,
		    "ufw route allow in on inro0 (the way out of a bridge), and for each "
		    "published port: ufw route allow proto tcp to any port 80 (the container's)",
		    "ufw drops what is forwarded and not allowed (%s %s, chain %s)", family,
		    c->table, c->name);
		return;
	}
	cure = xasprintf("nft insert rule %s %s %s iifname 'inro*' accept; nft insert rule %s %s "
			 "%s oifname 'inro*' ct state established,related accept; nft insert rule "
			 "%s %s %s oifname 'inro*' ct status dnat accept",
			 family, c->table, c->name, family, c->table, c->name, family, c->table,
			 c->name);
	doctor_say(f, DOCTOR_WARN, cure,
		   "chain %s of table %s %s drops what is forwarded and that it has no rule for",
		   c->name, family, c->table);
}

/* "StrictForwardPorts=yes" */
static bool is_strict(const struct doctor *d)
{
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_strv char **lines = NULL;

	if (!doctor_read_file(d, "etc/firewalld/firewalld.conf", &text))
		return false;
	lines = strv_split(buf_str(&text), '\n');
	return strv_has(lines, "StrictForwardPorts=yes");
}

static void tell_firewalld(const struct doctor *d, struct doctor_finding *f)
{
	if (is_strict(d))
		doctor_say(f, DOCTOR_WARN,
			   "set StrictForwardPorts=no in /etc/firewalld/firewalld.conf, or "
			   "firewall-cmd --add-forward-port for each published port",
			   "firewalld closes published ports (StrictForwardPorts=yes)");
	else
		doctor_say(f, DOCTOR_WARN,
			   "firewall-cmd --permanent --zone=trusted --add-interface=inro0 (each "
			   "bridge); firewall-cmd --reload",
			   "firewalld runs: it rejects what containers send out of the machine "
			   "where their bridge is in no zone that may");
}

static void check_others(const struct doctor *d, struct doctor_finding *f)
{
	const struct nft_chains *chains = d->net.chains;

	doctor_say(f, DOCTOR_OK, NULL,
		   d->rootless ? "packets of users' containers do not pass the machine's rules "
				 "for what is forwarded"
			       : "no rules of others are in the way");
	if (!chains)
		return;
	if (has_chain(chains, NFPROTO_INET, "firewalld", ""))
		tell_firewalld(d, f);
	for (size_t i = 0; i < chains->n && f->verdict != DOCTOR_FAIL; i++) {
		const struct nft_chain *c = &chains->items[i];

		if (c->hooked && c->hook == NF_INET_FORWARD && c->drops &&
		    (c->family == NFPROTO_IPV4 || c->family == NFPROTO_IPV6 ||
		     c->family == NFPROTO_INET))
			tell_drop(chains, c, f);
	}
}

static void check_subnets(const struct doctor *d, struct doctor_finding *f)
{
	if (d->net.overlap)
		doctor_say(f, DOCTOR_WARN,
			   "inro network rm it, and create it again: another subnet is chosen",
			   "%s", d->net.overlap);
	else
		doctor_say(f, DOCTOR_OK, NULL, "networks overlap no route of this machine");
}

/* ---- programs, and what the kernel is set to ---- */

static void check_names(const struct doctor *d, struct doctor_finding *f)
{
	static const char *const paths[] = { "usr/sbin/dnsmasq", "usr/bin/dnsmasq",
					     "usr/local/sbin/dnsmasq", "sbin/dnsmasq", NULL };
	cleanup_buf struct buf text = BUF_INIT;

	if (!any_exists(d, paths))
		doctor_say(f, DOCTOR_WARN,
			   "apt-get install dnsmasq-base (Debian), or dnf install dnsmasq",
			   "there is no program dnsmasq: containers don't find each other by name");
	else if (!doctor_read_file(d, "etc/resolv.conf", &text))
		doctor_say(f, DOCTOR_WARN, "echo nameserver ADDRESS > /etc/resolv.conf",
			   "/etc/resolv.conf can't be read: containers have no name server");
	else if (d->net.in_use && d->net.names_killed)
		doctor_say(f, DOCTOR_FAIL, RELOAD,
			   "inro-net was killed: containers find each other by name no more, and "
			   "published ports don't answer on localhost");
	else
		doctor_say(f, DOCTOR_OK, NULL, "dnsmasq is there");
}

static void check_connections(const struct doctor *d, struct doctor_finding *f)
{
	int64_t max = doctor_read_number(d, "proc/sys/net/netfilter/nf_conntrack_max", 0);
	int64_t n = doctor_read_number(d, "proc/sys/net/netfilter/nf_conntrack_count", 0);
	cleanup_free char *cure =
	    xasprintf("sysctl -w net.netfilter.nf_conntrack_max=%lld", (long long)max * 4);

	if (max > 0 && n > max / 100 * CONNECTIONS_MAX)
		doctor_say(f, DOCTOR_WARN, cure,
			   "the kernel follows %lld of at most %lld: new ones are dropped when it "
			   "is full",
			   (long long)n, (long long)max);
	else
		doctor_say(f, DOCTOR_OK, NULL, "there is room for more");
}

static void check_pasta(const struct doctor *d, struct doctor_finding *f)
{
	static const char *const paths[] = { "usr/bin/pasta", "usr/local/bin/pasta", "bin/pasta",
					     NULL };

	if (!d->rootless)
		doctor_say(f, DOCTOR_OK, NULL, "root needs no pasta");
	else if (!any_exists(d, paths))
		doctor_say(
		    f, DOCTOR_WARN, "apt-get install passt (Debian), or dnf install passt",
		    "there is no program pasta: containers of users need --network none or host");
	else if (!doctor_exists(d, "dev/net/tun"))
		doctor_say(
		    f, DOCTOR_WARN, "modprobe tun",
		    "/dev/net/tun is missing: containers of users need --network none or host");
	else if (faccessat(d->root, "dev/net/tun", R_OK | W_OK, AT_EACCESS) < 0)
		doctor_say(
		    f, DOCTOR_WARN, "chmod 0666 /dev/net/tun",
		    "this user may not open /dev/net/tun: containers need --network none or host");
	else
		doctor_say(f, DOCTOR_OK, NULL, "%s",
			   d->net.pasta ? d->net.pasta : "pasta and /dev/net/tun are there");
}

static void check_ports(const struct doctor *d, struct doctor_finding *f)
{
	int64_t first = doctor_read_number(d, "proc/sys/net/ipv4/ip_unprivileged_port_start", 1024);

	if (d->rootless && first > 0)
		doctor_say(f, DOCTOR_OK, NULL,
			   "users may publish ports from %lld on (net.ipv4."
			   "ip_unprivileged_port_start)",
			   (long long)first);
	else
		doctor_say(f, DOCTOR_OK, NULL, "all may be published");
}

const struct doctor_check doctor_network_checks[] = {
	{ "interfaces", check_interfaces },
	{ "nftables", check_nft },
	{ "rules of networks", check_rules },
	{ "forwarding", check_forwarding },
	{ "other firewalls", check_others },
	{ "subnets", check_subnets },
	{ "names", check_names },
	{ "connections", check_connections },
	{ "way out for users", check_pasta },
	{ "published ports", check_ports },
	{ NULL, NULL },
};
