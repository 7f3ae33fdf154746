/* SPDX-License-Identifier: Apache-2.0 */
/* The runtime's part before clone: everything an init needs, checked and opened while nothing has
 * been made yet. */
#pragma once

#include "base/buf.h"
#include "runtime/init.h"

/* Fills *in; bpf holds the filter that in->bpf points to. Also on failure: prepare_done(). */
int prepare_init(const struct runtime *rt, const struct create_args *args, struct init *in,
		 struct buf *bpf, struct err *err);
/* Of linux.seccomp, from the cache. bpf must live as long as *in. */
int prepare_seccomp(struct init *in, struct buf *bpf, struct err *err);
/* Detached mounts of what the init in a user namespace has no right to mount itself, and those
 * that are id-mapped. prepare.c calls it; see prepare_mounts.c. */
int prepare_mounts(struct init *in, struct err *err);
/* The same of what the runtime's user alone can open, by the init while it still is that user, in
 * its own mount namespace (in->stranger). */
int prepare_inside(struct init *in, struct err *err);
/* One of them, a bind mount: im->fd. */
int prepare_bind(const struct init *in, const struct spec_mount *m, struct init_mount *im,
		 struct err *err);
/* One of them, of type overlay (mount_is_overlay()). */
int prepare_overlay_mount(const struct init *in, const struct spec_mount *m, struct init_mount *im,
			  struct err *err);
/* The bind of the notification socket's directory, once there is the state directory. */
int prepare_notify(struct init *in, int state_dir, struct err *err);
void prepare_done(struct init *in, struct buf *bpf);
/* Writes the container's id mappings for process pid. */
int prepare_write_maps(const struct init *in, pid_t pid, struct err *err);
/* The absolute path, without links, of a directory that the caller trusts; base may be NULL. */
int prepare_directory(const char *base, const char *path, char **ret, struct err *err);
