/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts, in a mount namespace of a user namespace: nothing stays on the machine. */
#include "child.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

#include "base/fd.h"
#include "sys/mount.h"
#include "sys/uapi.h"

/* A private tmpfs on /tmp to work in, as cwd. */
static int enter_tmpfs(struct err *err)
{
	static const struct mount_option mode = { "mode", "0755" };
	cleanup_fd int tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);

	CHECK(tmp >= 0);
	CHECK_OK(mount_set(AT_FDCWD, "/", true, 0, 0, MS_PRIVATE, -1, err), err);
	cleanup_fd int fs = mount_new("tmpfs", "tmpfs", &mode, 1, MOUNT_ATTR_NOSUID, err);
	CHECK_OK(fs, err);
	CHECK(fcntl(fs, F_GETFD) & FD_CLOEXEC);
	CHECK_OK(mount_attach(fs, tmp, err), err);
	CHECK(chdir("/tmp") == 0);
	return 0;
}

static int open_dir(const char *path)
{
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static int make_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		return -1;
	ssize_t n = write(fd, text, strlen(text));
	close(fd);
	return n == (ssize_t)strlen(text) ? 0 : -1;
}

static bool file_is(const char *path, const char *text)
{
	char buf[64] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	ssize_t n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	return n >= 0 && strcmp(buf, text) == 0;
}

static int make_layers(void)
{
	static const char *const dirs[] = { "low1", "low2", "up", "work", "merged" };

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		CHECK(mkdir(dirs[i], 0755) == 0);
	CHECK(make_file("low1/a", "top") == 0);
	CHECK(make_file("low2/a", "bottom") == 0);
	CHECK(make_file("low2/b", "b") == 0);
	CHECK(symlink("../../../b", "low1/link") == 0);
	return 0;
}

typedef int (*overlay_fn)(const struct mount_layers *layers, unsigned int attrs, struct err *err);

/* A link on the way leads nowhere out of the overlay. */
static int check_part(overlay_fn how, const int *lower)
{
	struct mount_layers l = { lower, 2, -EBADF, -EBADF, true, .part = "link" };
	struct err err = ERR_INIT;
	int fs = how(&l, MOUNT_ATTR_NOEXEC, &err);

	CHECK_OK(fs, &err);
	CHECK_OK(mount_attach(fs, open("up/b", O_PATH | O_CLOEXEC), &err), &err);
	CHECK(file_is("up/b", "b"));
	CHECK(make_file("up/b", "c") < 0 && errno == EROFS);
	CHECK(umount2("up/b", MNT_DETACH) == 0 && file_is("up/b", "new"));
	l.part = "none";
	CHECK(how(&l, 0, &err) == -ENOENT && strstr(err.msg, "none"));
	return 0;
}

static int check_overlay(overlay_fn how)
{
	struct err err = ERR_INIT;
	struct statvfs vfs;
	int lower[2] = { open_dir("low1"), open_dir("low2") };
	int at = open_dir("merged");
	const struct mount_layers both = { lower, 2, open_dir("up"), open_dir("work"), true };
	const struct mount_layers read_only = { lower, 2, -EBADF, -EBADF, true };

	int fs = how(&both, 0, &err);
	CHECK_OK(fs, &err);
	CHECK_OK(mount_attach(fs, at, &err), &err);
	CHECK(file_is("merged/a", "top"));
	CHECK(file_is("merged/b", "b"));
	CHECK(make_file("merged/b", "new") == 0);
	CHECK(file_is("up/b", "new"));
	CHECK(file_is("low2/b", "b"));
	CHECK(umount2("merged", MNT_DETACH) == 0);

	fs = how(&read_only, MOUNT_ATTR_NOEXEC, &err);
	CHECK_OK(fs, &err);
	CHECK_OK(mount_attach(fs, at, &err), &err);
	CHECK(file_is("merged/b", "b"));
	CHECK(make_file("merged/c", "c") < 0 && errno == EROFS);
	CHECK(statvfs("merged", &vfs) == 0 && (vfs.f_flag & ST_NOEXEC));
	CHECK(umount2("merged", MNT_DETACH) == 0);
	return check_part(how, lower);
}

static int overlay(const void *data)
{
	struct err err = ERR_INIT;
	int r = enter_tmpfs(&err);

	if (r == 0)
		r = make_layers();
	return r ? r : check_overlay(mount_overlay);
}

static int overlay_apart(const void *data)
{
	struct err err = ERR_INIT;
	int r = enter_tmpfs(&err);

	if (r == 0)
		r = make_layers();
	return r ? r : check_overlay(mount_overlay_apart);
}

/* A kernel before 6.13, which takes no fds: fsconfig(FSCONFIG_SET_FD) fails with EINVAL. */
static int refuse_fsconfig_fd(void)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fsconfig, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FSCONFIG_SET_FD, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { ARRAY_SIZE(f), f };

	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0);
	return 0;
}

static int overlay_by_name(const void *data)
{
	int r = refuse_fsconfig_fd();

	return r ? r : overlay(NULL);
}

