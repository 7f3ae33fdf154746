/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Users that a container has besides those of its image, as podman has them: who it runs as, who
 * made it (--userns keep-id), and --hostuser. /etc/passwd and /etc/group with their lines are a
 * layer of the container's own, topmost of the image's: they are no change of the container's, for
 * diff and commit, and programs as useradd(8) can replace them, which can't be done to a file that
 * something is mounted on. The root directory of --rootfs, which is no overlay, has them mounted.
 */
#pragma once

#include "engine/record.h"
#include "engine/userdb.h"

/* The layer, in the container's directory. */
#define USERS_DIR "users"

/* What asks for lines. */
struct users_asked {
	const char *user; /* --user, that of keep-id or the image's; NULL: root */
	const char *kept; /* "UID:GID" that the user has in there (keep-id); or NULL */
	char *const *hostuser;
	const char *passwd_entry, *group_entry;
	const char *workdir; /* of the container: homes, unless these are mounted */
	const struct mount_request *mounts;
	size_t n_mounts;
};
/* --hostuser and keep-id, before the container's user is looked up in db; then that one. */
int users_add_host(struct userdb *db, const struct users_asked *q, struct err *err);
void users_add_own(struct userdb *db, const struct users_asked *q, const struct user_result *user);

/* Makes USERS_DIR with those files of db that have changed, and with their owners; uid, gid: of
 * what the image does not have. */
int users_layer_write(int bundle_fd, const struct userdb *db, uid_t uid, gid_t gid,
		      struct err *err);
/* Before anybody but the container sees the layer: without root and with another mapping than the
 * store's, its root has it from its first start on, or from this. */
int users_layer_give(struct engine *eng, const struct record *rec, struct err *err);
/* The container's layers, topmost first, get that one if there is one. */
int users_layer_open(struct engine *eng, const char *id, int **fds, size_t *n, struct err *err);
