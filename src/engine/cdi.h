/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The devices that the CDI specifications of this machine describe (cdi_spec.h), in CDI_DIRS: of
 * two that have the same name the one of the later directory counts. Their hooks are executed, so
 * that only files of root, or of the user who runs inro, that nobody else can write to are read.
 */
#pragma once

#include "engine/cdi_spec.h"
#include "engine/devices.h"
#include "engine/engine.h"

#define CDI_DIRS "/etc/cdi", "/var/run/cdi"

/* What a container gets by its CDI devices, besides the nodes. */
struct cdi_changes {
	char **env;
	JSON_LIST(struct cdi_mount) mounts;
	JSON_LIST(struct cdi_hook) hooks;
	struct json_u32s gids;
	struct spec_intel_rdt *rdt; /* the last one's */
	JSON_LIST(struct spec_net_device) net_devices;
};
void cdi_rdt_copy(const struct spec_intel_rdt *from, struct spec_intel_rdt *ret);
void cdi_changes_done(struct cdi_changes *c);

/* names: "vendor.com/class=name". ERR_NOT_FOUND: nobody describes one of them. */
int cdi_apply(struct engine *eng, char *const *names, struct device_list *devices,
	      struct cdi_changes *ret, struct err *err);
/* All names, sorted; *ret may stay NULL. Files that can't be read are left out. */
void cdi_list(struct engine *eng, char ***ret);
