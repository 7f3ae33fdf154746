/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/network_place.h"

#include "base/fd.h"
#include "base/path.h"
#include "engine/mappings.h"
#include "net/rootless.h"
#include "runtime/cgroup.h"
#include "runtime/monitor_proto.h"

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
	cleanup_fd int cgroup = cgroup_monitors_open(true);
	const struct net_rootless_args args = { .dir = dir,
						.program = eng->self_path,
						.uids = &uids,
						.gids = &gids,
						.userns = -EBADF,
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

int network_place_joins(struct engine *eng, struct join_fd ret[NETWORK_PLACE_JOINS],
			struct err *err)
{
	struct net_place place;
	int r = network_place(eng, true, &place, err);

	if (r < 0 || !eng->networks)
		return r;
	int above = fd_dup(place.userns, 0), keep = fd_dup(eng->networks->keep, 0);
	ret[0] = (struct join_fd){ MONITOR_JOIN_USERNS_ABOVE, above };
	ret[1] = (struct join_fd){ MONITOR_JOIN_KEEP, keep };
	if (above >= 0 && keep >= 0)
		return NETWORK_PLACE_JOINS;
	fd_close(above);
	fd_close(keep);
	return err_errno(err, EMFILE, "opening the namespaces of this user's networks");
}

void network_place_done(struct engine *eng)
{
	if (!eng->networks)
		return;
	net_rootless_close(eng->networks);
	free(take_ptr(eng->networks));
}
