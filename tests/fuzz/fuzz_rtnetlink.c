/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of rtnetlink: the kernel's, so trusted, but with lengths inside of lengths. */
#include "sys/rtnetlink.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rtnl_addrs addrs = { 0 };

	rtnl_addrs_parse(data, size, 1, &addrs);
	for (size_t i = 0; i < addrs.n; i++)
		if (addrs.items[i].len != 4 && addrs.items[i].len != 16)
			abort();
	rtnl_addrs_done(&addrs);
	return 0;
}
