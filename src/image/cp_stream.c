/* SPDX-License-Identifier: Apache-2.0 */
#include "image/cp_stream.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"

#define PENDING (64u << 10)  /* written at once */
#define SMALL   (64u << 10)  /* data that is not worth a splice(2) */
#define CHUNK   (128u << 10) /* that the reader takes */

/* ---- writing ---- */

/* That the reader has gone is said by -EPIPE alone: it knows why. */
static int write_out(struct cp_out *out, const void *data, size_t len, struct err *err)
{
	int r = io_write(out->fd, data, len);

	return r < 0 ? err_errno(err, -r, "handing files on") : 0;
}

int cp_flush(struct cp_out *out, struct err *err)
{
	int r = out->pending.len ? write_out(out, out->pending.data, out->pending.len, err) : 0;

	buf_reset(&out->pending);
	return r;
}

static int put(struct cp_out *out, const void *data, size_t len, struct err *err)
{
	buf_add(&out->pending, data, len);
	return out->pending.len >= PENDING ? cp_flush(out, err) : 0;
}

int cp_put(struct cp_out *out, const struct cp_head *head, const char *name, const char *link,
	   const struct buf *xattrs, struct err *err)
{
	struct cp_head h = *head;

	h.name_len = name ? (uint32_t)strlen(name) : 0;
	h.link_len = link ? (uint32_t)strlen(link) : 0;
	h.xattrs_len = xattrs ? (uint32_t)xattrs->len : 0;
	if (h.name_len > CP_NAME_MAX || h.link_len > CP_NAME_MAX || h.xattrs_len > CP_XATTRS_MAX)
		return err_errno(err, ENAMETOOLONG, "%.100s", name ? name : "");
	buf_add(&out->pending, &h, sizeof(h));
	if (name)
		buf_adds(&out->pending, name);
	if (link)
		buf_adds(&out->pending, link);
	return put(out, xattrs ? buf_str(xattrs) : "", h.xattrs_len, err);
}

int cp_put_bytes(struct cp_out *out, const void *data, uint64_t offset, size_t len, struct err *err)
{
	const struct cp_head head = { .kind = CP_DATA, .size = len, .offset = offset };

	buf_add(&out->pending, &head, sizeof(head));
	return put(out, data, len, err);
}

