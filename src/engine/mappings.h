/* SPDX-License-Identifier: Apache-2.0 */
/* User and group id mappings of containers: subuid(5), user_namespaces(7). */
#pragma once

#include "sys/idmap.h"

/* The login name as /etc/passwd has it: newuidmap looks there (or asks NSS) for the same. NULL:
 * none. The caller frees. */
char *mappings_own_name(uid_t uid);
/* The invoking user's own mapping: 0 -> own id, 1.. -> subordinate ids; the own id alone when there
 * are none; of root in the user namespace of `inro unshare` each id as it is. The image store
 * unpacks layers under the same one. */
int mappings_rootless(struct idmap *ret_uids, struct idmap *ret_gids, struct err *err);
/* --userns private of root: 65536 ids of their own for this container, picked by its id from
 * systemd's range for containers, clear of the ranges in /etc/subuid and /etc/subgid. */
int mappings_auto(const char *container_id, struct idmap *ret_uids, struct idmap *ret_gids,
		  struct err *err);
