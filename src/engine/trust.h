/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which images are let in: a policy (oci/policy.h) is asked before an image's layers are fetched,
 * and signatures by the keys that it names are looked for beside the image, where cosign puts them.
 *
 * The file, the first that there is: image.policy of the settings (which must be there); as a user
 * ~/.config/containers/policy.json; /etc/containers/policy.json. None: everything is let in. One
 * that can't be read lets in nothing.
 *
 * What is in the store was let in when it came, and isn't looked at again.
 */
#pragma once

#include "engine/registries.h"
#include "oci/policy.h"

/* ---- asking ---- */

/* What the policy wants of one image. Not to be copied: wanted may point into it. */
struct trust {
	struct engine *eng;
	struct policy policy;
	const struct policy_requirements *wanted; /* in policy; NULL: nothing */
	const char *scope;                        /* that wants it */
	char *path;                               /* of the policy, NULL: there is none */
	char ***keys;                             /* of each requirement, PEM; or NULL */
	struct reference ref;
};
/* ERR_DENIED: it is rejected whoever has signed it. ERR_UNSUPPORTED: what is wanted can't be
 * checked. Reads keys, asks nobody. On failure ret is empty. */
int trust_init(struct engine *eng, const struct reference *ref, struct trust *ret, struct err *err);
void trust_done(struct trust *trust);
#define cleanup_trust CLEANUP(trust_done)
/* Are there the signatures that are wanted, at one of the endpoints, of digest (what the reference
 * means) or of manifest (the image in it)? ERR_DENIED: no. */
int trust_verify(struct trust *trust, struct registry_conn *conn,
		 const struct registry_endpoints *from, const char *digest, const char *manifest,
		 struct err *err);
/* May images come by this transport, which has no signatures: "docker-archive"? */
int trust_allow_transport(struct engine *eng, const char *transport, struct err *err);

/* ---- the file ---- */

/* The policy's path, or NULL: there is none. */
int trust_path(struct engine *eng, char **ret, struct err *err);
/* *ret_path as of trust_path(); then ret lets in everything. */
int trust_read(struct engine *eng, struct policy *ret, char **ret_path, struct err *err);
/* Makes type with these keys the only requirement of the scope, or of the default when scope is
 * NULL. match: enum policy_match of signatures, -1 for the usual one. In the file of trust_path(),
 * or where an administrator's, or the user's own, is to be. */
int trust_set(struct engine *eng, const char *scope, enum policy_type type, int match,
	      char *const *keys, struct err *err);
