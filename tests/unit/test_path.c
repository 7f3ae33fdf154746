/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths inside a root that someone else controls. Runs twice: as it is, and where openat2(2) is
 * missing (tests/faults/enosys); the answers must be the same.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/path.h"
#include "base/path_walk.h"
#include "base/str.h"
#include "base/timeutil.h"
#include "unit.h"

struct fixture {
	char dir[64]; /* holds root/ and what must stay untouched beside it */
	int dirfd, root;
};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	snprintf(f->dir, sizeof(f->dir), "/tmp/inro-test-path-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->dirfd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(f->dirfd, "root", 0755), 0);
	f->root = openat(f->dirfd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(f->root, "etc", 0755), 0);
	assert_int_equal(mkdirat(f->root, "run", 0755), 0);
	fd_close(openat(f->root, "etc/passwd", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	struct err err = ERR_INIT;
	int tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);

	assert_ok(path_remove_tree(tmp, strrchr(f->dir, '/') + 1, &err));
	assert_int_not_equal(access(f->dir, F_OK), 0);
	fd_close(tmp);
	fd_close(f->root);
	fd_close(f->dirfd);
	free(f);
	return 0;
}

/* The fd is the file that name (below root, no links in it) leads to. */
static void assert_same(const struct fixture *f, int fd, const char *name)
{
	struct stat a, b;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &a), 0);
	assert_int_equal(fstatat(f->root, name, &b, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(a.st_dev == b.st_dev && a.st_ino == b.st_ino);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	fd_close(fd);
}

static int open_in(const struct fixture *f, const char *path, int flags)
{
	return path_open_in(f->root, path, flags, 0644, NULL);
}

static void link_to(const struct fixture *f, const char *target, const char *name)
{
	assert_int_equal(symlinkat(target, f->root, name), 0);
}

static void test_stays_inside(void **state)
{
	struct fixture *f = *state;

	link_to(f, "/etc", "abs");
	link_to(f, "../../../../../etc/passwd", "up");
	link_to(f, "run/../etc/", "slash");
	assert_same(f, open_in(f, "/etc/passwd", O_RDONLY), "etc/passwd");
	assert_same(f, open_in(f, "etc//./passwd", O_RDONLY), "etc/passwd");
	assert_same(f, open_in(f, "../../etc/passwd", O_RDONLY), "etc/passwd");
	assert_same(f, open_in(f, "abs/passwd", O_RDONLY), "etc/passwd");
	assert_same(f, open_in(f, "/up", O_RDONLY), "etc/passwd");
	assert_same(f, open_in(f, "slash/passwd", O_PATH), "etc/passwd");
	assert_same(f, open_in(f, "/", O_PATH), ".");
	assert_same(f, open_in(f, "..", O_PATH | O_DIRECTORY), ".");
	assert_same(f, open_in(f, "abs", O_PATH | O_DIRECTORY), "etc");
	assert_same(f, open_in(f, "abs/", O_PATH | O_NOFOLLOW), "etc");
}

static void test_refusals(void **state)
{
	struct fixture *f = *state;

	link_to(f, "loop", "loop");
	link_to(f, "etc/passwd", "file");
	assert_int_equal(open_in(f, "", O_PATH), -ENOENT);
	assert_int_equal(open_in(f, "etc/none", O_PATH), -ENOENT);
	assert_int_equal(open_in(f, "loop", O_PATH), -ELOOP);
	assert_int_equal(open_in(f, "loop/x", O_PATH), -ELOOP);
	assert_int_equal(open_in(f, "file", O_RDONLY | O_NOFOLLOW), -ELOOP);
	assert_same(f, open_in(f, "file", O_PATH | O_NOFOLLOW), "file");
	assert_int_equal(open_in(f, "file/x", O_PATH), -ENOTDIR);
	assert_int_equal(open_in(f, "file/", O_PATH), -ENOTDIR);
	assert_int_equal(open_in(f, "file", O_PATH | O_DIRECTORY), -ENOTDIR);
	assert_int_equal(open_in(f, "etc", O_WRONLY), -EISDIR);
	assert_int_equal(open_in(f, "etc/passwd", O_WRONLY | O_CREAT | O_EXCL), -EEXIST);
}

static void test_create_behind_link(void **state)
{
	struct fixture *f = *state;

	link_to(f, "/run/new", "dangling");
	assert_same(f, open_in(f, "dangling", O_WRONLY | O_CREAT), "run/new");
	assert_int_equal(open_in(f, "dangling", O_WRONLY | O_CREAT | O_EXCL), -EEXIST);
}

static void test_magic_links(void **state)
{
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), fd;

	assert_int_equal(path_open_in(root, "/proc/self/fd/0", O_PATH, 0, NULL), -ELOOP);
	assert_int_equal(path_open_in(root, "/proc/self/cwd/x", O_PATH, 0, NULL), -ELOOP);
	assert_int_equal(path_open_in(root, "/proc/self/root", O_PATH, 0, NULL), -ELOOP);
	assert_int_equal(path_open_in(root, "/proc/self/exe", O_RDONLY, 0, NULL), -ELOOP);
	assert_int_equal(path_open_in(root, "/proc/self/ns/mnt", O_RDONLY, 0, NULL), -ELOOP);
	/* plain text, although on procfs */
	fd = path_open_in(root, "/proc/self/status", O_RDONLY, 0, NULL);
	assert_true(fd >= 0);
	fd_close(fd);
	fd_close(root);
}

