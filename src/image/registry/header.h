/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values of the HTTP headers that registries answer with. Pure: text in, struct out. They come from
 * whoever answers, so what is not well-formed is refused, not guessed at.
 */
#pragma once

#include "base/util.h"

#define HEADER_VALUE_MAX 8192 /* bytes of one value */

/* WWW-Authenticate (RFC 9110 section 11.6.1). */
enum challenge_scheme { CHALLENGE_OTHER, CHALLENGE_BASIC, CHALLENGE_BEARER };
struct challenge {
	enum challenge_scheme scheme;
	char *realm, *service, *scope, *error; /* NULL: not given */
};
#define CHALLENGES_MAX 8
struct challenges {
	struct challenge items[CHALLENGES_MAX];
	size_t n;
};
/* Adds the challenges of one header to ret. -EINVAL (malformed, a parameter twice, too many): ret
 * is as it was. */
int challenges_parse(const char *value, struct challenges *ret) MUST_CHECK;
void challenges_done(struct challenges *c);
/* The first of a scheme, or NULL. */
const struct challenge *challenges_find(const struct challenges *c, enum challenge_scheme scheme);

/* Content-Range (RFC 9110 section 14.4): "bytes 5-9/10", "bytes 5-9" followed by a star for a total
 * that is not known, or a star in place of the range (with 416). */
struct content_range {
	bool has_range, has_total;
	uint64_t first, last, total;
};
int content_range_parse(const char *value, struct content_range *ret) MUST_CHECK;

/* Range of an upload: "0-99", also "bytes=0-99": how many bytes the registry has. */
int upload_range_parse(const char *value, uint64_t *ret) MUST_CHECK;

/* Retry-After: seconds, or an HTTP date, counted from now_s (since 1970). At most a year. */
int retry_after_parse(const char *value, int64_t now_s, uint64_t *ret_s) MUST_CHECK;

/* Link (RFC 8288): the target with rel "next". 1 and *ret (the caller frees), 0: there is none, or
 * -EINVAL. */
int link_next(const char *value, char **ret) MUST_CHECK;

/* Warning as registries give it (distribution-spec, Warnings): 299 - "text". The text, masked for a
 * terminal, or NULL. The caller frees. */
char *warning_parse(const char *value);

/* Content-Type without its parameters, in lower case; NULL when it is not one. The caller frees. */
char *media_type_parse(const char *value);

/* Can it stand in a header that we send: printable ASCII, no space at the ends? */
bool header_value_valid(const char *value);
