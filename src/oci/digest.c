/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"
#include "base/str.h"
#include "oci/digest.h"

static const struct {
	const char *prefix;
	size_t size;
} algs[DIGEST_ALGS] = {
	[DIGEST_SHA256] = { "sha256:", 32 },
	[DIGEST_SHA512] = { "sha512:", 64 },
};

const char *digest_alg_name(enum digest_alg alg)
{
	return alg == DIGEST_SHA512 ? "sha512" : "sha256";
}

size_t digest_size(enum digest_alg alg)
{
	return algs[alg].size;
}

static int digest_read(const char *text, struct digest *ret)
{
	struct digest d = { 0 };
	const char *hex;
	size_t i;

	for (i = 0; i < DIGEST_ALGS; i++) {
		hex = str_after(text, algs[i].prefix);
		if (!hex)
			continue;
		if (strlen(hex) != 2 * algs[i].size || hex_decode(hex, d.bytes, algs[i].size) < 0)
			return -EINVAL;
		d.alg = (enum digest_alg)i;
		*ret = d;
		return 0;
	}
	return -EINVAL;
}

int digest_parse(const char *text, struct digest *ret, struct err *err)
{
	cleanup_free char *shown = NULL;

	if (digest_read(text, ret) == 0)
		return 0;
	shown = str_escape(text);
	return err_fail(err, ERR_INVALID,
			"expected a digest like sha256:<64 lower-case hex digits>, got \"%.160s\"",
			shown);
}

bool digest_valid(const char *text)
{
	struct digest d;

	return text && digest_read(text, &d) == 0;
}

const char *digest_hex(const char *text)
{
	return strchr(text, ':') + 1;
}

const char *digest_format(const struct digest *digest, char out[DIGEST_TEXT_MAX])
{
	const char *prefix = algs[digest->alg].prefix;
	size_t len = strlen(prefix);

	memcpy(out, prefix, len);
	hex_encode(digest->bytes, algs[digest->alg].size, out + len);
	return out;
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return a->alg == b->alg && memcmp(a->bytes, b->bytes, algs[a->alg].size) == 0;
}
