/* SPDX-License-Identifier: Apache-2.0 */
/* Logs in up to three files of any content: the last lines are the end of all lines, as many as
 * asked for, however their records are mixed. */
#include <fcntl.h>
#include <sys/mman.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/io.h"
#include "engine/logs_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct lines {
	struct buf text[LOGLINE_STREAMS];
	uint64_t n;
};

static void lines_done(struct lines *lines)
{
	buf_done(&lines->text[0]);
	buf_done(&lines->text[1]);
}

/* The files' contents end at 0x01. */
static struct logs *open_parts(const uint8_t *data, size_t size, int64_t tail, int dirfd)
{
	struct logs_query query = LOGS_QUERY_INIT;
	struct logs *l;

	query.tail = tail;
	l = logs_new(&query);
	l->set = (struct logset){ .dirfd = dirfd,
				  .name = "none",
				  .files = xcalloc(3, sizeof(*l->set.files)) };
	while (l->set.n < 3 && size) {
		const uint8_t *end = l->set.n < 2 ? memchr(data, 1, size) : NULL;
		size_t len = end ? (size_t)(end - data) : size;
		int fd = memfd_create("log", MFD_CLOEXEC);

		if (fd < 0 || io_write(fd, data, len) < 0)
			abort();
		l->set.files[l->set.n++].fd = fd;
		data += len + (end != NULL);
		size -= len + (end != NULL);
	}
	if (tail >= 0 && logs_seek_tail(l, NULL) < 0)
		abort();
	return l;
}

static void read_lines(const uint8_t *data, size_t size, int64_t tail, int dirfd, struct lines *ret)
{
	struct logs *l = open_parts(data, size, tail, dirfd);
	bool open[LOGLINE_STREAMS] = { false, false };
	struct logs_record record;

	while (logs_next(l, &record, NULL) > 0) {
		size_t s = record.line.stream - 1;

		if (record.continues != open[s])
			abort();
		ret->n += !open[s];
		open[s] = record.line.partial;
		buf_add(&ret->text[s], record.line.text, record.line.len);
		if (!record.line.partial)
			buf_addc(&ret->text[s], '\n');
	}
	logs_free(l);
}

static void is_end_of(const struct buf *part, const struct buf *all)
{
	if (part->len > all->len ||
	    (part->len && memcmp(part->data, all->data + all->len - part->len, part->len) != 0))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_fd int dirfd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct lines all = { .n = 0 }, last = { .n = 0 };
	uint64_t tail = size ? data[0] % 16 : 0;

	read_lines(data, size, -1, dirfd, &all);
	read_lines(data, size, (int64_t)tail, dirfd, &last);
	if (last.n != (tail < all.n ? tail : all.n))
		abort();
	for (size_t s = 0; s < LOGLINE_STREAMS; s++)
		is_end_of(&last.text[s], &all.text[s]);
	lines_done(&all);
	lines_done(&last);
	return 0;
}
