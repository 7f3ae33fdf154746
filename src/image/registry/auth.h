/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Authorization by the registry's challenge: Basic, or Bearer with a token from a token server
 * (distribution's spec/auth/token.md and oauth.md). Tokens are kept for their scopes until shortly
 * before they expire.
 *
 * Who gets credentials: the registry itself, when it asks for Basic; and the token server (the
 * challenge's realm), over https with a verified certificate like the registry's own. It may be on
 * another host, as the token protocol is made for that, and the registry is who was configured to
 * have these credentials. It may be without TLS, or with any certificate, only on the host of a
 * registry that is insecure itself. Redirects of a token server to somewhere else get none.
 */
#pragma once

#include "image/registry/call.h"

/* The Authorization header for these scopes, as far as the way is known; *ret NULL: none yet. The
 * caller frees. */
int auth_get(struct job *job, const char *scopes, char **ret, struct err *err);
/* After a 401 to call, which was sent with the header used (or NULL): a better one. */
int auth_renew(struct job *job, struct call *call, const char *used, char **ret, struct err *err);

/* What a token server answers. Pure. */
struct token_answer {
	char *token, *access_token;
	int64_t expires_in;
};
int token_parse(const char *text, size_t len, char **ret_token, int64_t *ret_seconds,
		struct err *err);
