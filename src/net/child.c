/* SPDX-License-Identifier: Apache-2.0 */
#include "net/child.h"

#include <linux/if_link.h>
#include <string.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"
#include "sys/procfs.h"

#define MODES_MAX 5

static const struct kind {
	const char *name, *a, *module;
	struct {
		const char *word;
		uint32_t value;
	} modes[MODES_MAX];
} kinds[] = {
	[RTNL_MACVLAN] = { "macvlan",
			   "a macvlan",
			   "macvlan",
			   { { "bridge", MACVLAN_MODE_BRIDGE },
			     { "private", MACVLAN_MODE_PRIVATE },
			     { "vepa", MACVLAN_MODE_VEPA },
			     { "passthru", MACVLAN_MODE_PASSTHRU } } },
	[RTNL_IPVLAN] = { "ipvlan",
			  "an ipvlan",
			  "ipvlan",
			  { { "l2", IPVLAN_MODE_L2 },
			    { "l3", IPVLAN_MODE_L3 },
			    { "l3s", IPVLAN_MODE_L3S } } },
	[RTNL_VLAN] = { "vlan", "a vlan", "8021q", { { NULL, 0 } } },
};

/* "bridge, private, vepa, passthru" */
static void list_modes(const struct kind *k, char *ret, size_t size)
{
	size_t len = 0;

	ret[0] = '\0';
	for (size_t i = 0; k->modes[i].word && len < size; i++)
		len += (size_t)snprintf(ret + len, size - len, "%s%s", i ? ", " : "",
					k->modes[i].word);
}

int net_child_mode(int kind, const char *word, uint32_t *ret, struct err *err)
{
	const struct kind *k = &kinds[kind];
	char modes[64];

	if (!word) {
		*ret = k->modes[0].value;
		return 0;
	}
	for (size_t i = 0; k->modes[i].word; i++)
		if (str_eq(k->modes[i].word, word)) {
			*ret = k->modes[i].value;
			return 0;
		}
	list_modes(k, modes, sizeof(modes));
	if (!modes[0])
		return err_fail(err, ERR_USAGE, "%s has no modes", k->a);
	return err_fail(err, ERR_USAGE, "unknown mode \"%s\" of %s: expected one of %s", word, k->a,
			modes);
}

static int parent_index(int sock, const char *name, struct err *err)
{
	int index = rtnl_link_index(sock, name, err);

	return index == -ENODEV ? err_hint(err,
					   err_fail(err, ERR_NOT_FOUND,
						    "there is no network interface %s", name),
					   "ip link lists those that there are")
				: index;
}

/* What the kernel's number means for who asked. */
static int explain(const struct net_child *c, int r, struct err *err)
{
	const struct kind *k = &kinds[c->kind];

	switch (r) {
	case -EEXIST:
		return c->vlan ? err_fail(err, ERR_CONFLICT,
					  "vlan %u of %s is another's: each can be had once",
					  c->vlan, c->parent)
			       : r;
	case -EOPNOTSUPP:
		return err_hint(
		    err, err_fail(err, ERR_UNSUPPORTED, "the kernel has no %s interfaces", k->name),
		    "modprobe %s, if it is built as a module", k->module);
	case -EBUSY:
		return err_hint(err, err_set_kind(err, r, ERR_CONFLICT),
				"it can't be a bridge's port, nor have %s",
				c->kind == RTNL_IPVLAN
				    ? "macvlans beside it"
				    : "ipvlans or one of mode passthru beside it");
	case -EPERM:
		return err_hint(err, err_set_kind(err, r, ERR_DENIED),
				"it takes root's rights over the network that %s is in", c->parent);
	default:
		return r;
	}
}

int net_child_add(int sock, const struct net_child *c, struct err *err)
{
	struct rtnl_child child = {
		.kind = c->kind, .name = c->name, .netns = c->netns, .vlan = c->vlan, .mtu = c->mtu
	};
	int r = parent_index(sock, c->parent, err);

	if (r < 0)
		return r;
	child.parent = (uint32_t)r;
	r = net_child_mode(c->kind, c->mode, &child.mode, err);
	if (r < 0)
		return r;
	child.have_mac = c->mac && c->kind != RTNL_IPVLAN &&
			 !(c->kind == RTNL_MACVLAN && child.mode == MACVLAN_MODE_PASSTHRU);
	if (child.have_mac)
		memcpy(child.mac, c->mac, sizeof(child.mac));
	r = rtnl_child_add(sock, &child, err);
	return r < 0 ? err_wrap(err, explain(c, r, err), "interface %s by %s", c->name, c->parent)
		     : 0;
}

/* Who loses it would lose this machine. */
static int check_route(int sock, const struct rtnl_link *l, struct err *err)
{
	cleanup_rtnl_routes struct rtnl_routes routes = { 0 };
	int r = rtnl_routes_read(sock, &routes, err);

	for (size_t i = 0; r == 0 && i < routes.n; i++)
		if (!routes.items[i].prefix_len && routes.items[i].index == l->index)
			return err_fail(err, ERR_CONFLICT,
					"this machine's default route leads over it");
	return r < 0 ? r : 0;
}

