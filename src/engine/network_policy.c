/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/network_policy.h"

#include <fcntl.h>
#include <sched.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/json.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/network_cni.h"
#include "engine/network_names.h"
#include "engine/networks.h"
#include "net/place.h"
#include "net/policy_table.h"
#include "sys/netlink.h"
#include "sys/ns.h"

#define SERVERS_MAX 8 /* more are not asked: the C library stops at three */
#define RESOLV_MAX  (64 << 10)

int policy_words_parse(char *const *firewall, char *const *egress, struct net_policy *ret,
		       size_t **ret_ends, struct err *err)
{
	CLEANUP(net_policy_done) struct net_policy p = { 0 };
	size_t n = strv_len(firewall), all = n + strv_len(egress);
	cleanup_free size_t *ends = xcalloc(all + 1, sizeof(*ends));
	int r = 0;

	for (size_t i = 0; r == 0 && i < all; i++) {
		r = i < n ? net_policy_firewall(&p, firewall[i], err)
			  : net_policy_egress(&p, egress[i - n], err);
		ends[i] = p.n;
	}
	if (r < 0)
		return r;
	*ret = p;
	p = (struct net_policy){ 0 };
	if (ret_ends)
		*ret_ends = take_ptr(ends);
	return 0;
}

int policy_check_networks(struct engine *eng, const struct net_policy *p, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < p->n; i++) {
		cleanup_network struct network net = { 0 };

		if (p->rules[i].network)
			r = network_find(eng, p->rules[i].network, &net, err);
	}
	return r;
}

/* ---- the table ---- */

static int subnets_of(void *data, const char *name, struct subnet *ret, struct err *err)
{
	cleanup_network struct network net = { 0 };
	int r = network_find(data, name, &net, err), n = 0;

	if (r < 0)
		return r;
	if (net.ip4.subnet.base.family)
		ret[n++] = net.ip4.subnet;
	if (net.ip6.subnet.base.family)
		ret[n++] = net.ip6.subnet;
	return n;
}

static int load(void *text, struct err *err)
{
	return net_policy_load(text, err);
}

/* Those that it asks itself, where nobody answers on its loopback. Not by its own /etc/resolv.conf,
 * which it may write. */
static size_t servers_of(struct engine *eng, const struct record *rec,
			 struct net_addr ret[SERVERS_MAX])
{
	const struct record_options *o = &rec->options;
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_cni_result struct cni_result result = { 0 };
	cleanup_free char *ifname = NULL;
	cleanup_strv char **words = NULL;
	size_t n = 0;

	if (!o->pasta && !o->cni && net_names_served(eng))
		return 0;
	if (o->dns)
		words = strv_copy(o->dns);
	else if (o->cni && net_cni_result(eng, rec, &ifname, &result) == 0 &&
		 result.dns.nameservers)
		words = strv_copy(result.dns.nameservers);
	else if (io_read_file(AT_FDCWD, "/etc/resolv.conf", &text, RESOLV_MAX, NULL) == 0)
		words = strv_split(buf_str(&text), '\n');
	for (char **w = words; w && *w && n < SERVERS_MAX; w++) {
		const char *server = str_after(*w, "nameserver ");

		if (net_addr_parse(server ? server : *w, &ret[n], NULL) == 0)
			n++;
	}
	return n;
}

int policy_load(struct engine *eng, const struct record *rec, int netns, struct err *err)
{
	const struct record_options *o = &rec->options;
	CLEANUP(net_policy_done) struct net_policy policy = { 0 };
	cleanup_buf struct buf text = BUF_INIT;
	struct net_addr servers[SERVERS_MAX];
	const struct net_policy_table table = { .policy = &policy,
						.servers = servers,
						.n_servers = servers_of(eng, rec, servers),
						.subnets = subnets_of,
						.data = eng };
	cleanup_fd int userns = -EBADF;
	struct net_place place;
	int r;

	r = policy_words_parse(o->firewall, o->egress, &policy, NULL, err);
	if (r == 0)
		r = net_policy_text(&table, &text, err);
	if (r < 0)
		return r;
	userns = net_place_userns(netns);
	place = (struct net_place){ .userns = userns, .netns = netns };
	return net_place_run(&place, load, &text, err);
}

