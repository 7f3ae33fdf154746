/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Single documents of registries, verified: what a name means there, and the manifests and
 * configurations that it leads to. Nothing is stored.
 */
#pragma once

#include "engine/registries.h"
#include "image/sha256.h"
#include "oci/image.h"

struct documents {
	struct engine *eng;
	const struct registry_access *access; /* may be NULL */
	struct registry_conn conn;            /* one for all names */
	/* of the name that was found last */
	struct reference ref;
	struct registry_endpoints from;
	struct buf text;
	char digest[SHA256_TEXT_MAX], *media_type;
};
#define DOCUMENTS_INIT                                                                             \
	{                                                                                          \
		.conn = REGISTRY_CONN_INIT                                                         \
	}

/* What the word means: "docker://" may stand before it, a short name is tried as settings say.
 * Fills ref, from, text, digest and media_type, which may be NULL. */
int documents_find(struct documents *docs, const char *word, struct err *err);
/* What a descriptor in there names, REGISTRY_MANIFEST or REGISTRY_BLOB, of OCI_BLOB_MAX bytes at
 * most. */
int documents_get(struct documents *docs, int op, const struct oci_descriptor *desc,
		  struct buf *out, struct err *err);
/* Manifests that refer to what was found, as an index. type: only these, or NULL. */
int documents_referrers(struct documents *docs, const char *type, struct buf *out, struct err *err);
void documents_done(struct documents *docs);
#define cleanup_documents CLEANUP(documents_done)