/* A VLAN, say, which would be cut off. */
static int check_above(int sock, const struct rtnl_link *l, struct err *err)
{
	cleanup_rtnl_links struct rtnl_links all = { 0 };
	int r = rtnl_links_read(sock, &all, err);

	for (size_t i = 0; r == 0 && i < all.n; i++) {
		const struct rtnl_link *a = &all.items[i];

		if (a->lower == l->index && a->index != l->index && !a->lower_elsewhere &&
		    !str_eq(a->kind, "veth"))
			return err_fail(err, ERR_CONFLICT, "interface %s is made by it", a->name);
	}
	return r < 0 ? r : 0;
}

static int check_device(int sock, const char *device, struct rtnl_link *ret, struct err *err)
{
	int r = rtnl_link_read(sock, device, ret, err);

	if (r == -ENODEV)
		return parent_index(sock, device, err);
	if (r < 0)
		return r;
	if (str_eq(device, "lo"))
		return err_fail(err, ERR_CONFLICT,
				"each network namespace has a loopback of its own");
	if (ret->bridge)
		return err_hint(
		    err, err_fail(err, ERR_CONFLICT, "it is a port of a bridge, or part of a bond"),
		    "ip link set %s nomaster", device);
	r = check_above(sock, ret, err);
	return r < 0 ? r : check_route(sock, ret, err);
}

int net_device_check(int sock, const char *device, struct rtnl_link *ret, struct err *err)
{
	int r = check_device(sock, device, ret, err);

	return r < 0 ? err_wrap(err, r, "interface %s of this machine", device) : 0;
}

int net_device_move(int outside, int inside, int netns, const char *device, const char *name,
		    struct err *err)
{
	struct rtnl_link link;
	int r = net_device_check(outside, device, &link, err), there;

	if (r < 0)
		return r;
	there = rtnl_link_index(inside, name, err);
	if (there > 0)
		return err_fail(err, ERR_EXISTS, "there is an interface %s in the container", name);
	if (there != -ENODEV)
		return there;
	r = rtnl_link_move(outside, (int)link.index, netns, name, err);
	return r < 0 ? err_wrap(err, r, "moving interface %s into the container", device) : 0;
}

int net_device_return(int inside, int outside, int host, const char *device, const char *name,
		      const char *kind, struct err *err)
{
	struct rtnl_link link;
	int r = rtnl_link_read(inside, name, &link, err);

	/* What the container has made and called so is not the host's. */
	if (r == -ENODEV || (r == 0 && !str_eq(link.kind, kind)))
		return 1;
	if (r == 0)
		r = rtnl_link_index(outside, device, err);
	/* The kernel would move it all the same, under the name that it has inside. */
	if (r > 0)
		return err_hint(err,
				err_fail(err, ERR_EXISTS,
					 "moving interface %s back: there is another one of this "
					 "name",
					 device),
				"rename that one; then inro network reload moves it back");
	if (r == -ENODEV)
		r = rtnl_link_move(inside, (int)link.index, host, device, err);
	return r < 0 ? err_wrap(err, r, "moving interface %s back", device) : 0;
}

/* Of "net.ipv4.conf.IFNAME.rp_filter=0" the file, and where the value begins. The name may have
 * dots, so it never goes through sysctl(8)'s way of writing. */
static int sysctl_path(const char *word, const char *ifname, char *path, size_t size,
		       const char **ret_value)
{
	cleanup_free char *name = xstrndup(word, strcspn(word, "="));
	cleanup_strv char **parts = strv_split(name, '.');
	int n;

	if (strv_len(parts) != 5 || !word[strlen(name)])
		return -EINVAL;
	n = snprintf(path, size, "sys/net/%s/%s/%s/%s", parts[1], parts[2], ifname, parts[4]);
	*ret_value = word + strlen(name) + 1;
	return n < 0 || (size_t)n >= size ? -EINVAL : 0;
}

int net_sysctls_set(char *const *words, const char *ifname, struct err *err)
{
	cleanup_fd int proc = -EBADF;
	int r = 0;

	if (!words)
		return 0;
	/* Not the mounted one: what it remembers of each namespace it compares with all others. */
	proc = procfs_open(0, err);
	if (proc < 0)
		return proc;
	for (; r == 0 && *words; words++) {
		const char *value = NULL;
		char path[128];

		if (sysctl_path(*words, ifname, path, sizeof(path), &value) < 0)
			return err_fail(err, ERR_USAGE, "invalid sysctl \"%s\"", *words);
		r = procfs_write(proc, path, value, err);
		if (r < 0)
			err_wrap(err, r, "sysctl %s of interface %s", *words, ifname);
	}
	return r < 0 ? r : 0;
}
