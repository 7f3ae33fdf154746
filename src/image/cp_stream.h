/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `inro cp` sends from the process that reads files to the one that writes them, through a
 * pipe: CP_BEGIN, the top object with all below it, CP_END. A directory is followed by its members
 * and CP_LEAVE, a file by CP_DATA up to one of no bytes. Names are single ones, below the directory
 * that is open; a tarball's (layer/entries.h) are whole paths, without CP_LEAVE.
 *
 * The reader trusts nothing of it but its form: sizes are bounded, and an end without CP_END is an
 * error, -EPIPE, as then the other side knows why.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#define CP_PIPE_SIZE  (1 << 20)
#define CP_NAME_MAX   4096        /* bytes of a name or the target of a link */
#define CP_XATTRS_MAX (256 << 10) /* of all of an object */

enum cp_kind {
	CP_BEGIN = 1, /* mode: of the source; name: what it is called, "." for what is in it */
	CP_DIR,
	CP_LEAVE,
	CP_FILE,
	CP_DATA,
	CP_SYMLINK,
	CP_HARDLINK, /* link: path below the top directory */
	CP_FIFO,
	CP_DEVICE,
	CP_END,
	CP_KINDS
};

struct cp_head {
	uint32_t kind, mode; /* mode: with the type */
	uint32_t uid, gid, major, minor, mtime_ns;
	uint32_t name_len, link_len, xattrs_len; /* what follows */
	int64_t mtime;
	uint64_t size;   /* of the file, or of the data that follows */
	uint64_t offset; /* of data */
};

struct cp_out {
	int fd;
	struct buf pending;
	bool no_splice;
};
/* name and link may be NULL; xattrs: name, NUL, uint32_t length, value, of each. */
int cp_put(struct cp_out *out, const struct cp_head *head, const char *name, const char *link,
	   const struct buf *xattrs, struct err *err);
/* len bytes of the file fd at offset; where it has become shorter, zeros. */
int cp_put_data(struct cp_out *out, int fd, uint64_t offset, uint64_t len, struct err *err);
int cp_put_bytes(struct cp_out *out, const void *data, uint64_t offset, size_t len,
		 struct err *err);
int cp_flush(struct cp_out *out, struct err *err);

struct cp_in {
	int fd;
	char *data;
	size_t start, end;
	bool no_splice;
	int cancel_fd; /* -ECANCELED when it is readable; <= 0: none */
};
struct cp_entry {
	struct cp_head head;
	char *name, *link; /* "" when there is none */
	struct buf xattrs;
};
void cp_entry_done(struct cp_entry *e);
/* The next one, in the place of what e holds. */
int cp_get(struct cp_in *in, struct cp_entry *e, struct err *err);
/* The data of head, to its offset in fd. what: for messages. */
int cp_get_data(struct cp_in *in, const struct cp_head *head, int fd, const char *what,
		struct err *err);
/* Some of the data: up to len bytes, 1 at least. */
ssize_t cp_get_bytes(struct cp_in *in, const char **ret, size_t len, struct err *err);
/* One after the other: starts with *pos 0. 1, 0 at the end, or -EPROTO. */
int cp_next_xattr(const struct buf *xattrs, size_t *pos, const char **ret_name,
		  const char **ret_value, size_t *ret_len);
