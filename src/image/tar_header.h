/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing tar: POSIX ustar headers, with pax records (pax(1), "x" headers) for what does not fit.
 * Pure: bytes into a buffer, the same ones for the same member. Reading tar, which is hostile, is
 * libarchive's business and happens in inro-layer alone.
 */
#pragma once

#include "base/buf.h"

#define TAR_BLOCK 512u

enum tar_type {
	TAR_FILE = '0',
	TAR_HARDLINK = '1',
	TAR_SYMLINK = '2',
	TAR_CHARDEV = '3',
	TAR_BLOCKDEV = '4',
	TAR_DIR = '5',
	TAR_FIFO = '6',
};

struct tar_xattr {
	char *name; /* without '=' */
	char *value;
	size_t len;
};

struct tar_member {
	enum tar_type type;
	const char *name; /* any bytes; of a directory without the slash at its end */
	const char *link; /* target of a link, or NULL */
	uint32_t mode, uid, gid, major, minor;
	uint64_t size; /* of the data that follow: TAR_FILE only */
	/* GNU tar's sparse format 1.0: the data that follow begin with a map of the file's. */
	bool sparse;
	uint64_t real_size; /* of the file, then */
	int64_t mtime;      /* seconds since 1970 */
	uint32_t mtime_ns;
	const struct tar_xattr *xattrs;
	size_t n_xattrs;
};

/* Appends the member's header blocks. */
void tar_header_add(struct buf *out, const struct tar_member *member);
/* The zeros behind data of that size. */
size_t tar_padding(uint64_t size);
/* Appends n zeros; the end of an archive is two blocks of them. */
void tar_zeros_add(struct buf *out, size_t n);
