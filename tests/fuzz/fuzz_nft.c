/* SPDX-License-Identifier: Apache-2.0 */
/* Listings of nftables' sets and chains: the kernel's, so trusted, but with lengths inside of
 * lengths. */
#include <string.h>

#include "sys/nft.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nft_elements list = { 0 };
	struct nft_chains chains = { 0 };

	nft_elements_parse(data, size, &list);
	for (size_t i = 0; i < list.n; i++)
		if (list.items[i].key_len == 0 || list.items[i].key_len > NFT_KEY_MAX ||
		    list.items[i].data_len > NFT_DATA_MAX)
			abort();
	nft_elements_done(&list);
	nft_chains_parse(data, size, &chains);
	for (size_t i = 0; i < chains.n; i++)
		if (strnlen(chains.items[i].table, NFT_NAME_MAX) == NFT_NAME_MAX ||
		    strnlen(chains.items[i].name, NFT_NAME_MAX) == NFT_NAME_MAX)
			abort();
	nft_chains_done(&chains);
	return 0;
}
