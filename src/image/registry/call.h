/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request to a registry as an operation sees it: authorization, redirects and further tries are
 * done here, and the rules about them hold here:
 * - at most 5 redirects; what changes something is sent on by 307 and 308 only;
 * - only the registry's own host is spoken to without TLS, or with a certificate that is not
 * checked, and only when it is an insecure one: whom it names (a token server, where blobs lie) is
 * not;
 * - an Authorization header goes to the scheme, host and port that it is for and to no other, a
 *   client certificate to the registry's own host alone;
 * - another host than the registry's own may not be this machine, nor link-local, nor where clouds
 *   answer questions about the machine, unless the registry itself is at such an address.
 */
#pragma once

#include "image/registry/job.h"

struct call {
	/* x.method, headers, body, limit and the callbacks are the operation's. */
	struct http_exchange x;
	char *target; /* "/v2/...": of the endpoint; or an absolute address */
	char **headers;
	char *scopes; /* what a token has to allow, words with spaces between; NULL: nothing */
	const struct url *home; /* set for a token server: authorization is for this, fixed */
	const char *fixed;
	struct url url; /* who answered at last */
	bool foreign;   /* that is another host */
	bool own;       /* the endpoint itself: scheme, host and port; its challenges count */
};

/* Is the address one of the host that is allowed to be insecure? */
bool call_insecure(const struct job *job, const struct url *url);

/* target is taken over. */
void call_init(struct call *call, const char *method, char *target);
void call_done(struct call *call);
#define cleanup_call CLEANUP(call_done)
void call_header(struct call *call, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* One try. 0 when there is an answer, whatever its status. */
int call_try(struct job *job, struct call *call, struct err *err);
/* As many as it takes. */
int call_run(struct job *job, struct call *call, struct err *err);

/* What call_run() does between tries, for those that do it themselves: r and err as call_try() left
 * them. True after a pause: try again. */
struct retry {
	int tries;
};
/* A try that came on by so many bytes was worth it, and tries are counted anew. Whoever breaks off
 * each time after a few would else keep us busy for ever. */
#define PROGRESS_MIN (64u << 10)
bool call_again(struct job *job, struct call *call, struct retry *retry, int r,
		const struct err *err);

/* The answer as an error, for a status that is not what the operation needs. */
int call_error(struct job *job, struct call *call, struct err *err);
/* "repository:NAME:ACTIONS". The caller frees. */
char *call_scope(const char *repository, const char *actions);
