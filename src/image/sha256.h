/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256 (FIPS 180-4) of small documents: manifests and configs, which are at most a few MiB.
 * Layers are hashed by inro-layer with libcrypto, whose start alone would cost `inro` a
 * millisecond.
 */
#pragma once

#include "base/util.h"

#define SHA256_TEXT_MAX (sizeof("sha256:") + 64)

void sha256(const void *data, size_t len, uint8_t out[32]);
/* "sha256:<hex>" into out, which it returns. */
const char *sha256_text(const void *data, size_t len, char out[SHA256_TEXT_MAX]);
