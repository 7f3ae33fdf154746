/* SPDX-License-Identifier: Apache-2.0 */
/* One process of inro-layer: what the modes in layer_run.c have in common, behind layer_run.h. */
#pragma once

#include "base/buf.h"
#include "image/layer_run.h"

#define LAYER_PROGRAM "inro-layer"

/* What a process of inro-layer is started with. */
struct layer_start {
	const char *const *args;
	int in_fd, dir_fd;
	bool userns;
	const struct image_ids *ids; /* of the user namespace; NULL: the store's */
	const struct proc_fd *more;  /* fds besides */
	size_t n_more;
};
int layer_job_start(const struct layer_start *start, struct layer_job *ret, struct err *err);
void layer_job_kill(const struct layer_job *job);
/* Until it has something to say, or ends. cancel_fd: readable when it is not wanted any more
 * (-ECANCELED); 0 or negative: none. */
int layer_job_poll(const struct layer_job *job, int cancel_fd, struct err *err);
/* All that it says; after an error it is gone. */
int layer_doc_read(struct layer_job *job, struct buf *ret_doc, struct err *err);
/* Its end: 0, or the error that it said in doc. */
int layer_job_wait(struct layer_job *job, const struct buf *doc, struct err *err);
/* The error record that it sent. */
int layer_record_error(const struct buf *doc, struct err *err);
