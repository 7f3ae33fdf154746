/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/network_connect.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/asked.h"
#include "engine/db.h"
#include "engine/events.h"
#include "engine/join.h"
#include "engine/life.h"
#include "engine/live.h"
#include "engine/network_files.h"
#include "engine/network_links.h"
#include "engine/network_names.h"
#include "engine/publish.h"
#include "engine/start.h"
#include "engine/update.h"
#include "net/names.h"

/* One container, as it is now, and the network. */
struct change {
	struct engine *eng;
	struct record rec;
	struct network net;
	int dir;   /* locked: nobody else changes it meanwhile (update.h) */
	int lock;  /* of one that does not run: nobody starts it meanwhile; -EBADF */
	int netns; /* of one that runs; -EBADF */
};

static void change_done(struct change *c)
{
	record_done(&c->rec);
	network_done(&c->net);
	fd_close(c->dir);
	fd_close(c->lock);
	fd_close(c->netns);
}

/* docker's rules: only who was made with networks may have others. */
static int check_container(struct engine *eng, const struct record *rec, struct err *err)
{
	CLEANUP(asked_done) struct asked asked = { 0 };
	struct netspec spec = { 0 };
	const char *word;
	bool bridged;
	int r;

	if (rec->options.service)
		return err_fail(err, ERR_UNSUPPORTED,
				"container %s is a replica of a service, whose networks and ports "
				"are those of all",
				rec->name);
	if (publish_owner(rec) != rec->id)
		return err_fail(
		    err, ERR_CONFLICT,
		    "container %s has the network of its pod, whose networks are chosen "
		    "when the pod is created",
		    rec->name);
	r = asked_read(eng, rec->id, &asked, err);
	if (r < 0)
		return r;
	word = run_network_word(&asked.options);
	bridged = word && netspec_parse(word, &spec, NULL) == 0 && netspec_is_link(&spec);
	netspec_done(&spec);
	return bridged ? 0
		       : err_fail(err, ERR_CONFLICT,
				  "container %s was created with --network %s, and can't be "
				  "connected to others",
				  rec->name, word ? word : "none");
}

static int open_container(struct change *c, const char *word, struct err *err)
{
	int r = c->dir = update_begin(c->eng, word, &c->rec, err);

	if (r >= 0 && !c->rec.running)
		r = engine_lock_stopped(c->eng, word, &c->rec, &c->lock, err);
	if (r < 0)
		return r;
	if (c->lock >= 0 || c->rec.status == RECORD_RESTARTING)
		return 0;
	live_settle(c->eng, &c->rec); /* who starts it has read its networks already */
	r = joins_settled(c->eng, &c->rec);
	if (r == 0)
		r = c->netns = joins_open_one(c->eng, &c->rec, "network", err);
	return r == -ESRCH ? 0 : r; /* it has just ended */
}

static int change_begin(struct change *c, struct engine *eng, const char *network,
			const char *container, struct err *err)
{
	int r;

	*c = (struct change){ .eng = eng, .dir = -EBADF, .lock = -EBADF, .netns = -EBADF };
	r = network_find(eng, network, &c->net, err);
	if (r == 0)
		r = open_container(c, container, err);
	return r < 0 ? r : check_container(eng, &c->rec, err);
}

static int tell(const struct change *c, const char *action, struct err *err)
{
	const char *const words[] = { "container", c->rec.id, "name",
				      c->net.name, "type",    network_driver_names[c->net.driver],
				      NULL };

	return event_add(c->eng, "network", action, c->net.id, words, err);
}

/* In a transaction, as its start and its end are: is it still what it was? */
static int look_again(struct change *c, struct err *err)
{
	cleanup_record struct record now = { 0 };
	int r = record_get(c->eng, c->rec.id, &now, err);

	if (r < 0)
		return r == -ENOENT
			   ? err_fail(err, ERR_NOT_FOUND, "No such container: %s", c->rec.name)
			   : r;
	if (now.status == RECORD_RUNNING && c->netns >= 0 && now.started_ns == c->rec.started_ns)
		return 0;
	c->netns = fd_close(c->netns);
	if (now.status == RECORD_RUNNING)
		return err_hint(err,
				err_fail(err, ERR_CONFLICT, "the container was started meanwhile"),
				"try again");
	return 0;
}

/* ---- connect ---- */

static int take(struct change *c, const struct netspec *asked, struct net_start *ns,
		struct err *err)
{
	const struct lease_addrs addrs = { asked->ip, asked->ip6 };
	struct endpoint ep = {
		.owner = c->rec.id, .network = c->net.id, .position = -1, .asked = *asked
	};
	int r = look_again(c, err);

