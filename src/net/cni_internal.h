/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of CNI have in common. */
#pragma once

#include "net/cni.h"

/* What inro reads of a plugin's configuration itself. */
struct cni_plugin_head {
	char *type, *version, *name;
	struct json_map capabilities;
};
extern const struct json_desc cni_plugin_desc;
int cni_plugin_head(const struct cni_plugin *plugin, struct cni_plugin_head *ret, struct err *err);
void cni_plugin_head_done(struct cni_plugin_head *head);
