/* SPDX-License-Identifier: Apache-2.0 */
/* The small wrappers of src/sys: limits, terminals, devices, attributes, loopback, Landlock. */
#include "child.h"

#include <arpa/inet.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/strv.h"
#include "sys/dev.h"
#include "sys/landlock.h"
#include "sys/netlink.h"
#include "sys/ns.h"
#include "sys/pidfd.h"
#include "sys/procfs.h"
#include "sys/rlimit.h"
#include "sys/tty.h"
#include "sys/xattr.h"

static int sleeps(void *data)
{
	while (pause() < 0) {
	}
	return 0;
}

/* A pid that is only a thread's is another one's by now, as that of one being reaped: kernels have
 * EINVAL or ENOENT for it. */
static int pid_of_a_thread(const void *data)
{
	static _Alignas(16) char stack[64 << 10];
	pid_t tid = clone(sleeps, stack + sizeof(stack),
			  CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD, NULL);
	int fd = pidfd_of(getpid());

	CHECK(tid > 0 && pidfd_of(tid) == -ESRCH);
	CHECK(fd >= 0 && pidfd_of(-1) == -EINVAL && pidfd_of(INT_MAX) == -ESRCH);
	return 0;
}

static void test_pidfd_of(void **state)
{
	child_run_userns(pid_of_a_thread, NULL, 0);
}

/* What the table of pidfd.h says of both. */
static void test_ended(void **state)
{
	pid_t pid = fork();
	struct err err = ERR_INIT;
	uint64_t start;
	char status;
	siginfo_t info;
	int pidfd;

	if (pid == 0)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	pidfd = pidfd_of(pid);
	assert_int_equal(pidfd_poll(pidfd, 0), 1);
	assert_int_equal(pidfd_kill(pidfd, SIGKILL), 0);
	assert_int_equal(procfs_stat(pid, &status, &start), 0);
	assert_int_equal(status, 'Z');
	assert_int_equal(ns_open_of(pid, CLONE_NEWNET, &err), -ESRCH);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(pidfd_kill(pidfd, SIGKILL), -ESRCH);
	assert_int_equal(pidfd_of(pid), -ESRCH);
	assert_int_equal(procfs_stat(pid, &status, &start), -ESRCH);
	assert_int_equal(ns_open_of(pid, CLONE_NEWUSER, &err), -ESRCH);
	fd_close(pidfd);
}

static void test_rlimit_names(void **state)
{
	assert_int_equal(rlimit_from_name("RLIMIT_NOFILE"), RLIMIT_NOFILE);
	assert_int_equal(rlimit_from_name("RLIMIT_RTTIME"), RLIMIT_RTTIME);
	assert_int_equal(rlimit_from_name("NOFILE"), -EINVAL);
	assert_int_equal(rlimit_from_name("rlimit_nofile"), -EINVAL);
	assert_int_equal(rlimit_from_name(""), -EINVAL);
	for (int i = 0; i < RLIM_NLIMITS; i++)
		assert_int_equal(rlimit_from_name(rlimit_name(i)), i);
	assert_null(rlimit_name(RLIM_NLIMITS));
	assert_null(rlimit_name(-1));
}

static int limits(const void *data)
{
	struct err err = ERR_INIT;
	uint64_t soft = 0, hard = 0;

	CHECK_OK(rlimit_set(0, RLIMIT_NOFILE, 50, 60, &err), &err);
	CHECK(rlimit_get(0, RLIMIT_NOFILE, &soft, &hard) == 0 && soft == 50 && hard == 60);
	CHECK(rlimit_set(0, RLIMIT_NOFILE, 70, 60, &err) == -EINVAL);
	CHECK(strstr(err.msg, "RLIMIT_NOFILE"));
	CHECK(rlimit_set(0, 99, 1, 1, &err) == -EINVAL);
	/* In a user namespace nobody may raise a hard limit. */
	CHECK(rlimit_set(0, RLIMIT_NOFILE, 50, 61, &err) == -EPERM);
	CHECK(err.errnum == EPERM && strstr(err.msg, "50:61"));
	return 0;
}

static void test_rlimit_set(void **state)
{
	child_run_userns(limits, NULL, 0);
}

