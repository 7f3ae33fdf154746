/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/hash.h"

#include <openssl/evp.h>
#include <stdio.h>

#include "base/hex.h"

EVP_MD_CTX *hash_new(void)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	if (!ctx || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1)
		abort();
	return ctx;
}

void hash_add(EVP_MD_CTX *ctx, const void *data, size_t len)
{
	if (EVP_DigestUpdate(ctx, data, len) != 1)
		abort();
}

void hash_finish(EVP_MD_CTX *ctx, char out[HASH_TEXT_MAX])
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	char hex[2 * EVP_MAX_MD_SIZE + 1];
	unsigned int len = 0;

	if (EVP_DigestFinal_ex(ctx, sum, &len) != 1 || len != 32 ||
	    EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1)
		abort();
	hex_encode(sum, len, hex);
	snprintf(out, HASH_TEXT_MAX, "sha256:%.64s", hex);
}

void hash_free(EVP_MD_CTX *ctx)
{
	EVP_MD_CTX_free(ctx);
}
