/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting inro-layer: finds the program, gives it its fds, puts its user namespace's mappings in
 * place when rootless, and reads its answer. Several may run at once.
 */
#pragma once

#include "base/proc.h"
#include "image/store.h"

struct layer_job {
	struct proc proc;
	int result_fd;
};
#define LAYER_JOB_INIT                                                                             \
	{                                                                                          \
		.proc = PROC_INIT, .result_fd = -EBADF                                             \
	}

/* args: the mode and its arguments. in_fd: the archive, negative for none. userns: run as root of a
 * user namespace when the store is rootless. */
int layer_start(struct image_store *store, const char *const *args, int in_fd, int dir_fd,
		bool userns, struct layer_job *ret, struct err *err);
/* Waits for the end. 0 and the document in ret_doc, or inro-layer's own error. */
int layer_finish(struct layer_job *job, struct buf *ret_doc, struct err *err);
/* Kills and reaps it. */
void layer_abort(struct layer_job *job);

/* The modes, as far as the caller needs just one of them at a time. */
int layer_split(struct image_store *store, int in_fd, int dir_fd, struct split_result *ret,
		struct err *err);
/* Starts unpacking the blob in_fd into the directory dir_fd; hash_input: also name the blob. */
int layer_apply_start(struct image_store *store, int in_fd, int dir_fd, bool hash_input,
		      struct layer_job *ret, struct err *err);
int layer_apply_finish(struct layer_job *job, struct apply_result *ret, struct err *err);
/* Gives the directory path below dir_fd the owner, mode and times that it has below like_fd, where
 * a rootless process itself may not. -ENOENT when like_fd has none. */
int layer_own(struct image_store *store, int like_fd, int dir_fd, const char *path,
	      struct err *err);
