/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/cp_tar.h"

#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "image/tar_header.h"

#define XATTRS_MAX 256
#define CHUNK      (64u << 10)

struct tar_out {
	struct cp_in *in;
	int fd;
	struct cp_entry e;
	struct buf pending;
	struct buf path; /* of the directory that is open, with a slash behind it */
	size_t *lengths; /* of path, one level up each */
	size_t n, cap, top;
	uint64_t bytes;
};

static int flush(struct tar_out *t, struct err *err)
{
	int r = io_write(t->fd, buf_str(&t->pending), t->pending.len);

	buf_reset(&t->pending);
	return r < 0 ? err_errno(err, -r, "writing the archive") : 0;
}

static int wrong(struct err *err)
{
	return err_errno(err, EPROTO, "reading what is to be copied");
}

static int write_header(struct tar_out *t, struct tar_member *m, const char *name, struct err *err)
{
	const struct cp_head *h = &t->e.head;
	struct tar_xattr xattrs[XATTRS_MAX];
	const char *attr, *value;
	size_t pos = 0, len;
	int r = 0;

	m->name = name;
	m->mode = h->mode & 07777;
	m->uid = h->uid;
	m->gid = h->gid;
	m->mtime = h->mtime;
	m->mtime_ns = h->mtime_ns;
	while (m->n_xattrs < XATTRS_MAX &&
	       (r = cp_next_xattr(&t->e.xattrs, &pos, &attr, &value, &len)) > 0)
		if (!strchr(attr, '='))
			xattrs[m->n_xattrs++] =
			    (struct tar_xattr){ (char *)attr, (char *)value, len };
	if (r < 0)
		return wrong(err);
	m->xattrs = xattrs;
	tar_header_add(&t->pending, m);
	m->xattrs = NULL;
	return t->pending.len >= CHUNK ? flush(t, err) : 0;
}

static int write_zeros(struct tar_out *t, uint64_t n, struct err *err)
{
	int r = 0;

	while (r == 0 && n > 0) {
		size_t some = n < CHUNK ? (size_t)n : CHUNK;

		tar_zeros_add(&t->pending, some);
		n -= some;
		if (t->pending.len >= CHUNK)
			r = flush(t, err);
	}
	return r;
}

static int write_part(struct tar_out *t, uint64_t len, struct err *err)
{
	int r = flush(t, err);

	while (r == 0 && len > 0) {
		const char *data;
		ssize_t n = cp_get_bytes(t->in, &data, len < CHUNK ? (size_t)len : CHUNK, err);

		if (n < 0)
			return (int)n;
		r = io_write(t->fd, data, (size_t)n);
		if (r < 0)
			return err_errno(err, -r, "writing the archive");
		len -= (uint64_t)n;
	}
	return r;
}

/* Parts in the order of their offsets, zeros in between. */
static int write_data(struct tar_out *t, uint64_t size, struct err *err)
{
	struct cp_entry part = { .xattrs = BUF_INIT };
	uint64_t at = 0;
	int r;

	do {
		const struct cp_head *h = &part.head;

		r = cp_get(t->in, &part, err);
		if (r == 0 &&
		    (h->kind != CP_DATA || (h->size > 0 && (h->offset < at || h->size > size ||
							    h->offset > size - h->size))))
			r = wrong(err);
		if (r == 0 && h->size > 0) {
			r = write_zeros(t, h->offset - at, err);
			at = h->offset + h->size;
			t->bytes += h->size;
		}
		if (r == 0)
			r = write_part(t, h->size, err);
	} while (r == 0 && part.head.size > 0);
	cp_entry_done(&part);
	return r < 0 ? r : write_zeros(t, size - at + tar_padding(size), err);
}

/* ---- members ---- */

static void enter(struct tar_out *t, const char *name)
{
	if (t->n == t->cap) {
		t->cap = t->cap ? 2 * t->cap : 16;
		t->lengths = xrealloc(t->lengths, t->cap * sizeof(*t->lengths));
	}
	t->lengths[t->n++] = t->path.len;
	if (strcmp(name, ".") != 0)
		buf_addf(&t->path, "%s/", name);
	if (t->n == 1)
		t->top = t->path.len;
}

static int leave(struct tar_out *t, struct err *err)
{
	if (t->n == 0)
		return wrong(err);
	t->path.len = t->lengths[--t->n];
	if (t->path.data)
		t->path.data[t->path.len] = '\0';
	return 0;
}

static int member(struct tar_out *t, struct err *err)
{
	static const enum tar_type types[] = {
		[CP_DIR] = TAR_DIR,           [CP_FILE] = TAR_FILE, [CP_SYMLINK] = TAR_SYMLINK,
		[CP_HARDLINK] = TAR_HARDLINK, [CP_FIFO] = TAR_FIFO, [CP_DEVICE] = TAR_CHARDEV,
	};
	const struct cp_head *h = &t->e.head;
	cleanup_free char *name = xasprintf("%s%s", buf_str(&t->path), t->e.name);
	cleanup_free char *link = NULL;
	struct tar_member m = { .type = types[h->kind], .major = h->major, .minor = h->minor };
	int r;

	if (h->kind == CP_DEVICE && S_ISBLK(h->mode))
		m.type = TAR_BLOCKDEV;
	if (h->kind == CP_HARDLINK)
		link = xasprintf("%.*s%s", (int)t->top, buf_str(&t->path), t->e.link);
	if (h->kind == CP_HARDLINK || h->kind == CP_SYMLINK)
		m.link = link ? link : t->e.link;
	m.size = h->kind == CP_FILE ? h->size : 0;
	r = write_header(t, &m, name, err);
	if (r == 0 && h->kind == CP_FILE)
		r = write_data(t, h->size, err);
	if (r == 0 && h->kind == CP_DIR)
		enter(t, t->e.name);
	return r;
}

static int follow(struct tar_out *t, struct err *err)
{
	for (;;) {
		int r = cp_get(t->in, &t->e, err);

		if (r < 0)
			return r;
		switch (t->e.head.kind) {
		case CP_END:
			tar_zeros_add(&t->pending, 2 * TAR_BLOCK);
			return flush(t, err);
		case CP_BEGIN:
			break;
		case CP_DATA:
			return wrong(err);
		case CP_LEAVE:
			r = leave(t, err);
			break;
		default:
			r = member(t, err);
		}
		if (r < 0)
			return r;
	}
}

int cp_tar_write(struct cp_in *in, int fd, uint64_t *ret_bytes, struct err *err)
{
	struct tar_out t = { .in = in, .fd = fd };
	int r = follow(&t, err);

	*ret_bytes = t.bytes;
	cp_entry_done(&t.e);
	buf_done(&t.pending);
	buf_done(&t.path);
	free(t.lengths);
	return r;
}
