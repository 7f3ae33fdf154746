/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading tar members: libarchive over a source, tar formats only. Names are bytes: what is not
 * valid UTF-8 comes through unchanged.
 */
#pragma once

#include <archive.h>
#include <archive_entry.h>

#include "image/layer/source.h"

/* Prepares the C library: call once, before the confinement. */
void tar_setup(void);
struct archive *tar_open(struct source *src, struct err *err); /* NULL on failure */
/* 1 and *ret_entry, 0 at the end, or -errno. */
int tar_next(struct archive *a, struct source *src, struct archive_entry **ret_entry,
	     struct err *err);
/* The next block of the member's data. 1, 0 at its end, or -errno. */
int tar_data(struct archive *a, struct source *src, const void **ret_data, size_t *ret_len,
	     int64_t *ret_offset, struct err *err);
/* The member's name without "", ".", ".." components and leading slash; "" is the root. NULL when
 * the name is missing or longer than PATH_MAX: err says so. The caller frees. */
char *tar_clean(const char *name, const char *what, struct err *err);
static inline void tar_cleanup_(struct archive **a)
{
	archive_read_free(*a);
}
#define cleanup_tar CLEANUP(tar_cleanup_)
