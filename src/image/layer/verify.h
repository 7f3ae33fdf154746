/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signatures by public keys, with libcrypto: ECDSA on the NIST curves, RSA (PKCS #1 1.5, at least
 * 2048 bits), both of the SHA-256, and Ed25519, as cosign makes them. What is signed and what the
 * signature is comes from a registry: `inro-layer verify` looks at it where it can do nothing but
 * answer (the fence of the stages, confine.h). Keys are the administrator's.
 */
#pragma once

#include "image/layer/result.h"

/* Loads what libcrypto loads when it is first used: later there are no files. */
void verify_setup(void);
/* Which of the keys made each signature. ERR_INVALID: a key is none. */
int verify_signatures(const struct verify_request *req, struct verify_result *ret, struct err *err);