/* A terminal of an own devpts instance: the slave's name means nothing outside. */
static int tty_pair(const void *data)
{
	struct winsize size = { .ws_row = 33, .ws_col = 99 }, seen;
	struct termios saved, raw;
	struct err err = ERR_INIT;
	struct stat st;
	int master, slave;
	char text[8] = "";

	CHECK(mount("devpts", "/tmp", "devpts", 0, "newinstance,ptmxmode=0666") == 0);
	int dir = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHECK_OK(tty_open_pair(dir, &master, &slave, &err), &err);
	CHECK((fcntl(master, F_GETFD) & FD_CLOEXEC) && (fcntl(slave, F_GETFD) & FD_CLOEXEC));
	CHECK(!(fcntl(master, F_GETFL) & O_NONBLOCK));
	CHECK(isatty(slave));
	CHECK(fstat(slave, &st) == 0 && S_ISCHR(st.st_mode));
	CHECK(tty_set_size(master, &size) == 0 && tty_get_size(slave, &seen) == 0);
	CHECK(seen.ws_row == 33 && seen.ws_col == 99);
	CHECK(tty_make_raw(slave, &saved) == 0);
	CHECK(tcgetattr(slave, &raw) == 0 && !(raw.c_lflag & (ICANON | ECHO | ISIG)));
	CHECK(write(master, "x", 1) == 1 && read(slave, text, 1) == 1 && text[0] == 'x');
	CHECK(tty_restore(slave, &saved) == 0);
	CHECK(tcgetattr(slave, &raw) == 0 && (raw.c_lflag & ICANON));
	/* Opening made nothing a controlling terminal; asking does. */
	CHECK(open("/dev/tty", O_RDWR | O_CLOEXEC) < 0 || getsid(0) != getpid());
	CHECK_OK(tty_make_controlling(slave, &err), &err);
	CHECK(open("/dev/tty", O_RDWR | O_CLOEXEC) >= 0 && tcgetsid(slave) == getpid());
	return 0;
}

static void test_tty(void **state)
{
	child_run_userns(tty_pair, NULL, CLONE_NEWNS);
}

/* CVE-2025-52565: what stands where ptmx should be is not taken for it. */
static int tty_fake(const void *data)
{
	struct err err = ERR_INIT;
	int master, slave;

	CHECK(mount("tmpfs", "/tmp", "tmpfs", 0, NULL) == 0 && chdir("/tmp") == 0);
	int dir = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHECK(tty_open_pair(dir, &master, &slave, &err) < 0 && err.kind == ERR_DENIED);
	/* The real one, but not in a devpts. */
	CHECK(mkfifo("ptmx", 0666) == 0 && mount("/dev/ptmx", "ptmx", NULL, MS_BIND, NULL) == 0);
	CHECK(tty_open_pair(dir, &master, &slave, &err) < 0 && err.kind == ERR_DENIED);
	CHECK(mkdir("pts", 0755) == 0 &&
	      mount("devpts", "pts", "devpts", 0, "newinstance,ptmxmode=0666") == 0);
	int pts = open("pts", O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHECK_OK(tty_open_pair(pts, &master, &slave, &err), &err);
	/* A devpts, but something else above its ptmx. */
	CHECK(mount("/dev/null", "pts/ptmx", NULL, MS_BIND, NULL) == 0);
	CHECK(tty_open_pair(pts, &master, &slave, &err) < 0 && err.kind == ERR_DENIED);
	return 0;
}

static void test_tty_fake(void **state)
{
	child_run_userns(tty_fake, NULL, CLONE_NEWNS);
}

static int devices(const void *data)
{
	struct err err = ERR_INIT;
	struct stat st;

	umask(0077);
	CHECK(mount("tmpfs", "/tmp", "tmpfs", 0, NULL) == 0 && chdir("/tmp") == 0);
	int dir = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = dev_make(dir, "fifo", S_IFIFO | 0666, 0, 0, 0, &err);
	CHECK_OK(fd, &err);
	CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) && (fcntl(fd, F_GETFL) & O_PATH));
	CHECK(stat("fifo", &st) == 0 && st.st_mode == (S_IFIFO | 0666));
	/* Again: the same node, another mode. */
	fd = dev_make(dir, "fifo", S_IFIFO | 0600, 0, 0, 0, &err);
	CHECK_OK(fd, &err);
	CHECK(stat("fifo", &st) == 0 && st.st_mode == (S_IFIFO | 0600));

	CHECK(link("fifo", "second-name") == 0);
	CHECK(dev_make(dir, "fifo", S_IFIFO | 0666, 0, 0, 0, &err) < 0);
	CHECK(err.kind == ERR_DENIED);
	CHECK(stat("fifo", &st) == 0 && st.st_mode == (S_IFIFO | 0600));
	CHECK(symlink("second-name", "link") == 0);
	CHECK(dev_make(dir, "link", S_IFIFO | 0666, 0, 0, 0, &err) < 0);
	CHECK(dev_make(dir, "fifo", S_IFCHR | 0666, makedev(1, 3), 0, 0, &err) < 0);

	/* Devices are not for user namespaces: the caller binds. */
	CHECK(dev_make(dir, "null", S_IFCHR | 0666, makedev(1, 3), 0, 0, &err) == -EPERM);
	CHECK(strstr(err.msg, "null"));
	CHECK(dev_make(dir, "a/b", S_IFIFO | 0666, 0, 0, 0, &err) == -EINVAL);
	CHECK(dev_make(dir, "", S_IFIFO | 0666, 0, 0, 0, &err) == -EINVAL);
	CHECK(dev_make(dir, "reg", S_IFREG | 0666, 0, 0, 0, &err) == -EINVAL);
	return 0;
}

