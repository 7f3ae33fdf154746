/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/entries.h"

#include <string.h>
#include <sys/stat.h>

#include "base/str.h"
#include "image/cp_stream.h"
#include "image/layer/tar.h"

struct entries {
	struct source *src;
	struct archive *tar;
	struct cp_out out;
	struct buf xattrs;
};

static const struct buf *xattrs_of(struct entries *e, struct archive_entry *entry)
{
	const char *name;
	const void *value;
	size_t len;

	buf_reset(&e->xattrs);
	archive_entry_xattr_reset(entry);
	while (archive_entry_xattr_next(entry, &name, &value, &len) == ARCHIVE_OK) {
		uint32_t size = (uint32_t)len;

		if (!(str_starts(name, "user.") && !str_starts(name, "user.overlay.")) &&
		    !str_eq(name, "security.capability"))
			continue;
		if (e->xattrs.len + strlen(name) + len + 8 > CP_XATTRS_MAX)
			continue;
		buf_add(&e->xattrs, name, strlen(name) + 1);
		buf_add(&e->xattrs, &size, sizeof(size));
		buf_add(&e->xattrs, value, len);
	}
	return &e->xattrs;
}

/* 0: nothing that is copied. */
static uint32_t kind_of(struct archive_entry *entry)
{
	if (archive_entry_hardlink(entry))
		return CP_HARDLINK;
	switch (archive_entry_filetype(entry)) {
	case AE_IFREG:
		return CP_FILE;
	case AE_IFDIR:
		return CP_DIR;
	case AE_IFLNK:
		return CP_SYMLINK;
	case AE_IFIFO:
		return CP_FIFO;
	case AE_IFCHR:
	case AE_IFBLK:
		return CP_DEVICE;
	default:
		return 0;
	}
}

static int put_data(struct entries *e, struct err *err)
{
	const void *data;
	int64_t offset;
	size_t len;
	int r;

	while ((r = tar_data(e->tar, e->src, &data, &len, &offset, err)) > 0) {
		if (len == 0)
			continue;
		r = cp_put_bytes(&e->out, data, (uint64_t)offset, len, err);
		if (r < 0)
			return r;
	}
	return r < 0 ? r : cp_put_bytes(&e->out, "", 0, 0, err);
}

static int put_member(struct entries *e, struct archive_entry *entry, struct err *err)
{
	struct cp_head head = {
		.kind = kind_of(entry),
		.mode = (archive_entry_perm(entry) & 07777) | archive_entry_filetype(entry),
		.uid = (uint32_t)archive_entry_uid(entry),
		.gid = (uint32_t)archive_entry_gid(entry),
		.major = (uint32_t)archive_entry_rdevmajor(entry),
		.minor = (uint32_t)archive_entry_rdevminor(entry),
		.mtime = archive_entry_mtime(entry),
		.mtime_ns = (uint32_t)archive_entry_mtime_nsec(entry) % 1000000000,
	};
	cleanup_free char *name = tar_clean(archive_entry_pathname(entry), "name", err);
	cleanup_free char *first = NULL;
	const char *link = NULL;
	int r;

	if (!name)
		return -EINVAL;
	if (!head.kind)
		return 0;
	if (head.kind == CP_HARDLINK) {
		first = tar_clean(archive_entry_hardlink(entry), "link target", err);
		if (!first)
			return -EINVAL;
		link = first;
	}
	if (head.kind == CP_SYMLINK)
		link = archive_entry_symlink(entry);
	if (head.kind == CP_SYMLINK && !link)
		return err_fail(err, ERR_INVALID, "%s: symlink without a target", name);
	if (head.kind == CP_FILE && archive_entry_size(entry) > 0)
		head.size = (uint64_t)archive_entry_size(entry);
	r = cp_put(&e->out, &head, *name ? name : ".", link, xattrs_of(e, entry), err);
	return r < 0 || head.kind != CP_FILE ? r : put_data(e, err);
}

static int put_all(struct entries *e, struct err *err)
{
	struct cp_head mark = { .kind = CP_BEGIN, .mode = S_IFDIR };
	struct archive_entry *entry;
	int r = cp_put(&e->out, &mark, ".", NULL, NULL, err);

	while (r >= 0 && (r = tar_next(e->tar, e->src, &entry, err)) > 0)
		r = put_member(e, entry, err);
	/* A writer on a pipe must not see it break, and a cut archive must not pass. */
	if (r == 0)
		r = source_drain(e->src, err);
	mark = (struct cp_head){ .kind = CP_END };
	if (r == 0)
		r = cp_put(&e->out, &mark, NULL, NULL, NULL, err);
	return r < 0 ? r : cp_flush(&e->out, err);
}

int entries_write(int in_fd, const struct source_limits *limits, int out_fd, struct err *err)
{
	struct entries e = { .out = { .fd = out_fd } };
	int r;

	e.src = source_new(in_fd, limits, 0);
	e.tar = tar_open(e.src, err);
	r = e.tar ? put_all(&e, err) : -EINVAL;
	if (e.tar)
		archive_read_free(e.tar);
	source_free(e.src);
	buf_done(&e.out.pending);
	buf_done(&e.xattrs);
	return r;
}
