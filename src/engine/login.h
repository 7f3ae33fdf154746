/* SPDX-License-Identifier: Apache-2.0 */
/* Logging in to registries and out again: credentials are checked with the registry, then kept. */
#pragma once

#include "engine/auth.h"
#include "engine/registries.h"

/* What people write for a registry into "host[:port][/path]": a scheme and slashes at the end are
 * dropped, Docker Hub's other names are docker.io; NULL is docker.io. The caller frees *ret. */
int login_name(const char *text, char **ret, struct err *err);
/* Does the registry take these credentials? access->authfile is not looked at. ERR_DENIED: no. */
int login_check(struct engine *eng, const char *name, const struct registry_access *access,
		const struct registry_auth *auth, struct err *err);
/* login_check(), then auth_store(), which docker and *ret_path are for. */
int login(struct engine *eng, const char *name, const struct registry_access *access,
	  const struct registry_auth *auth, bool docker, char **ret_path, struct err *err);
/* Forgets the credentials. ERR_NOT_FOUND: there are none, or they are another program's. */
int logout(const char *authfile, const char *name, struct err *err);
