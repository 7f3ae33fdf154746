/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting inro-registry and speaking to it (image/registry/proto.h). One process serves a whole
 * command: connections and tokens are used again. Any number of requests may be under way; those
 * beyond what it does at once (REGISTRY_PARALLEL) wait their turn. It ends when the connection is
 * closed, whatever it is doing then.
 *
 * Nothing that it says is to be trusted: digests are verified by who reads the bytes.
 */
#pragma once

#include "base/buf.h"
#include "base/proc.h"
#include "image/registry/proto.h"

struct registry_options {
	/* Where http_proxy, https_proxy, all_proxy and no_proxy come from, in capitals too, and
	 * SSL_CERT_FILE and SSL_CERT_DIR, which take the place of the system's CAs; NULL: this
	 * process's environment. */
	char *const *env;
	int retries;        /* tries after the first one; negative: 5 */
	int retry_delay_ms; /* between tries; negative: longer each time */
	int timeout_s;      /* connecting, and without progress; <= 0: 60 */
	bool debug;         /* requests and answers to stderr, without secrets */
};
#define REGISTRY_OPTIONS_INIT                                                                      \
	{                                                                                          \
		.retries = -1, .retry_delay_ms = -1                                                \
	}

struct registry_conn {
	int fd; /* for poll(2): POLLIN says that registry_next() has something */
	struct proc proc;
	uint64_t last_id;
	char **tls_dirs; /* sent already */
	int cancel_fd;   /* waiting ends with -ECANCELED when it becomes readable; <= 0: none */
	/* Told what registry_call() is kept waiting by, or NULL. */
	void (*notice)(void *data, const char *text);
	void *notice_data;
};
#define REGISTRY_CONN_INIT                                                                         \
	{                                                                                          \
		.fd = -EBADF, .proc = PROC_INIT                                                    \
	}

/* opts NULL: the defaults. */
int registry_start(const struct registry_options *opts, struct registry_conn *ret, struct err *err);
/* Ends it, at once. Safe on a REGISTRY_CONN_INIT one. */
void registry_stop(struct registry_conn *conn);
#define cleanup_registry CLEANUP(registry_stop)

/* Sends a request, whose id is set to a new one when it is 0. fd (negative: none) stays the
 * caller's: of a pipe it must close its own copy to see the end. Reads the files of a tls_dir that
 * was not named before. 0 or -errno. */
int registry_send(struct registry_conn *conn, struct registry_request *req, int fd,
		  struct err *err);
/* Takes the next answer, which the caller frees by registry_answer_done(). timeout_ms < 0: waits
 * for ever. 1, 0 after the timeout, or -errno (-EPIPE: inro-registry has ended). A request that
 * failed is an answer with ok false, not an error here. */
int registry_next(struct registry_conn *conn, int timeout_ms, struct registry_answer *ret,
		  struct err *err);
void registry_answer_done(struct registry_answer *answer);
#define cleanup_registry_answer CLEANUP(registry_answer_done)
/* The failure that an answer reports, as an error: message, hint and kind. Returns -errno. */
int registry_answer_error(const struct registry_answer *answer, struct err *err);

/* One request from start to end, while no other is under way. Of partial answers it
 * passes on what is worth a line. A failed
 * request is an error. ret may be NULL. */
int registry_call(struct registry_conn *conn, struct registry_request *req, int fd,
		  struct registry_answer *ret, struct err *err);
/* The same for a request that gives a document (manifest, tags, catalog, referrers, search), which
 * is put into doc. */
int registry_fetch(struct registry_conn *conn, struct registry_request *req, struct buf *doc,
		   struct registry_answer *ret, struct err *err);
