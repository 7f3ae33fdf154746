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
#include "engine/network_files.h"
#include "engine/network_pin.h"

#define STATE_DIR "cni"
#define IFNAME    "eth0"
#define PORTS     "portMappings"
#define MAC       "mac"

/* ---- what is asked for ---- */

static int check_options(const struct netspec *s, struct err *err)
{
	if (!s->ip6.family && !s->n_link_local && !s->aliases && !s->host_interface && !s->mtu &&
	    !s->gw_priority && !s->sysctls)
		return 0;
	return err_fail(err, ERR_UNSUPPORTED, "it takes ip=, mac= and interface= alone");
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
	cleanup_cni_list struct cni_list list = { 0 };
	int r = check_options(asked, err);

	if (r == 0)
		r = cni_list_find(CNI_CONF_DIR, asked->target, &list, err);
	if (r < 0)
		return err_wrap(err, r, "--network cni:%s", asked->target);
	if (ports)
		r = check_takes(&list, PORTS, "-p", "portmap", err);
	if (r == 0 && asked->has_mac)
		r = check_takes(&list, MAC, "mac=", "tuning", err);
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

static void capabilities_of(const struct netspec *asked, const struct port_bindings *ports,
			    struct json_map *ret)
{
	cleanup_free char *mappings = ports->n ? port_mappings(ports) : NULL;
	cleanup_free char *mac = asked->has_mac ? net_mac_text(asked->mac) : NULL;
	cleanup_free char *quoted = mac ? xasprintf("\"%s\"", mac) : NULL;

	if (mappings)
		json_map_set(ret, PORTS, mappings);
	if (quoted)
		json_map_set(ret, MAC, quoted);
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

static int add(struct engine *eng, const struct record *rec, const struct netspec *asked, int state,
	       const struct port_bindings *ports, int cancel_fd, struct err *err)
{
	CLEANUP(json_map_done) struct json_map capabilities = { 0 };
	cleanup_cni_result struct cni_result result = { 0 };
	cleanup_cni_list struct cni_list list = { 0 };
	cleanup_free char *path = net_pin_path(eng, rec->id);
	cleanup_free char *ip = net_addr_text(&asked->ip);
	cleanup_free char *args = ip ? xasprintf("IgnoreUnknown=1;IP=%s", ip) : NULL;
	const struct cni_call call = { .dir = state,
				       .container = rec->id,
				       .ifname = ifname_of(asked),
				       .netns = path,
				       .args = args,
				       .capabilities = &capabilities,
				       .cancel_fd = cancel_fd };
	int r = cni_list_find(CNI_CONF_DIR, asked->target, &list, err);

	capabilities_of(asked, ports, &capabilities);
	if (r == 0)
		r = cni_add(&call, &list, &result, err);
	return r < 0 ? r : write_hosts(eng, rec, &result, err);
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
