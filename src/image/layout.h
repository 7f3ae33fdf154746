/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directories that hold images and belong to somebody else: OCI layouts (image-spec
 * image-layout.md) and containers/image's "dir:". All that is in one is hostile: names are opened
 * one by one, without following links; devices and pipes are refused; sizes are bounded; nothing
 * is believed to have the digest that its name says.
 */
#pragma once

#include "base/buf.h"
#include "oci/image.h"

#define LAYOUT_FILE   "oci-layout"
#define LAYOUT_TEXT   "{\"imageLayoutVersion\":\"1.0.0\"}"
#define LAYOUT_INDEX  "index.json"
#define LAYOUT_REF    "org.opencontainers.image.ref.name"
#define LAYOUT_NAME   "io.containerd.image.name" /* a full name */
#define DIR_VERSION   "Directory Transport Version: 1.1\n"
#define DIR_VERSION_1 "Directory Transport Version: 1."

/* The file name of the directory: regular, and how large. fd or -errno. */
int layout_open_file(int dir_fd, const char *name, uint64_t *ret_size, struct err *err);
/* A document of at most OCI_BLOB_MAX bytes. */
int layout_read(int dir_fd, const char *name, struct buf *out, struct err *err);
/* The directory name in it, made when it is not there. fd or -errno. */
int layout_open_dir(int dir_fd, const char *name, bool make, struct err *err);

/* A new file, which has no name until it is whole. */
struct layout_file {
	int fd;
	char *tmp; /* where the file system has no files without names */
};
#define LAYOUT_FILE_INIT                                                                           \
	{                                                                                          \
		.fd = -EBADF, .tmp = NULL                                                          \
	}
int layout_create(int dir_fd, struct layout_file *ret, struct err *err);
/* Takes the place of what has the name. The fd stays open until layout_drop(). */
int layout_name(int dir_fd, struct layout_file *file, const char *name, struct err *err);
void layout_drop(int dir_fd, struct layout_file *file);
/* Creates, writes and names. */
int layout_add_text(int dir_fd, const char *name, const void *text, size_t len, struct err *err);

/* Is all that is in the directory an image of "dir:"? */
bool layout_is_dir(int dir_fd);

/* Reads oci-layout and index.json. ERR_NOT_FOUND: it is no layout. */
int layout_read_index(int dir_fd, struct oci_index *ret, struct err *err);
/* Can layout_index_add() do its part? Before anything is written. An empty directory will do. */
int layout_check(int dir_fd, struct err *err);
/* Is the name one that image-spec annotations.md allows: components of letters and digits, with
 * "-", ".", "_", ":", "@", "+" or "--" between them, joined by slashes? */
bool layout_ref_valid(const char *ref);
/* Puts the manifest into index.json, under that name (or NULL), which it takes from whoever has it.
 * Makes what makes an empty directory a layout. The lock on dir_fd keeps others away meanwhile. */
int layout_index_add(int dir_fd, const struct oci_descriptor *desc, const char *ref,
		     struct err *err);
/* The entry of that name, at the place "@N", or with NULL the only one. */
int layout_index_find(const struct oci_index *index, const char *ref,
		      const struct oci_descriptor **ret, struct err *err);
