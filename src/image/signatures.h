/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures, verified by inro-layer (layer/verify.h): `inro` itself doesn't load libcrypto, whose
 * start alone takes longer than most commands. */
#pragma once

#include "base/json.h"
#include "image/store.h"

struct verify_signature {
	const struct buf *payload; /* what is signed */
	const char *signature;     /* base64 */
};
/* For each of the n signatures, whether one of the keys (PEM) made it. good: n of them. */
int signatures_verify(struct image_store *store, char *const *keys,
		      const struct verify_signature *signatures, size_t n, bool *good,
		      struct err *err);
