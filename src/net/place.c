/* SPDX-License-Identifier: Apache-2.0 */
#include "net/place.h"

#include <sched.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/proc.h"
#include "sys/netlink.h"
#include "sys/ns.h"
#include "sys/prctl.h"

int net_place_userns(int netns)
{
	cleanup_fd int fd = ns_owner(netns);

	for (;;) {
		int above = fd < 0 ? fd : ns_parent(fd);

		if (above < 0)
			return above;
		if (ns_is_own(above, CLONE_NEWUSER) == 1) {
			fd_close(above);
			return take_fd(fd);
		}
		fd_close(fd);
		fd = above;
	}
}

struct visit {
	const struct net_place *place;
	int (*fn)(void *data, struct err *err);
	void *data;
	struct err *err;
};

/* A user namespace only where it takes its rights: one of a container's has a root of its own. */
static int enter(const struct net_place *place, struct err *err)
{
	int r = 0;

	if (place->netns >= 0 && ns_join(place->netns, CLONE_NEWNET, NULL) == 0)
		return 0;
	/* the own one can't be joined once more */
	if (ns_is_own(place->userns, CLONE_NEWUSER) != 1)
		r = ns_join(place->userns, CLONE_NEWUSER, err);
	return r == 0 && place->netns >= 0 ? ns_join(place->netns, CLONE_NEWNET, err) : r;
}

static int visit(void *data)
{
	const struct visit *v = data;
	int r = enter(v->place, v->err);

	if (r < 0)
		return err_wrap(v->err, r, "entering the namespaces of networks");
	return v->fn(v->data, v->err);
}

/* Who has the rights needs no child for it. */
static int go_and_return(int netns, int (*fn)(void *data, struct err *err), void *data,
			 struct err *err)
{
	cleanup_fd int own = ns_open("/proc/self/ns/net", CLONE_NEWNET, err);
	int r = own < 0 ? own : ns_join(netns, CLONE_NEWNET, err);

	if (r < 0)
		return err_wrap(err, r, "entering the namespaces of networks");
	r = fn(data, err);
	if (ns_join(own, CLONE_NEWNET, NULL) < 0)
		_exit(1); /* all that follows would happen elsewhere */
	return r;
}

int net_place_run(const struct net_place *place, int (*fn)(void *data, struct err *err), void *data,
		  struct err *err)
{
	struct err none = ERR_INIT;
	struct visit v = { .place = place, .fn = fn, .data = data, .err = err ? err : &none };
	const bool dumpable = prctl_is_dumpable();

	if (place->userns < 0 && place->netns < 0)
		return fn(data, err);
	if (place->userns < 0)
		return go_and_return(place->netns, fn, data, err);
	v.err->msg[0] = '\0';
	/* It shares this process's memory, and may not be traced by who is root where it goes. */
	if (dumpable)
		prctl_dumpable(false);
	int r = proc_call(visit, &v);
	if (dumpable)
		prctl_dumpable(true);
	if (r < 0 && v.err->msg[0] == '\0')
		return err_errno(v.err, -r, "working in the namespaces of networks");
	return r;
}

struct socket_there {
	int protocol, fd;
};

static int open_there(void *data, struct err *err)
{
	struct socket_there *s = data;

	return s->fd = netlink_open(s->protocol, err);
}

int net_place_netlink(const struct net_place *place, int protocol, struct err *err)
{
	struct socket_there s = { protocol, -EBADF };
	int r = net_place_run(place, open_there, &s, err);

	return r < 0 ? r : s.fd;
}
