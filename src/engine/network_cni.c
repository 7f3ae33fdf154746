/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/network_cni.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/asked.h"
#include "engine/etcfiles.h"
#include "engine/network_files.h"
#include "engine/network_pin.h"

#define STATE_DIR "cni"
#define IFNAME    "eth0"
#define PORTS     "portMappings"
#define MAC       "mac"
#define IPS       "ips"
#define ALIASES   "aliases"
#define BANDWIDTH "bandwidth"
#define BURST_MIN 1000000 /* bits: more than a packet that was not cut up yet */

/* ---- what is asked for ---- */

static int check_options(const struct netspec *s, struct err *err)
{
	if (!s->n_link_local && !s->host_interface && !s->mtu && !s->gw_priority && !s->sysctls)
		return 0;
	return err_fail(err, ERR_UNSUPPORTED,
			"it takes ip=, ip6=, mac=, alias=, bandwidth= and interface= alone");
}

static int check_takes(const struct cni_list *list, const char *capability, const char *option,
		       const char *plugin, struct err *err)
{
	if (cni_list_takes(list, capability))
		return 0;
	return err_hint(err,
			err_fail(err, ERR_UNSUPPORTED,
				 "no plugin of CNI's list %s has the capability %s, which %s needs",
				 list->name, capability, option),
			"add {\"type\": \"%s\", \"capabilities\": {\"%s\": true}} to its plugins",
			plugin, capability);
}

int net_cni_check(const struct netspec *asked, bool ports, struct err *err)
{
	/* One address can be said without it, as CNI_ARGS. */
	const struct {
		bool asked;
		const char *capability, *option, *plugin;
	} needs[] = {
		{ ports, PORTS, "-p", "portmap" },
		{ asked->has_mac, MAC, "mac=", "tuning" },
		{ asked->ip.family && asked->ip6.family, IPS, "ip= beside ip6=", "bridge" },
		{ asked->aliases, ALIASES, "alias=", "dnsname" },
		{ asked->bandwidth, BANDWIDTH, "bandwidth=", "bandwidth" },
	};
	cleanup_cni_list struct cni_list list = { 0 };
	int r = check_options(asked, err);

	if (r == 0)
		r = cni_list_find(CNI_CONF_DIR, asked->target, &list, err);
	if (r < 0)
		return err_wrap(err, r, "--network cni:%s", asked->target);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(needs); i++)
		if (needs[i].asked)
			r = check_takes(&list, needs[i].capability, needs[i].option,
					needs[i].plugin, err);
	return r;
}

/* portmap's: a port of all addresses is one entry, and has no address. */
static char *port_mappings(const struct port_bindings *ports)
{
	struct buf out = BUF_INIT;

	buf_addc(&out, '[');
	for (size_t i = 0; i < ports->n; i++) {
		const struct port_binding *p = &ports->items[i];
		char host[NET_ADDR_TEXT] = "";
		cleanup_free char *one = NULL;

		if (!net_addr_is_any(&p->host))
			net_addr_format(&p->host, host);
		one = xasprintf("{\"hostPort\":%u,\"containerPort\":%u,\"protocol\":\"%s\","
				"\"hostIP\":\"%s\"}",
				p->host_port, p->port, port_proto_name(p->proto), host);
		if (!strstr(buf_str(&out), one))
			buf_addf(&out, "%s%s", out.len > 1 ? "," : "", one);
	}
	buf_addc(&out, ']');
	return buf_take(&out);
}

static char *ip_text(const struct net_addr *a, uint8_t prefix)
{
	char text[NET_ADDR_TEXT];

	return prefix ? xasprintf("%s/%u", net_addr_format(a, text), prefix) : net_addr_text(a);
}

static char **ips_of(const struct netspec *asked)
{
	char **ips = NULL;

	if (asked->ip.family)
		strv_take(&ips, ip_text(&asked->ip, asked->prefix));
	if (asked->ip6.family)
		strv_take(&ips, ip_text(&asked->ip6, asked->prefix6));
	return ips;
}

/* ["a","b"]; nothing of an empty list. */
static void put_words(struct buf *out, const char *key, char *const *words)
{
	if (!strv_len(words))
		return;
	buf_addf(out, "%s\"%s\":[", out->len > 1 ? "," : "", key);
	for (char *const *w = words; *w; w++) {
		buf_adds(out, w > words ? "," : "");
		json_write_string(out, *w);
	}
	buf_addc(out, ']');
}