static void test_noxdev(void **state)
{
	struct fixture *f = *state;
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	link_to(f, "etc", "link");
	assert_int_equal(path_resolve(root, "proc", O_PATH, 0, true), -EXDEV);
	assert_int_equal(path_resolve(root, "/proc/stat", O_RDONLY, 0, true), -EXDEV);
	assert_same(f, path_resolve(f->root, "link/passwd", O_RDONLY, 0, true), "etc/passwd");
	fd_close(root);
}

static void test_mkdirs(void **state)
{
	struct fixture *f = *state;

	link_to(f, "/run/deep/er", "var");
	link_to(f, "../../../outside", "run/out");
	assert_same(f, path_mkdirs_in(f->root, "/a/b/../c", 0750, NULL), "a/c");
	assert_same(f, path_mkdirs_in(f->root, "a/b", 0750, NULL), "a/b");
	/* an image with /var/run -> /run, where /run is empty */
	assert_same(f, path_mkdirs_in(f->root, "/var/lock", 0755, NULL), "run/deep/er/lock");
	assert_same(f, path_mkdirs_in(f->root, "/run/out", 0755, NULL), "outside");
	assert_same(f, path_mkdirs_in(f->root, "/", 0755, NULL), ".");
	assert_int_not_equal(faccessat(f->dirfd, "outside", F_OK, 0), 0);
	assert_int_equal(path_mkdirs_in(f->root, "etc/passwd/x", 0755, NULL), -ENOTDIR);
	assert_int_equal(path_mkdirs_in(f->root, "etc/passwd", 0755, NULL), -ENOTDIR);
}

static void test_mkfile(void **state)
{
	struct fixture *f = *state;

	link_to(f, "../run/resolv.conf", "etc/resolv.conf");
	assert_same(f, path_mkfile_in(f->root, "/etc/resolv.conf", 0644, NULL), "run/resolv.conf");
	assert_same(f, path_mkfile_in(f->root, "/x/y/z", 0600, NULL), "x/y/z");
	assert_same(f, path_mkfile_in(f->root, "/etc/passwd", 0600, NULL), "etc/passwd");
	assert_int_equal(path_mkfile_in(f->root, "/etc", 0600, NULL), -EISDIR);
	assert_int_equal(path_mkfile_in(f->root, "/new/", 0600, NULL), -EISDIR);
}

static void test_parent(void **state)
{
	struct fixture *f = *state;
	char *name = NULL;

	assert_same(f, path_parent_in(f->root, "/etc/hosts/", false, &name, NULL), "etc");
	assert_string_equal(name, "hosts");
	free(name);
	name = NULL;
	assert_same(f, path_parent_in(f->root, "single", false, &name, NULL), ".");
	assert_string_equal(name, "single");
	free(name);
	name = NULL;
	assert_int_equal(path_parent_in(f->root, "n/m/x", false, &name, NULL), -ENOENT);
	assert_same(f, path_parent_in(f->root, "n/m/x", true, &name, NULL), "n/m");
	free(name);
	name = NULL;
	assert_int_equal(path_parent_in(f->root, "etc/..", false, &name, NULL), -EINVAL);
	assert_int_equal(path_parent_in(f->root, "/", false, &name, NULL), -EINVAL);
	assert_int_equal(path_parent_in(f->root, ".", false, &name, NULL), -EINVAL);
	assert_null(name);
}

