/* SPDX-License-Identifier: Apache-2.0 */
/* Whole reads and writes. Sizes that come from outside carry a limit; over it: -EFBIG. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

/* Reads until len bytes or end of file. Returns bytes read or -errno. */
ssize_t io_read(int fd, void *buf, size_t len);
/* Writes all. 0 or -errno. */
int io_write(int fd, const void *buf, size_t len);
/* Reads all of fd behind what b holds; -EFBIG when more than limit bytes come. */
int io_read_all(int fd, struct buf *b, size_t limit);
/* Reads the file name in directory dirfd (AT_FDCWD allowed; trusted paths only). */
int io_read_file(int dirfd, const char *name, struct buf *b, size_t limit, struct err *err);
/* Opens (no create), writes in one write(2), closes: for procfs, sysfs, cgroupfs. */
int io_write_file(int dirfd, const char *name, const char *data, struct err *err);
/* Writes name so that readers and a crash see the old or the new content whole: temporary name in
 * the same directory, fsync when durable, rename. */
int io_replace_file(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
		    bool durable, struct err *err);
/* Copies all of in to out (copy_file_range, splice or read/write). Returns bytes or -errno. */
int64_t io_copy(int in, int out);
