/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/network_place.h"

#include <sched.h>

#include "base/fd.h"
#include "base/path.h"
#include "engine/db.h"
#include "engine/endpoints.h"
#include "engine/mappings.h"
#include "engine/publish.h"
#include "net/rootless.h"
#include "runtime/cgroup.h"
#include "runtime/monitor_proto.h"
#include "sys/ns.h"

/* Of networks whose holder was killed: the user namespace that those of containers are below which
 * still run. Only there can networks be made that have rights over theirs. -EBADF: there are none.
 */
static int find_orphans(struct engine *eng)
{
	cleanup_record_list struct record_list list = { 0 };
	int r = engine_db(eng, NULL);

	if (r == 0)
		r = record_list(eng, NULL, &list, NULL);
	for (size_t i = 0; r >= 0 && i < list.n; i++) {
		cleanup_endpoint_list struct endpoint_list on = { 0 };
		const struct record *rec = &list.items[i];
		cleanup_fd int netns = -EBADF;
		int found;

		if (rec->status != RECORD_RUNNING ||
		    endpoints_of(eng, publish_owner(rec), &on, NULL) < 0 || !on.n)
			continue;
		netns = joins_open_one(eng, rec, "network", NULL);
		found = netns < 0 ? netns : net_place_userns(netns);
		if (found >= 0)
			return found;
	}
	return -EBADF;
}

static int make_place(struct engine *eng, const char *dir, struct net_rootless *ret,
		      struct err *err)
{
	CLEANUP(idmap_done) struct idmap uids = { 0 };
	CLEANUP(idmap_done) struct idmap gids = { 0 };

	int r = engine_net(eng, err);
	if (r == 0)
		r = mappings_rootless(&uids, &gids, err);
	if (r < 0)
		return r;
	r = net_rootless_find(dir, ret, err);
	if (r == 0)
		net_rootless_close(ret);
	cleanup_fd int orphans = r == -ESRCH ? find_orphans(eng) : -EBADF;
	cleanup_fd int cgroup = cgroup_monitors_open(true);
	const struct net_rootless_args args = { .dir = dir,
						.program = eng->self_path,
						.uids = &uids,
						.gids = &gids,
						.userns = orphans,
						.cgroup_fd = cgroup };
	return net_rootless_open(&args, ret, err);
}

int network_place(struct engine *eng, bool make, struct net_place *ret, struct err *err)
{
	struct net_rootless n = NET_ROOTLESS_INIT;

	*ret = (struct net_place)NET_PLACE_HERE;
	if (!eng->rootless)
		return 0;
	if (!eng->networks) {
		cleanup_free char *dir = path_join(eng->runroot, "net");
		int r = make ? make_place(eng, dir, &n, err) : net_rootless_find(dir, &n, err);

		if (r < 0)
			return r;
		eng->networks = xmalloc(sizeof(n));
		*eng->networks = n;
	}
	*ret = eng->networks->place;
	return 0;
}

static int joined_fd(const struct join_fd *joined, int n, int type)
{
	for (int i = 0; i < n; i++)
		if (joined[i].type == type)
			return joined[i].fd;
	return -EBADF;
}

static int add(struct join_fd *to, int type, int fd, struct err *err)
{
	int copy = fd_dup(fd, 0);

	*to = (struct join_fd){ type, copy };
	return copy < 0 ? err_errno(err, -copy, "opening the namespaces of this user's networks")
			: 0;
}

/* Without rights over its network namespace no link gets there. */
static int check_joined(const struct engine *eng, int userns, struct err *err)
{
	if (net_rootless_owns(eng->networks, userns) == 1)
		return 0;
	return err_hint(err,
			err_fail(err, ERR_CONFLICT,
				 "the container whose user namespace is joined was started "
				 "without a network"),
			"start that one on a network as well");
}

int network_place_joins(struct engine *eng, bool on_networks, struct join_fd *joined, int n,
			struct err *err)
{
	int userns = joined_fd(joined, n, NS_USER), netns = joined_fd(joined, n, NS_NETWORK);
	struct net_place place;

	if (!eng->rootless || (!on_networks && netns < 0))
		return 0;
	int r = network_place(eng, netns < 0, &place, err);
	if (r < 0)
		return r == -ESRCH ? 0 : r;
	if (netns < 0 && userns >= 0)
		r = check_joined(eng, userns, err);
	if (r == 0)
		r = add(&joined[n], MONITOR_JOIN_KEEP, eng->networks->keep, err);
	if (r < 0 || netns >= 0 || userns >= 0)
		return r < 0 ? r : 1;
	r = add(&joined[n + 1], MONITOR_JOIN_USERNS_ABOVE, place.userns, err);
	if (r < 0)
		fd_close(joined[n].fd);
	return r < 0 ? r : 2;
}

void network_place_done(struct engine *eng)
{
	if (!eng->networks)
		return;
	net_rootless_close(eng->networks);
	free(take_ptr(eng->networks));
}
