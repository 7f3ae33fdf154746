/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Artifacts: files of any kind under the name and manifest of an image (image-spec manifest.md,
 * Guidelines for Artifact Usage), as podman keeps them. They are rows of the images' table, of
 * their own kind: their blobs are the store's, nothing is unpacked. A name is an image's or an
 * artifact's.
 */
#pragma once

#include "engine/images.h"
#include "image/store.h"

#define ARTIFACT_TITLE   "org.opencontainers.image.title"
#define ARTIFACT_CREATED "org.opencontainers.image.created"

struct artifact {
	struct image_row row;
	struct oci_manifest manifest;
	char *text; /* the manifest as it is */
};
void artifact_done(struct artifact *artifact);
#define cleanup_artifact CLEANUP(artifact_done)

/* By name or digest. ERR_NOT_FOUND: there is none; an image is none. */
int artifact_read(struct engine *eng, const char *word, struct artifact *ret, struct err *err);
/* All, newest first, with their names. */
int artifact_list(struct engine *eng, struct image_rows *ret, struct err *err);

struct artifact_file {
	int fd;
	const char *title; /* one name, without slashes */
};
struct artifact_add_options {
	const char *type;            /* of the artifact, NULL: unknown */
	const char *file_type;       /* of the files, NULL: application/octet-stream */
	struct json_map annotations; /* of the files */
	bool append;                 /* to the artifact of that name */
	bool replace;                /* it */
};
/* Makes an artifact of the files, or adds them to one as it is then, whoever else does so at the
 * same time. It is on the disk when this returns. ERR_EXISTS: the name is in use, or the artifact
 * has a file of that title. *ret_digest: heap. */
int artifact_add(struct engine *eng, const char *name, const struct artifact_file *files, size_t n,
		 const struct artifact_add_options *options, char **ret_digest, struct err *err);
/* Is the name, in full, free for an artifact? ERR_EXISTS: an image has it. */
int artifact_check_name(struct engine *eng, const char *full, struct err *err);
/* Enters one whose manifest is text; blobs that the store lacks are in the staging directory. The
 * store's lock is given back. ERR_EXISTS: an image has the name. */
int artifact_enter(struct engine *eng, const struct staging *st, const struct buf *text,
		   char *const *names, char *const *repo_digests, struct err *err);
/* With all of its names, also when it is broken. *ret_digest: heap. */
int artifact_remove(struct engine *eng, const char *word, char **ret_digest, struct err *err);

/* Which of its files: that of the digest, that of the title, or with neither all. */
struct artifact_choice {
	const char *digest, *title;
};
size_t artifact_count(const struct artifact *artifact, const struct artifact_choice *choice);
/* The bytes of the files that are chosen, one behind the other. */
int artifact_write(struct engine *eng, const struct artifact *artifact,
		   const struct artifact_choice *choice, int out_fd, struct err *err);
/* Each file that is chosen, into the directory: it is called what its title says, which must be one
 * name, or "sha256-<hex>" without a title and when the digest chooses it. What has such a name is
 * replaced when the new file is whole, if it is a regular file. Before anything is written,
 * ERR_INVALID: a title is no name, or two files have the same; ERR_EXISTS: there is something else
 * of that name. */
int artifact_extract(struct engine *eng, const struct artifact *artifact,
		     const struct artifact_choice *choice, int dir_fd, struct err *err);
