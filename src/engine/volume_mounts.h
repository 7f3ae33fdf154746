/* SPDX-License-Identifier: Apache-2.0 */
/* What containers do with volumes: which they use, and what is in them when they start. */
#pragma once

#include "engine/parse.h"
#include "engine/record.h"
#include "engine/volumes.h"

/* Where the files of a volume are to come from: the volume's own options, when it is there, else
 * those of the request, decide. One without a name gets one. */
int volume_resolve(struct engine *eng, struct mount_request *m, struct err *err);
/* The same for --mount type=image: source becomes the image's id. */
int mount_image_resolve(struct engine *eng, const char *mapping, struct mount_request *m,
			struct err *err);
/* host_path becomes what m->subpath names in it; links on the way, which containers may have made,
 * are followed in it only. */
void mount_below(struct mount_request *m);
/* A directory more in overlayfs's list. */
void overlay_lower_add(struct buf *list, const char *path);
/* run_overlays.c: the directory dir with upper and work, of a mount with MOUNT_O that brings no
 * upperdir= along. Ids: of the container's user namespace, or none. */
struct overlay_how {
	const char *dir;
	const struct idmap *uids, *gids;
	bool rootless;
	const char *mapping; /* the record's */
};
bool overlay_is_wanted(const struct mount_request *m);
int overlay_make(const struct overlay_how *how, const struct mount_request *m, struct err *err);
/* In the transaction that makes the container's record: its volumes are there, and known to be in
 * use; its images are still there. */
int volumes_use(struct engine *eng, const char *container, const struct mount_request *mounts,
		size_t n, struct err *err);

/* What the image has at a volume's place goes into one that is empty, once for each container, as
 * docker has it. Killed in the middle, it is done again by the next start of any container that
 * uses it. upper and layers: the container's. cancel: SIGINT and its like end it
 * (runtime/cancel.h), also when they are blocked.
 */
struct volumes_source {
	int upper;
	int *layers;
	size_t n_layers;
	bool cancel;
};
int volumes_prepare(struct engine *eng, const struct record *rec, const struct volumes_source *from,
		    struct err *err);

/* volume_copy.c: what is to come into the one that is mounted at m, when it is empty. */
int volume_copy(struct engine *eng, const struct record *rec, const struct record_mount *m,
		const struct volumes_source *from, struct err *err);

/* Gives all in the mounts with MOUNT_U to the container's user; with MOUNT_O, what it has written,
 * too. */
int volumes_chown(struct engine *eng, const struct record *rec, struct err *err);
/* The same for n of them, spec being the container's configuration. */
int mounts_chown(struct engine *eng, const struct record *rec, const struct spec *spec,
		 const struct record_mount *mounts, size_t n, struct err *err);

/* The directory that containers see, dir being the volume's (volume_open()): O_PATH;
 * -ENOTDIR: it is none. */
int volume_open_data(const struct volume *v, int dir, struct err *err);

/* A request as the record keeps it, and the other way round. */
void record_mount_fill(const struct mount_request *from, struct record_mount *ret);
void record_mount_request(const struct record_mount *from, struct mount_request *ret);
