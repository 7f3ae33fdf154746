/* SPDX-License-Identifier: Apache-2.0 */
/* What `inro info` tells, in one table that writes both its forms. */
#pragma once

#include "engine/engine.h"

struct info_device {
	char *source, *id;
};
struct engine_info {
	int64_t containers, running, stopped, images, cpus, memory;
	char *version, *storage_driver, *cgroup_version, *kernel, *os, *architecture, *name;
	char *root, *runroot;
	char *network; /* of containers that name none */
	bool rootless;
	char **cdi_dirs;
	JSON_LIST(struct info_device) devices;
};

extern const struct json_desc engine_info_desc;

int engine_info(struct engine *eng, struct engine_info *ret, struct err *err);
void engine_info_done(struct engine_info *info);
void engine_info_json(const struct engine_info *info, struct buf *out);
void engine_info_text(const struct engine_info *info, struct buf *out);
