/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/network_heal.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/db.h"
#include "engine/firewall.h"
#include "engine/join.h"
#include "engine/network_links.h"
#include "engine/publish.h"
#include "engine/update.h"
#include "net/rootless.h"
#include "net/service_client.h"

/* One that is being started, or has ended, is left to who does that; and who connects or
 * disconnects it is waited for. */
static int heal(struct engine *eng, const char *id, struct err *err)
{
	cleanup_record struct record now = { 0 };
	struct net_start ns = NET_START_INIT;
	cleanup_fd int netns = -EBADF;
	struct err own = ERR_INIT;
	cleanup_fd int dir = update_begin(eng, id, &now, &own);
	int r = dir < 0 ? dir : net_start_read(eng, &now, &ns, &own);

	if (r < 0)
		*err = own;
	if (r < 0 && own.kind == ERR_NOT_FOUND)
		r = -ESRCH;
	if (r == 0 && ns.n)
		r = netns = joins_open_one(eng, &now, "network", err);
	if (r >= 0 && ns.n)
		r = net_links_heal(eng, &ns, netns, err);
	net_start_done(&ns);
	return r == -ESRCH ? 0 : r;
}

/* What else there was in a user's networks before these. Whoever starts something waits for it, so
 * the inro-net that is ended is one of those before. */
static int renew(struct engine *eng, struct err *err)
{
	const struct net_service_place where = { .run_dir = eng->net_fd };
	cleanup_fd int lock = net_rootless_fresh_lock(eng->net_fd);
	int r;

	eng->networks->fresh = false;
	if (lock < 0)
		return lock == -ENOENT ? 0 : err_errno(err, -lock, "locking this user's networks");
	r = net_service_end(&where, err);
	if (r == 0)
		r = engine_firewall_repair(eng, err);
	if (r == 0)
		net_rootless_fresh_done(eng->net_fd);
	return r;
}

int network_heal(struct engine *eng, const char *but, struct err *err)
{
	cleanup_record_list struct record_list list = { 0 };
	struct err own = ERR_INIT;
	int r = engine_net(eng, err);

	if (r == 0)
		r = engine_db(eng, err);
	if (r == 0)
		r = record_list(eng, NULL, &list, err);
	for (size_t i = 0; r >= 0 && i < list.n; i++) {
		const struct record *rec = &list.items[i];

		if (rec->status != RECORD_RUNNING || str_eq(publish_owner(rec), but))
			continue;
		if (heal(eng, rec->id, &own) < 0)
			log_warn("connecting container %s to its networks again: %s", rec->name,
				 own.msg);
	}
	return r >= 0 && eng->networks && eng->networks->fresh ? renew(eng, err) : r < 0 ? r : 0;
}
