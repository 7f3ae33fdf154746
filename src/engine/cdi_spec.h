/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Container Device Interface: what vendors of devices say has to be done to a container that gets
 * one (github.com/cncf-tags/container-device-interface, SPEC.md). Pure.
 */
#pragma once

#include "oci/spec.h"

#define CDI_BYTES_MAX (4u << 20)

struct cdi_node {
	char *path, *host_path, *type, *permissions;
	struct opt_i64 major, minor;
	struct opt_u32 file_mode, uid, gid;
};
struct cdi_mount {
	char *host_path, *container_path, *type;
	char **options;
};
struct cdi_hook {
	char *hook_name;
	struct spec_hook hook;
};
struct cdi_edits {
	char **env;
	JSON_LIST(struct cdi_node) nodes;
	JSON_LIST(struct cdi_mount) mounts;
	JSON_LIST(struct cdi_hook) hooks;
	struct json_u32s gids;
	struct spec_intel_rdt *rdt;
	JSON_LIST(struct spec_net_device) net_devices;
};
struct cdi_device {
	char *name;
	struct cdi_edits edits;
};
struct cdi_spec {
	char *version, *kind; /* kind: "vendor/class" */
	JSON_LIST(struct cdi_device) devices;
	struct cdi_edits edits; /* of each of them */
};

/* what: the file, for errors. Frees: cdi_spec_done(). */
int cdi_spec_parse(const char *text, size_t len, const char *what, struct cdi_spec *ret,
		   struct err *err);
void cdi_spec_done(struct cdi_spec *spec);
#define cleanup_cdi_spec CLEANUP(cdi_spec_done)

/* "vendor.com/class=name", as --device has it: 1 and the length of its kind; 0: it is no such
 * name. */
int cdi_name_parse(const char *word, size_t *ret_kind_len);
/* The hooks in a spec that a word of CDI's names; NULL: there are none of that name. */
spec_hook_list *cdi_hooks_of(struct spec_hooks *hooks, const char *name);

/* --gpus: the devices that docker's words mean, as names of nvidia.com/gpu, are added to *out. */
int gpus_parse(const char *text, char ***out, struct err *err);
