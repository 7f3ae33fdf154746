/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files that read --network. */
#pragma once

#include "net/netspec.h"

#define NETSPEC_NETWORKS_MAX 32
#define NETSPEC_NAME_CHARS   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"

/* One KEY=VALUE. *seen has a bit for each key that may be there once. */
int netspec_option(struct netspec *s, const char *word, unsigned int *seen, struct err *err);
