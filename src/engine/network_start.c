/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/network_start.h"

#include <poll.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/life.h"
#include "engine/network_cni.h"
#include "engine/network_files.h"
#include "engine/network_heal.h"
#include "engine/network_links.h"
#include "engine/network_names.h"
#include "engine/network_policy.h"
#include "engine/network_pasta.h"
#include "engine/publish.h"
#include "engine/services.h"
#include "net/rootless.h"
#include "runtime/cancel.h"
#include "runtime/sync.h"

void net_link_done(struct net_link *l)
{
	endpoint_done(&l->asked);
	network_done(&l->net);
}

/* What was read; the socket stays. */
static void forget(struct net_start *ns)
{
	for (size_t i = 0; i < ns->n; i++)
		net_link_done(&ns->links[i]);
	free(take_ptr(ns->links));
	ns->n = 0;
	free(take_ptr(ns->owner));
	free(take_ptr(ns->holder));
}

void net_start_done(struct net_start *ns)
{
	forget(ns);
	ns->sock = fd_close(ns->sock);
	port_bindings_done(&ns->ports);
	ns->keep = fd_close(ns->keep);
}

/* ---- what there is to be ---- */

static int read_link(struct engine *eng, struct endpoint *ep, struct net_link *l, struct err *err)
{
	int r = endpoint_network(eng, ep, &l->net, err);

	if (r == -ENOENT)
		return err_fail(err, ERR_NOT_FOUND, "network %s of the container is gone",
				ep->asked.target ? ep->asked.target : ep->network);
	if (r < 0)
		return r;
	l->asked = *ep;
	*ep = (struct endpoint){ 0 };
	return 0;
}

static int take_leases(struct engine *eng, struct net_start *ns, struct net_link *l,
		       struct err *err)
{
	const struct lease_addrs asked = { l->asked.asked.ip, l->asked.asked.ip6 };
	int r = netspec_is_adhoc(&l->asked.asked)
		    ? endpoint_addrs(eng, &l->net, &l->asked, &l->addrs, err)
		    : leases_take(eng, &l->net, ns->owner, &asked, &l->addrs, &ns->holder, err);

	if (r == 0)
		endpoint_mac(&l->asked.asked, &l->addrs, l->mac);
	return r;
}

bool net_start_wants_netns(struct engine *eng, const struct record *rec)
{
	cleanup_endpoint_list struct endpoint_list list = { 0 };

	/* In a user namespace of its own it makes its own; in a pod it may have that of others. */
	return !eng->rootless && !rec->pod && !rec->options.mapping &&
	       endpoints_of(eng, rec->id, &list, NULL) == 0 && list.n > 0;
}

/* Leases of the owner as they are, of all networks that it is on. */
int net_start_read(struct engine *eng, const struct record *rec, struct net_start *ns,
		   struct err *err)
{
	cleanup_endpoint_list struct endpoint_list list = { 0 };
	int r = endpoints_of(eng, publish_owner(rec), &list, err);

	forget(ns);
	ns->owner = xstrdup(publish_owner(rec));
	ns->links = xcalloc(list.n + 1, sizeof(*ns->links));
	for (size_t i = 0; r == 0 && i < list.n; i++) {
		struct net_link *l = &ns->links[ns->n++];

		r = read_link(eng, &list.items[i], l, err);
		if (r == 0)
			r = endpoint_addrs(eng, &l->net, &l->asked, &l->addrs, err);
		if (r == 0)
			endpoint_mac(&l->asked.asked, &l->addrs, l->mac);
	}
	return r;
}

int net_start_take(struct engine *eng, const struct record *rec, struct net_start *ns,
		   struct err *err)
{
	cleanup_endpoint_list struct endpoint_list list = { 0 };
	int r = endpoints_of(eng, publish_owner(rec), &list, err);

	forget(ns);
	if (r == 0)
		r = publish_store(eng, rec->options.service ? rec->options.service : rec->id,
				  &ns->ports, err);
	if (r == 0)
		r = service_take(eng, rec, err);
	if (r < 0 || !list.n)
		return r;
	r = engine_net_own(eng, err);
	ns->owner = xstrdup(publish_owner(rec));
	ns->links = xcalloc(list.n, sizeof(*ns->links));
	for (size_t i = 0; r == 0 && i < list.n; i++) {
		struct net_link *l = &ns->links[ns->n++];

		r = read_link(eng, &list.items[i], l, err);
		if (r == 0)
			r = take_leases(eng, ns, l, err);
	}
	return r;
}

bool net_start_again(struct engine *eng, struct net_start *ns)
{
	cleanup_free char *holder = take_ptr(ns->holder);
	cleanup_record struct record rec = { 0 };

	forget(ns);
	if (!holder || record_get(eng, holder, &rec, NULL) < 0 || !rec.running)
		return false;
	return life_repair(eng, &rec, NULL) > 0 || !rec.running;
}

/* ---- the steps ---- */

struct stage {
	struct engine *eng;
	const struct record *rec;
	struct net_start *ns;
	int netns, pidfd; /* of the container, and its init; pidfd may be negative */
	int cancel_fd;
};

