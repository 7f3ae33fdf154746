/* SPDX-License-Identifier: Apache-2.0 */
/* criu's log: its lines are "(00.012345)  42: Error (criu/file.c:17): what happened". */
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/str.h"
#include "runtime/criu.h"

#define TAIL_BYTES (256 * 1024)
#define ERRORS_MAX 3
#define LINE_MAX_  250

/* The errors that stand last, in their order: the first one mostly is the cause. */
void criu_log_errors(const char *text, size_t len, struct buf *out)
{
	struct {
		const char *start;
		size_t len;
	} last[ERRORS_MAX];
	size_t n = 0;

	for (const char *p = text, *end = text + len; p < end;) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		const char *line_end = nl ? nl : end;
		const char *e = memmem(p, (size_t)(line_end - p), "Error (", 7);

		/* "Dumping FAILED." is known already. */
		if (e && !memmem(e, (size_t)(line_end - e), "ing FAILED.", 11)) {
			last[n % ERRORS_MAX].start = e;
			last[n % ERRORS_MAX].len = (size_t)(line_end - e);
			n++;
		}
		p = line_end + 1;
		if (!nl)
			break;
	}
	for (size_t i = n > ERRORS_MAX ? n - ERRORS_MAX : 0; i < n; i++) {
		size_t size = last[i % ERRORS_MAX].len;

		if (out->len)
			buf_adds(out, "; ");
		buf_add(out, last[i % ERRORS_MAX].start, size < LINE_MAX_ ? size : LINE_MAX_);
	}
	/* Names of the container's files and processes are in it. */
	for (size_t i = 0; i < out->len; i++)
		if (!out->data[i])
			out->data[i] = '?';
	if (out->len)
		str_mask_controls(out->data, "");
}

static int read_tail(int dirfd, const char *name, struct buf *b)
{
	cleanup_fd int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return -ENOENT;
	if (st.st_size > TAIL_BYTES && lseek(fd, st.st_size - TAIL_BYTES, SEEK_SET) < 0)
		return -errno;
	buf_reserve(b, TAIL_BYTES);
	ssize_t n = io_read(fd, b->data, TAIL_BYTES);
	if (n < 0)
		return (int)n;
	b->len = (size_t)n;
	return 0;
}

int criu_quote_log(int dirfd, const char *name, int r, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_buf struct buf errors = BUF_INIT;
	char link[FD_PATH_MAX], dir[PATH_MAX];
	struct err quoted = *err;
	const char *what = str_starts(err->msg, CRIU_FAILED) ? CRIU_FAILED : err->msg;
	ssize_t n;

	if (read_tail(dirfd, name, &text) < 0)
		return r;
	criu_log_errors(text.data, text.len, &errors);
	n = readlink(fd_proc_path(dirfd, link), dir, sizeof(dir) - 1);
	if (n < 0)
		return r;
	dir[n] = '\0';
	if (errors.len)
		err_fail(&quoted, err->kind, "%.200s: %s (log: %.300s/%s)", what, buf_str(&errors),
			 dir, name);
	else
		err_fail(&quoted, err->kind, "%.400s (log: %.300s/%s)", err->msg, dir, name);
	quoted.errnum = err->errnum;
	memcpy(quoted.hint, err->hint, sizeof(quoted.hint));
	*err = quoted;
	return r;
}
