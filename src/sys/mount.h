/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounts as detached objects (design rule 2): made or cloned without a name, given their
 * attributes, then attached with move_mount(2) to an fd that base/path.h opened inside the rootfs.
 * Kernel >= 5.12 (mount_setattr). Where a call is missing the error names it. No policy here.
 */
#pragma once

#include <fcntl.h>
#include <sys/mount.h>

#include "base/err.h"

struct mount_option {
	const char *key, *value; /* value NULL: a flag */
};

/* fsopen + fsconfig + fsmount. attrs: MOUNT_ATTR_*. The error includes the kernel's own log of the
 * context
 * ("overlay: ..."). Returns the mount's fd or -errno. */
int mount_new(const char *fstype, const char *source, const struct mount_option *options, size_t n,
	      unsigned int attrs, struct err *err);
/*
 * A filesystem context by itself, for what is opened in one process and mounted by another: a
 * procfs shows the pid namespace of the process that opens its context (fsopen). With a pidns_fd
 * it shows that one, below the own, as it is or -EINVAL (kernel < 6.17). fd or -errno.
 */
int mount_open_procfs(int pidns_fd);
/* mount_new() from such a context, which stays the caller's. */
int mount_from_context(int fsfd, const char *fstype, const struct mount_option *options, size_t n,
		       unsigned int attrs, struct err *err);
#define MOUNT_LAYERS_MAX 500 /* of overlayfs */
/* What every overlay is told, because the module's defaults are the machine's: what a layer shows
 * must not depend on them, and an upper directory has to hold all that it changes. */
#define MOUNT_OVERLAY_FIXED 3
extern const struct mount_option mount_overlay_fixed[MOUNT_OVERLAY_FIXED];

struct mount_layers {
	const int *lower_fds; /* directories, topmost first; or detached mounts of them */
	size_t n_lower;
	int upper_fd, work_fd; /* both negative: read-only */
	bool userxattr;
	/* The upper directory is thrown away: nothing is synced, which unmounting an overlay else
	 * does for the whole filesystem below it (kernel >= 5.10). */
	bool throw_away;
	/* What of it is mounted: a path in it, links leading nowhere out of it; NULL: all. */
	const char *part;
};

/* A detached clone of layers->part of that overlay. */
int mount_overlay_part(int overlay_fd, const struct mount_layers *layers, struct err *err);
/* An overlay of directories, given as fds where the kernel takes them (>= 6.13), else as
 * /proc/self/fd paths. Where neither will do (before 6.7: more than some 15 layers; before 6.15:
 * detached layers) it is mount_overlay_apart(). */
int mount_overlay(const struct mount_layers *layers, unsigned int attrs, struct err *err);
/* The same by mount(2), which has no short limit, in a mount namespace made for it by a short-lived
 * child. Works on all kernels. Detached layers can't be attached elsewhere afterwards. */
int mount_overlay_apart(const struct mount_layers *layers, unsigned int attrs, struct err *err);
/* The directory as this mount namespace has it, for an fd opened in another one that it is a copy
 * of. The name is only a hint, what it leads to is compared. Returns an O_PATH fd or -errno. */
int mount_reopen(int fd, struct err *err);
/* open_tree(OPEN_TREE_CLONE): a bind mount of what fd (or dirfd + path, trusted) names. */
int mount_clone(int dirfd, const char *path, bool recursive, struct err *err);
/* move_mount to the object target_fd refers to (O_PATH, directory or file as the mount's root). */
int mount_attach(int mount_fd, int target_fd, struct err *err);
/* Unmounts the mount that fd is the root of, with all that is mounted below it. */
int mount_detach(int fd, struct err *err);
/* The same where "/proc" is not this process's: fds_dir is its directory /proc/self/fd, and becomes
 * the current one. */
int mount_detach_by(int fds_dir, int fd, struct err *err);
/* mount_setattr: MOUNT_ATTR_* to set and clear, propagation MS_SHARED/PRIVATE/SLAVE/UNBINDABLE or
 * 0, userns_fd >= 0 adds MOUNT_ATTR_IDMAP. dirfd + path "" works on the fd itself. */
int mount_set(int dirfd, const char *path, bool recursive, uint64_t set, uint64_t clear,
	      uint64_t propagation, int userns_fd, struct err *err);
/* pivot_root to new_root_fd (the root of a mount; it becomes cwd and "/") and detaches the old
 * tree. Neither "/" nor the new root's parent mount may be shared: the caller made the old tree
 * slave or private, so that the detaching stays in this mount namespace. */
int mount_pivot(int new_root_fd, struct err *err);

/* One line of /proc/self/mountinfo (proc(5)). Strings belong to the entry and live as long as fn
 * runs; root, mount_point, fstype and source are unescaped. optional: "shared:2 master:1" or "". */
struct mountinfo {
	int id, parent_id;
	unsigned int major, minor;
	char *root, *mount_point, *options, *optional, *fstype, *source, *super_options;
};
/* Parses all lines of text; pure, fuzzed. Calls fn for each; fn returns 0 to go on, else its value
 * is returned. */
int mountinfo_parse(const char *text, size_t len, int (*fn)(const struct mountinfo *mi, void *data),
		    void *data, struct err *err);
