/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Docker drops what is forwarded and is not its own; its chain DOCKER-USER is where others say what
 * else may pass. Ours, behind all rules that the administrator has put there, accepts what our own
 * table has let through before, but into no other bridge: what docker or a hypervisor keeps behind
 * one stays closed. iptables(8), as docker uses it: whichever of its two kinds that is here.
 */
#include <ctype.h>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <string.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/str.h"
#include "base/strv.h"
#include "net/firewall.h"
#include "net/linger.h"
#include "net/program.h"
#include "sys/nft.h"
#include "sys/procfs.h"
#include "sys/rtnetlink_link.h"

#define USER      "DOCKER-USER"
#define NAMES_MAX 4096 /* of tables */
#define RULES_MAX 65000

static const char *const show4_paths[] = { "/usr/sbin/iptables", "/sbin/iptables", NULL };
static const char *const show6_paths[] = { "/usr/sbin/ip6tables", "/sbin/ip6tables", NULL };
static const char *const change4_paths[] = { "/usr/sbin/iptables-restore", "/sbin/iptables-restore",
					     NULL };
static const char *const change6_paths[] = { "/usr/sbin/ip6tables-restore",
					     "/sbin/ip6tables-restore", NULL };

static const struct family {
	uint8_t nfproto;
	const char *legacy; /* tables of the older kind, which nftables does not show */
	struct net_program show, change;
} families[] = {
	{ NFPROTO_IPV4,
	  "self/net/ip_tables_names",
	  { "iptables", "iptables", show4_paths },
	  { "iptables-restore", "iptables", change4_paths } },
	{ NFPROTO_IPV6,
	  "self/net/ip6_tables_names",
	  { "ip6tables", "iptables", show6_paths },
	  { "ip6tables-restore", "iptables", change6_paths } },
};

/* "INRO"; of another store's table that and a number of its own, as chains have short names. */
static char *chain_name(const struct firewall *fw)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	if (str_eq(fw->table, "inro"))
		return xstrdup("INRO");
	for (const char *p = fw->table; *p; p++)
		hash = (hash ^ (uint8_t)*p) * 16777619u;
	return xasprintf("INRO-%08x", hash);
}

static bool has_chain(const struct nft_chains *chains, const struct family *f, const char *name)
{
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_strv char **tables = NULL;
	cleanup_fd int proc = procfs_open(PROCFS_MOUNTED, NULL);
	cleanup_fd int fd = proc < 0 ? proc : procfs_open_at(proc, f->legacy, O_RDONLY, NULL);

	for (size_t i = 0; i < chains->n; i++)
		if (chains->items[i].family == f->nfproto &&
		    str_eq(chains->items[i].table, "filter") && str_eq(chains->items[i].name, name))
			return true;
	if (fd < 0 || io_read_all(fd, &text, NAMES_MAX) < 0)
		return false;
	tables = strv_split(buf_str(&text), '\n');
	return strv_has(tables, "filter"); /* whether it has the chain, iptables says */
}

/* What is in DOCKER-USER. */
struct user_chain {
	bool found;
	bool jumps;  /* to ours, */
	size_t rank; /* or where that is to be: behind all rules but a last one that returns */
};

/* Its rules. 1: there is none. */
static int show(const struct family *f, const char *chain, struct buf *said, struct err *err)
{
	cleanup_free char *name = xstrdup(chain);
	char *const argv[] = { (char[]){ "iptables" },
			       (char[]){ "-w" },
			       (char[]){ "5" },
			       (char[]){ "-S" },
			       name,
			       NULL };
	int r = net_program_run(&f->show, argv, NULL, said, err);

	return r > 0 ? 1 : r;
}

static int look(const struct family *f, const char *chain, struct user_chain *ret, struct err *err)
{
	cleanup_free char *jump = xasprintf("-A " USER " -j %s", chain);
	cleanup_buf struct buf said = BUF_INIT;
	cleanup_strv char **lines = NULL;
	bool returns = false;
	int r = show(f, USER, &said, err);

	*ret = (struct user_chain){ .found = r == 0, .rank = 1 };
	if (r != 0)
		return r < 0 ? r : 0;
	if (said.len > RULES_MAX)
		return err_fail(err, ERR_LIMIT, "chain " USER " has too many rules");
	lines = strv_split(buf_str(&said), '\n');
	for (char **l = lines; *l; l++) {
		if (!str_starts(*l, "-A "))
			continue;
		ret->jumps = ret->jumps || str_eq(*l, jump);
		returns = str_eq(*l, "-A " USER " -j RETURN");
		ret->rank++;
	}
	ret->rank -= returns;
	return 0;
}

