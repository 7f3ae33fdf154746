/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of rtnetlink: the kernel's, so trusted, but with lengths inside of lengths. */
#include "sys/rtnetlink_link.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rtnl_addrs addrs = { 0 };
	struct rtnl_links links = { 0 };
	struct rtnl_routes routes = { 0 };

	rtnl_addrs_parse(data, size, 1, &addrs);
	for (size_t i = 0; i < addrs.n; i++)
		if (addrs.items[i].len != 4 && addrs.items[i].len != 16)
			abort();
	rtnl_addrs_done(&addrs);

	rtnl_links_parse(data, size, &links);
	for (size_t i = 0; i < links.n; i++)
		if (links.items[i].name[0] == '\0')
			abort();
	rtnl_links_done(&links);

	rtnl_routes_parse(data, size, &routes);
	for (size_t i = 0; i < routes.n; i++)
		if (routes.items[i].prefix_len > 128)
			abort();
	rtnl_routes_done(&routes);
	return 0;
}
