/* SPDX-License-Identifier: Apache-2.0 */
#include "base/io.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "base/fd.h"

#define IO_CHUNK (64 * 1024)

/* Non-blocking fds (a pipe or tty that another process set so) are waited for. */
static bool wait_again(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	if (errno != EAGAIN)
		return errno == EINTR;
	return NO_EINTR(poll(&p, 1, -1)) >= 0;
}

ssize_t io_read(int fd, void *buf, size_t len)
{
	size_t have = 0;

	while (have < len) {
		ssize_t n = read(fd, (char *)buf + have, len - have);

		if (n < 0) {
			if (wait_again(fd, POLLIN))
				continue;
			return -errno;
		}
		if (n == 0)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

int io_write(int fd, const void *buf, size_t len)
{
	const char *p = buf;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0) {
			if (wait_again(fd, POLLOUT))
				continue;
			return -errno;
		}
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* What is worth reserving before the first read: a regular file's size, else a little. */
static size_t first_chunk(int fd, size_t limit)
{
	struct stat st;
	size_t n = 4096;

	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
		n = (uint64_t)st.st_size < limit ? (size_t)st.st_size : limit;
	return n < limit ? n : limit;
}

int io_read_all(int fd, struct buf *b, size_t limit)
{
	size_t got = 0, chunk = first_chunk(fd, limit);

	for (;;) {
		ssize_t n;

		/* one byte more than wanted tells the end of the file from the limit */
		buf_reserve(b, chunk + 1);
		n = io_read(fd, b->data + b->len, chunk + 1);
		if (n < 0) {
			b->data[b->len] = '\0';
			return (int)n;
		}
		if ((size_t)n > limit - got) {
			b->data[b->len] = '\0';
			return -EFBIG;
		}
		b->len += (size_t)n;
		b->data[b->len] = '\0';
		got += (size_t)n;
		if ((size_t)n < chunk + 1)
			return 0;
		chunk = b->len < IO_CHUNK ? IO_CHUNK : b->len;
		if (chunk > limit - got)
			chunk = limit - got;
	}
}

int io_read_file(int dirfd, const char *name, struct buf *b, size_t limit, struct err *err)
{
	cleanup_fd int fd = NO_EINTR(openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY));
	int r;

	if (fd < 0)
		return err_errno(err, errno, "opening %s", name);
	r = io_read_all(fd, b, limit);
	if (r == -EFBIG) {
		err_fail(err, ERR_LIMIT, "reading %s: larger than %zu bytes", name, limit);
		return r;
	}
	if (r < 0)
		return err_errno(err, -r, "reading %s", name);
	return 0;
}

int io_write_file(int dirfd, const char *name, const char *data, struct err *err)
{
	cleanup_fd int fd = NO_EINTR(openat(dirfd, name, O_WRONLY | O_CLOEXEC | O_NOCTTY));
	size_t len = strlen(data);
	ssize_t n;

	if (fd < 0)
		return err_errno(err, errno, "opening %s", name);
	n = NO_EINTR(write(fd, data, len));
	if (n < 0)
		return err_errno(err, errno, "writing \"%s\" to %s", data, name);
	if ((size_t)n != len)
		return err_errno(err, EIO, "writing \"%s\" to %s", data, name);
	return 0;
}

/* Makes "DIR/.NAME.RANDOM" next to name; the caller frees *ret_tmp. Returns the fd or -errno. */
static int open_temp(int dirfd, const char *name, mode_t mode, char **ret_tmp)
{
	const char *slash = strrchr(name, '/');
	int dir_len = slash ? (int)(slash - name) + 1 : 0;

	for (int tries = 0; tries < 16; tries++) {
		cleanup_free char *tmp = NULL;
		uint64_t rnd;
		int fd;

		if (getrandom(&rnd, sizeof(rnd), 0) != (ssize_t)sizeof(rnd))
			return -EIO;
		/* the name may fill NAME_MAX by itself, so only its start is repeated */
		tmp = xasprintf("%.*s.%.128s.%016llx", dir_len, name, name + dir_len,
				(unsigned long long)rnd);
		fd = NO_EINTR(
		    openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
		if (fd >= 0) {
			*ret_tmp = take_ptr(tmp);
			return fd;
		}
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

static int fsync_parent(int dirfd, const char *name)
{
	const char *slash = strrchr(name, '/');
	cleanup_free char *dir = slash ? xstrndup(name, (size_t)(slash - name) + 1) : xstrdup(".");
	cleanup_fd int fd = openat(dirfd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* The mode is set apart from open(2), whose mode the umask cuts. */
static int fill_temp(int fd, const void *data, size_t len, mode_t mode, bool durable)
{
	int r = io_write(fd, data, len);

	if (r < 0)
		return r;
	if (fchmod(fd, mode) < 0)
		return -errno;
	if (durable && fsync(fd) < 0)
		return -errno;
	return 0;
}

int io_replace_file(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
		    bool durable, struct err *err)
{
	cleanup_free char *tmp = NULL;
	int fd, r;

	fd = open_temp(dirfd, name, mode & 0700, &tmp);
	if (fd < 0)
		return err_errno(err, -fd, "creating a temporary file for %s", name);
	r = fill_temp(fd, data, len, mode, durable);
	/* network and quota file systems report a lack of space as late as close(2) */
	if (close(fd) < 0 && r == 0 && errno != EINTR)
		r = -errno;
	if (r == 0 && renameat(dirfd, tmp, dirfd, name) < 0)
		r = -errno;
	if (r < 0) {
		unlinkat(dirfd, tmp, 0);
		return err_errno(err, -r, "writing %s", name);
	}
	if (durable) {
		r = fsync_parent(dirfd, name);
		if (r < 0)
			return err_errno(err, -r, "writing the directory of %s", name);
	}
	return 0;
}

/* Returns bytes copied, or -errno; -EOPNOTSUPP: this pair of files can't, nothing was copied. */
static int64_t copy_in_kernel(int in, int out, bool range)
{
	int64_t total = 0;

	for (;;) {
		ssize_t n = range ? copy_file_range(in, NULL, out, NULL, 1 << 30, 0)
				  : sendfile(out, in, NULL, 1 << 30);

		if (n < 0 && wait_again(out, POLLOUT))
			continue;
		if (n < 0)
			return total ? -errno : -EOPNOTSUPP;
		/* copy_file_range gives 0 at once for procfs and sysfs files, which are not empty
		 */
		if (n == 0)
			return total ? total : -EOPNOTSUPP;
		total += n;
	}
}

static int64_t copy_by_hand(int in, int out)
{
	cleanup_free char *chunk = xmalloc(IO_CHUNK);
	int64_t total = 0;

	for (;;) {
		ssize_t n = read(in, chunk, IO_CHUNK);
		int r;

		if (n < 0) {
			if (wait_again(in, POLLIN))
				continue;
			return -errno;
		}
		if (n == 0)
			return total;
		r = io_write(out, chunk, (size_t)n);
		if (r < 0)
			return r;
		total += n;
	}
}

int64_t io_copy(int in, int out)
{
	int64_t n = copy_in_kernel(in, out, true);

	if (n == -EOPNOTSUPP)
		n = copy_in_kernel(in, out, false);
	if (n == -EOPNOTSUPP)
		n = copy_by_hand(in, out);
	return n;
}
