/* SPDX-License-Identifier: Apache-2.0 */
/* Of `system check`: what networks have in the kernel and the run directory, and what there is of
 * networks and containers that are gone: who was killed while taking it away has left it. */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "base/fd.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/check_internal.h"
#include "engine/db.h"
#include "engine/firewall.h"
#include "engine/life.h"
#include "engine/network_cni.h"
#include "engine/network_devices.h"
#include "engine/network_place.h"
#include "net/names.h"
#include "sys/rtnetlink_link.h"

#define ALIAS "inro " /* of a bridge; its network's id follows */
#define OUTER "iv"    /* of a veth's end on a bridge; the owner's id, cut, follows */
#define SHORT 8       /* digits of it */

#define SETTLE_MS       1000
#define SETTLE_PAUSE_MS 20

#define NETWORK "SELECT 1 FROM networks WHERE id = ?"
#define RUNS                                                                                       \
	"SELECT 1 FROM containers WHERE status IN ('running', 'restarting')"                       \
	" AND ?1 IN (substr(id, 1, 8), substr(pod, 1, 8))"

static void found(struct check_report *report, bool repaired, char *what)
{
	strv_addf(&report->networks, "%s%s", what, repaired ? "; no more" : "");
	report->damaged = report->certain = true;
	free(what);
}

static int check_rules(struct engine *eng, bool repair, struct check_report *report,
		       struct err *err)
{
	struct fw_report is = { .no_table = false };
	int r = engine_firewall_look(eng, &is, err);

	if (r < 0 || !(is.no_table || is.missing || is.excess || is.wrong))
		return r < 0 ? r : 0;
	r = repair ? engine_firewall_repair(eng, err) : 0;
	if (r < 0)
		return r;
	found(report, repair,
	      is.no_table ? xstrdup("the firewall's rules are gone")
			  : xasprintf("of the firewall's rules %zu are missing, %zu nobody's, %zu "
				      "lead elsewhere",
				      is.missing, is.excess, is.wrong));
	return 0;
}

struct links {
	struct engine *eng;
	struct rtnl_links all;
	const char *remove;
};

static int read_links(void *data, struct err *err)
{
	struct links *l = data;
	cleanup_fd int sock = rtnl_open(err);

	return sock < 0 ? sock : rtnl_links_read(sock, &l->all, err);
}

static int remove_link(void *data, struct err *err)
{
	const struct links *l = data;
	cleanup_fd int sock = rtnl_open(err);

	return sock < 0 ? sock : rtnl_link_delete(sock, l->remove, err);
}

/* 1: there is such a row. */
static int is_there(struct engine *eng, const char *sql, const char *id, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = db_query(eng->db, &stmt, err, sql, "s", id);

	return r < 0 ? r : db_step(eng->db, stmt, err);
}

static const struct rtnl_link *port_of(const struct links *l, const struct rtnl_link *bridge)
{
	for (size_t i = 0; i < l->all.n; i++)
		if (l->all.items[i].bridge == bridge->index)
			return &l->all.items[i];
	return NULL;
}

static bool is_bridge(const struct rtnl_link *link)
{
	return str_eq(link->kind, "bridge") && str_starts(link->alias, ALIAS);
}

/* 1: it is a bridge of a network of ours. */
static int is_network(const struct links *l, const struct rtnl_link *link, struct err *err)
{
	return is_bridge(link) ? is_there(l->eng, NETWORK, link->alias + strlen(ALIAS), err) : 0;
}

/* 1: a bridge without a network; one with ports may be another store's. */
static int is_left_bridge(const struct links *l, const struct rtnl_link *link, struct err *err)
{
	int r = is_bridge(link) && !port_of(l, link) ? is_network(l, link, err) : 1;

	return r < 0 ? r : !r;
}

/* 1: an end of a veth on a bridge of ours whose owner does not run. */
static int is_left_end(const struct links *l, const struct rtnl_link *link, struct err *err)
{
	const char *id = str_after(link->name, OUTER);
	cleanup_free char *start = xasprintf("%.*s", SHORT, id ? id : "");
	int r = 0;

	if (!str_eq(link->kind, "veth") || strlen(start) < SHORT)
		return 0;
	for (size_t i = 0; r == 0 && i < l->all.n; i++)
		if (l->all.items[i].index == link->bridge)
			r = is_network(l, &l->all.items[i], err);
	if (r <= 0)
		return r;
	r = is_there(l->eng, RUNS, start, err);
	return r < 0 ? r : !r;
}

static int is_left(const struct links *l, const struct rtnl_link *link, char **ret_what,
		   struct err *err)
{
	int r = is_left_bridge(l, link, err);

	if (r > 0)
		*ret_what = xasprintf("bridge %s is of a network that is gone", link->name);
	if (r == 0 && (r = is_left_end(l, link, err)) > 0)
		*ret_what =
		    xasprintf("interface %s is of a container that does not run", link->name);
	return r;
}

