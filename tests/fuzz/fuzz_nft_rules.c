/* SPDX-License-Identifier: Apache-2.0 */
/* Listings of nftables' rules: the kernel's, but their comments are whoever's wrote them. */
#include "sys/nft_rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nft_rules list = { 0 };

	nft_rules_parse(data, size, &list);
	for (size_t i = 0; i < list.n; i++)
		if (strnlen(list.items[i].comment, NFT_COMMENT_MAX) == NFT_COMMENT_MAX ||
		    strnlen(list.items[i].chain, NFT_CHAIN_MAX) == NFT_CHAIN_MAX)
			abort();
	nft_rules_done(&list);
	return 0;
}