/* A member of an object, of one string or one list: its value. */
static void set_words(struct json_map *to, const char *key, char *const *words)
{
	cleanup_buf struct buf out = BUF_INIT;
	size_t skip = strlen(key) + strlen("\"\":");

	put_words(&out, key, words);
	if (out.len)
		json_map_set(to, key, buf_str(&out) + skip);
}

/* Rates and bursts, of 100 ms, in bits. */
static void set_bandwidth(struct json_map *to, uint64_t rate)
{
	uint64_t burst = rate / 10 < BURST_MIN ? BURST_MIN : rate / 10;
	cleanup_free char *text = NULL;

	if (burst > UINT32_MAX)
		burst = UINT32_MAX;
	text = xasprintf("{\"ingressRate\":%llu,\"ingressBurst\":%llu,\"egressRate\":%llu,"
			 "\"egressBurst\":%llu}",
			 (unsigned long long)rate, (unsigned long long)burst,
			 (unsigned long long)rate, (unsigned long long)burst);
	json_map_set(to, BANDWIDTH, text);
}

static void set_dns(struct json_map *to, const struct run_options *o)
{
	cleanup_buf struct buf out = BUF_INIT;

	buf_addc(&out, '{');
	put_words(&out, "servers", o->dns);
	put_words(&out, "searches", o->dns_search);
	put_words(&out, "options", o->dns_option);
	buf_addc(&out, '}');
	if (out.len > 2)
		json_map_set(to, "dns", buf_str(&out));
}

/* CONVENTIONS.md of CNI. A plugin gets those that it says it takes. */
static void capabilities_of(const struct netspec *asked, const struct record *rec,
			    const struct run_options *o, const struct port_bindings *ports,
			    struct json_map *ret)
{
	cleanup_free char *mappings = ports->n ? port_mappings(ports) : NULL;
	cleanup_free char *mac = asked->has_mac ? net_mac_text(asked->mac) : NULL;
	cleanup_free char *quoted = mac ? xasprintf("\"%s\"", mac) : NULL;
	cleanup_strv char **ips = ips_of(asked), **names = NULL;

	strv_add(&names, rec->name);
	strv_extend(&names, asked->aliases);
	set_words(ret, ALIASES, names);
	set_words(ret, IPS, ips);
	if (mappings)
		json_map_set(ret, PORTS, mappings);
	if (quoted)
		json_map_set(ret, MAC, quoted);
	if (asked->bandwidth)
		set_bandwidth(ret, asked->bandwidth);
	if (!etc_without_resolv(o))
		set_dns(ret, o);
}

static const char *ifname_of(const struct netspec *asked)
{
	return asked->interface ? asked->interface : IFNAME;
}

/* ---- the verbs ---- */

static int end(struct engine *eng, int state, const char *id, struct err *err)
{
	cleanup_free char *path = net_pin_path(eng, id);
	cleanup_fd int netns = net_pin_open(eng, id);
	int r = cni_del(state, id, netns >= 0 ? path : NULL, false, err);

	net_unpin(eng, id);
	return r;
}

void net_cni_end(struct engine *eng, const char *id)
{
	cleanup_fd int state = -EBADF;
	struct err err = ERR_INIT;

	if (eng->rootless || !net_state_is_there(eng, STATE_DIR))
		return;
	state = net_state_dir(eng, STATE_DIR, &err);
	if (state < 0 || end(eng, state, id, &err) < 0)
		log_warn("taking container %.12s from its network: %s", id, err.msg);
}

/* What plugins did not undo of containers that are gone. */
static void sweep(struct engine *eng, int state)
{
	cleanup_fd int fd = fd_dup(state, 0);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir)
		return;
	take_fd(fd);
	while ((entry = readdir(dir))) {
		cleanup_free char *id = xstrndup(entry->d_name, strcspn(entry->d_name, "-."));
		cleanup_record struct record rec = { 0 };
		struct err err = ERR_INIT;

		if (*id && record_get(eng, id, &rec, NULL) == -ENOENT &&
		    end(eng, state, id, &err) < 0)
			log_warn("%s", err.msg);
	}
	closedir(dir);
}

static int write_hosts(struct engine *eng, const struct record *rec,
		       const struct cni_result *result, struct err *err)
{
	struct net_link link = { .addrs = { .ip4 = { .family = 0 } } };
	const struct net_start ns = { .links = &link, .n = 1 };
	struct net_addr addr, gateway;

	for (size_t i = 0; cni_result_address(result, i, &addr, &gateway) >= 0; i++) {
		struct net_addr *to = addr.family == AF_INET ? &link.addrs.ip4 : &link.addrs.ip6;

		if (!to->family)
			*to = addr;
	}
	return net_hosts_write(eng, rec, &ns, err);
}

