/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounts and devices of a container that runs. Everything in it may be hostile and change at any
 * time, so a short-lived child does this: it opens nothing of the host after it has joined the
 * container's mount namespace (and user namespace), resolves paths below the container's root only,
 * and attaches mounts to fds. What create refuses for a mount is refused here, too; besides, no
 * mount is put over what the runtime protects or has mounted, and none but what the caller's
 * configuration says is taken away.
 *
 * Nothing is recorded: container_reconfigure() and the caller's own config.json are for that. All
 * take spec as the container has it: the configuration without what is added, or with what is
 * removed. -ESRCH, ERR_CONFLICT: it does not run, or is
 * just about to, or to end.
 */
#pragma once

#include "runtime/container.h"

/* A bind mount, an overlay, a tmpfs or a ramfs; the target is made when it is missing. ERR_EXISTS:
 * something is mounted there, or below. */
int container_mount_add(const struct runtime *rt, const char *id, const struct spec *spec,
			const struct spec_mount *m, struct err *err);
/* Takes what is mounted there away, with all below it. ERR_NOT_FOUND: nothing is; ERR_CONFLICT: it
 * is something else. */
int container_mount_remove(const struct runtime *rt, const char *id, const struct spec *spec,
			   const struct spec_mount *m, struct err *err);
/* Is that mounted there? 1 or 0. */
int container_mount_has(const struct runtime *rt, const char *id, const struct spec *spec,
			const struct spec_mount *m, struct err *err);

/* A clone of the /dev/shm that the container has now, detached, for another one that joins its IPC
 * namespace (struct create_args). fd or -errno. */
int container_shm(const struct runtime *rt, const char *id, const struct spec *spec,
		  struct err *err);

/* A node that is made, or in a user namespace the host's of the same path, bound. spec: without the
 * device and its rule. rule NULL: what the container's rules say of it stays. */
int container_device_add(const struct runtime *rt, const char *id, const struct spec *spec,
			 const struct spec_device *d, const struct spec_device_rule *rule,
			 struct err *err);
/* ERR_NOT_FOUND: there is no such node, or another device. */
int container_device_remove(const struct runtime *rt, const char *id, const struct spec *spec,
			    const struct spec_device *d, const struct spec_device_rule *rule,
			    struct err *err);
