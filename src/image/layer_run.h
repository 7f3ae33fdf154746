/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting inro-layer: finds the program, gives it its fds, puts its user namespace's mappings in
 * place when rootless, and reads its answer. Several may run at once.
 */
#pragma once

#include "base/proc.h"
#include "base/usage.h"
#include "image/ids.h"
#include "image/store.h"

#define LAYER_STAGES 4 /* of `unpack` and `convert`, but for the last one */

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
/* For the modes that read a container's tree. */
struct layer_tree {
	int dir_fd;   /* its upper directory */
	int idmap_fd; /* a user namespace that maps the ids of what is in it, or negative */
	int out_fd;   /* to write to, or negative */
	const struct image_ids *ids; /* rootless: whose ids are seen; NULL: the store's */
	const int *layers;           /* for the modes that mount it: topmost first */
	size_t n_layers;
};
int layer_start_tree(struct image_store *store, const char *const *args,
		     const struct layer_tree *tree, struct layer_job *ret, struct err *err);
/* Waits for the end. 0 and the document in ret_doc, or inro-layer's own error. */
int layer_finish(struct layer_job *job, struct buf *ret_doc, struct err *err);
/* Of one that wrote into a pipe, from which another read with this result: what both came to. */
int layer_finish_writer(struct layer_job *job, int read, struct err *err);
/* Kills and reaps it. */
void layer_abort(struct layer_job *job);

/* Is there room on the disk for so many bytes more, and the share that is left to others?
 * ERR_LIMIT: no. While unpacking inro-layer looks for itself: sizes that a registry gives are just
 * words. */
int layer_room_check(struct image_store *store, uint64_t bytes, struct err *err);

/* The modes, as far as the caller needs just one of them at a time. */
int layer_split(struct image_store *store, int in_fd, int dir_fd, struct split_result *ret,
		struct err *err);

/* Unpacking a layer; see layer/pipeline.h. */
struct layer_unpack {
	struct layer_job job; /* poll job.result_fd: readable at the end, good or bad */
	int stage_fds[LAYER_STAGES];
	bool plain, compress; /* which stages there are */
};
#define LAYER_UNPACK_INIT                                                                          \
	{                                                                                          \
		.job = LAYER_JOB_INIT, .stage_fds = { -EBADF, -EBADF, -EBADF, -EBADF }             \
	}
struct layer_input {
	int fd;         /* the blob, or what is still missing of it */
	int partial_fd; /* read and write, at its start: its beginning, to which fd's bytes are
			   appended; negative: none */
	bool plain;     /* a tar whose digest must be the diff id */
	bool tree;      /* files for a directory that is no layer: no name stands for anything */
	const struct image_ids *ids; /* rootless: whose ids they get; NULL: the store's */
	int idmap_fd; /* a user namespace that maps the ids on the disk to the archive's; <= 0: none
		       */
};
/* Starts unpacking into the directory dir_fd. */
int layer_unpack_start(struct image_store *store, const struct layer_input *in, int dir_fd,
		       struct layer_unpack *ret, struct err *err);
/* Waits until layer_unpack_finish() has something to read: 0, or -ECANCELED when cancel_fd (<= 0:
 * none) is readable before that. */
int layer_unpack_wait(const struct layer_unpack *un, int cancel_fd, struct err *err);
/* Waits for the end. ret's digests and sizes are those of the hashing stages. */
int layer_unpack_finish(struct layer_unpack *un, struct apply_result *ret, struct err *err);
void layer_unpack_abort(struct layer_unpack *un);

struct layer_convert {
	const char *to; /* "gzip", "zstd" or "none" */
	int level;      /* 0: the default */
	int out_fd;
};
/* Makes another blob of the layer in, whose digests go into ret_in. dir_fd is a directory that it
 * could write to, but does not. */
int layer_convert(struct image_store *store, const struct layer_input *in, int dir_fd,
		  const struct layer_convert *how, struct apply_result *ret_in,
		  struct convert_result *ret, struct err *err);
/* Is the directory empty, as seen by root of the user namespace? 1, 0 or -errno. */
int layer_dir_empty(struct image_store *store, int dir_fd, struct err *err);
/* What the tree of the directory takes on the disk, as seen by root of the user namespace. */
int layer_usage(struct image_store *store, int dir_fd, struct usage *ret, struct err *err);
/* Gives the directories paths below dir_fd the owner, mode and times that they have below like_fd,
 * where a rootless process itself may not. *ret_missing: those that like_fd lacks. */
int layer_own(struct image_store *store, int like_fd, int dir_fd, char *const *paths,
	      char ***ret_missing, struct err *err);

/* Copies what comes from in_fd, at most max bytes, to out_fd and hashes it: for what moves blobs
 * on. Many may run at once. */
int layer_digest_start(struct image_store *store, int in_fd, int out_fd, uint64_t max,
		       struct layer_job *ret, struct err *err);
/* Waits for the end. *ret_digest: heap. */
int layer_digest_finish(struct layer_job *job, char **ret_digest, uint64_t *ret_size,
			struct err *err);
/* A tarball, perhaps compressed, becomes the records of cp_stream.h, which go to out_fd. Then
 * layer_finish(): -EPIPE when nobody reads them. */
int layer_entries_start(struct image_store *store, int in_fd, int out_fd, struct layer_job *ret,
			struct err *err);