static void test_dev(void **state)
{
	child_run_userns(devices, NULL, CLONE_NEWNS);
}

static int real_device(const void *data)
{
	struct err err = ERR_INIT;
	struct stat st;

	CHECK(unshare(CLONE_NEWNS) == 0);
	CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	CHECK(mount("tmpfs", "/tmp", "tmpfs", 0, NULL) == 0 && chdir("/tmp") == 0);
	umask(0077);
	int dir = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = dev_make(dir, "null", S_IFCHR | 0666, makedev(1, 3), 12, 34, &err);
	if (fd == -EPERM) /* a root without CAP_MKNOD */
		return 0;
	CHECK_OK(fd, &err);
	CHECK(stat("null", &st) == 0 && st.st_mode == (S_IFCHR | 0666));
	CHECK(st.st_rdev == makedev(1, 3) && st.st_uid == 12 && st.st_gid == 34);
	CHECK(dev_make(dir, "null", S_IFCHR | 0666, makedev(1, 5), 0, 0, &err) < 0);
	CHECK(err.kind == ERR_DENIED);
	return 0;
}

static void test_real_device(void **state)
{
	if (geteuid() == 0)
		child_run(real_device, NULL);
}

static bool not_b(const char *name)
{
	return strcmp(name, "user.b") != 0;
}

static void test_xattr(void **state)
{
	char path[] = "/tmp/inro-xattr-XXXXXX", other[] = "/tmp/inro-xattr-XXXXXX";
	cleanup_buf struct buf value = BUF_INIT;
	char **names = NULL;

	close(mkstemp(path));
	close(mkstemp(other));
	/* All of it through O_PATH, which fsetxattr(2) and the like refuse. */
	int fd = open(path, O_PATH | O_CLOEXEC), to = open(other, O_PATH | O_CLOEXEC);
	int plain = open(path, O_RDONLY | O_CLOEXEC);
	unlink(path);
	unlink(other);
	int r = xattr_set(fd, "user.a", "one\0two", 7);
	if (r == -EOPNOTSUPP)
		skip(); /* /tmp on an old tmpfs */
	assert_int_equal(r, 0);
	assert_int_equal(xattr_set(plain, "user.b", "", 0), 0);
	assert_int_equal(xattr_get(fd, "user.a", &value), 0);
	assert_int_equal(value.len, 7);
	assert_memory_equal(value.data, "one\0two", 7);
	assert_int_equal(xattr_get(plain, "user.a", &value), 0);
	assert_int_equal(xattr_get(fd, "user.none", &value), -ENODATA);
	assert_int_equal(xattr_list(fd, &names), 0);
	assert_true(strv_has(names, "user.a") && strv_has(names, "user.b"));
	strv_free(names);

	assert_int_equal(xattr_copy(fd, to, not_b), 0);
	assert_int_equal(xattr_get(to, "user.a", &value), 0);
	assert_int_equal(value.len, 7);
	assert_int_equal(xattr_get(to, "user.b", &value), -ENODATA);
	close(fd);
	close(to);
	close(plain);
}

