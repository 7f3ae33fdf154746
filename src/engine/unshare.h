/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mount namespace for a command of the user's, and of an unprivileged user a user namespace with
 * it, in which images can be mounted (engine/image_mount.h). Nothing is ever mounted in the host's:
 * here all of it goes away with the last process.
 */
#pragma once

#include "engine/engine.h"

/* Below <runroot>: where images are mounted, a tmpfs of the namespace's own. */
#define UNSHARE_MOUNTS "mounts"

/* Enters the namespaces. What this process executes then finds there, by its environment, the state
 * that this engine has. An fd that it inherits keeps files of images from being collected. */
int engine_unshare(struct engine *eng, struct err *err);

/* Is this process in a mount namespace that engine_unshare() has made? *ret_rootless: with the user
 * namespace, so root in it is an unprivileged user. */
bool unshare_is_inside(bool *ret_rootless);
