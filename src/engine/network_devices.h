/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interfaces of the host's that containers have while they run (driver host-device). The kernel
 * would give back only real ones at the end of the container's namespace, under the names that they
 * have there; so the namespace is kept (network_pin.h) until they have been brought back. A note,
 * an empty file in <runroot>/net/devices called OWNER:NAME:DEVICE:KIND, is written before one
 * moves, and goes when it is back: so who is killed leaves nothing that the next one can't undo.
 */
#pragma once

#include "engine/engine.h"

/* Before one of that owner's is moved to the namespace. ERR_NOT_FOUND, ERR_CONFLICT: another
 * container has it, or the host needs it (net/child.h). */
int net_device_note(struct engine *eng, const char *owner, const char *name, const char *device,
		    int netns, struct err *err);
/* The owner's back to the host: that one, or, name NULL, all. 1: one was; 0: there was none. One
 * that can't be stays noted, and its namespace kept. */
int net_devices_return(struct engine *eng, const char *owner, const char *name, struct err *err);
/* Names on the host of those that are to come back from who does not run any more. The caller
 * frees. */
int net_devices_left(struct engine *eng, char ***ret, struct err *err);
/* Brings all of these back, but in the run directory of another store (engine_net_other()). */
int net_devices_sweep(struct engine *eng, struct err *err);
