/* SPDX-License-Identifier: Apache-2.0 */
#include "image/save_out.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/io.h"
#include "image/tar_header.h"

static int pending_write(struct save_out *out, struct err *err)
{
	int r = io_write(out->fd, buf_str(&out->pending), out->pending.len);

	buf_reset(&out->pending);
	return r < 0 ? err_errno(err, -r, "writing the archive") : 0;
}

static void member_add(struct save_out *out, enum tar_type type, const char *name, uint64_t size)
{
	const struct tar_member member = { .type = type,
					   .name = name,
					   .mode = type == TAR_DIR ? 0755 : 0644,
					   .size = size,
					   .mtime = out->mtime };

	tar_header_add(&out->pending, &member);
}

int save_out_dir(struct save_out *out, const char *name, struct err *err)
{
	if (!out->dir) {
		member_add(out, TAR_DIR, name, 0);
		return 0;
	}
	return mkdirat(out->fd, name, 0755) < 0 ? err_errno(err, errno, "creating %s", name) : 0;
}

static int file_create(struct save_out *out, const char *name, struct err *err)
{
	int fd = openat(out->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

	return fd < 0 ? err_errno(err, errno, "creating %s", name) : fd;
}

int save_out_text(struct save_out *out, const char *name, const struct buf *text, struct err *err)
{
	if (!out->dir) {
		member_add(out, TAR_FILE, name, text->len);
		buf_add(&out->pending, buf_str(text), text->len);
		tar_zeros_add(&out->pending, tar_padding(text->len));
		return 0;
	}
	cleanup_fd int fd = file_create(out, name, err);
	int r = fd < 0 ? fd : io_write(fd, buf_str(text), text->len);
	return fd >= 0 && r < 0 ? err_errno(err, -r, "writing %s", name) : r;
}

int save_out_file(struct save_out *out, const char *name, int in_fd, uint64_t size, struct err *err)
{
	cleanup_fd int file = -EBADF;
	int r = 0;

	if (out->dir) {
		file = file_create(out, name, err);
		if (file < 0)
			return file;
	} else {
		member_add(out, TAR_FILE, name, size);
		r = pending_write(out, err);
		if (r < 0)
			return r;
	}
	int64_t n = io_copy(in_fd, out->dir ? file : out->fd);
	if (n < 0)
		return err_errno(err, (int)-n, "writing %s", name);
	if ((uint64_t)n != size)
		return err_fail(err, ERR_CORRUPT, "writing %s: %" PRId64 " bytes of %" PRIu64, name,
				n, size);
	if (!out->dir)
		tar_zeros_add(&out->pending, tar_padding(size));
	return 0;
}

int save_out_end(struct save_out *out, struct err *err)
{
	if (out->dir)
		return 0;
	tar_zeros_add(&out->pending, 2 * (size_t)TAR_BLOCK);
	return pending_write(out, err);
}