#define MANY 500

static int make_many(int lower[MANY])
{
	char name[16];

	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "l%d", i);
		CHECK(mkdir(name, 0755) == 0);
		lower[i] = open_dir(name);
		CHECK(lower[i] >= 0);
		snprintf(name, sizeof(name), "l%d/f%d", i, i);
		CHECK(make_file(name, "x") == 0);
		snprintf(name, sizeof(name), "l%d/all", i);
		CHECK(make_file(name, i ? "below" : "top") == 0);
	}
	CHECK(mkdir("merged", 0755) == 0);
	return 0;
}

static int count_mounts(void)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	int c, n = 0;

	while (f && (c = getc(f)) != EOF)
		n += c == '\n';
	return f && fclose(f) == 0 ? n : -1;
}

/* The files of the first and the last of n layers, and the topmost one's version of what all have.
 */
static int check_many(overlay_fn how, const int *lower, int n)
{
	const struct mount_layers layers = { lower, (size_t)n, -EBADF, -EBADF, true };
	struct err err = ERR_INIT;
	int mounts = count_mounts();
	char name[32];

	int fs = how(&layers, 0, &err);
	CHECK_OK(fs, &err);
	CHECK(count_mounts() == mounts);
	CHECK_OK(mount_attach(fs, open_dir("merged"), &err), &err);
	CHECK(file_is("merged/f0", "x"));
	snprintf(name, sizeof(name), "merged/f%d", n - 1);
	CHECK(file_is(name, "x"));
	snprintf(name, sizeof(name), "merged/f%d", n);
	CHECK(access(name, F_OK) < 0);
	CHECK(file_is("merged/all", "top"));
	CHECK(umount2("merged", MNT_DETACH) == 0);
	return close(fs);
}

static int overlay_many_layers(const void *data)
{
	static const int counts[] = { 2, 14, 15, 16, 64, 128, 300 };
	struct err err = ERR_INIT;
	struct mount_layers over = { .n_lower = MANY + 1 };
	int lower[MANY];
	int r = enter_tmpfs(&err);

	if (r == 0)
		r = make_many(lower);
	for (size_t i = 0; i < ARRAY_SIZE(counts) && r == 0; i++)
		r = check_many(mount_overlay, lower, counts[i]);
	for (size_t i = 0; i < ARRAY_SIZE(counts) && r == 0; i++)
		r = check_many(mount_overlay_apart, lower, counts[i]);
	if (r)
		return r;
	CHECK(mount_overlay(&over, 0, &err) < 0);
	CHECK(strstr(err.msg, "500 layers at most, not 501"));
	return 0;
}

/* Layers that are mounted nowhere, as those are whose ids are mapped. */
static int overlay_detached_layers(const void *data)
{
	struct err err = ERR_INIT;
	int lower[MANY], clones[2];
	int r = enter_tmpfs(&err);

	if (r == 0)
		r = make_many(lower);
	for (size_t i = 0; i < 2 && r == 0; i++) {
		for (int j = 0; j < 2; j++) {
			clones[j] = mount_clone(lower[j], "", false, &err);
			CHECK_OK(clones[j], &err);
		}
		r = check_many(i ? mount_overlay : mount_overlay_apart, clones, 2);
	}
	return r;
}

static int errors(const void *data)
{
	static const struct mount_option bad = { "size", "rubbish" };
	struct err err = ERR_INIT;
	int file, r = enter_tmpfs(&err);
	struct mount_layers layers = { &file, 1, -EBADF, -EBADF, true };

	if (r)
		return r;
	CHECK(mount_new("nosuchfs", NULL, NULL, 0, 0, &err) == -ENODEV);
	CHECK(err.kind == ERR_UNSUPPORTED && strstr(err.msg, "nosuchfs"));
	CHECK(mount_new("tmpfs", NULL, &bad, 1, 0, &err) == -EINVAL);
	/* The option, and what the kernel has to say about it. */
	CHECK(strstr(err.msg, "size=rubbish") && strstr(err.msg, "Bad value for 'size'"));

	CHECK(make_file("plain", "") == 0);
	file = open("plain", O_PATH | O_CLOEXEC);
	CHECK(mount_overlay(&layers, 0, &err) < 0);
	CHECK(strstr(err.msg, "overlay"));
	CHECK(mount_overlay_apart(&layers, 0, &err) < 0);
	layers.n_lower = 0;
	CHECK(mount_overlay(&layers, 0, &err) == -EINVAL);

	/* A directory can't be mounted on a file. */
	int fs = mount_new("tmpfs", NULL, NULL, 0, 0, &err);
	CHECK_OK(fs, &err);
	CHECK(mount_attach(fs, file, &err) < 0 && strstr(err.msg, "move_mount"));
	CHECK(mount_clone(AT_FDCWD, "missing", false, &err) == -ENOENT);
	CHECK(strstr(err.msg, "missing"));
	return 0;
}

