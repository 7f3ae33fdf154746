/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The certificates of one registry: a directory as docker and podman have them in certs.d. *.crt
 * are CAs besides the system's, NAME.cert with NAME.key is what the client shows (the first pair).
 * The engine reads them, because inro-registry runs as a user who may not see a private key.
 */
#pragma once

#include "image/registry/proto.h"

/* A missing directory gives an empty struct. The caller frees it by json_free(). */
int registry_tls_read(const char *dir, struct registry_tls *ret, struct err *err);
