/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of a log (runtime/logline.h), open, while its writer goes on and renames them: none is
 * missed and none comes twice. A file's number only grows, so they are looked for from the newest
 * on: what moves meanwhile is met again and known by its inode, which stays taken while it is open.
 */
#pragma once

#include "base/err.h"

struct logset_file {
	int fd;
	dev_t dev;
	ino_t ino;
};
struct logset {
	int dirfd; /* the caller's */
	const char *name;
	struct logset_file *files; /* the oldest first */
	size_t n;
	bool lost; /* files went before they were opened */
};

/* A log without a file is an empty set. 0 or -errno. */
int logset_open(struct logset *set, int dirfd, const char *name, struct err *err);
/* Opens those that are newer than the last one. 1: there are; 0; or -errno. */
int logset_refresh(struct logset *set, struct err *err);
/* Closes the n oldest ones. */
void logset_drop(struct logset *set, size_t n);
void logset_done(struct logset *set);
