/* SPDX-License-Identifier: Apache-2.0 */
/* What went wrong, in words for who typed the command: status, the registry's own reason, a hint.
 * Everything that a registry says is cut and cleaned. */
#pragma once

#include "image/registry/call.h"

/* A status that is no success, as an error of its kind; sets code and after of the answer. */
int failure_status(struct job *job, struct call *call, struct err *err);
/* r of an exchange without an answer: adds what can be done about it. Returns r. */
int failure_transport(struct job *job, struct call *call, int r, struct err *err);
/* A 401 that no credentials of ours cure. */
int failure_denied(struct job *job, struct call *call, const char *why, struct err *err);

/* "Too Many Requests", or "" for a status that is nothing special. */
const char *failure_status_name(int status);
/* The first error in a registry's or token server's document. Pure; the texts are cut to 300 bytes
 * and cleaned; NULL: none. The caller frees both. */
void failure_parse(const char *body, size_t len, char **ret_code, char **ret_message);