/* Of what has just ended the kernel takes the interface a moment later. */
static int read_settled(const struct net_place *place, struct links *l, struct err *err)
{
	const struct timespec pause = { .tv_nsec = SETTLE_PAUSE_MS * 1000000L };
	int r = net_place_run(place, read_links, l, err), left = 1;

	for (int ms = 0; r >= 0 && left > 0 && ms < SETTLE_MS; ms += SETTLE_PAUSE_MS) {
		left = 0;
		for (size_t i = 0; left == 0 && i < l->all.n; i++)
			left = is_left_end(l, &l->all.items[i], err);
		if (left <= 0)
			return left;
		nanosleep(&pause, NULL);
		rtnl_links_done(&l->all);
		r = net_place_run(place, read_links, l, err);
	}
	return r;
}

static int check_links(struct engine *eng, bool repair, struct check_report *report,
		       struct err *err)
{
	struct links l = { .eng = eng };
	struct net_place place;
	int r = network_place(eng, false, &place, err);

	if (r < 0)
		return r == -ESRCH ? 0 : r;
	r = read_settled(&place, &l, err);
	for (size_t i = 0; r >= 0 && i < l.all.n; i++) {
		cleanup_free char *what = NULL;

		r = is_left(&l, &l.all.items[i], &what, err);
		l.remove = l.all.items[i].name;
		if (r > 0 && repair)
			r = net_place_run(&place, remove_link, &l, err);
		if (r >= 0 && what)
			found(report, repair, take_ptr(what));
	}
	rtnl_links_done(&l.all);
	return r < 0 ? r : 0;
}

static int check_names(struct engine *eng, bool repair, struct check_report *report,
		       struct err *err)
{
	int fd = openat(eng->net_fd, "names", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int r = 0;

	if (!dir) {
		fd_close(fd);
		return errno == ENOENT ? 0 : err_errno(err, errno, "reading the names of networks");
	}
	while (r >= 0 && (entry = readdir(dir))) {
		if (strlen(entry->d_name) != HEX_ID_LEN || !hex_is_id_prefix(entry->d_name))
			continue;
		r = is_there(eng, NETWORK, entry->d_name, err);
		if (r != 0)
			continue;
		r = repair ? net_names_forget(eng->net_fd, entry->d_name, err) : 0;
		if (r >= 0)
			found(
			    report, repair,
			    xasprintf("names are of network %.12s, which is gone", entry->d_name));
	}
	closedir(dir);
	return r < 0 ? r : 0;
}

/* CNI's networks are their plugins' business, who say what they miss; nothing here makes it good.
 */
static int check_cni(struct engine *eng, bool repair, struct check_report *report, struct err *err)
{
	cleanup_record_list struct record_list list = { 0 };
	int r = eng->rootless ? 0 : life_list(eng, &list, err);

	for (size_t i = 0; r == 0 && i < list.n; i++) {
		const struct record *rec = &list.items[i];
		struct err own = ERR_INIT;

		if (rec->running && rec->options.cni && net_cni_look(eng, rec, &own) < 0 &&
		    own.kind != ERR_UNSUPPORTED)
			found(report, false, xasprintf("container %s: %s", rec->name, own.msg));
	}
	return r;
}

/* The host's own, which a container had that has ended. */
static int check_devices(struct engine *eng, bool repair, struct check_report *report,
			 struct err *err)
{
	cleanup_strv char **left = NULL;
	int r = net_devices_left(eng, &left, err);

	if (r == 0 && left && repair)
		r = net_devices_sweep(eng, err);
	for (char **device = left; r == 0 && device && *device; device++)
		found(report, repair,
		      xasprintf("interface %s is in the namespace of a container that does not run",
				*device));
	return r;
}

/* What can't be looked at is no reason to look at nothing else. */
int check_network_machine(struct engine *eng, const struct check_options *opts,
			  struct check_report *report, struct err *err)
{
	static int (*const steps[])(struct engine * eng, bool repair, struct check_report *report,
				    struct err *err) = { check_rules, check_links, check_names,
							 check_cni, check_devices };
	int r = opts->readonly ? 0 : engine_net(eng, err);
	cleanup_free char *other = r < 0 || opts->readonly ? NULL : engine_net_other(eng);

	/* Which are whole, and none of ours. */
	if (other) {
		log_warn("what networks have in the kernel is not looked at: %s is the run "
			 "directory of the store %s; give this one a --runroot of its own",
			 eng->runroot, other);
		return r;
	}
	for (size_t i = 0; !opts->readonly && r == 0 && i < ARRAY_SIZE(steps); i++) {
		struct err own = ERR_INIT;

		if (steps[i](eng, opts->repair, report, &own) < 0) {
			strv_addf(&report->networks, "not looked at: %s", own.msg);
			report->damaged = true;
		}
	}
	return r;
}
