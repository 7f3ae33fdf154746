/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image from a registry into the store: manifest, config, then all layers at once, each through
 * the pipeline of layer/pipeline.h. What is there already is not fetched, what a killed pull has
 * left is gone on with, and what another process is fetching now is waited for. The registry is not
 * believed: documents are verified here, layers by the stages that hash.
 */
#pragma once

#include "image/image.h"
#include "image/registry_run.h"

enum pull_state {
	PULL_WAITING,     /* for its turn */
	PULL_SHARED,      /* another process is fetching it */
	PULL_DOWNLOADING, /* and unpacking */
	PULL_UNPACKING,   /* all is here but not unpacked yet */
	PULL_DONE,
	PULL_EXISTS /* was there */
};

struct pull_layer {
	const char *digest, *diff_id;
	uint64_t size, done; /* bytes of the blob */
	enum pull_state state;
};

/* Who wants to see what happens; all may be NULL. */
struct pull_watch {
	/* The document that the reference means is here. */
	void (*resolved)(void *data, const char *digest);
	/* States have changed, or time has passed (interval_ms, 0: never). */
	void (*layers)(void *data, const struct pull_layer *layers, size_t n);
	/* Something worth a line, such as a try that failed. */
	void (*notice)(void *data, const char *text);
	int interval_ms;
	void *data;
};

#define PULL_PARALLEL 6

struct pull_request {
	struct registry_conn *conn;
	struct registry_endpoint *endpoints; /* mirrors first */
	size_t n_endpoints;
	const char *reference;               /* a tag or a digest */
	const char *digest;                  /* what it must be, or NULL */
	const char *repository;              /* "docker.io/library/debian" */
	const struct oci_platform *platform; /* NULL: this machine's */
	size_t parallel;                     /* layers at once, at most 32; 0: PULL_PARALLEL */
	const struct pull_watch *watch;
	/* Is the image let in? Asked when its manifest is here (and verified), before its config
	 * and layers are. digest: of what the reference means; manifest: of the image in it. NULL:
	 * yes. No request is under way. */
	int (*allow)(void *data, const char *digest, const char *manifest, struct err *err);
	void *allow_data;
};

struct pulled {
	struct image image; /* its manifest_digest: of the image itself */
	char *digest;       /* of what the reference means: an index, or the manifest; also after a
			       failure, when the registry has it */
	bool new_data;      /* something had to be fetched */
};
void pulled_done(struct pulled *pulled);
#define cleanup_pulled CLEANUP(pulled_done)

/* The store's lock is held afterwards, until image_store_unlock(), also on failure. ERR_NOT_FOUND:
 * the registry has no such image, or none for the platform. */
int image_pull(struct image_store *store, const struct pull_request *req, struct pulled *ret,
	       struct err *err);
