/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP exchange: a request, and the answer to it. No redirects, no second try, no credentials
 * of its own: that is call.h. A struct http (an easy handle of libcurl) keeps its connections for
 * the next exchange; one thread uses it at a time. HTTP/1.1 only: over HTTP/2 libcurl would take up
 * to 32 MiB for each blob whose reader is slow.
 *
 * What may come is bounded: 64 KiB of headers, `limit` bytes of a body that is kept, a few KiB of
 * one that explains an error. A body is never decompressed. Whoever sends nothing for the time-out,
 * or fewer than 256 bytes a second, is given up; waiting for our own reader does not count.
 */
#pragma once

#include <curl/curl.h>

#include "base/buf.h"
#include "image/registry/header.h"
#include "image/registry/url.h"

#define HTTP_ERROR_BODY_MAX (64u << 10)

enum http_header {
	HEADER_CONTENT_RANGE,
	HEADER_CONTENT_TYPE,
	HEADER_CHUNK_MIN,
	HEADER_DIGEST,
	HEADER_ETAG,
	HEADER_FILTERS,
	HEADER_LINK,
	HEADER_LOCATION,
	HEADER_RANGE,
	HEADER_RETRY_AFTER,
	HEADER_SUBJECT,
	HEADER_WARNING,
	HTTP_HEADERS
};

struct http_reply {
	int status; /* 0: none came */
	char *headers[HTTP_HEADERS];
	struct challenges challenges;
	struct buf body;
	bool has_length;
	uint64_t length; /* Content-Length */
};
void http_reply_done(struct http_reply *reply);

/* Why there is no answer, or not a whole one. */
enum http_failure {
	HTTP_FINE,
	HTTP_BROKEN,      /* another try may help */
	HTTP_UNREACHABLE, /* nobody answers there */
	HTTP_NOT_TLS,     /* somebody answers who does not speak it */
	HTTP_UNTRUSTED,   /* the certificate */
	HTTP_GIVEN_UP     /* by us: a limit, a rule, or nobody reads */
};

/* Certificates of an endpoint; they outlive all exchanges. */
struct http_tls {
	struct curl_blob ca, cert, key; /* data NULL: none */
};

struct http_exchange {
	const char *method;
	const struct url *url;
	char *const *headers; /* "Name: value", may be NULL */
	const char *authorization;
	const struct http_tls *tls;
	bool client_cert; /* show the one in tls */
	bool insecure;
	/* Not the registry's own host: addresses of the classes in refused (enum address_class) are
	 * not connected to. Else the class that is, is noted in seen. Both may be NULL. */
	const unsigned int *refused;
	unsigned int *seen;
	/* What is sent: body, or size bytes of the file from offset on when body_fd >= 0. */
	const char *body;
	int body_fd;
	uint64_t body_offset, body_size;
	/* What comes: kept up to limit bytes; or, when accept says 1 to the status and headers,
	 * handed to data as it comes. Both may fail, which ends it (HTTP_GIVEN_UP). */
	size_t limit;
	int (*accept)(void *arg, const struct http_reply *reply, struct err *err);
	int (*data)(void *arg, const char *data, size_t len, struct err *err);
	void (*sent)(void *arg, uint64_t bytes); /* of the body, now and then */
	void *arg;

	struct http_reply reply;
	enum http_failure failure;
};

struct http_options {
	char *const *env; /* for proxies */
	int timeout_s;
	CURLSH *share;
	const char *ca_dir, *ca_file; /* the system's, one of them */
};

struct http;
struct http *http_new(const struct http_options *opts);
void http_free(struct http *http);
/* 0 when an answer came, whatever its status; else -errno with err and x->failure. reply is the
 * caller's to free in any case. */
int http_perform(struct http *http, struct http_exchange *x, struct err *err);
