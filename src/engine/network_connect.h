/* SPDX-License-Identifier: Apache-2.0 */
/* A container that is on networks joins one more, or leaves one; when it runs, at once. */
#pragma once

#include "engine/engine.h"
#include "net/netspec.h"

/* asked: its address and the like; its target is the network's word. ERR_EXISTS: it is on it. */
int network_connect(struct engine *eng, const struct netspec *asked, const char *container,
		    struct err *err);
/* ERR_NOT_FOUND: it is not on it; force: that is no error, nor is an interface that can't be
 * removed. */
int network_disconnect(struct engine *eng, const char *network, const char *container, bool force,
		       struct err *err);
