/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files and directories that commands write where the user says (-o): they appear whole or not at
 * all. A file has no name until it is finished, where the file system can do that; else, and for a
 * directory, a temporary one beside its own.
 */
#pragma once

#include <sys/types.h>

#include "base/err.h"

struct output {
	int fd;     /* to write to, or the directory */
	int parent; /* directory that the result appears in */
	char *name; /* in parent; NULL: nothing to rename (standard output, a device) */
	char *tmp;  /* in parent, or NULL: a file without a name */
	bool dir, done;
	mode_t mode; /* of a new file, less the umask: images may hold secrets, so as docker */
	/* Of a directory that is to be replaced: may it be? NULL: none is. */
	bool (*replace)(int dir_fd);
};
#define OUTPUT_INIT                                                                                \
	{                                                                                          \
		.fd = -EBADF, .parent = -EBADF, .mode = 0600                                       \
	}

/* path NULL: standard output, unless that is a terminal: the error says that what ("save") goes
 * there not. What is no regular file, as /dev/null or a pipe, is written as it is. */
int output_open(const char *path, const char *what, struct output *ret, struct err *err);
/* A directory, which is not there yet, or empty, or one that replace (or NULL) says may go when the
 * new one is whole. */
int output_open_dir(const char *path, bool (*replace)(int dir_fd), struct output *ret,
		    struct err *err);
/* Gives it its name. */
int output_finish(struct output *out, struct err *err);
/* Removes it unless it is finished. */
void output_done(struct output *out);
#define cleanup_output CLEANUP(output_done)

/* Is it where standard output goes? Then nothing else may be written there. */
bool output_is_stdout(const struct output *out);
/* A short text, as a digest, to a file that the user names: it takes the place of the one that is
 * there, or of that which a link leads to; what is no regular file, as /dev/stdout, is written to.
 */
int output_text(const char *path, const char *text, struct err *err);

#define OUTPUT_EPOCH_MAX 253402300799 /* the year 9999 */
/* SOURCE_DATE_EPOCH (reproducible-builds.org): 1 and seconds since 1970, 0: not set. */
int output_epoch(int64_t *ret, struct err *err);
