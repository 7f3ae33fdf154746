/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of credentials: docker's config.json and containers-auth.json(5), which look alike:
 *
 *   {"auths": {"host[:port][/path]": {"auth": base64 of "user:password", "identitytoken": ...}},
 *    "credHelpers": {"host": "name"}, "credsStore": "name"}
 *
 * Pure. Other programs write these files, too: members and entries that mean nothing to us stay as
 * they are. The text is limited and parsed strictly; an entry is looked into only when it is asked
 * for, so that one that is broken spoils no other.
 */
#pragma once

#include "image/registry/proto.h"

#define AUTH_FILE_MAX (1u << 20)

struct auth_file {
	struct json_map members; /* of the document, but for auths */
	struct json_map auths;
	struct json_map helpers;
	char *store; /* the helper for all others */
};

/* what names the file in errors. */
int auth_file_parse(const char *text, size_t len, const char *what, struct auth_file *ret,
		    struct err *err);
void auth_file_write(const struct auth_file *file, struct buf *out);
void auth_file_done(struct auth_file *file);
#define cleanup_auth_file CLEANUP(auth_file_done)

/* The entry for name, "host[:port][/path]": the longest that is the name or a beginning of it at a
 * slash, then those in docker's old forms ("https://host/v1/"). 1: found; 0: none (or one without
 * credentials, as docker writes for what a helper has); -errno. */
int auth_file_find(const struct auth_file *file, const char *name, const char *what,
		   struct registry_auth *ret, struct err *err);
/* The helper that credHelpers has for the host, or NULL. */
const char *auth_file_helper(const struct auth_file *file, const char *host);

/* Enters a password, or an identity token when that is not NULL. */
void auth_file_set(struct auth_file *file, const char *name, const struct registry_auth *auth);
/* Removes the entry of that very name, and for a host its old forms. False: there was none. */
bool auth_file_remove(struct auth_file *file, const char *name);

/* Docker Hub's name in docker's files and for credential helpers; other hosts are called what they
 * are called. */
const char *auth_server_name(const char *host);

void registry_auth_done(struct registry_auth *auth);
