/* SPDX-License-Identifier: Apache-2.0 */
/* Listings of nftables' sets: the kernel's, so trusted, but with lengths inside of lengths. */
#include "sys/nft.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nft_elements list = { 0 };

	nft_elements_parse(data, size, &list);
	for (size_t i = 0; i < list.n; i++)
		if (list.items[i].key_len == 0 || list.items[i].key_len > NFT_KEY_MAX ||
		    list.items[i].data_len > NFT_DATA_MAX)
			abort();
	nft_elements_done(&list);
	return 0;
}
