/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes that meet conditions, what `volume inspect` tells of one, and removing those that no
 * container uses.
 *
 *   name=PART, driver=local, scope=local, label=KEY[=VALUE], label!=..., opt=KEY[=VALUE]
 *   dangling=BOOL     no container uses it
 *   anonymous=BOOL    it was made without a name
 *   until=TIME        made before it (filter_time())
 */
#pragma once

#include "engine/volumes.h"

struct volume_inspect {
	char *created_at, *driver;
	struct json_map labels;
	char *mountpoint, *name;
	struct json_map options;
	char *scope;
	bool anonymous; /* podman's */
};
extern const struct json_desc volume_inspect_desc;
int volume_inspect(struct engine *eng, const char *name, struct volume_inspect *ret,
		   struct err *err);
void volume_inspect_done(struct volume_inspect *vi);
#define cleanup_volume_inspect CLEANUP(volume_inspect_done)

/* By name. filters NULL: all. */
int volumes_query(struct engine *eng, char *const *filters, struct volume_list *ret,
		  struct err *err);
/* Anonymous ones, or all (also by the filter all=true), that no container uses. *ret_names: which
 * went, even when another one could not be removed, which is the error. */
int volumes_prune(struct engine *eng, bool all, char *const *filters, char ***ret_names,
		  uint64_t *ret_freed, struct err *err);