/* ---- what has passed ---- */

static int read_counts(int64_t pid, size_t n, struct net_policy_counts *ret)
{
	cleanup_fd int netns = ns_open_of((pid_t)pid, CLONE_NEWNET, NULL), userns = -EBADF,
		       sock = -EBADF;
	struct net_place place;

	if (netns < 0)
		return netns;
	userns = net_place_userns(netns);
	place = (struct net_place){ .userns = userns, .netns = netns };
	sock = net_place_netlink(&place, NETLINK_NETFILTER, NULL);
	return sock < 0 ? sock : net_policy_counts_read(sock, n, ret, NULL);
}

static void put_count(struct buf *out, const struct net_policy_count *c)
{
	buf_addf(out, "\"Packets\":%llu,\"Bytes\":%llu}", (unsigned long long)c->packets,
		 (unsigned long long)c->bytes);
}

/* One word of --egress may be several rules. */
static void put_word(struct buf *out, const char *option, const char *word,
		     const struct net_policy_counts *counts, size_t from, size_t to)
{
	struct net_policy_count sum = { 0 };

	for (size_t i = from; i < to && i < counts->n; i++) {
		sum.packets += counts->rules[i].packets;
		sum.bytes += counts->rules[i].bytes;
	}
	buf_addf(out, "{\"Option\":\"%s\",\"Rule\":", option);
	json_write_string(out, word);
	buf_addc(out, ',');
	put_count(out, &sum);
}

char *policy_inspect(const struct record *rec, int64_t pid)
{
	const struct record_options *o = &rec->options;
	CLEANUP(net_policy_done) struct net_policy policy = { 0 };
	cleanup_net_policy_counts struct net_policy_counts counts = { 0 };
	cleanup_free size_t *ends = NULL;
	size_t n = strv_len(o->firewall), all = n + strv_len(o->egress);
	struct buf out = BUF_INIT;

	if (!all || policy_words_parse(o->firewall, o->egress, &policy, &ends, NULL) < 0)
		return NULL;
	if (pid > 0)
		read_counts(pid, policy.n, &counts);
	buf_addf(&out, "{\"Loaded\":%s,\"Rules\":[", counts.loaded ? "true" : "false");
	for (size_t i = 0; i < all; i++) {
		if (i)
			buf_addc(&out, ',');
		put_word(&out, i < n ? "firewall" : "egress",
			 i < n ? o->firewall[i] : o->egress[i - n], &counts, i ? ends[i - 1] : 0,
			 ends[i]);
	}
	buf_adds(&out, "],\"Refused\":{\"In\":{");
	put_count(&out, &counts.in_dropped);
	buf_adds(&out, ",\"Out\":{");
	put_count(&out, &counts.out_dropped);
	buf_adds(&out, "}}");
	return buf_take(&out);
}

void policy_packets(const struct record *rec, int64_t pid, struct policy_packets *ret)
{
	const struct record_options *o = &rec->options;
	CLEANUP(net_policy_done) struct net_policy policy = { 0 };
	cleanup_net_policy_counts struct net_policy_counts counts = { 0 };

	*ret = (struct policy_packets){ 0 };
	if ((!o->firewall && !o->egress) ||
	    policy_words_parse(o->firewall, o->egress, &policy, NULL, NULL) < 0 ||
	    read_counts(pid, policy.n, &counts) < 0 || !counts.loaded)
		return;
	ret->loaded = true;
	ret->refused_in = counts.in_dropped.packets;
	ret->refused_out = counts.out_dropped.packets;
	for (size_t i = 0; i < policy.n && i < counts.n; i++)
		*(policy.rules[i].out ? &ret->allowed_out : &ret->allowed_in) +=
		    counts.rules[i].packets;
}
