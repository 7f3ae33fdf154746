/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by http.c and http_error.c: an exchange that is going on. */
#pragma once

#include "image/registry/http.h"

struct http {
	CURL *curl;
	struct http_options opts;
};

struct transfer {
	struct http_exchange *x;
	struct err *err;
	int r; /* of a callback that ended it */
	int timeout_s;
	bool proxied, refused, begun, stream, enough, timed_out;
	size_t header_bytes;
	uint64_t sent;
	/* Bytes since then, less the time that our reader took. */
	int64_t window_start;
	uint64_t window_bytes;
	char text[CURL_ERROR_SIZE];
};

/* What became of it: x->failure, and the error in our words. */
int http_outcome(struct http *http, struct transfer *t, CURLcode code);
