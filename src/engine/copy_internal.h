/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of engine_copy(): copy_source.c reads, copy_collect.c looks at what it names, copy_sink.c
 * writes, copy_store.c enters what came into our store, copy_blobs.c is in between. */
#pragma once

#include "engine/copy.h"
#include "engine/trust.h"
#include "image/layer_run.h"
#include "image/layout.h"
#include "image/load.h"

struct copy_source {
	const struct transport_name *name;
	/* Files under their hex names; negative: it is a registry. */
	int blobs_fd;
	bool trusted;      /* our own store's, which were hashed when they came */
	bool dir_names;    /* manifests are HEX.manifest.json */
	struct load *load; /* an archive, taken apart */
	struct registry_conn conn;
	struct registry_endpoints endpoints;
	char *repository; /* at the registry */
	struct reference ref;
	struct trust trust; /* what the policy wants of it */
	/* What the name means. */
	struct buf text;
	char *digest, *media_type;
	char **names; /* that the source has for it */
	bool made;    /* the manifest is ours: a docker-archive has none */
};

struct copy_sink {
	const struct transport_name *name;
	int top_fd;   /* of a layout */
	int blobs_fd; /* where blobs get their hex names, or new files lie until they are sent */
	bool fresh;   /* nothing that was there before is used */
	struct staging staging;
	struct reference ref;
	struct registry_conn conn; /* fd < 0: no registry */
	struct registry_endpoints endpoints;
};

/* A manifest or index, written when all that it names is there. */
struct copy_doc {
	char *digest, *media_type;
	struct buf text;
	bool list;
};

enum blob_step {
	BLOB_WAITING,
	BLOB_ASKED,    /* does the destination have it? */
	BLOB_CHECKING, /* is what it has that? */
	BLOB_FETCHING, /* into a file, while it is hashed */
	BLOB_SENDING,  /* to a registry */
	BLOB_DONE
};
struct copy_blob {
	char *digest;
	uint64_t size;
	char **urls; /* where else it is: of a foreign layer */
	size_t skip; /* endpoints that gave something else */
	enum blob_step step;
	uint64_t from_id, to_id; /* requests under way */
	bool running;            /* job */
	struct layer_job job;
	struct layout_file file;
	char *found; /* the digest that the job has seen */
	uint64_t found_size;
	int from_failed, job_failed;
	struct err from_err, job_err;
};

struct copy {
	struct engine *eng;
	const struct copy_options *options;
	struct oci_platform platform; /* os NULL: this machine's */
	struct copy_source source;
	struct copy_sink sink;
	struct copy_blob *blobs;
	struct copy_doc *docs; /* in the order of writing, the image's own last */
	size_t n_blobs, cap_blobs, n_docs;
	uint64_t docs_bytes;
	char *manifest; /* digest of the last one that was read, as the source has it */
};

static inline bool copy_from_registry(const struct copy *c)
{
	return c->source.blobs_fd < 0;
}
static inline bool copy_to_registry(const struct copy *c)
{
	return c->sink.conn.fd >= 0;
}
/* The image's own document, once all are collected. */
static inline const struct copy_doc *copy_top(const struct copy *c)
{
	return &c->docs[c->n_docs - 1];
}
void copy_tell(const struct copy *c, const struct push_event *event);
/* registries_start(), for a connection that tells of itself by copy_tell(). */
int copy_connect(struct copy *c, struct registry_conn *ret, struct err *err);
/* The n-th endpoint gave something else than it should: is there another one to ask? That is told.
 */
bool copy_try_next(const struct copy *c, size_t n, const struct err *why);

/* The full form of a name in our store. Heap. */
int copy_store_name(const char *name, char **ret, struct err *err);

int source_open(struct copy *c, struct err *err);
/* Does the policy let in what manifest is, of what the name means? Only a registry is asked: others
 * have no signatures. */
int source_trust(struct copy *c, const char *manifest, struct err *err);
/* A document that a descriptor names; verified. op: REGISTRY_MANIFEST or REGISTRY_BLOB. */
int source_document(struct copy *c, int op, const struct oci_descriptor *desc, struct buf *out,
		    struct err *err);
void source_done(struct copy_source *source);

/* All documents of what the source has opened, and what blobs they want. */
int copy_collect(struct copy *c, struct err *err);

/* What the destination's name says: checked before anything is fetched. */
int sink_init(struct copy *c, struct err *err);
int sink_open(struct copy *c, struct err *err);
/* Must it have layers that only their owner hands out? */
bool sink_wants_foreign(const struct copy *c);
/* Does our own store have the blob that is to be there? */
bool sink_has(const struct copy *c, const struct copy_blob *b);
/* A file of that name and size in a directory of somebody else's: an fd, or negative. */
int sink_open_there(const struct copy *c, const struct copy_blob *b);
/* Is there room for the blob where it lies until it is sent or whole? */
int sink_check_room(struct copy *c, const struct copy_blob *b, struct err *err);
/* Writes the documents; then it is there. */
int sink_finish(struct copy *c, struct copy_result *ret, struct err *err);
void sink_done(struct copy *c);

/* Writes all documents beside the blobs. */
int sink_write_docs(struct copy *c, struct err *err);
/* sink_finish() of our own store. */
int store_finish(struct copy *c, struct copy_result *ret, struct err *err);

int copy_blobs(struct copy *c, struct err *err);