static int change(const struct family *f, struct buf *text, struct err *err)
{
	char *const argv[] = { (char[]){ "iptables-restore" }, (char[]){ "-w" }, (char[]){ "5" },
			       (char[]){ "--noflush" }, NULL };
	cleanup_buf struct buf said = BUF_INIT;
	int r;

	buf_adds(text, "COMMIT\n");
	r = net_program_run(&f->change, argv, text, &said, err);
	return r > 0 ? err_fail(err, ERR_SYSTEM, "%s: %.*s", f->change.name,
				(int)strcspn(buf_str(&said), "\n"), buf_str(&said))
		     : r;
}

/* As iptables reads it: what it would not take ends the name, and all that begin so are meant. */
static void add_interface(struct buf *text, const char *name)
{
	for (; *name; name++) {
		if (!isalnum((unsigned char)*name) && !strchr("._-@:", *name)) {
			buf_adds(text, "+");
			return;
		}
		buf_addf(text, "%c", *name);
	}
}

static bool is_ours(const struct fw_state *want, const char *name)
{
	for (size_t i = 0; i < want->n_networks; i++)
		if (str_eq(want->networks[i].bridge, name))
			return true;
	return str_starts(name, "inro");
}

static void add_rules(struct buf *text, const char *chain, const struct fw_state *want,
		      const struct rtnl_links *links)
{
	static const char *const others[] = { "docker0", "docker_gwbridge", "br-+" };

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		buf_addf(text, "-A %s -o %s -j RETURN\n", chain, others[i]);
	for (size_t i = 0; i < links->n; i++) {
		if (!str_eq(links->items[i].kind, "bridge") || is_ours(want, links->items[i].name))
			continue;
		buf_addf(text, "-A %s -o ", chain);
		add_interface(text, links->items[i].name);
		buf_adds(text, " -j RETURN\n");
	}
	for (size_t i = 0; i <= want->n_networks; i++) {
		const char *name = i ? want->networks[i - 1].bridge : "inro+";

		if (i && str_starts(name, "inro"))
			continue;
		buf_addf(text, "-A %s -i %s -j ACCEPT\n", chain, name);
		buf_addf(text, "-A %s -o %s -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n",
			 chain, name);
		buf_addf(text, "-A %s -o %s -m conntrack --ctstate DNAT -j ACCEPT\n", chain, name);
	}
}

static int let_through(const struct family *f, const char *chain, const struct fw_state *want,
		       const struct rtnl_links *links, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct user_chain user;
	int r = look(f, chain, &user, err);

	if (r < 0 || !user.found)
		return r;
	buf_addf(&text, "*filter\n:%s - [0:0]\n", chain);
	add_rules(&text, chain, want, links);
	if (!user.jumps)
		buf_addf(&text, "-I " USER " %zu -j %s\n", user.rank, chain);
	return change(f, &text, err);
}

static int take_away(const struct family *f, const char *chain, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT, said = BUF_INIT;
	struct user_chain user;
	int r = show(f, chain, &said, err);

	if (r == 0)
		r = look(f, chain, &user, err);
	if (r != 0)
		return r < 0 ? r : 0;
	buf_addf(&text, "*filter\n:%s - [0:0]\n", chain);
	if (user.jumps)
		buf_addf(&text, "-D " USER " -j %s\n", chain);
	buf_addf(&text, "-X %s\n", chain);
	return change(f, &text, err);
}

static int read_chains(const struct firewall *fw, struct nft_chains *ret, struct err *err)
{
	int sock = nft_open(err);
	int r = sock < 0 ? sock : nft_chains_read(sock, ret, err);

	net_linger(fw->dir, sock);
	return r;
}

int firewall_docker_on(const struct firewall *fw, const struct fw_state *want, struct err *err)
{
	cleanup_nft_chains struct nft_chains chains = { 0 };
	cleanup_rtnl_links struct rtnl_links links = { 0 };
	cleanup_free char *chain = chain_name(fw);
	cleanup_fd int sock = rtnl_open(err);
	int r = sock < 0 ? sock : rtnl_links_read(sock, &links, err);

	if (r == 0)
		r = read_chains(fw, &chains, err);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(families); i++)
		if (has_chain(&chains, &families[i], USER))
			r = let_through(&families[i], chain, want, &links, err);
	return r;
}

int firewall_docker_off(const struct firewall *fw, struct err *err)
{
	cleanup_nft_chains struct nft_chains chains = { 0 };
	cleanup_free char *chain = chain_name(fw);
	int r = read_chains(fw, &chains, err);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(families); i++)
		if (has_chain(&chains, &families[i], chain))
			r = take_away(&families[i], chain, err);
	return r;
}
