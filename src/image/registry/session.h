/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One process of inro-registry: the socket to the engine, what is known of each endpoint, and idle
 * handles with their connections. Requests are served by threads, one for each that is under way:
 * a transfer that waits for its reader just waits, and everything reads from top to bottom.
 */
#pragma once

#include <pthread.h>

#include "image/registry/http.h"
#include "image/registry/proto.h"

struct tls_dir {
	struct tls_dir *next;
	char *name;
	struct registry_tls pem;
	struct http_tls tls; /* points into pem */
};

struct token {
	char *scopes, *value;
	int64_t expires_ns; /* CLOCK_MONOTONIC */
};
#define TOKENS_MAX 128

/* An endpoint with credentials, shared by all requests that name it so; never freed. */
struct origin {
	struct origin *next;
	char *key;
	struct url url; /* as configured */
	bool insecure;
	const struct tls_dir *tls; /* or NULL */
	unsigned int classes;      /* of its own addresses; atomic */
	bool answered;             /* it has, once; atomic */
	pthread_mutex_t lock;      /* the next lines */
	bool settled, plain;       /* whether it speaks TLS is known; it does not */
	char *warning;             /* the last one that was passed on */
	pthread_mutex_t auth_lock; /* what follows; held while a token is fetched */
	bool challenged;
	struct challenge challenge; /* how it wants to be asked */
	struct token tokens[TOKENS_MAX];
	size_t n_tokens;
};

struct job;

struct session {
	int sock;
	int retries;
	int retry_delay_ms; /* negative: longer each time */
	struct http_options http;
	pthread_mutex_t lock; /* what follows */
	pthread_cond_t work;
	struct tls_dir *tls_dirs;
	struct origin *origins;
	struct job *queue, **queue_end;
	unsigned int threads, idle_threads;
	struct idle {
		struct http *http;
		const struct origin *last;
	} * idle;
	size_t n_idle;
};

/* env and the sock are borrowed for the life of the process. */
void session_init(struct session *s, int sock, int retries, int timeout_s, char *const *env);
/* Reads requests and starts them until the engine has gone. 0, or -errno: the engine does not keep
 * to the protocol. */
int session_serve(struct session *s, struct err *err);
void session_answer(struct session *s, const struct registry_answer *answer);

int session_add_tls(struct session *s, const char *name, int fd, struct err *err);
struct origin *session_origin(struct session *s, const struct registry_endpoint *ep,
			      struct err *err);
/* A handle that was connected to the origin last, if there is one. */
struct http *session_take_http(struct session *s, const struct origin *origin);
void session_give_http(struct session *s, struct http *http, const struct origin *last);

/* Where it is spoken to: the url with the scheme that it turned out to speak. */
void origin_base(struct origin *o, struct url *ret);
