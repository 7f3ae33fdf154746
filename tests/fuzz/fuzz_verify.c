/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures by keys of all kinds: nobody has their other halves, so no signature is good. The
 * first byte says how much of the rest is the signature; what is left is the payload. */
#include "base/base64.h"
#include "image/layer/verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ECDSA, Ed25519, RSA */
static const char *const keys[] = {
	"-----BEGIN PUBLIC KEY-----\n"
	"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEZP2t+/n+VYdVMzaUImtVd25FYeGk\n"
	"Ty87xATuiM/kDYp1eroUZvpwaQ4/Mqnglz6fO7Oum4HctNx1GwCN6JT9AA==\n"
	"-----END PUBLIC KEY-----\n",
	"-----BEGIN PUBLIC KEY-----\n"
	"MCowBQYDK2VwAyEAvBjh5jFcjIppx7lKRN1kTT8X8dALRa0uMsEaPYeujI8=\n"
	"-----END PUBLIC KEY-----\n",
	"-----BEGIN PUBLIC KEY-----\n"
	"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAoO2ADsW4oH8Z8P1u4aHF\n"
	"BzEZfQO0MXEGkFGT6ngPjRCMa1G68Mk4qv5O9rl0RJiThIZlbt5R1SeXhtO/7syi\n"
	"nm3xNzK1bo0EzoDvaGAbrbBOUotQiZGaAXZ7DSyTNJkkFcrdyK+Pj7fa1DefO9Xi\n"
	"DNTyb+Ldnf4Nrh3w9tpdybKrtQ87+Vt1QlGElQMY+yQxzdY1/OISRA4YWPhlaCA2\n"
	"daL5JDmO9ms3/dy+06V9dIeZ6XXBOxxWKMywVILK6AM7koDR5lET1g9Vmk3UOX8w\n"
	"NEC0axk8G8TXRf0hCVDbEPBP0HeZyHsjdmpKGl6sT8Zk8AO9a3nO6ou6sR+7fWKK\n"
	"9wIDAQAB\n"
	"-----END PUBLIC KEY-----\n",
	NULL,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_buf struct buf payload = BUF_INIT, signature = BUF_INIT;
	struct verify_result result = { { NULL } };
	struct verify_item item;
	struct verify_request req = { .keys = (char **)(uintptr_t)keys };
	struct err err = ERR_INIT;
	size_t n = size ? 2u * data[0] : 0;

	if (size == 0)
		return 0;
	n = n < size - 1 ? n : size - 1;
	base64_encode(data + 1, n, &signature);
	base64_encode(data + 1 + n, size - 1 - n, &payload);
	item.payload = (char *)(uintptr_t)buf_str(&payload);
	item.signature = (char *)(uintptr_t)buf_str(&signature);
	req.items.items = &item;
	req.items.n = 1;
	if (verify_signatures(&req, &result, &err) < 0 || result.keys.n != 1 ||
	    result.keys.items[0] != 0)
		abort();
	json_free(&verify_result_desc, &result);
	return 0;
}
