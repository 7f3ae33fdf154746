/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forwarding of packets, of the whole machine. Where it was off, the interfaces that were there are
 * put into a table of their own, which drops new connections from one of them to another: as
 * before. Interfaces that come later are not in it, so what is set up after us works.
 */
#include <fcntl.h>
#include <linux/netfilter.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/str.h"
#include "base/strv.h"
#include "net/firewall.h"
#include "net/linger.h"
#include "net/nft_load.h"
#include "sys/nft.h"
#include "sys/procfs.h"
#include "sys/rtnetlink_link.h"

/* What was off: a line each, the name of a file below /proc/sys/net and what was in it. */
#define STATE     "forward"
#define STATE_MAX (1 << 20)
#define GUARD     "_guard"

static const char *const switches[] = { "ipv4/ip_forward", "ipv6/conf/all/forwarding" };

static char *sysctl_path(const char *name)
{
	return xasprintf("sys/net/%s", name);
}

/* The number in the file; -1: there is none such. */
static int read_switch(int proc, const char *name)
{
	cleanup_free char *path = sysctl_path(name);
	cleanup_fd int fd = procfs_open_at(proc, path, O_RDONLY, NULL);
	cleanup_buf struct buf text = BUF_INIT;
	int value;

	if (fd < 0 || io_read_all(fd, &text, 64) < 0 || !text.len)
		return -1;
	text.data[strcspn(text.data, "\n")] = '\0';
	return str_parse_int(text.data, &value) < 0 ? -1 : value;
}

static int write_switch(int proc, const char *name, const char *value, struct err *err)
{
	cleanup_free char *path = sysctl_path(name);

	return procfs_write(proc, path, value, err);
}

/* Interfaces that lead somewhere; not lo, bridges, and what is in one. */
static bool is_uplink(const struct rtnl_link *l)
{
	return !l->bridge && !str_eq(l->kind, "bridge") && !str_eq(l->name, "lo") &&
	       !strpbrk(l->name, "\"\\/*");
}

static void guard_text(const char *table, const struct rtnl_links *links, struct buf *ret)
{
	buf_addf(ret, "table inet %s {\n	set uplinks { type ifname; }\n", table);
	buf_adds(ret, "	chain forward {\n"
		      "		type filter hook forward priority -5; policy accept;\n"
		      "		iifname @uplinks oifname @uplinks ct state new counter drop\n"
		      "	}\n}\n");
	for (size_t i = 0; i < links->n; i++)
		if (is_uplink(&links->items[i]))
			buf_addf(ret, "add element inet %s uplinks { \"%s\" }\n", table,
				 links->items[i].name);
}

/* Who forwards takes no router's word any more, and forgets what he took, unless this says 2. */
static void keep_routers(int proc, const struct rtnl_links *links, struct buf *state)
{
	for (size_t i = 0; i < links->n; i++) {
		cleanup_free char *name = xasprintf("ipv6/conf/%s/accept_ra", links->items[i].name);

		if (is_uplink(&links->items[i]) && read_switch(proc, name) == 1)
			buf_addf(state, "%s 1\n", name);
	}
}

static int read_links(struct rtnl_links *ret, struct err *err)
{
	cleanup_fd int sock = rtnl_open(err);

	return sock < 0 ? sock : rtnl_links_read(sock, ret, err);
}

/* In the order of the lines: a router's word before the switch that forgets it. What is gone by now
 * was an interface's that is. */
static int switch_all(int proc, char *const *lines, bool on, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && lines && lines[i]; i++) {
		char *space = strchr(lines[i], ' ');
		bool routers = strstr(lines[i], "/accept_ra ") != NULL;
		const char *now = routers ? "2" : "1";
		int is;

		if (!space)
			continue;
		*space = '\0';
		is = read_switch(proc, lines[i]);
		if (on && is >= 0)
			r = write_switch(proc, lines[i], now, err);
		else if (!on && is == now[0] - '0') /* nobody else's since */
			r = write_switch(proc, lines[i], space + 1, err);
		*space = ' ';
	}
	return r;
}

int firewall_forward_on(const struct firewall *fw, struct err *err)
{
	cleanup_rtnl_links struct rtnl_links links = { 0 };
	cleanup_free char *guard = xasprintf("%s" GUARD, fw->table);
	cleanup_buf struct buf text = BUF_INIT, state = BUF_INIT;
	cleanup_strv char **lines = NULL;
	cleanup_fd int proc = procfs_open(PROCFS_MOUNTED, err);
	bool off[ARRAY_SIZE(switches)], any = false;
	int r;

	if (proc < 0)
		return proc;
	for (size_t i = 0; i < ARRAY_SIZE(switches); i++)
		any |= off[i] = read_switch(proc, switches[i]) == 0;
	if (!any)
		return 0;
	r = read_links(&links, err);
	if (r < 0)
		return r;
	io_read_file(fw->dir, STATE, &state, STATE_MAX, NULL); /* what was off the last time */
	if (off[1])
		keep_routers(proc, &links, &state);
	for (size_t i = 0; i < ARRAY_SIZE(switches); i++)
		if (off[i] && !strstr(buf_str(&state), switches[i]))
			buf_addf(&state, "%s 0\n", switches[i]);
	r = io_replace_file(fw->dir, STATE, buf_str(&state), state.len, 0600, false, err);
	guard_text(guard, &links, &text);
	if (r == 0 && off[0])
		r = nft_replace(guard, &text, err);
	lines = strv_split(buf_str(&state), '\n');
	return r < 0 ? r : switch_all(proc, lines, true, err);
}

/* Somebody else's chain sees forwarded packets: who has it may count on them. */
static bool is_used(const struct firewall *fw, const struct nft_chains *chains)
{
	size_t len = strlen(fw->table);

	for (size_t i = 0; i < chains->n; i++) {
		const struct nft_chain *c = &chains->items[i];
		bool ours = strncmp(c->table, fw->table, len) == 0 &&
			    (!c->table[len] || str_eq(c->table + len, GUARD));

		if (c->hooked && c->hook == NF_INET_FORWARD && !ours)
			return true;
	}
	return false;
}

static int switch_back(const struct firewall *fw, int sock, struct err *err)
{
	cleanup_nft_chains struct nft_chains chains = { 0 };
	cleanup_buf struct buf state = BUF_INIT;
	cleanup_strv char **lines = NULL;
	cleanup_free char *guard = xasprintf("%s" GUARD, fw->table);
	cleanup_fd int proc = -EBADF;
	int r = io_read_file(fw->dir, STATE, &state, STATE_MAX, NULL);

	if (r < 0)
		return r == -ENOENT ? 0 : err_errno(err, -r, "reading what was not forwarded");
	r = nft_chains_read(sock, &chains, err);
	if (r < 0)
		return r;
	if (is_used(fw, &chains))
		return 0;
	proc = procfs_open(PROCFS_MOUNTED, err);
	lines = strv_split(buf_str(&state), '\n');
	r = proc < 0 ? proc : switch_all(proc, lines, false, err);
	if (r == 0)
		r = nft_table_delete(sock, guard, err);
	if (r == 0)
		unlinkat(fw->dir, STATE, 0);
	return r;
}

int firewall_forward_off(const struct firewall *fw, struct err *err)
{
	int sock = nft_open(err);
	int r = sock < 0 ? sock : switch_back(fw, sock, err);

	net_linger(fw->dir, sock);
	return r;
}
