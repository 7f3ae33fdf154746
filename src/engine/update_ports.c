/* SPDX-License-Identifier: Apache-2.0 */
/* --publish-add and --publish-rm: of the record, and of what runs. */
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/control.h"
#include "engine/db.h"
#include "engine/firewall.h"
#include "engine/network_names.h"
#include "engine/network_start.h"
#include "engine/update_internal.h"

struct ports_change {
	struct engine *eng;
	const struct record *rec;
	char **publish; /* as it is to be */
	char **fresh;   /* of that, what it is not yet */
	struct port_list removed;
	/* Of what runs. all: is to be. */
	struct port_bindings old, gone, added, all;
};

/* "8080:80" is what was published so; "80/tcp", without a port of the host, is that port of the
 * container, however it is published. */
static bool is_meant(const struct port_publish *rm, const struct port_publish *p)
{
	if (rm->proto != p->proto || rm->ports.first != p->ports.first ||
	    rm->ports.last != p->ports.last)
		return false;
	if (!rm->host_ports.first && !rm->host.family)
		return true;
	return rm->host_ports.first == p->host_ports.first &&
	       rm->host_ports.last == p->host_ports.last && rm->host.family == p->host.family &&
	       (!rm->host.family || net_addr_equal(&rm->host, &p->host));
}

static int remove_word(struct ports_change *c, const char *word, struct err *err)
{
	struct port_publish rm, p;
	char **kept = NULL;
	size_t before = strv_len(c->publish);
	int r = port_publish_parse(word, &rm, err);

	if (r < 0)
		return r;
	for (char **w = c->publish; w && *w; w++) {
		if (port_publish_parse(*w, &p, NULL) < 0 || !is_meant(&rm, &p)) {
			strv_add(&kept, *w);
			continue;
		}
		c->removed.items =
		    xrealloc(c->removed.items, (c->removed.n + 1) * sizeof(*c->removed.items));
		c->removed.items[c->removed.n++] = p;
	}
	strv_free(c->publish);
	c->publish = kept;
	if (strv_len(kept) < before)
		return 0;
	return err_hint(
	    err,
	    err_fail(err, ERR_NOT_FOUND, "container %s does not publish %s", c->rec->name, word),
	    "say it as it was said to -p, or the port of the container alone");
}

static int plan_words(struct ports_change *c, const struct update_options *o, struct err *err)
{
	cleanup_port_list struct port_list list = { 0 };
	const struct record_options *has = &c->rec->options;
	int r = 0;

	c->publish = strv_copy(has->publish);
	for (char **w = o->publish_rm; r == 0 && w && *w; w++)
		r = remove_word(c, *w, err);
	for (char **w = o->publish_add; r == 0 && w && *w; w++)
		if (!strv_has(c->publish, *w)) {
			strv_add(&c->publish, *w);
			strv_add(&c->fresh, *w);
		}
	/* Do they go together? */
	return r < 0 ? r : port_list_parse(c->publish, has->publish_all, has->expose, &list, err);
}

/* ---- what runs ---- */

static void append(struct port_bindings *list, const struct port_bindings *more)
{
	list->items = xrealloc(list->items, (list->n + more->n + 1) * sizeof(*list->items));
	for (size_t i = 0; i < more->n; i++)
		list->items[list->n++] = more->items[i];
}

static bool is_of(const struct port_publish *w, const struct port_binding *b)
{
	if (w->proto != b->proto || b->port < w->ports.first || b->port > w->ports.last)
		return false;
	if (w->host.family && !net_addr_equal(&w->host, &b->host))
		return false;
	if (!w->host_ports.first)
		return true;
	if (w->host_ports.last - w->host_ports.first == w->ports.last - w->ports.first)
		return b->host_port - w->host_ports.first == b->port - w->ports.first;
	return b->host_port >= w->host_ports.first && b->host_port <= w->host_ports.last;
}

static void split_old(struct ports_change *c)
{
	for (size_t i = 0; i < c->old.n; i++) {
		const struct port_bindings one = { &c->old.items[i], 1 };
		bool gone = false;

		for (size_t k = 0; !gone && k < c->removed.n; k++)
			gone = is_of(&c->removed.items[k], one.items);
		append(gone ? &c->gone : &c->all, &one);
	}
}

static int keep_by_monitor(struct ports_change *c, const struct port_bindings *ports,
			   struct err *err)
{
	const struct ports_how how = { .relayed = c->eng->rootless };
	cleanup_fd int keep = -EBADF;
	cleanup_fd int sock = -EBADF;
	int r = ports_bind_again(ports, &how, &keep, err);

	if (r < 0)
		return r;
	sock = control_open(c->eng, c->rec->id);
	r = sock < 0 ? sock : control_ports(sock, keep);
	return r < 0 ? err_errno(err, -r, "asking the monitor of container %s", c->rec->name) : 0;
}

