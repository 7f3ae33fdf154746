/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credentials for registries: where they are found, kept and forgotten.
 *
 * Read, the first that has some for the name wins: --authfile or REGISTRY_AUTH_FILE alone; else
 * ${XDG_RUNTIME_DIR}/containers/auth.json (/run/containers/UID), $XDG_CONFIG_HOME/containers/
 * auth.json, $DOCKER_CONFIG/config.json (~/.docker). In a file the helper that it names for the
 * host comes first, then the file's own entries, then its helper for all. Written, as podman does:
 * the first of these names.
 */
#pragma once

#include "engine/auth_file.h"

/* name: "host[:port][/path]". authfile may be NULL. 1: found; *ret_where is the file that has them
 * or names the helper (may be NULL; the caller frees). 0: none. */
int auth_find(const char *authfile, const char *name, struct registry_auth *ret, char **ret_where,
	      struct err *err);
/* Keeps them. docker: in a file that docker reads as well, which has another name for its Hub and
 * entries for hosts alone. *ret_path as above. */
int auth_store(const char *authfile, const char *name, const struct registry_auth *auth,
	       bool docker, char **ret_path, struct err *err);
/* Forgets those of name in the file that auth_store() would write to. 1, or 0: there were none. */
int auth_remove(const char *authfile, const char *name, struct err *err);
/* Forgets all in that file. Returns how many there were. */
int auth_remove_all(const char *authfile, struct err *err);
