/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.netDevices (runtime-spec config-linux.md, "Network Devices"): interfaces of the runtime's
 * network namespace move into the container's, with their permanent addresses of global scope. The
 * init only makes a socket in its namespace; the runtime, which has the rights over both, does the
 * rest with it. Their way back is the kernel's business when the namespace ends.
 */
#include "base/fd.h"
#include "base/str.h"
#include "runtime/init.h"
#include "runtime/sync.h"
#include "sys/ns.h"
#include "sys/rtnetlink.h"
#include "sys/uapi.h"

#define TEMPLATE_NAMES_MAX 32768

int netdev_wait(struct init *in, struct err *err)
{
	cleanup_fd int sock = -EBADF;
	int r;

	if (in->spec->linux_->net_devices.n == 0)
		return 0;
	sock = rtnl_open(err);
	if (sock < 0)
		return sock;
	r = sync_send(in->sync, SYNC_NETDEV, 0, &sock, 1);
	if (r < 0)
		return err_errno(err, -r, "asking for the network interfaces");
	return sync_expect(in->sync, SYNC_GO, NULL, err);
}

/* The name to be had: a template's "%d" is the first number that is free. */
static int choose_name(int inside, const char *wanted, char name[RTNL_NAME_MAX], struct err *err)
{
	const char *template = strstr(wanted, "%d");

	for (int i = 0; i < TEMPLATE_NAMES_MAX; i++) {
		int len = template ? snprintf(name, RTNL_NAME_MAX, "%.*s%d%s",
					      (int)(template - wanted), wanted, i, template + 2)
				   : snprintf(name, RTNL_NAME_MAX, "%s", wanted);
		int r;

		if (len >= RTNL_NAME_MAX)
			return err_fail(err, ERR_INVALID, "the name \"%s\" is too long", wanted);
		r = rtnl_link_index(inside, name, err);
		if (r == -ENODEV)
			return 0;
		if (r < 0)
			return r;
		if (!template)
			break;
	}
	return err_fail(err, ERR_EXISTS, "\"%s\" is in use in the container's network namespace",
			wanted);
}

static int move_one(int outside, int inside, int netns, const struct spec_net_device *d,
		    struct err *err)
{
	const char *wanted = d->name && d->name[0] ? d->name : d->host_name;
	char name[RTNL_NAME_MAX];
	int index, r;

	index = rtnl_link_index(outside, d->host_name, err);
	if (index == -ENODEV)
		return err_fail(err, ERR_NOT_FOUND, "there is no such network interface");
	if (index < 0)
		return index;
	r = choose_name(inside, wanted, name, err);
	if (r < 0)
		return r;
	r = rtnl_link_carry(outside, inside, index, netns, name, err);
	return r == -EPERM
		   ? err_hint(err, r, "it takes CAP_NET_ADMIN over the network that it is in")
		   : r;
}

int netdev_move(const struct init *in, pid_t pid, int sock, struct err *err)
{
	const struct spec_linux *l = in->spec->linux_;
	cleanup_fd int outside = rtnl_open(err);
	cleanup_fd int netns = -EBADF;

	if (outside < 0)
		return outside;
	netns = ns_open_of(pid, CLONE_NEWNET, err);
	if (netns < 0)
		return netns;
	if (ns_is_own(netns, CLONE_NEWNET) == 1)
		return err_fail(err, ERR_INVALID,
				"linux.netDevices: the container's network namespace is the "
				"runtime's");
	for (size_t i = 0; i < l->net_devices.n; i++) {
		const struct spec_net_device *d = &l->net_devices.items[i];
		int r = move_one(outside, sock, netns, d, err);

		if (r < 0)
			return err_wrap(err, r, "linux.netDevices: moving %s", d->host_name);
	}
	return 0;
}
