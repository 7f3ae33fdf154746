/* SPDX-License-Identifier: Apache-2.0 */
/* User and group id mappings of containers: subuid(5), user_namespaces(7). */
#pragma once

#include "engine/engine.h"
#include "engine/runopts.h"
#include "sys/idmap.h"

/* The invoking user's own mapping: 0 -> own id, 1.. -> subordinate ids; the own id alone when there
 * are none; of root in the user namespace of `inro unshare` each id as it is. The image store
 * unpacks layers under the same one. */
int mappings_rootless(struct idmap *ret_uids, struct idmap *ret_gids, struct err *err);
/* --userns private and auto of root: ids of their own for this container, a block of at most
 * MAPPINGS_BLOCK from systemd's range for containers, which no other container has and which is
 * clear of the ranges in /etc/subuid and /etc/subgid. The container, or the pod, keeps it until it
 * is removed.
 */
#define MAPPINGS_BLOCK 65536u
int mappings_auto(struct engine *eng, const char *id, uint32_t size, struct idmap *ret_uids,
		  struct idmap *ret_gids, struct err *err);
/* --userns keep-id: the caller's ids are the same in the container, or those of keep, with the
 * subordinate ones around them. Of root each id as it is, in a user namespace of its own. *ret_uid,
 * *ret_gid: who the container's program is run as. */
struct keep_id;
int mappings_keep_id(const struct keep_id *keep, struct idmap *ret_uids, struct idmap *ret_gids,
		     uint32_t *ret_uid, uint32_t *ret_gid, struct err *err);
/* --userns nomap: the subordinate ids alone, from 0 on. ERR_UNSUPPORTED for root. */
int mappings_nomap(struct idmap *ret_uids, struct idmap *ret_gids, struct err *err);
/* --uidmap, --gidmap, --subuidname, --subgidname. 1: there are some, 0: none, or -errno. */
int mappings_asked(const struct run_options *opts, struct idmap *ret_uids, struct idmap *ret_gids,
		   struct err *err);
