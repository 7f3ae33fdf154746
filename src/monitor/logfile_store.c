/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "monitor/logfile_internal.h"

#define NAME_SIZE 288 /* a name of 255 bytes, and a number */

/* The file must not end with a part of a record. Bytes of the done first ones of out that need not
 * be written again. */
static size_t take_back(struct logfile *l, size_t done)
{
	const char *newline = memrchr(l->out, '\n', done);
	size_t whole = newline ? (size_t)(newline - l->out) + 1 : 0;
	struct stat st;

	if (whole == done || (fstat(l->fd, &st) == 0 && st.st_size >= (off_t)(done - whole) &&
			      ftruncate(l->fd, st.st_size - (off_t)(done - whole)) == 0))
		return whole;
	return done; /* the rest of the record will follow */
}

int logfile_store(struct logfile *l)
{
	size_t done = 0;
	ssize_t n = 0;
	int r = 0;

	if (l->o.driver == LOGLINE_JOURNAL)
		return 0;
	while (done < l->out_len) {
		n = NO_EINTR(write(l->fd, l->out + done, l->out_len - done));
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	if (done < l->out_len) {
		r = n < 0 ? -errno : -ENOSPC;
		done = take_back(l, done);
		memmove(l->out, l->out + done, l->out_len - done);
	}
	l->size += done;
	l->out_len -= done;
	l->stuck = r < 0;
	return r;
}

static void number_name(const struct logfile *l, uint32_t number, char out[NAME_SIZE])
{
	if (number)
		snprintf(out, NAME_SIZE, "%s.%u", l->name, number);
	else
		snprintf(out, NAME_SIZE, "%s", l->name);
}

/* Moves each file up to the next number, as far as there is one to take: the last is replaced. */
static int move_up(struct logfile *l)
{
	char from[NAME_SIZE], to[NAME_SIZE];
	uint32_t last = 1;
	struct stat st;

	if (l->o.max_files <= 1)
		return 0;
	for (; last < l->o.max_files - 1; last++) {
		number_name(l, last, to);
		if (fstatat(l->dirfd, to, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
			break;
	}
	for (; last > 0; last--) {
		number_name(l, last - 1, from);
		number_name(l, last, to);
		if (renameat(l->dirfd, from, l->dirfd, to) < 0 && errno != ENOENT)
			return -errno;
	}
	return 0;
}

static int open_file(const struct logfile *l, const char *name, int flags)
{
	int fd =
	    openat(l->dirfd, name,
		   O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | flags, 0600);

	return fd < 0 ? -errno : fd;
}

int logfile_rotate(struct logfile *l)
{
	char name[NAME_SIZE];
	cleanup_fd int fd = -EBADF;
	int r;

	/* There is a new file before the old one has lost its name. */
	snprintf(name, sizeof(name), "%s.new", l->name);
	fd = open_file(l, name, O_TRUNC);
	r = fd < 0 ? fd : move_up(l);
	if (r == 0 && renameat(l->dirfd, name, l->dirfd, l->name) < 0)
		r = -errno;
	l->stuck = r < 0;
	if (r < 0)
		return r;
	fd_close(l->fd);
	l->fd = take_fd(fd);
	l->size = 0;
	return 0;
}

/* Is the last line of each stream, as far as the block shows it, still open? scratch is as large as
 * the block, which ends with a newline. */
static void look_back(const char *block, size_t len, char *scratch, bool ret_open[LOGLINE_STREAMS])
{
	bool seen[LOGLINE_STREAMS] = { false };

	while (len) {
		const char *newline = memrchr(block, '\n', len - 1);
		size_t start = newline ? (size_t)(newline - block) + 1 : 0;
		struct logline line;

		if (logline_parse(block + start, len - 1 - start, scratch, &line) == 0 &&
		    !seen[line.stream - 1]) {
			seen[line.stream - 1] = true;
			ret_open[line.stream - 1] = line.partial;
		}
		len = start;
	}
}

static int look_at_end(struct logfile *l, bool ret_open[LOGLINE_STREAMS])
{
	char *block = l->out, *scratch = l->out + LOGLINE_RECORD_MAX;
	size_t len = l->size < LOGLINE_RECORD_MAX ? (size_t)l->size : LOGLINE_RECORD_MAX, whole;
	ssize_t n = NO_EINTR(pread(l->fd, block, len, (off_t)(l->size - len)));
	const char *newline;

	if (n < 0)
		return -errno;
	newline = memrchr(block, '\n', (size_t)n);
	whole = newline ? (size_t)(newline - block) + 1 : 0;
	if (whole < (size_t)n) {
		l->size -= (size_t)n - whole;
		if (ftruncate(l->fd, (off_t)l->size) < 0)
			return -errno;
	}
	look_back(block, whole, scratch, ret_open);
	return 0;
}

int logfile_open_last(struct logfile *l, bool ret_open[LOGLINE_STREAMS], struct err *err)
{
	struct stat st;
	int r;

	l->fd = open_file(l, l->name, 0);
	if (l->fd < 0)
		return err_errno(err, -l->fd, "opening log %s", l->name);
	if (fstat(l->fd, &st) < 0)
		r = -errno;
	else
		r = S_ISREG(st.st_mode) ? 0 : -EINVAL;
	l->size = r == 0 ? (uint64_t)st.st_size : 0;
	if (r == 0 && l->size)
		r = look_at_end(l, ret_open);
	if (r == 0)
		return 0;
	l->fd = fd_close(l->fd);
	return err_errno(err, -r, "opening log %s", l->name);
}

int logfile_reopen(struct logfile *l)
{
	struct stat st;
	int fd;

	if (l->o.driver == LOGLINE_NONE || l->o.driver == LOGLINE_JOURNAL)
		return 0;
	logfile_store(l);
	fd = open_file(l, l->name, 0);
	if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
		fd_close(fd);
		fd = -EINVAL;
	}
	if (fd < 0)
		return fd;
	fd_close(l->fd);
	l->fd = fd;
	l->size = (uint64_t)st.st_size;
	return 0;
}