static int step_links(struct stage *s, struct err *err)
{
	return net_links_plug(s->eng, s->ns, 0, s->netns, false, err);
}

static int step_ports(struct stage *s, struct err *err)
{
	return net_ports_lead(s->eng, s->ns, err);
}

static int step_policy(struct stage *s, struct err *err)
{
	const struct record_options *o = &s->rec->options;

	return o->firewall || o->egress ? policy_load(s->eng, s->rec, s->netns, err) : 0;
}

static int step_hosts(struct stage *s, struct err *err)
{
	return net_hosts_write(s->eng, s->rec, s->ns, err);
}

static int step_names(struct stage *s, struct err *err)
{
	return net_names_put(s->eng, s->rec, s->ns, s->netns, s->pidfd, err);
}

/* What they have done is undone by the container's end: network_end.h. */
static const struct {
	const char *what;
	int (*fn)(struct stage *s, struct err *err);
} steps[] = {
	{ "adding its interfaces", step_links }, { NULL, step_policy },
	{ "changing the firewall", step_ports }, { NULL, step_hosts },
	{ "giving it names", step_names },
};

int net_start_meet(struct net_start *ns, struct err *err)
{
	int pair[2], r = sync_pair(pair, err);

	if (r < 0)
		return r;
	ns->sock = pair[0];
	return pair[1];
}

/* 0: the init has said something; 1: the monitor has. */
static int wait_init(const struct net_start *ns, int monitor_sock, int cancel_fd, struct err *err)
{
	struct pollfd p[] = {
		{ .fd = ns->sock, .events = POLLIN },
		{ .fd = monitor_sock, .events = POLLIN },
		{ .fd = cancel_fd > 0 ? cancel_fd : -1, .events = POLLIN },
	};

	if (NO_EINTR(poll(p, ARRAY_SIZE(p), -1)) < 0)
		return err_errno(err, errno, "waiting for the container's first process");
	if (p[0].revents & POLLIN)
		return 0;
	if (p[1].revents || p[0].revents)
		return 1;
	return cancel_error(cancel_fd, err);
}

/* 1: it has ended, or was never made: the monitor says why. */
static int take_netns(struct stage *s, struct err *err)
{
	struct sync_msg msg;
	int r = sync_recv(s->ns->sock, &msg, err);

	if (r <= 0)
		return r < 0 ? r : 1;
	if (msg.type == SYNC_ERROR)
		return sync_take_error(&msg, err);
	if (msg.type != SYNC_NETNS) {
		sync_msg_done(&msg);
		return err_errno(err, EPROTO, "unexpected message %d", (int)msg.type);
	}
	if (msg.n_fds > 0)
		s->netns = take_fd(msg.fds[0]);
	if (msg.n_fds > 1)
		s->pidfd = take_fd(msg.fds[1]);
	sync_msg_done(&msg);
	return s->netns < 0 ? err_errno(err, EPROTO, "receiving the network namespace") : 0;
}

static int do_steps(struct stage *s, struct err *err)
{
	int r;

	if (s->rec->options.cni) {
		r = net_cni_start(s->eng, s->rec, &s->ns->ports, s->netns, s->cancel_fd, err);
		return r < 0 ? r : step_policy(s, err);
	}
	if (s->rec->options.pasta) {
		r = step_policy(s, err);
		return r < 0 ? r : net_pasta_start(s->eng, s->rec, &s->ns->ports, s->pidfd, err);
	}
	r = engine_net(s->eng, err);
	/* what ran in a user's networks before these is to be in these */
	if (r == 0 && s->eng->networks && s->eng->networks->fresh)
		r = network_heal(s->eng, s->ns->owner, err);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(steps); i++) {
		r = steps[i].fn(s, err);
		if (r < 0 && steps[i].what)
			err_wrap(err, r, "%s", steps[i].what);
	}
	return r < 0 ? err_hint(err, r, NET_START_WITHOUT) : 0;
}

/* Nobody waits for the network any more. */
static bool init_has_gone(const struct net_start *ns)
{
	struct pollfd p = { .fd = ns->sock };

	return poll(&p, 1, 0) > 0 && p.revents & POLLHUP;
}

int net_start_plug(struct engine *eng, const struct record *rec, struct net_start *ns,
		   int monitor_sock, int cancel_fd, struct err *err)
{
	struct stage s = { eng, rec, ns, -EBADF, -EBADF, cancel_fd };
	int r;

	if (ns->sock < 0)
		return 0;
	r = wait_init(ns, monitor_sock, cancel_fd, err);
	if (r == 0)
		r = take_netns(&s, err);
	if (r == 0)
		r = do_steps(&s, err);
	/* One that has died meanwhile has its monitor say so, and why. */
	if (r < 0 && init_has_gone(ns))
		r = 1;
	if (r == 0)
		sync_send(ns->sock, SYNC_GO, 0, NULL, 0);
	fd_close(s.netns);
	fd_close(s.pidfd);
	return r;
}
