/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of images as people write them (the grammar of the distribution project's reference
 * package): [domain/]path[:tag][@digest]. Parsing normalises the familiar short form: "debian" is
 * docker.io/library/debian:latest. Pure.
 *
 * domain: host name, IPv4 or [IPv6] with an optional port; path: lower-case components joined by
 * slashes; tag: [A-Za-z0-9_][A-Za-z0-9_.-]{0,127}; digest: see digest.h.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#define REFERENCE_NAME_MAX 255 /* domain and path with the slash between */

struct reference {
	char *domain; /* "docker.io", "localhost:5000"; never NULL after parsing */
	char *path;   /* "library/debian"; never NULL after parsing */
	char *tag;    /* NULL only when there is a digest instead */
	char *digest; /* "sha256:..." or NULL */
};

/* Parses and normalises. Without tag and digest the tag becomes "latest". 0, or -EINVAL. */
int reference_parse(const char *text, struct reference *ret, struct err *err);
void reference_done(struct reference *ref);
#define cleanup_reference CLEANUP(reference_done)

/* The full form "docker.io/library/debian:latest". The caller frees. */
char *reference_format(const struct reference *ref);
/* The short form that is shown: "debian:latest". It parses back to the same reference. The caller
 * frees. */
char *reference_familiar(const struct reference *ref);
/* The repository alone, in full and in the short form. The caller frees. */
char *reference_repository(const struct reference *ref);
char *reference_familiar_repository(const struct reference *ref);
/* reference_parse() and reference_format() in one step; the caller frees *ret. */
int reference_normalize(const char *text, char **ret, struct err *err);

/* name is "host[:port]" and may go on with "/..." or begin with "*.": the one spelling for all that
 * lead to the same registry, by which rules about registries are looked up. Lower case, addresses
 * as the kernel writes them, no port 443, docker.io for the other names that it has. What is behind
 * the slash stays. The caller frees. */
char *reference_registry_key(const char *name);
/* Does the text name a registry, so that short forms are out of the question? */
bool reference_has_domain(const char *text);
bool reference_tag_valid(const char *tag);
