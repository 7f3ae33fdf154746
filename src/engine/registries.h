/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the name of an image to where it is fetched from: settings (engine/config.h) and credentials
 * (engine/auth.h) make endpoints of it for inro-registry.
 */
#pragma once

#include "engine/engine.h"
#include "image/registry/proto.h"
#include "image/registry_run.h"
#include "oci/reference.h"

/* What a command line says about the registry it names; it holds for that one, never for mirrors.
 * All may be NULL or unset. The strings are the caller's. */
struct registry_access {
	const char *authfile;
	const char *creds; /* "user:password" */
	bool anonymous;    /* no credentials, whatever there are */
	const char *cert_dir;
	struct opt_bool tls_verify;
};

struct registry_endpoints {
	struct registry_endpoint *items;
	size_t n;
};
void registry_endpoints_done(struct registry_endpoints *endpoints);
#define cleanup_endpoints CLEANUP(registry_endpoints_done)

/* Where the reference's repository is: mirrors first (not for push), with what is needed to speak
 * to each. access may be NULL. ERR_DENIED: the registry is blocked. */
int registries_resolve(struct engine *eng, const struct reference *ref, bool push,
		       const struct registry_access *access, struct registry_endpoints *ret,
		       struct err *err);
/* The registry itself, "host[:port][/path]", for login, search and catalogs: one endpoint without a
 * repository. */
int registries_registry(struct engine *eng, const char *registry,
			const struct registry_access *access, struct registry_endpoints *ret,
			struct err *err);
/* Full references that a word may mean, in the order in which to try them: itself when it names a
 * registry, what an alias says, or one for each of image.short_names. */
int registries_candidates(struct engine *eng, const char *word, char ***ret, struct err *err);
/* The first of those that is among these names, or NULL. Heap. */
char *registries_choose(struct engine *eng, const char *word, char *const *names);

/* Starts inro-registry with the settings for it (retries, timeout, proxies). What registry_call()
 * is kept waiting by is warned of, where the caller sets nothing else. */
int registries_start(struct engine *eng, struct registry_conn *ret, struct err *err);