static int store(struct ports_change *c, bool running, struct err *err)
{
	struct record_options options = c->rec->options;
	cleanup_asked struct asked asked = { 0 };
	int r = asked_read(c->eng, c->rec->id, &asked, err);
	bool has_asked = r == 0;

	if (r < 0)
		return r;
	options.publish = c->publish;
	strv_free(asked.options.publish);
	asked.options.publish = strv_copy(c->publish);
	r = db_begin(c->eng->db, err);
	if (r < 0)
		return r;
	r = record_set_options(c->eng, c->rec->id, &options, err);
	if (r == 0 && has_asked)
		r = asked_set(c->eng, c->rec->id, &asked, err);
	if (r == 0 && running)
		r = publish_store(c->eng, c->rec->id, &c->all, err);
	return db_end(c->eng->db, r, err);
}

/* On the host's loopback, and all of a user's. */
static int relay(struct ports_change *c, const struct port_bindings *ports, struct err *err)
{
	struct net_start ns = NET_START_INIT;
	int r = net_start_read(c->eng, c->rec, &ns, err);

	append(&ns.ports, ports);
	if (r == 0)
		r = engine_net(c->eng, err);
	if (r >= 0)
		r = net_names_put(c->eng, c->rec, &ns, -EBADF, -EBADF, err);
	net_start_done(&ns);
	return r;
}

/* What was taken out of the firewall comes back, and the monitor and the relays have what they had.
 */
static void undo(struct ports_change *c)
{
	struct err err = ERR_INIT;

	if (keep_by_monitor(c, &c->old, &err) < 0 ||
	    net_ports_change(c->eng, c->rec->id, &c->gone, false, &err) < 0 ||
	    relay(c, &c->old, &err) < 0)
		log_warn("%s", err.msg);
}

/* In the firewall and the relays only what stays. */
static int take_out(struct ports_change *c, struct err *err)
{
	int r = net_ports_change(c->eng, c->rec->id, &c->gone, true, err);

	return r < 0 || !c->gone.n ? r : relay(c, &c->all, err);
}

/* The monitor has the new ones before they are in the database, and nobody has the old ones any
 * more when those go there: who is killed in between has left a port that is kept for nothing until
 * the next change, or elements and relays that are missing, and the command can be said again. */
static int change_running(struct ports_change *c, struct err *err)
{
	const struct publish_words words = { .publish = c->fresh };
	cleanup_free char *binding = net_ports_binding(c->eng, c->rec);
	struct net_addr host = { .family = 0 };
	cleanup_fd int lock = -EBADF;
	cleanup_fd int keep = -EBADF;
	int r = publish_load(c->eng, c->rec->id, &c->old, err);

	if (r == 0 && binding)
		net_addr_parse(binding, &host, NULL);
	if (r == 0)
		split_old(c);
	if (r == 0 && c->fresh)
		(void)keep_by_monitor(c, &c->old, NULL); /* of one that was killed: no more */
	if (r == 0 && c->fresh)
		r = publish_bind(c->eng, c->rec->id, &words, &host, &c->added, &keep, err);
	if (r < 0)
		return r;
	if (c->gone.n)
		r = lock = engine_firewall_lock(c->eng, false, err);
	if (r >= 0)
		r = take_out(c, err);
	append(&c->all, &c->added);
	if (r == 0)
		r = keep_by_monitor(c, &c->all, err);
	if (r == 0)
		r = store(c, true, err);
	lock = fd_close(lock);
	if (r < 0) {
		undo(c);
		return r;
	}
	r = net_ports_change(c->eng, c->rec->id, &c->all, false, err);
	return r < 0 ? r : relay(c, &c->all, err);
}

static int check_network(struct ports_change *c, struct err *err)
{
	cleanup_endpoint_list struct endpoint_list list = { 0 };
	int r;

	if (c->rec->options.service)
		return err_fail(err, ERR_UNSUPPORTED,
				"container %s is a replica of a service, whose networks and ports "
				"are those of all",
				c->rec->name);
	if (publish_owner(c->rec) != c->rec->id)
		return err_hint(
		    err,
		    err_fail(err, ERR_UNSUPPORTED,
			     "container %s has the network of its pod, and no ports of its own",
			     c->rec->name),
		    "those of a pod are chosen when it is made: inro pod create -p; inro pod clone "
		    "--destroy -p makes it anew");
	r = endpoints_of(c->eng, c->rec->id, &list, err);
	if (r == 0 && !list.n)
		return err_fail(err, ERR_UNSUPPORTED,
				"container %s is on no network in which it could have ports",
				c->rec->name);
	return r;
}

int update_ports(struct engine *eng, const struct record *rec, const struct update_options *o,
		 struct err *err)
{
	struct ports_change c = { .eng = eng, .rec = rec };
	int r = check_network(&c, err);

	if (r == 0)
		r = plan_words(&c, o, err);
	if (r == 0)
		r = update_instance(eng, rec).pid ? change_running(&c, err) : store(&c, false, err);
	strv_free(c.publish);
	strv_free(c.fresh);
	port_list_done(&c.removed);
	port_bindings_done(&c.old);
	port_bindings_done(&c.gone);
	port_bindings_done(&c.added);
	port_bindings_done(&c.all);
	return r;
}
