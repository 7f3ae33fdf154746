/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which images are let in: policy.json of podman, skopeo and others (containers-policy.json(5)).
 * Pure. What is not known in it is an error, whatever it may mean: it can't be taken for a yes.
 *
 * A scope is what requirements are said of. Of a registry, longest first: "host/path:tag" or
 * "host/path@digest", "host/path", each "host/beginning", "host", "*.domain", "" for all of them;
 * then the default. Of several spellings of one registry all are meant (reference_registry_key()).
 * All requirements of the scope must be met.
 */
#pragma once

#include "base/json.h"
#include "oci/reference.h"

#define POLICY_BYTES_MAX  (1u << 20)
#define POLICY_REGISTRIES "docker" /* the transport of registries */

enum policy_type {
	POLICY_ACCEPT, /* "insecureAcceptAnything" */
	POLICY_REJECT,
	POLICY_SIGNED_BY, /* by GPG */
	POLICY_SIGSTORE,
};
enum policy_match {
	POLICY_MATCH_EXACT,
	POLICY_MATCH_REPO_DIGEST_OR_EXACT,
	POLICY_MATCH_REPOSITORY,
	POLICY_EXACT_REFERENCE,
	POLICY_EXACT_REPOSITORY,
	POLICY_REMAP,
};

/* What a signature must say that the image is called. */
struct policy_identity {
	int match; /* enum policy_match */
	char *reference, *repository, *prefix, *signed_prefix;
};

struct policy_requirement {
	int type; /* enum policy_type */
	char *key_type;
	/* At most one of these, with one or several keys, each of which will do. */
	char *key_path, *key_data; /* data: base64 */
	char **key_paths, **key_datas;
	/* Without a key of one's own, and a log of signatures: as they stand there. */
	char *fulcio, *pki;
	char *rekor_path, *rekor_data;
	char **rekor_paths, **rekor_datas;
	struct policy_identity *identity; /* NULL: matchRepoDigestOrExact */
};
struct policy_requirements {
	struct policy_requirement *items;
	size_t n; /* never 0 after parsing */
};

struct policy_scope {
	char *name;
	struct policy_requirements requirements;
};
struct policy_transport {
	char *name;
	struct policy_scope *scopes;
	size_t n;
};
struct policy {
	struct policy_requirements by_default;
	struct policy_transport *transports;
	size_t n;
};

extern const char *const policy_type_names[]; /* by enum policy_type, NULL-terminated */

/* what: the file's name. On failure ret is empty. */
int policy_parse(const char *text, size_t len, const char *what, struct policy *ret,
		 struct err *err);
void policy_write(const struct policy *policy, struct buf *out);
void policy_done(struct policy *policy);
#define cleanup_policy CLEANUP(policy_done)

/* What is wanted of the image; *ret_scope (may be NULL) is the scope's name, "default" for none. */
const struct policy_requirements *policy_find(const struct policy *policy,
					      const struct reference *ref, const char **ret_scope);
/* The same for "host[:port][/path]" alone, as a registry is named. */
const struct policy_requirements *policy_find_name(const struct policy *policy, const char *name,
						   const char **ret_scope);
/* The same for what comes by another transport: its scope "", else the default. */
const struct policy_requirements *policy_find_transport(const struct policy *policy,
							const char *transport);
/* Does it say something of single paths of that transport? */
bool policy_has_scopes(const struct policy *policy, const char *transport);
/* Makes these the scope's only requirements, of the default when transport is NULL. They are taken
 * over. */
void policy_set(struct policy *policy, const char *transport, const char *scope,
		struct policy_requirements *requirements);
/* "host[:port][/path[:tag]]" or "*.domain"? */
int policy_check_scope(const char *scope, struct err *err);

/* May the image ref have a signature that says that it is for signed_for? identity may be NULL. */
bool policy_identity_fits(const struct policy_identity *identity, const struct reference *ref,
			  const char *signed_for);
