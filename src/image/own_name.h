/* SPDX-License-Identifier: Apache-2.0 */
/* Who calls us. */
#pragma once

#include <sys/types.h>

/* The login name as /etc/passwd has it: newuidmap looks there (or asks NSS) for the same. NULL:
 * none. The caller frees. No NSS, which would load libraries into a static program; users from
 * elsewhere have their subordinate ids by number. */
char *own_name(uid_t uid);