/* Deeper than directories are held open, without permission bits, with links that lead out. */
static void test_remove_tree(void **state)
{
	struct fixture *f = *state;
	struct err err = ERR_INIT;
	int fd = fd_dup(f->root, 0);

	fd_close(openat(f->dirfd, "precious", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	for (int i = 0; i < 300; i++) {
		int next;

		if (mkdirat(fd, "d", 0700) < 0)
			fail_msg("mkdirat: %s", strerror(errno));
		assert_int_equal(symlinkat("../precious", fd, "l"), 0);
		next = openat(fd, "d", O_PATH | O_DIRECTORY | O_CLOEXEC);
		fd_close(fd);
		fd = next;
	}
	fd_close(fd);
	assert_int_equal(fchmodat(f->root, "etc", 0, 0), 0);
	assert_int_equal(fchmodat(f->root, "d", 0, 0), 0);
	assert_ok(path_remove_tree(f->dirfd, "root", &err));
	assert_int_not_equal(faccessat(f->dirfd, "root", F_OK, 0), 0);
	assert_int_equal(faccessat(f->dirfd, "precious", F_OK, 0), 0);
	assert_ok(path_remove_tree(f->dirfd, "root", &err));
	assert_ok(path_remove_tree(f->dirfd, "precious", &err));
	assert_int_equal(path_remove_tree(f->dirfd, "..", NULL), -EINVAL);
	assert_int_equal(path_remove_tree(f->dirfd, "a/b", NULL), -EINVAL);
}

/* Whatever part a process has, it does the rest too when nobody else does; beside others it fails
 * at most, and leaves nothing that the last one can't remove. */
static void test_remove_part(void **state)
{
	struct fixture *f = *state;
	struct err err = ERR_INIT;
	pid_t pids[4];
	char name[32];

	for (unsigned int round = 0; round < 2; round++) {
		mkdirat(f->dirfd, "wide", 0700);
		for (int i = 0; i < 40; i++) {
			snprintf(name, sizeof(name), "wide/d%d", i);
			assert_int_equal(mkdirat(f->dirfd, name, 0700), 0);
			for (int k = 0; k < 20; k++) {
				snprintf(name, sizeof(name), "wide/d%d/f%d", i, k);
				assert_int_equal(symlinkat("../../root", f->dirfd, name), 0);
			}
		}
		if (round == 0) {
			assert_ok(path_remove_part(f->dirfd, "wide", 2, 5, &err));
			assert_int_not_equal(faccessat(f->dirfd, "wide", F_OK, 0), 0);
			continue;
		}
		for (unsigned int i = 0; i < ARRAY_SIZE(pids); i++) {
			pids[i] = fork();
			if (pids[i] == 0) {
				path_remove_part(f->dirfd, "wide", i, ARRAY_SIZE(pids), NULL);
				_exit(0);
			}
		}
		for (unsigned int i = 0; i < ARRAY_SIZE(pids); i++)
			waitpid(pids[i], NULL, 0);
		assert_ok(path_remove_tree(f->dirfd, "wide", &err));
		assert_int_not_equal(faccessat(f->dirfd, "wide", F_OK, 0), 0);
	}
	assert_int_equal(faccessat(f->dirfd, "root", F_OK, 0), 0);
}

/* Exchanges root/t for a link out of the root and back, as fast as it can, until killed. */
static pid_t start_swapper(const struct fixture *f)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		mkdirat(f->root, "t", 0755);
		unlinkat(f->root, "t/sub", AT_REMOVEDIR);
		renameat2(f->root, "t", f->root, "link", RENAME_EXCHANGE);
	}
}

static void test_swapper(void **state)
{
	struct fixture *f = *state;
	int64_t until = time_monotonic_ns() + INT64_C(300000000);
	char target[128];
	pid_t pid;

	assert_int_equal(mkdirat(f->dirfd, "victim", 0755), 0);
	snprintf(target, sizeof(target), "%s/victim", f->dir);
	link_to(f, target, "link");
	pid = start_swapper(f);
	while (time_monotonic_ns() < until) {
		fd_close(path_mkdirs_in(f->root, "t/sub", 0755, NULL));
		fd_close(path_mkfile_in(f->root, "t/file", 0644, NULL));
		fd_close(path_open_in(f->root, "t/new", O_CREAT | O_WRONLY, 0644, NULL));
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	/* nothing but "." and ".." came in: the directory can be removed */
	assert_int_equal(unlinkat(f->dirfd, "victim", AT_REMOVEDIR), 0);
}

static void test_mkdirs_host(void **state)
{
	struct fixture *f = *state;
	struct err err = ERR_INIT;
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/one/two/three", f->dir);
	fd = path_mkdirs(path, 0700, &err);
	assert_ok(fd);
	fd_close(fd);
	fd = path_mkdirs(path, 0700, &err);
	assert_ok(fd);
	fd_close(fd);
	snprintf(path, sizeof(path), "%s/root/etc/passwd/x", f->dir);
	assert_int_equal(path_mkdirs(path, 0700, &err), -ENOTDIR);
}

static void cleans(const char *path, const char *to)
{
	char *s = path_clean(path);

	assert_string_equal(s, to);
	free(s);
}

static void joins(const char *dir, const char *name, const char *to)
{
	char *s = path_join(dir, name);

	assert_string_equal(s, to);
	free(s);
}

static void test_text(void **state)
{
	cleans("/", "/");
	cleans("//a//b/./c/", "/a/b/c");
	cleans("/../..", "/");
	cleans("/a/../../b", "/b");
	cleans("a/..", ".");
	cleans("", ".");
	cleans("../a/../..", "../..");
	cleans("a/../../b", "../b");
	cleans("/..a/...", "/..a/...");
	joins("/", "a", "/a");
	joins("/x//", "//a", "/x/a");
	joins("x", "a", "x/a");
	joins("", "a", "a");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_stays_inside, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_create_behind_link, setup, teardown),
		cmocka_unit_test(test_magic_links),
		cmocka_unit_test_setup_teardown(test_noxdev, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mkdirs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mkfile, setup, teardown),
		cmocka_unit_test_setup_teardown(test_parent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_remove_tree, setup, teardown),
		cmocka_unit_test_setup_teardown(test_remove_part, setup, teardown),
		cmocka_unit_test_setup_teardown(test_swapper, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mkdirs_host, setup, teardown),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