/* A datagram to ourselves over 127.0.0.1. */
static int loopback(const void *data)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	struct err err = ERR_INIT;
	char c = 0;
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	CHECK(bind(sock, (struct sockaddr *)&addr, sizeof(addr)) == 0);
	CHECK(getsockname(sock, (struct sockaddr *)&addr, &len) == 0);
	CHECK(sendto(sock, "x", 1, 0, (struct sockaddr *)&addr, len) < 0);
	CHECK_OK(netlink_loopback_up(&err), &err);
	CHECK(sendto(sock, "x", 1, 0, (struct sockaddr *)&addr, len) == 1);
	CHECK(recv(sock, &c, 1, 0) == 1 && c == 'x');
	CHECK_OK(netlink_loopback_up(&err), &err);
	return 0;
}

static void test_loopback(void **state)
{
	child_run_userns(loopback, NULL, CLONE_NEWNET);
}

static int loopback_denied(const void *data)
{
	struct err err = ERR_INIT;

	CHECK(unshare(CLONE_NEWUSER) == 0); /* no rights over the network namespace any more */
	CHECK(netlink_loopback_up(&err) == -EPERM);
	CHECK(strstr(err.msg, "lo"));
	return 0;
}

static void test_loopback_denied(void **state)
{
	child_run_userns(loopback_denied, NULL, 0);
}

static int landlocked(const void *data)
{
	struct err err = ERR_INIT;

	CHECK(mount("tmpfs", "/tmp", "tmpfs", 0, NULL) == 0 && chdir("/tmp") == 0);
	CHECK(mkdir("rw", 0755) == 0 && mkdir("ro", 0755) == 0 && mkdir("out", 0755) == 0);
	close(open("ro/f", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	close(open("out/f", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	struct landlock_rule rules[] = {
		{ open("rw", O_PATH | O_CLOEXEC), LANDLOCK_WRITE },
		{ open("ro", O_PATH | O_CLOEXEC), LANDLOCK_READ },
		{ open("/dev/null", O_PATH | O_CLOEXEC), LANDLOCK_WRITE },
	};
	int abi = landlock_restrict(rules, ARRAY_SIZE(rules), LANDLOCK_NO_NETWORK | LANDLOCK_SCOPED,
				    &err);
	CHECK_OK(abi, &err);
	CHECK(abi == landlock_abi());
	if (abi == 0)
		return 0;
	CHECK(mkdir("rw/d", 0755) == 0);
	CHECK(open("rw/f", O_WRONLY | O_CREAT | O_CLOEXEC, 0644) >= 0);
	CHECK(open("ro/f", O_RDONLY | O_CLOEXEC) >= 0);
	CHECK(open("ro/f", O_WRONLY | O_CLOEXEC) < 0 && errno == EACCES);
	CHECK(open("out/f", O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES);
	CHECK(open("/dev/null", O_WRONLY | O_CLOEXEC) >= 0);
	CHECK(open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES);
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	return 0;
}

static int without_landlock(const void *data)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_landlock_create_ruleset, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { ARRAY_SIZE(f), f };
	struct err err = ERR_INIT;

	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0);
	CHECK(landlock_abi() == 0);
	CHECK(landlock_restrict(NULL, 0, 0, &err) == 0);
	CHECK(open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0);
	return 0;
}

static void test_landlock(void **state)
{
	child_run_userns(landlocked, NULL, CLONE_NEWNS);
	child_run(without_landlock, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pidfd_of),
		cmocka_unit_test(test_ended),
		cmocka_unit_test(test_rlimit_names),
		cmocka_unit_test(test_rlimit_set),
		cmocka_unit_test(test_tty),
		cmocka_unit_test(test_tty_fake),
		cmocka_unit_test(test_dev),
		cmocka_unit_test(test_real_device),
		cmocka_unit_test(test_xattr),
		cmocka_unit_test(test_loopback),
		cmocka_unit_test(test_loopback_denied),
		cmocka_unit_test(test_landlock),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
