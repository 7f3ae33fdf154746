/* SPDX-License-Identifier: Apache-2.0 */
/* --firewall and --egress: of the record, and of what runs. */
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/db.h"
#include "engine/endpoints.h"
#include "engine/join.h"
#include "engine/network_policy.h"
#include "engine/update_internal.h"

/* What was given stands in the place of what there was; "none" is nothing. Borrowed. */
static char **words_of(char **given, char **was)
{
	if (!given)
		return was;
	return str_eq(given[0], "none") && !given[1] ? NULL : given;
}

static int check(struct engine *eng, const struct record *rec, struct err *err)
{
	CLEANUP(net_policy_done) struct net_policy policy = { 0 };
	cleanup_endpoint_list struct endpoint_list list = { 0 };
	int r = policy_words_parse(rec->options.firewall, rec->options.egress, &policy, NULL, err);

	if (r == 0)
		r = endpoints_of(eng, rec->id, &list, err);
	if (r == 0 && !list.n && !rec->options.pasta && !rec->options.cni)
		return err_fail(err, ERR_UNSUPPORTED, "container %s is on no network of its own",
				rec->name);
	return r < 0 ? r : policy_check_networks(eng, &policy, err);
}

static int store(struct engine *eng, const struct record *rec, struct err *err)
{
	cleanup_asked struct asked asked = { 0 };
	int r = asked_read(eng, rec->id, &asked, err);
	bool has_asked = r == 0;

	if (r < 0)
		return r;
	strv_free(asked.options.firewall);
	asked.options.firewall = strv_copy(rec->options.firewall);
	strv_free(asked.options.egress);
	asked.options.egress = strv_copy(rec->options.egress);
	r = db_begin(eng->db, err);
	if (r < 0)
		return r;
	r = record_set_options(eng, rec->id, &rec->options, err);
	if (r == 0 && has_asked)
		r = asked_set(eng, rec->id, &asked, err);
	return db_end(eng->db, r, err);
}

/* By its process, which is another's, perhaps the machine's, if it has ended meanwhile. Returns its
 * network namespace, or -ESRCH: nobody runs. */
static int load_running(struct engine *eng, const struct record *rec, const struct record *changed,
			struct err *err)
{
	cleanup_fd int netns = -ESRCH;
	int r = 0;

	if (update_instance(eng, rec).pid && joins_settled(eng, rec) == 0)
		netns = joins_open_one(eng, rec, "network", err);
	if (netns >= 0)
		r = policy_load(eng, changed, netns, err);
	return r < 0 ? r : take_fd(netns);
}

/* Whose start was not seen before has read what there was. */
static int load_late(struct engine *eng, const struct record *changed, struct err *err)
{
	cleanup_record struct record now = { 0 };
	cleanup_fd int netns = -EBADF;
	int r = record_get(eng, changed->id, &now, err);

	if (r == 0)
		r = netns = load_running(eng, &now, changed, err);
	return r < 0 && r != -ESRCH && r != -ENOENT ? r : 0;
}

int update_policy(struct engine *eng, const struct record *rec, const struct update_options *o,
		  struct err *err)
{
	struct record changed = *rec; /* borrows all */
	cleanup_fd int netns = -EBADF;
	struct err own = ERR_INIT;
	int r;

	changed.options.firewall = words_of(o->firewall, rec->options.firewall);
	changed.options.egress = words_of(o->egress, rec->options.egress);
	r = check(eng, &changed, err);
	if (r == 0)
		r = netns = load_running(eng, rec, &changed, err);
	if (r < 0 && r != -ESRCH)
		return r;
	r = store(eng, &changed, err);
	if (r < 0 && netns >= 0 && policy_load(eng, rec, netns, &own) < 0)
		log_warn("%s", own.msg);
	return r == 0 && netns < 0 ? load_late(eng, &changed, err) : r;
}
