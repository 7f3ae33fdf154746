/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "unit.h"

struct fixture {
	char dir[64];
	int fd;
};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	snprintf(f->dir, sizeof(f->dir), "/tmp/inro-test-io-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	struct err err = ERR_INIT;

	assert_int_equal(chdir("/tmp"), 0);
	assert_ok(path_remove_tree(AT_FDCWD, strrchr(f->dir, '/') + 1, &err));
	fd_close(f->fd);
	free(f);
	return 0;
}

static size_t count_files(const struct fixture *f)
{
	DIR *d = opendir(f->dir);
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}

static void assert_content(const struct fixture *f, const char *name, const char *content)
{
	cleanup_buf struct buf b = BUF_INIT;
	struct err err = ERR_INIT;

	assert_ok(io_read_file(f->fd, name, &b, 1000, &err));
	assert_string_equal(buf_str(&b), content);
}

static void test_replace(void **state)
{
	struct fixture *f = *state;
	struct err err = ERR_INIT;
	mode_t old = umask(077);
	struct stat st;

	assert_ok(io_replace_file(f->fd, "a", "one", 3, 0644, true, &err));
	assert_content(f, "a", "one");
	assert_int_equal(fstatat(f->fd, "a", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0644); /* whatever the umask */
	assert_ok(io_replace_file(f->fd, "a", "", 0, 0600, false, &err));
	assert_content(f, "a", "");
	assert_int_equal(mkdirat(f->fd, "sub", 0755), 0);
	assert_ok(io_replace_file(f->fd, "sub/b", "two", 3, 0600, true, &err));
	assert_content(f, "sub/b", "two");
	/* a link is replaced, not written through */
	assert_int_equal(symlinkat("sub/b", f->fd, "link"), 0);
	assert_ok(io_replace_file(f->fd, "link", "x", 1, 0600, false, &err));
	assert_content(f, "sub/b", "two");
	assert_int_equal(count_files(f), 3);
	assert_int_equal(io_replace_file(f->fd, "none/x", "x", 1, 0600, false, &err), -ENOENT);
	assert_int_equal(io_replace_file(f->fd, "sub", "x", 1, 0600, false, &err), -EISDIR);
	assert_int_equal(count_files(f), 3);
	umask(old);
}

/* No space: the old content stays, and no temporary file. A file size limit stands for the disk. */
static void test_replace_full(void **state)
{
	struct fixture *f = *state;
	struct rlimit old, small;
	struct err err = ERR_INIT;
	char big[10000];
	int r;

	memset(big, 'x', sizeof(big));
	assert_ok(io_replace_file(f->fd, "a", "old", 3, 0600, false, &err));
	getrlimit(RLIMIT_FSIZE, &old);
	small = old;
	small.rlim_cur = 4096;
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &small);
	r = io_replace_file(f->fd, "a", big, sizeof(big), 0600, false, &err);
	setrlimit(RLIMIT_FSIZE, &old);
	assert_int_equal(r, -EFBIG);
	assert_string_equal(err.msg, "writing a: File too large");
	assert_content(f, "a", "old");
	assert_int_equal(count_files(f), 1);
}

static void test_limits(void **state)
{
	struct fixture *f = *state;
	struct err err = ERR_INIT;
	struct buf b = BUF_INIT;

	assert_ok(io_replace_file(f->fd, "a", "12345", 5, 0600, false, &err));
	buf_adds(&b, "0");
	assert_ok(io_read_file(f->fd, "a", &b, 5, &err));
	assert_string_equal(buf_str(&b), "012345");
	buf_reset(&b);
	assert_int_equal(io_read_file(f->fd, "a", &b, 4, &err), -EFBIG);
	assert_string_equal(err.msg, "reading a: larger than 4 bytes");
	assert_int_equal(err.kind, ERR_LIMIT);
	assert_int_equal(io_read_file(f->fd, "none", &b, 4, &err), -ENOENT);
	assert_string_equal(err.msg, "opening none: No such file or directory");
	buf_done(&b);
	/* their size says 0, or a page, which is not what they hold */
	assert_ok(io_read_file(AT_FDCWD, "/proc/self/status", &b, 1 << 20, &err));
	assert_true(b.len > 100);
	buf_done(&b);
	assert_ok(io_read_file(AT_FDCWD, "/dev/null", &b, 0, &err));
	assert_int_equal(b.len, 0);
	assert_int_equal(io_read_file(AT_FDCWD, "/dev/zero", &b, 1 << 20, &err), -EFBIG);
	buf_done(&b);
}

static void test_write_file(void **state)
{
	struct fixture *f = *state;
	struct err err = ERR_INIT;

	assert_int_equal(io_write_file(f->fd, "a", "x", &err), -ENOENT);
	assert_ok(io_replace_file(f->fd, "a", "", 0, 0600, false, &err));
	assert_ok(io_write_file(f->fd, "a", "max 100", &err));
	assert_content(f, "a", "max 100");
	assert_int_equal(io_write_file(AT_FDCWD, "/dev/full", "x", &err), -ENOSPC);
	assert_string_equal(err.msg, "writing \"x\" to /dev/full: No space left on device");
}

/* A writer slower than the reader, over a pipe that gives EAGAIN. */
static void test_nonblocking(void **state)
{
	static char data[300000];
	struct buf b = BUF_INIT;
	int p[2], status;
	pid_t pid;

	assert_int_equal(pipe2(p, O_CLOEXEC | O_NONBLOCK), 0);
	pid = fork();
	if (pid == 0) {
		close(p[0]);
		usleep(20000);
		_exit(io_write(p[1], data, sizeof(data)) == 0 ? 0 : 1);
	}
	close(p[1]);
	assert_int_equal(io_read_all(p[0], &b, sizeof(data)), 0);
	assert_int_equal(b.len, sizeof(data));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	fd_close(p[0]);
	buf_done(&b);
}

static void copies(int in, const char *content)
{
	int out = memfd_create("out", MFD_CLOEXEC);
	struct buf b = BUF_INIT;

	assert_int_equal(io_copy(in, out), strlen(content));
	assert_int_equal(lseek(out, 0, SEEK_SET), 0);
	assert_int_equal(io_read_all(out, &b, 1000), 0);
	assert_string_equal(buf_str(&b), content);
	buf_done(&b);
	fd_close(out);
	fd_close(in);
}

static void test_copy(void **state)
{
	struct fixture *f = *state;
	struct err err = ERR_INIT;
	cleanup_buf struct buf version = BUF_INIT;
	int p[2], full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	int in;

	assert_ok(io_replace_file(f->fd, "a", "content", 7, 0600, false, &err));
	copies(openat(f->fd, "a", O_RDONLY | O_CLOEXEC), "content");
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(io_write(p[1], "piped", 5), 0);
	fd_close(p[1]);
	copies(p[0], "piped");
	/* copy_file_range(2) says 0 for procfs */
	assert_ok(io_read_file(AT_FDCWD, "/proc/version", &version, 4096, &err));
	copies(open("/proc/version", O_RDONLY | O_CLOEXEC), buf_str(&version));
	copies(open("/dev/null", O_RDONLY | O_CLOEXEC), "");
	in = openat(f->fd, "a", O_RDONLY | O_CLOEXEC);
	assert_int_equal(io_copy(in, full), -ENOSPC);
	fd_close(in);
	fd_close(full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_replace, setup, teardown),
		cmocka_unit_test_setup_teardown(test_replace_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_write_file, setup, teardown),
		cmocka_unit_test(test_nonblocking),
		cmocka_unit_test_setup_teardown(test_copy, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
