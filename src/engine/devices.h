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
/* One node that somebody else describes: what want leaves open is the host's; the host's path need
 * not be there when want says all and make. */
int devices_add_described(struct device_list *list, const char *host,
			  const struct spec_device *want, const char *access, bool make,
			  struct err *err);
/* All of /dev but what every container has of its own. */
int devices_add_all(struct device_list *list, struct err *err);