/* What the file lacks by now of what was promised is zeros. */
static int put_by_hand(struct cp_out *out, int fd, uint64_t offset, uint64_t len, struct err *err)
{
	cleanup_free char *chunk = xmalloc(len < CHUNK ? (size_t)len : CHUNK);
	int r = 0;

	while (len > 0 && r == 0) {
		size_t want = len < CHUNK ? (size_t)len : CHUNK;
		ssize_t n = NO_EINTR(pread(fd, chunk, want, (off_t)offset));

		if (n < 0)
			return err_errno(err, errno, "reading");
		if (n == 0) {
			memset(chunk, 0, want);
			n = (ssize_t)want;
		}
		r = put(out, chunk, (size_t)n, err);
		offset += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return r;
}

int cp_put_data(struct cp_out *out, int fd, uint64_t offset, uint64_t len, struct err *err)
{
	const struct cp_head head = { .kind = CP_DATA, .size = len, .offset = offset };
	int r = cp_put(out, &head, NULL, NULL, NULL, err);

	if (r == 0 && len > SMALL && !out->no_splice)
		r = cp_flush(out, err);
	while (r == 0 && len > SMALL && !out->no_splice) {
		off_t at = (off_t)offset;
		ssize_t n = NO_EINTR(splice(fd, &at, out->fd, NULL,
					    len < CP_PIPE_SIZE ? (size_t)len : CP_PIPE_SIZE, 0));

		/* The rest, or the error of this, by hand. */
		if (n < 0 && errno == EPIPE)
			return err_errno(err, EPIPE, "handing files on");
		if (n <= 0) {
			out->no_splice = n < 0;
			break;
		}
		offset += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return r < 0 ? r : put_by_hand(out, fd, offset, len, err);
}

/* ---- reading ---- */

void cp_entry_done(struct cp_entry *e)
{
	free(e->name);
	free(e->link);
	e->name = e->link = NULL;
	buf_done(&e->xattrs);
}

static int ended(struct err *err)
{
	return err_errno(err, EPIPE, "reading what is to be copied");
}

/* Waits for something to read, or a signal, which stays to be taken. */
static bool is_cancelled(const struct cp_in *in)
{
	struct pollfd fds[] = { { .fd = in->cancel_fd, .events = POLLIN },
				{ .fd = in->fd, .events = POLLIN } };

	return in->cancel_fd > 0 && NO_EINTR(poll(fds, 2, -1)) > 0 && (fds[0].revents & POLLIN);
}

/* Some bytes into the empty buffer. */
static int fill(struct cp_in *in, struct err *err)
{
	ssize_t n;

	if (is_cancelled(in))
		return err_errno(err, ECANCELED, "copying");
	if (!in->data)
		in->data = xmalloc(CHUNK);
	n = NO_EINTR(read(in->fd, in->data, CHUNK));
	if (n < 0)
		return err_errno(err, errno, "reading what is to be copied");
	in->start = 0;
	in->end = (size_t)n;
	return n == 0 ? ended(err) : 0;
}

ssize_t cp_get_bytes(struct cp_in *in, const char **ret, size_t len, struct err *err)
{
	size_t n;
	int r = in->start == in->end ? fill(in, err) : 0;

	if (r < 0)
		return r;
	n = in->end - in->start < len ? in->end - in->start : len;
	*ret = in->data + in->start;
	in->start += n;
	return (ssize_t)n;
}

static int get(struct cp_in *in, void *to, size_t len, struct err *err)
{
	char *p = to;

	while (len > 0) {
		const char *from;
		ssize_t n = cp_get_bytes(in, &from, len, err);

		if (n < 0)
			return (int)n;
		memcpy(p, from, (size_t)n);
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static int get_string(struct cp_in *in, uint32_t len, char **ret, struct err *err)
{
	char *s = xmalloc((size_t)len + 1);
	int r = get(in, s, len, err);

	free(*ret);
	*ret = s;
	s[r < 0 ? 0 : len] = '\0';
	if (r == 0 && strlen(s) != len)
		r = err_errno(err, EPROTO, "reading what is to be copied");
	return r;
}

int cp_get(struct cp_in *in, struct cp_entry *e, struct err *err)
{
	struct cp_head *h = &e->head;
	int r = get(in, h, sizeof(*h), err);

	if (r < 0)
		return r;
	if (h->kind == 0 || h->kind >= CP_KINDS || h->name_len > CP_NAME_MAX ||
	    h->link_len > CP_NAME_MAX || h->xattrs_len > CP_XATTRS_MAX || h->size > INT64_MAX ||
	    h->offset > INT64_MAX || h->mtime_ns >= 1000000000)
		return err_errno(err, EPROTO, "reading what is to be copied");
	r = get_string(in, h->name_len, &e->name, err);
	if (r == 0)
		r = get_string(in, h->link_len, &e->link, err);
	buf_reset(&e->xattrs);
	if (r < 0 || h->xattrs_len == 0)
		return r;
	buf_reserve(&e->xattrs, h->xattrs_len);
	r = get(in, e->xattrs.data, h->xattrs_len, err);
	if (r == 0)
		e->xattrs.len = h->xattrs_len;
	return r;
}

static int pwrite_all(int fd, const char *data, size_t len, uint64_t offset, const char *what,
		      struct err *err)
{
	while (len > 0) {
		ssize_t n = NO_EINTR(pwrite(fd, data, len, (off_t)offset));

		if (n < 0)
			return err_errno(err, errno, "writing %s", what);
		data += n;
		offset += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* From the pipe to the file; what is buffered is before that. Returns bytes, 0: not so. */
static ssize_t splice_some(struct cp_in *in, int fd, uint64_t offset, uint64_t len)
{
	off_t at = (off_t)offset;
	ssize_t n;

	if (in->no_splice || in->start != in->end || len < SMALL || is_cancelled(in))
		return 0; /* by hand, which tells of the latter */
	n = NO_EINTR(
	    splice(in->fd, NULL, fd, &at, len < CP_PIPE_SIZE ? (size_t)len : CP_PIPE_SIZE, 0));
	/* The error is met again by hand: or the end. */
	in->no_splice = n < 0;
	return n < 0 ? 0 : n;
}

int cp_get_data(struct cp_in *in, const struct cp_head *head, int fd, const char *what,
		struct err *err)
{
	uint64_t offset = head->offset, len = head->size;

	while (len > 0) {
		const char *data;
		ssize_t n = splice_some(in, fd, offset, len);

		if (n == 0) {
			n = cp_get_bytes(in, &data, len < CHUNK ? (size_t)len : CHUNK, err);
			int r = n < 0 ? (int)n : pwrite_all(fd, data, (size_t)n, offset, what, err);
			if (r < 0)
				return r;
		}
		offset += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}

int cp_next_xattr(const struct buf *xattrs, size_t *pos, const char **ret_name,
		  const char **ret_value, size_t *ret_len)
{
	const char *p = buf_str(xattrs) + *pos;
	size_t left = xattrs->len - *pos, name = strnlen(p, left) + 1;
	uint32_t len;

	if (left == 0)
		return 0;
	if (name > left || left - name < sizeof(len))
		return -EPROTO;
	memcpy(&len, p + name, sizeof(len));
	if (len > left - name - sizeof(len))
		return -EPROTO;
	*ret_name = p;
	*ret_value = p + name + sizeof(len);
	*ret_len = len;
	*pos += name + sizeof(len) + len;
	return 1;
}
