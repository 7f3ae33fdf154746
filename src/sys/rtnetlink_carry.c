/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include "sys/rtnetlink.h"

/* What the user has set; the rest is what the kernel found out about the address. */
#define ADDR_FLAGS_KEPT                                                                            \
	(IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR | IFA_F_NOPREFIXROUTE |            \
	 IFA_F_MCAUTOJOIN)

static int add_addresses(int inside, int index, const struct rtnl_addrs *addrs, struct err *err)
{
	for (size_t i = 0; i < addrs->n; i++) {
		struct rtnl_addr a = addrs->items[i];
		int r;

		if (!(a.flags & IFA_F_PERMANENT) || a.scope != RT_SCOPE_UNIVERSE)
			continue;
		a.flags &= ADDR_FLAGS_KEPT;
		r = rtnl_addr_add(inside, index, &a, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int rtnl_link_carry(int outside, int inside, int index, int netns, const char *name,
		    struct err *err)
{
	CLEANUP(rtnl_addrs_done) struct rtnl_addrs addrs = { 0 };
	int r = rtnl_addrs_read(outside, index, &addrs, err);

	if (r >= 0)
		r = rtnl_link_move(outside, index, netns, name, err);
	if (r < 0)
		return r;
	index = rtnl_link_index(inside, name, err);
	if (index == -ENODEV)
		return err_fail(err, ERR_SYSTEM, "it did not arrive as %s", name);
	if (index < 0)
		return index;
	r = add_addresses(inside, index, &addrs, err);
	return r < 0 ? r : rtnl_link_up(inside, index, err);
}