/* What it was asked for of names comes before what the plugins say. */
static int write_resolv(struct engine *eng, const struct record *rec, const struct run_options *o,
			const struct cni_dns *dns, struct err *err)
{
	cleanup_strv char **search = NULL;
	cleanup_buf struct buf text = BUF_INIT;
	struct run_options both = { .dns = o->dns ? o->dns : dns->nameservers,
				    .dns_option = o->dns_option ? o->dns_option : dns->options };

	if (dns->domain && *dns->domain)
		strv_add(&search, dns->domain);
	strv_extend(&search, dns->search);
	both.dns_search = o->dns_search ? o->dns_search : search;
	if (etc_without_resolv(o) || (!dns->nameservers && !search && !dns->options))
		return 0;
	etc_resolv_text(&both, NULL, "", &text);
	return net_resolv_write(eng, rec, &text, err);
}

/* One address goes as CNI_ARGS where no plugin takes a list. */
static char *args_of(const struct cni_list *list, const struct netspec *asked)
{
	cleanup_strv char **ips = ips_of(asked);

	return ips && !cni_list_takes(list, IPS) ? xasprintf("IgnoreUnknown=1;IP=%s", ips[0])
						 : NULL;
}

static int add(struct engine *eng, const struct record *rec, const struct netspec *asked, int state,
	       const struct port_bindings *ports, int cancel_fd, struct err *err)
{
	CLEANUP(json_map_done) struct json_map capabilities = { 0 };
	CLEANUP(asked_done) struct asked was = { 0 };
	cleanup_cni_result struct cni_result result = { 0 };
	cleanup_cni_list struct cni_list list = { 0 };
	cleanup_free char *path = net_pin_path(eng, rec->id);
	cleanup_free char *args = NULL;
	struct cni_call call = { .dir = state,
				 .container = rec->id,
				 .ifname = ifname_of(asked),
				 .netns = path,
				 .capabilities = &capabilities,
				 .cancel_fd = cancel_fd };
	int r = cni_list_find(CNI_CONF_DIR, asked->target, &list, err);

	if (r == 0)
		r = asked_read(eng, rec->id, &was, err);
	if (r < 0)
		return r;
	capabilities_of(asked, rec, &was.options, ports, &capabilities);
	call.args = args = args_of(&list, asked);
	r = cni_add(&call, &list, &result, err);
	if (r == 0)
		r = write_hosts(eng, rec, &result, err);
	return r < 0 ? r : write_resolv(eng, rec, &was.options, &result.dns, err);
}

int net_cni_start(struct engine *eng, const struct record *rec, const struct port_bindings *ports,
		  int netns, int cancel_fd, struct err *err)
{
	CLEANUP(netspec_done) struct netspec asked = { 0 };
	int r = netspec_parse(rec->options.cni, &asked, err);
	cleanup_fd int state = r < 0 ? r : net_state_dir(eng, STATE_DIR, err);

	if (state < 0)
		return state;
	sweep(eng, state);
	r = end(eng, state, rec->id, err);
	if (r == 0)
		r = net_pin(eng, rec->id, netns, err);
	return r < 0 ? r : add(eng, rec, &asked, state, ports, cancel_fd, err);
}

int net_cni_result(struct engine *eng, const struct record *rec, char **ret_ifname,
		   struct cni_result *ret)
{
	CLEANUP(netspec_done) struct netspec asked = { 0 };
	int r = rec->options.cni ? netspec_parse(rec->options.cni, &asked, NULL) : -ENOENT;
	cleanup_fd int state = r < 0 ? r : net_state_dir(eng, STATE_DIR, NULL);

	if (state < 0)
		return state;
	if (r == 0)
		r = cni_result_read(state, rec->id, ifname_of(&asked), ret, NULL);
	if (r == 0)
		*ret_ifname = xstrdup(ifname_of(&asked));
	return r;
}

int net_cni_look(struct engine *eng, const struct record *rec, struct err *err)
{
	CLEANUP(netspec_done) struct netspec asked = { 0 };
	cleanup_free char *path = net_pin_path(eng, rec->id);
	struct cni_call call = { .container = rec->id, .netns = path };
	int r = netspec_parse(rec->options.cni, &asked, err);
	cleanup_fd int state = r < 0 ? r : net_state_dir(eng, STATE_DIR, err);

	if (state < 0)
		return state;
	call.dir = state;
	call.ifname = ifname_of(&asked);
	r = cni_check(&call, err);
	return r == -ENOENT
		   ? err_fail(err, ERR_SYSTEM, "what its plugins did is not known any more")
		   : r;
}
