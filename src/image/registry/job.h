/* SPDX-License-Identifier: Apache-2.0 */
/* One request of the engine while it is served, by one thread. */
#pragma once

#include "image/registry/session.h"

struct job {
	struct job *next;
	struct session *session;
	struct registry_request req;
	int fd; /* owned; -EBADF: none */
	/* The endpoint that is tried now. */
	const struct registry_endpoint *ep;
	struct origin *origin;
	struct http *http;
	bool last; /* no other endpoint is left */
	/* What the answer will say. */
	struct registry_answer answer;
};

/* Takes req and fd over. */
struct job *job_new(struct session *s, struct registry_request *req, int fd);
void job_free(struct job *job);
/* Serves the request: tries its endpoints, answers. */
void job_run(struct job *job);
/* A partial answer with a line for people. */
void job_notice(struct job *job, const char *fmt, ...) PRINTF_LIKE(2, 3);
void job_progress(struct job *job, uint64_t done);
/* "reg.example:5000/team/app". The caller frees. */
char *job_place(const struct job *job);
/* Writes to the job's fd, which may be a pipe whose reader is slow. */
int job_write(struct job *job, const void *data, size_t len, struct err *err);
/* Sets a text of the answer, at most 1 KiB of it. NULL clears it. */
void job_set(char **text, const char *value);

/* The operations: 0, or -errno with the error. */
int op_head(struct job *job, struct err *err);
int op_manifest(struct job *job, struct err *err);
int op_blob(struct job *job, struct err *err);
int op_upload(struct job *job, struct err *err);
int op_mount(struct job *job, struct err *err);
int op_put(struct job *job, struct err *err);
int op_tags(struct job *job, struct err *err);
int op_catalog(struct job *job, struct err *err);
int op_referrers(struct job *job, struct err *err);
int op_search(struct job *job, struct err *err);
int op_delete(struct job *job, struct err *err);
int op_ping(struct job *job, struct err *err);
