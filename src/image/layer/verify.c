/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/verify.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/base64.h"
#include "base/strv.h"

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 16384

void verify_setup(void)
{
	static const char *const algorithms[] = { "EC", "RSA", "ED25519" };
	EVP_MD *md;

	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	md = EVP_MD_fetch(NULL, "SHA256", NULL);
	EVP_MD_free(md);
	for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++)
		EVP_PKEY_CTX_free(EVP_PKEY_CTX_new_from_name(NULL, algorithms[i], NULL));
}

/* Nobody is asked for the password of an encrypted key. */
static int no_password(char *buf, int size, int writing, void *arg)
{
	return 0;
}

static bool key_usable(EVP_PKEY *key)
{
	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_EC:
		return EVP_PKEY_get_bits(key) >= 256;
	case EVP_PKEY_RSA:
		return EVP_PKEY_get_bits(key) >= RSA_BITS_MIN &&
		       EVP_PKEY_get_bits(key) <= RSA_BITS_MAX;
	case EVP_PKEY_ED25519:
		return true;
	default:
		return false;
	}
}

static int key_read(const char *pem, EVP_PKEY **ret, struct err *err)
{
	BIO *bio = BIO_new_mem_buf(pem, (int)strlen(pem));
	EVP_PKEY *key = bio ? PEM_read_bio_PUBKEY(bio, NULL, no_password, NULL) : NULL;

	BIO_free(bio);
	if (!key)
		return err_fail(err, ERR_INVALID, "not a public key in PEM");
	if (!key_usable(key)) {
		EVP_PKEY_free(key);
		return err_fail(err, ERR_UNSUPPORTED,
				"not a key of ECDSA, Ed25519, or RSA with 2048 bits or more");
	}
	*ret = key;
	return 0;
}

static bool fits(EVP_PKEY *key, const struct buf *payload, const struct buf *signature)
{
	const EVP_MD *md = EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256();
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good = ctx && EVP_DigestVerifyInit(ctx, NULL, md, NULL, key) == 1 &&
		    EVP_DigestVerify(ctx, (const unsigned char *)buf_str(signature), signature->len,
				     (const unsigned char *)buf_str(payload), payload->len) == 1;

	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return good;
}

/* The number of the key, counted from 1; 0: none, also when there is nothing like a signature. */
static uint32_t verify_one(const struct verify_item *item, EVP_PKEY *const *keys, size_t n)
{
	cleanup_buf struct buf payload = BUF_INIT, signature = BUF_INIT;

	if (base64_decode(item->payload, strlen(item->payload), &payload) < 0 ||
	    base64_decode(item->signature, strlen(item->signature), &signature) < 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		if (fits(keys[i], &payload, &signature))
			return (uint32_t)i + 1;
	return 0;
}

int verify_signatures(const struct verify_request *req, struct verify_result *ret, struct err *err)
{
	size_t n = strv_len(req->keys), have = 0;
	cleanup_free EVP_PKEY **keys = xcalloc(n + 1, sizeof(EVP_PKEY *));
	int r = 0;

	for (; r == 0 && have < n; have += r == 0)
		r = key_read(req->keys[have], &keys[have], err);
	if (r == 0) {
		ret->keys.items = xcalloc(req->items.n + 1, sizeof(*ret->keys.items));
		for (size_t i = 0; i < req->items.n; i++)
			ret->keys.items[ret->keys.n++] = verify_one(&req->items.items[i], keys, n);
	}
	for (size_t i = 0; i < have; i++)
		EVP_PKEY_free(keys[i]);
	return r < 0 ? err_wrap(err, r, "reading key %zu", have + 1) : 0;
}