	if (r == 0)
		r = endpoint_insert(c->eng, &c->net, &ep, err);
	free(ep.ifname);
	if (r == 0 && c->netns >= 0)
		r = net_start_take(c->eng, &c->rec, ns, err);
	else if (r == 0)
		r = leases_reserve(c->eng, &c->net, c->rec.id, &addrs, err);
	return r < 0 ? r : tell(c, "connect", err);
}

static int in_transaction(struct change *c, const struct netspec *asked, struct net_start *ns,
			  struct err *err)
{
	int r = db_begin(c->eng->db, err);

	return r < 0 ? r : db_end(c->eng->db, take(c, asked, ns, err), err);
}

static int leave(struct change *c, bool told, struct err *err)
{
	int r = db_begin(c->eng->db, err);

	if (r < 0)
		return r;
	r = look_again(c, err);
	if (r == 0)
		r = leases_release(c->eng, c->rec.id, c->net.id, err);
	if (r >= 0)
		r = endpoint_delete(c->eng, c->rec.id, c->net.id, err);
	if (r >= 0 && told)
		r = tell(c, "disconnect", err);
	return db_end(c->eng->db, r < 0 ? r : 0, err);
}

/* Published ports lead to another of its networks then, or nowhere. */
static int leave_with_ports(struct change *c, struct err *err)
{
	cleanup_port_bindings struct port_bindings ports = { 0 };
	struct err own = ERR_INIT;
	int r = publish_load(c->eng, c->rec.id, &ports, err);

	if (r == 0)
		r = net_ports_change(c->eng, c->rec.id, &ports, true, err);
	if (r == 0)
		r = leave(c, true, err);
	/* who has found it connected may have written them */
	if (r == 0 && engine_net(c->eng, &own) == 0)
		net_names_remove(c->eng->net_fd, c->net.id, c->rec.id, NULL);
	if (net_ports_change(c->eng, c->rec.id, &ports, false, &own) < 0)
		log_warn("%s", own.msg);
	return r;
}

/* What others are told of its interfaces. */
static int tell_others(struct change *c, struct net_start *ns, struct err *err)
{
	int r = net_ports_lead(c->eng, ns, err);

	if (r == 0)
		r = net_hosts_write(c->eng, &c->rec, ns, err);
	return r < 0 ? r : net_names_put(c->eng, &c->rec, ns, -EBADF, -EBADF, err);
}

/* The new one is the last. */
static int plug(struct change *c, struct net_start *ns, struct err *err)
{
	const struct net_link *link = &ns->links[ns->n - 1];
	struct err also = ERR_INIT;
	int r = net_links_plug(c->eng, ns, ns->n - 1, c->netns, true, err);
	bool plugged = r == 0;

	if (r == 0)
		r = tell_others(c, ns, err);
	if (r == 0)
		return 0;
	if (plugged && net_links_unplug(c->eng, &c->net, &link->asked, c->netns, &also) < 0)
		log_warn("%s", also.msg);
	/* the default route may have become the new one's */
	net_links_drop(ns, ns->n - 1);
	if (net_links_reroute(c->eng, ns, c->netns, &also) < 0)
		log_warn("%s", also.msg);
	return r;
}

/* It is connected, by somebody who may have been killed at it: without an interface it isn't, and
 * else what may be missing is put there. */
static int finish_killed(struct change *c, const struct endpoint *ep, struct err *err)
{
	struct net_start ns = NET_START_INIT;
	int r = net_start_read(c->eng, &c->rec, &ns, err);
	size_t i = 0;

	while (r == 0 && i + 1 < ns.n && !str_eq(ns.links[i].net.id, c->net.id))
		i++;
	if (r == 0)
		r = net_links_there(c->eng, &ns, i, c->netns, err);
	if (r == 0) {
		r = net_links_unplug(c->eng, &c->net, ep, c->netns, err);
		if (r == 0)
			r = leave(c, false, err);
	} else if (r > 0) {
		r = publish_load(c->eng, c->rec.id, &ns.ports, err);
		if (r == 0)
			r = tell_others(c, &ns, err);
	}
	net_start_done(&ns);
	return r;
}

