/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/dev.h"

#include <fcntl.h>
#include <sys/syscall.h>

#include "base/fd.h"
#include "sys/uapi.h"

/* chmod(2) of an O_PATH fd: fchmodat2 (kernel >= 6.6), else by its name in /proc. */
static int set_mode(int fd, mode_t mode)
{
	char path[FD_PATH_MAX];

	if (syscall(__NR_fchmodat2, fd, "", mode, AT_EMPTY_PATH) == 0)
		return 0;
	if (errno != ENOSYS && errno != EPERM)
		return -errno;
	return chmod(fd_proc_path(fd, path), mode) < 0 ? -errno : 0;
}

static int set_owner_and_mode(int fd, const struct stat *st, mode_t mode, uid_t uid, gid_t gid)
{
	if (st->st_uid != uid || st->st_gid != gid) {
		if (fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0)
			return -errno;
	}
	if ((st->st_mode & 07777) == mode)
		return 0;
	return set_mode(fd, mode);
}

int dev_make(int dirfd, const char *name, mode_t type_and_mode, dev_t rdev, uid_t uid, gid_t gid,
	     struct err *err)
{
	mode_t type = type_and_mode & S_IFMT, mode = type_and_mode & 07777;
	struct stat st;

	if (type != S_IFCHR && type != S_IFBLK && type != S_IFIFO)
		return err_fail(err, ERR_INVALID, "%s is no device or FIFO", name);
	if (!*name || strchr(name, '/'))
		return err_fail(err, ERR_INVALID, "invalid name of a device node \"%s\"", name);
	if (type == S_IFIFO)
		rdev = 0;
	if (mknodat(dirfd, name, type | mode, rdev) < 0 && errno != EEXIST)
		return err_errno(err, errno, "making device node %s", name);
	cleanup_fd int fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(err, errno, "opening device node %s", name);
	/* A hard link would hand owner and mode on to a node elsewhere. */
	if ((st.st_mode & S_IFMT) != type || (type != S_IFIFO && st.st_rdev != rdev) ||
	    st.st_nlink != 1)
		return err_fail(err, ERR_DENIED, "%s exists and is not the node to be made", name);
	int r = set_owner_and_mode(fd, &st, mode, uid, gid);
	if (r < 0)
		return err_errno(err, -r, "setting owner and mode of device node %s", name);
	return take_fd(fd);
}
