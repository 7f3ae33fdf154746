/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/procfs.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/str.h"
#include "sys/mount.h"
#include "sys/uapi.h"

#define PROC_ROOT_INO 1 /* of every procfs instance */

static int open_private(unsigned int flags)
{
	static const struct mount_option subset = { "subset", "pid" };
	size_t n = flags & PROCFS_SUBSET_PID ? 1 : 0;

	return mount_new("proc", "proc", &subset, n,
			 MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, NULL);
}

int procfs_open(unsigned int flags, struct err *err)
{
	struct statfs sfs;
	struct stat st;
	int priv = flags & PROCFS_MOUNTED ? -EBADF : open_private(flags);

	if (priv >= 0)
		return priv;
	/* No right to a new instance, or no fsopen: the one that is mounted, if it is one. */
	cleanup_fd int fd = open("/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, errno, "opening /proc");
	if (fstatfs(fd, &sfs) < 0 || fstat(fd, &st) < 0)
		return err_errno(err, errno, "checking /proc");
	if (sfs.f_type != PROC_SUPER_MAGIC || st.st_ino != PROC_ROOT_INO)
		return err_fail(err, ERR_DENIED, "/proc is not the root of a procfs");
	return take_fd(fd);
}

/* Without openat2(2): nothing may be mounted between the handle and the file. */
static int open_same_mount(int procfd, const char *path, int flags)
{
	struct statx root, file;
	cleanup_fd int fd = openat(procfd, path, flags | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	if (statx(procfd, "", AT_EMPTY_PATH, STATX_MNT_ID, &root) < 0 ||
	    statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &file) < 0)
		return -errno;
	if (!(root.stx_mask & file.stx_mask & STATX_MNT_ID))
		return -ENOSYS;
	return root.stx_mnt_id == file.stx_mnt_id ? take_fd(fd) : -EXDEV;
}

int procfs_open_at(int procfd, const char *path, int flags, struct err *err)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC | O_NOCTTY),
		/* "self" is a symlink, though the kernel's own. */
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};
	long fd = NO_EINTR(syscall(SYS_openat2, procfd, path, &how, sizeof(how)));
	int errnum = errno;

	if (fd < 0 && errnum == ENOSYS) {
		fd = open_same_mount(procfd, path, flags | O_CLOEXEC | O_NOCTTY);
		errnum = (int)-fd;
	}
	if (fd >= 0)
		return (int)fd;
	if (errnum == EXDEV)
		return err_set_kind(err,
				    err_errno(err, errnum, "/proc/%s is covered by a mount", path),
				    ERR_DENIED);
	return err_errno(err, errnum, "opening /proc/%s", path);
}

int procfs_write(int procfd, const char *path, const char *value, struct err *err)
{
	cleanup_fd int fd = procfs_open_at(procfd, path, O_WRONLY, err);

	if (fd < 0)
		return fd;
	size_t len = strlen(value);
	ssize_t n = NO_EINTR(write(fd, value, len));
	if (n >= 0 && (size_t)n == len)
		return 0;
	return err_errno(err, n < 0 ? errno : EIO, "writing \"%.200s\" to /proc/%s", value, path);
}

/* sysctl(8): whichever of '.' and '/' comes first separates, the other one stands for the first. */
char *procfs_sysctl_path(const char *name)
{
	char separator = name[strcspn(name, "./")], other = separator == '/' ? '\0' : '/';
	char *path = xasprintf("sys/%s", name), *component = path + strlen("sys/");

	for (char *p = component;; p++) {
		if (*p && *p != separator) {
			if (other && *p == other)
				*p = '.';
			continue;
		}
		size_t len = (size_t)(p - component);
		bool dots = len > 0 && strspn(component, ".") >= len && len <= 2;
		if (len == 0 || dots)
			break;
		if (!*p)
			return path;
		*p = '/';
		component = p + 1;
	}
	free(path);
	return NULL;
}

int procfs_write_sysctl(int procfd, const char *name, const char *value, struct err *err)
{
	cleanup_free char *path = procfs_sysctl_path(name);

	if (!path)
		return err_fail(err, ERR_INVALID, "invalid sysctl name \"%s\"", name);
	int r = procfs_write(procfd, path, value, err);
	return r < 0 ? err_wrap(err, r, "setting sysctl %s", name) : 0;
}

int procfs_write_attr(int procfd, const char *attr, const char *value, struct err *err)
{
	cleanup_free char *path = xasprintf("thread-self/attr/%s", attr);
	int r = procfs_write(procfd, path, value, err);

	return r < 0 ? err_wrap(err, r, "setting security label") : 0;
}

int procfs_write_oom_score_adj(int procfd, int value, struct err *err)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", value);
	return procfs_write(procfd, "self/oom_score_adj", text, err);
}

/* "12 (comm) S 1 ...": comm may hold anything, spaces and parentheses too, so what counts stands
 * behind the last one. */
int procfs_parse_stat(const char *text, size_t len, char *ret_state, uint64_t *ret_start_time)
{
	char line[4096];
	uint64_t start;

	if (len == 0 || len >= sizeof(line) || memchr(text, '\0', len))
		return -EINVAL;
	memcpy(line, text, len);
	line[len] = '\0';
	line[strcspn(line, "\n")] = '\0';
	char *p = strrchr(line, ')');
	if (!p || p[1] != ' ' || !p[2] || p[3] != ' ')
		return -EINVAL;
	char state = p[2];
	if ((state < 'A' || state > 'Z') && (state < 'a' || state > 'z'))
		return -EINVAL;
	p += 2;
	for (int field = 3; field < 22; field++) {
		p = strchr(p, ' ');
		if (!p || p[1] == ' ')
			return -EINVAL;
		p++;
	}
	p[strcspn(p, " ")] = '\0';
	if (str_parse_u64(p, &start) < 0)
		return -EINVAL;
	if (ret_state)
		*ret_state = state;
	*ret_start_time = start;
	return 0;
}

int procfs_stat(pid_t pid, char *ret_state, uint64_t *ret_start_time)
{
	char path[64], text[4096];

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	ssize_t n = io_read(fd, text, sizeof(text));
	if (n < 0)
		return (int)n;
	return procfs_parse_stat(text, (size_t)n, ret_state, ret_start_time);
}