static int clone_and_set(const void *data)
{
	struct err err = ERR_INIT;
	struct statx stx;
	int r = enter_tmpfs(&err);

	if (r)
		return r;
	CHECK(mkdir("src", 0755) == 0 && mkdir("dst", 0755) == 0);
	CHECK(make_file("src/f", "x") == 0);
	int m = mount_clone(AT_FDCWD, "src", true, &err);
	CHECK_OK(m, &err);
	CHECK_OK(mount_set(m, "", true, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC, 0, 0, -1, &err),
		 &err);
	CHECK_OK(mount_attach(m, open_dir("dst"), &err), &err);
	CHECK(file_is("dst/f", "x"));
	CHECK(make_file("dst/f", "y") < 0 && errno == EROFS);
	CHECK(make_file("src/f", "y") == 0);
	CHECK_OK(mount_set(m, "", false, MOUNT_ATTR_NOATIME, MOUNT_ATTR_RDONLY, 0, -1, &err), &err);
	CHECK(make_file("dst/f", "z") == 0);
	CHECK(statx(AT_FDCWD, "dst", 0, STATX_BASIC_STATS, &stx) == 0);
	CHECK(stx.stx_attributes & STATX_ATTR_MOUNT_ROOT);

	/* A mount below comes along only when asked for. */
	CHECK(mkdir("src/sub", 0755) == 0 && mkdir("flat", 0755) == 0 && mkdir("deep", 0755) == 0);
	int sub = mount_new("tmpfs", NULL, NULL, 0, 0, &err);
	CHECK_OK(sub, &err);
	CHECK(mkdirat(sub, "inner", 0755) == 0);
	CHECK_OK(mount_attach(sub, open_dir("src/sub"), &err), &err);
	m = mount_clone(AT_FDCWD, "src", false, &err);
	CHECK_OK(m, &err);
	CHECK_OK(mount_attach(m, open_dir("flat"), &err), &err);
	CHECK(access("flat/sub/inner", F_OK) < 0);
	m = mount_clone(open_dir("src"), "", true, &err);
	CHECK_OK(m, &err);
	CHECK_OK(mount_set(m, "", true, MOUNT_ATTR_RDONLY, 0, 0, -1, &err), &err);
	CHECK_OK(mount_attach(m, open_dir("deep"), &err), &err);
	CHECK(access("deep/sub/inner", F_OK) == 0);
	CHECK(mkdir("deep/sub/inner/x", 0755) < 0 && errno == EROFS);

	/* A single file, bound over another one. */
	CHECK(make_file("file", "mine") == 0 && make_file("over", "") == 0);
	m = mount_clone(AT_FDCWD, "file", false, &err);
	CHECK_OK(m, &err);
	CHECK_OK(mount_attach(m, open("over", O_PATH | O_CLOEXEC), &err), &err);
	CHECK(file_is("over", "mine"));
	return 0;
}

static int pivot(const void *data)
{
	struct err err = ERR_INIT;
	struct stat st;
	char cwd[64];
	int r = enter_tmpfs(&err);

	if (r)
		return r;
	CHECK(mkdir("newroot", 0755) == 0);
	int root = mount_new("tmpfs", NULL, NULL, 0, 0, &err);
	CHECK_OK(root, &err);
	CHECK(mkdirat(root, "only-here", 0755) == 0);
	CHECK_OK(mount_attach(root, open_dir("newroot"), &err), &err);
	CHECK_OK(mount_pivot(root, &err), &err);
	CHECK(getcwd(cwd, sizeof(cwd)) && strcmp(cwd, "/") == 0);
	CHECK(stat("/only-here", &st) == 0);
	/* Nothing of the old tree is left, above neither. */
	CHECK(stat("/proc", &st) < 0 && errno == ENOENT);
	CHECK(stat("/../proc", &st) < 0 && errno == ENOENT);
	return 0;
}

static void test_overlay(void **state)
{
	child_run_userns(overlay, NULL, CLONE_NEWNS);
}

static void test_overlay_by_name(void **state)
{
	child_run_userns(overlay_by_name, NULL, CLONE_NEWNS);
}

static void test_overlay_many_layers(void **state)
{
	child_run_userns(overlay_many_layers, NULL, CLONE_NEWNS);
}

static void test_overlay_apart(void **state)
{
	child_run_userns(overlay_apart, NULL, CLONE_NEWNS);
}

static void test_overlay_detached_layers(void **state)
{
	child_run_userns(overlay_detached_layers, NULL, CLONE_NEWNS);
}

static void test_errors(void **state)
{
	child_run_userns(errors, NULL, CLONE_NEWNS);
}

static void test_clone_and_set(void **state)
{
	child_run_userns(clone_and_set, NULL, CLONE_NEWNS);
}

static void test_pivot(void **state)
{
	child_run_userns(pivot, NULL, CLONE_NEWNS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_overlay),
		cmocka_unit_test(test_overlay_by_name),
		cmocka_unit_test(test_overlay_apart),
		cmocka_unit_test(test_overlay_many_layers),
		cmocka_unit_test(test_overlay_detached_layers),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_clone_and_set),
		cmocka_unit_test(test_pivot),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
