/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only module that resolves a path inside a tree which someone else controls: a rootfs, a
 * layer, a volume, a build context (design rule 1). rootfd is the directory that is "/"; paths may
 * be absolute or relative to it; symlinks resolve inside it, magic links never. openat2(2) with
 * RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS, kernel >= 5.6; where the call is missing (ENOSYS) a walk
 * component by component with O_PATH | O_NOFOLLOW and an fd per level gives the same answer.
 * Results are fds, CLOEXEC; go on with *at() calls on them, never with the path.
 */
#pragma once

#include <sys/stat.h>

#include "base/err.h"

/* Opens path. flags as open(2), O_CLOEXEC is added; mode for O_CREAT. fd or -errno. */
int path_open_in(int rootfd, const char *path, int flags, mode_t mode, struct err *err);
/* Opens the directory path as O_PATH, making missing components with mode. fd or -errno. */
int path_mkdirs_in(int rootfd, const char *path, mode_t mode, struct err *err);
/* Opens the file path (anything but a directory: -EISDIR) as O_PATH, making it (regular, empty) and
 * missing parents. Like path_mkdirs_in, goes through a dangling link and makes what it names inside
 * the root. Modes are cut by the umask. fd or -errno. */
int path_mkfile_in(int rootfd, const char *path, mode_t mode, struct err *err);
/* Opens the parent of path as O_PATH (made with 0755 when make is set) and stores the last
 * component, which is never "", ".", ".." and holds no slash: for mknodat, symlinkat, unlinkat. fd
 * or -errno; the caller frees *ret_name. */
int path_parent_in(int rootfd, const char *path, bool make, char **ret_name, struct err *err);
/* Removes the tree name below dirfd without following links or crossing mounts. Missing is no
 * error. */
int path_remove_tree(int dirfd, const char *name, struct err *err);
/* The same as one of `parts` processes (numbered by part) that remove a tree together: removing
 * files waits for the disk far more than it computes. One that gets in another's way may fail, so
 * that path_remove_tree() has to follow when all have ended. */
int path_remove_part(int dirfd, const char *name, unsigned int part, unsigned int parts,
		     struct err *err);
/* Trusted host path: mkdir -p, then an O_PATH | O_DIRECTORY fd. */
int path_mkdirs(const char *path, mode_t mode, struct err *err);
/* Lexical clean-up of an absolute or relative path ("//", ".", ".." removed; ".." never above "/").
 * For comparing and showing only, never for access. The caller frees. */
char *path_clean(const char *path);
/* For two cleaned paths: what is left of path below dir, without a slash in front, "" when they are
 * the same; NULL: it is somewhere else. */
const char *path_below(const char *path, const char *dir);
/* Joins with exactly one slash. The caller frees. */
char *path_join(const char *dir, const char *name);