static int connect_begin(struct change *c, struct engine *eng, const char *network,
			 const char *container, struct err *err)
{
	cleanup_endpoint struct endpoint ep = { 0 };
	int r = change_begin(c, eng, network, container, err);

	if (r == 0)
		r = engine_net(eng, err);
	if (r < 0 || c->netns < 0)
		return r;
	r = endpoint_get(eng, c->rec.id, c->net.id, &ep, err);
	return r < 0 ? (r == -ENOENT ? 0 : r) : finish_killed(c, &ep, err);
}

int network_connect(struct engine *eng, const struct netspec *asked, const char *container,
		    struct err *err)
{
	struct net_start ns = NET_START_INIT;
	struct change c;
	struct err first = ERR_INIT;
	int r = connect_begin(&c, eng, asked->target, container, err);

	if (r == 0) /* they stay what they are */
		r = publish_load(eng, c.rec.id, &ns.ports, err);
	if (r == 0) {
		r = in_transaction(&c, asked, &ns, &first);
		if (r < 0 && net_start_again(eng, &ns))
			r = in_transaction(&c, asked, &ns, err);
		else if (r < 0)
			*err = first;
	}
	if (r == 0 && c.netns >= 0) {
		r = plug(&c, &ns, err);
		if (r < 0 && leave_with_ports(&c, &first) < 0)
			log_warn("%s", first.msg);
	}
	if (r < 0 && c.rec.name && c.net.name)
		err_wrap(err, r, "connecting container %s to network %s", c.rec.name, c.net.name);
	net_start_done(&ns);
	change_done(&c);
	return r;
}

/* ---- disconnect ---- */

/* What the others are, without this one. */
static int tell_of_others(struct change *c, struct err *err)
{
	struct net_start ns = NET_START_INIT;
	int r = net_start_read(c->eng, &c->rec, &ns, err);

	net_names_drop(c->eng, c->net.id, c->rec.id);
	for (size_t i = 0; r == 0 && i < ns.n; i++) {
		if (!str_eq(ns.links[i].net.id, c->net.id))
			continue;
		net_links_drop(&ns, i);
		break;
	}
	if (r == 0)
		r = publish_load(c->eng, c->rec.id, &ns.ports, err);
	if (r == 0)
		r = net_links_reroute(c->eng, &ns, c->netns, err);
	if (r == 0)
		r = net_hosts_write(c->eng, &c->rec, &ns, err);
	if (r == 0)
		r = net_names_put(c->eng, &c->rec, &ns, -EBADF, -EBADF, err);
	net_start_done(&ns);
	return r;
}

/* It could not be said that it has left. */
static int plug_again(struct change *c, struct err *err)
{
	struct net_start ns = NET_START_INIT;
	int r = net_start_read(c->eng, &c->rec, &ns, err);

	for (size_t i = 0; r == 0 && i + 1 < ns.n; i++) {
		struct net_link l = ns.links[i];

		if (!str_eq(l.net.id, c->net.id))
			continue;
		ns.links[i] = ns.links[ns.n - 1];
		ns.links[ns.n - 1] = l;
		break;
	}
	if (r == 0)
		r = publish_load(c->eng, c->rec.id, &ns.ports, err);
	if (r == 0)
		r = plug(c, &ns, err);
	net_start_done(&ns);
	return r;
}

int network_disconnect(struct engine *eng, const char *network, const char *container, bool force,
		       struct err *err)
{
	cleanup_endpoint struct endpoint ep = { 0 };
	struct err own = ERR_INIT;
	struct change c;
	int r = change_begin(&c, eng, network, container, err);

	if (r == 0) {
		r = endpoint_get(eng, c.rec.id, c.net.id, &ep, err);
		if (r == -ENOENT)
			r = force ? 1
				  : err_fail(err, ERR_NOT_FOUND, "it is not connected to that one");
	}
	if (r == 0 && c.netns >= 0) {
		r = engine_net(eng, &own);
		if (r == 0)
			r = net_links_unplug(eng, &c.net, &ep, c.netns, &own);
		if (r < 0 && !force)
			*err = own;
		else if (r < 0 || tell_of_others(&c, &own) < 0)
			log_warn("%s", own.msg);
		r = force ? 0 : r;
	}
	if (r == 0) {
		r = leave_with_ports(&c, err);
		if (r < 0 && c.netns >= 0 && plug_again(&c, &own) < 0)
			log_warn("%s", own.msg);
	}
	if (r < 0 && c.rec.name && c.net.name)
		err_wrap(err, r, "disconnecting container %s from network %s", c.rec.name,
			 c.net.name);
	change_done(&c);
	return r < 0 ? r : 0;
}
