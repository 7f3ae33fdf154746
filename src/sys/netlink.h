/* SPDX-License-Identifier: Apache-2.0 */
/* The little of networking that a container's init needs itself. netdevice(7), rtnetlink(7). */
#pragma once

#include "base/err.h"

/* Brings `lo` of this network namespace up (the kernel adds 127.0.0.1 and ::1). */
int netlink_loopback_up(struct err *err);
