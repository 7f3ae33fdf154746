/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an image is, in the words of skopeo and podman (containers-transports(5)): "docker://NAME",
 * "oci:DIR[:REF]", "oci-archive:FILE[:REF]", "docker-archive:FILE[:REF]", "dir:DIR", and
 * "inro:NAME" or just a name for an image of our own store. Pure.
 */
#pragma once

#include "base/err.h"

enum transport {
	TRANSPORT_STORE,
	TRANSPORT_DOCKER, /* a registry */
	TRANSPORT_OCI,
	TRANSPORT_OCI_ARCHIVE,
	TRANSPORT_DOCKER_ARCHIVE,
	TRANSPORT_DIR,
	TRANSPORTS
};

struct transport_name {
	enum transport kind;
	char *name;       /* of an image in the store or a registry; NULL for the others */
	char *path, *ref; /* of the others; ref may be NULL */
};

/* ERR_USAGE: it names no path; ERR_UNSUPPORTED: a transport of the others that inro has not. */
int transport_parse(const char *word, struct transport_name *ret, struct err *err);
/* As it was written, but "inro:" left out. The caller frees. */
char *transport_format(const struct transport_name *name);
void transport_name_done(struct transport_name *name);
#define cleanup_transport CLEANUP(transport_name_done)

/* Is it written at once, as a whole, to a file or a directory that is not there yet? */
static inline bool transport_is_archive(enum transport kind)
{
	return kind == TRANSPORT_OCI_ARCHIVE || kind == TRANSPORT_DOCKER_ARCHIVE;
}
