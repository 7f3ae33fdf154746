/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credential helpers: programs docker-credential-NAME that keep passwords in a key ring. They are
 * looked for in PATH and run with the user's rights and environment; what they answer is limited
 * and parsed strictly. Protocol: the verb is the argument, the question is on stdin, the answer on
 * stdout (docker-credential-helpers' README).
 */
#pragma once

#include "image/registry/proto.h"

/* server: as auth_server_name() gives it. 1: found, 0: the helper has none, -errno (-ENOENT: there
 * is no such helper). */
int credhelper_get(const char *helper, const char *server, struct registry_auth *ret,
		   struct err *err);
int credhelper_store(const char *helper, const char *server, const struct registry_auth *auth,
		     struct err *err);
/* Nothing there is no error. */
int credhelper_erase(const char *helper, const char *server, struct err *err);

/* Pure: the answer to get. A username "<token>" says that the secret is an identity token. */
int credhelper_parse(const char *text, size_t len, struct registry_auth *ret, struct err *err);
