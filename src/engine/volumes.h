/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes: directories of files that outlive containers. A volume is a row of the database and
 * <root>/volumes/<name>/_data; both come and go in one write transaction, so that no two commands
 * disagree. Which container uses which volume is a table, too (volume_uses), filled in the
 * transaction that makes the container's record, and emptied by a trigger with that row. A
 * directory without a row (a power cut has taken it) is nobody's to remove: the next volume of that
 * name has it.
 */
#pragma once

#include "base/json.h"
#include "engine/engine.h"

#define VOLUMES_DIR      "volumes"
#define VOLUME_DATA      "_data"
#define VOLUME_COPYING   "copying" /* beside it: the image's files are not all in it yet */
#define VOLUME_ANONYMOUS "com.docker.volume.anonymous" /* docker's label */

struct volume {
	char *name;
	int64_t created_ns;
	bool anonymous; /* goes with its last container, or with `volume prune` */
	struct json_map labels, options;
	uint64_t uses; /* containers */
};
void volume_done(struct volume *v);
#define cleanup_volume CLEANUP(volume_done)

struct volume_list {
	struct volume *items;
	size_t n;
};
void volume_list_done(struct volume_list *list);
#define cleanup_volume_list CLEANUP(volume_list_done)

/* One that is there stays as it is. *ret_new: it was not. Checks name and options. */
int volume_create(struct engine *eng, const struct volume *v, bool *ret_new, struct err *err);
/* The same inside of a transaction of the caller's. 1: new, 0, or -errno. */
int volume_add(struct engine *eng, const struct volume *v, struct err *err);
/* After a transaction that was to make it has failed: its empty directory goes. */
void volume_unmake(struct engine *eng, const char *name);
/* ERR_NOT_FOUND in docker's words. */
int volume_find(struct engine *eng, const char *name, struct volume *ret, struct err *err);
/* -ENOENT: there is none, and err is not touched. */
int volume_get(struct engine *eng, const char *name, struct volume *ret, struct err *err);
/* All, by name. */
int volumes_list(struct engine *eng, struct volume_list *ret, struct err *err);
/* Ids of the containers that use it. */
int volume_users(struct engine *eng, const char *name, char ***ret, struct err *err);
/* ERR_CONFLICT: a container uses it. It is gone for good, also after a power cut. */
int volume_remove(struct engine *eng, const char *name, struct err *err);
/* In the transaction that removes the container's record, before that: the anonymous volumes that
 * no other one uses go. *ret_removed: there were some, and volumes_sweep() is to follow. */
int volumes_leave(struct engine *eng, const char *container, bool *ret_removed, struct err *err);
/* What killed commands have left goes, or becomes again what it was. */
int volumes_sweep(struct engine *eng, struct err *err);

/* <root>/volumes: an fd. */
int volumes_open(struct engine *eng, struct err *err);
/* <root>/volumes/<name>, made with its data directory when they are missing: an fd. */
int volume_open(struct engine *eng, const char *name, struct err *err);
/* Where its files are on this machine, for users to see. NULL: nowhere, it is a tmpfs. */
char *volume_path(const struct engine *eng, const struct volume *v);
/* What its files take, in bytes. */
uint64_t volume_size(struct engine *eng, const struct volume *v);
