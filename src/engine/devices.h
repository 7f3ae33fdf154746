/* SPDX-License-Identifier: Apache-2.0 */
/* Devices of this machine for --device and --privileged. */
#pragma once

#include "engine/spec.h"

struct device_list {
	struct spec_device_pair *items;
	size_t n;
};
void device_list_done(struct device_list *list);

/* Looks the device up; a directory stands for all devices below it. */
int devices_add(struct device_list *list, const struct device_request *req, struct err *err);
/* All of /dev but what every container has of its own. */
int devices_add_all(struct device_list *list, struct err *err);
