/* SPDX-License-Identifier: Apache-2.0 */
/* Subnets as users write them; and that hosts and addresses of each lead to one another. */
#include <string.h>

#include "net/ipam.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free char *text = xstrndup((const char *)data, size);
	struct subnet s, chosen;
	struct net_addr a;
	uint64_t first, last, host;

	if (subnet_parse(text, &s, NULL) < 0)
		return 0;
	subnet_hosts(&s, &first, &last);
	if (first > last || subnet_address(&s, last, &a) < 0 || subnet_host(&s, &a, &host) < 0 ||
	    host != last)
		abort();
	if (subnet_choose(&s, 1, s.prefix, NULL, 0, &chosen) < 0 ||
	    !net_addr_equal(&s.base, &chosen.base) ||
	    subnet_choose(&s, 1, s.prefix, &s, 1, &chosen) != -ENOSPC)
		abort();
	return 0;
}
