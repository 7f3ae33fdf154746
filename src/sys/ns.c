/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/ns.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/str.h"
#include "sys/procfs.h"
#include "sys/uapi.h"

const struct ns_type ns_types[NS_TYPES] = {
	{ "user", "user", CLONE_NEWUSER },       { "ipc", "ipc", CLONE_NEWIPC },
	{ "uts", "uts", CLONE_NEWUTS },          { "network", "net", CLONE_NEWNET },
	{ "cgroup", "cgroup", CLONE_NEWCGROUP }, { "time", "time", CLONE_NEWTIME },
	{ "pid", "pid", CLONE_NEWPID },          { "mount", "mnt", CLONE_NEWNS },
};

const struct ns_type *ns_by_name(const char *name)
{
	for (size_t i = 0; i < NS_TYPES; i++)
		if (str_eq(name, ns_types[i].name) || str_eq(name, ns_types[i].file))
			return &ns_types[i];
	return NULL;
}

const struct ns_type *ns_by_flag(unsigned int flag)
{
	for (size_t i = 0; i < NS_TYPES; i++)
		if (flag == ns_types[i].flag)
			return &ns_types[i];
	return NULL;
}

static const char *word(unsigned int flag)
{
	const struct ns_type *t = ns_by_flag(flag);

	return t ? t->name : "unknown";
}

bool ns_is(int fd, unsigned int flag)
{
	return ioctl(fd, NS_GET_NSTYPE) == (int)flag;
}

/* Opens twice: only once it is known to be a namespace is it opened for real, because opening a
 * device or FIFO has effects of its own. */
int ns_open(const char *path, unsigned int flag, struct err *err)
{
	cleanup_fd int pathfd = open(path, O_PATH | O_CLOEXEC);
	char proc_path[FD_PATH_MAX];
	struct statfs sfs;

	if (pathfd < 0)
		return err_errno(err, errno, "opening %s namespace %s", word(flag), path);
	if (fstatfs(pathfd, &sfs) < 0)
		return err_errno(err, errno, "opening %s namespace %s", word(flag), path);
	if (sfs.f_type != NSFS_MAGIC)
		return err_fail(err, ERR_INVALID, "%s is not a namespace", path);
	cleanup_fd int fd = open(fd_proc_path(pathfd, proc_path), O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, errno, "opening %s namespace %s", word(flag), path);
	int type = ioctl(fd, NS_GET_NSTYPE);
	if (type < 0)
		return err_errno(err, errno, "asking for the type of namespace %s", path);
	if ((unsigned int)type != flag)
		return err_fail(err, ERR_INVALID, "%s is a %s namespace, not a %s namespace", path,
				word((unsigned int)type), word(flag));
	return take_fd(fd);
}

int ns_open_of(pid_t pid, unsigned int flag, struct err *err)
{
	const struct ns_type *t = ns_by_flag(flag);
	char path[64], state = 0;
	uint64_t start;
	int r;

	if (!t)
		return err_fail(err, ERR_INVALID, "unknown namespace type %#x", flag);
	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, t->file);
	r = ns_open(path, flag, err);
	/* Of one that ends: pidfd.h. */
	if ((r == -ENOENT || r == -EACCES) &&
	    (procfs_stat(pid, &state, &start) == -ESRCH || state == 'Z' || state == 'X'))
		return err_errno(err, ESRCH, "opening %s namespace %s", word(flag), path);
	return r;
}

int ns_join(int fd, unsigned int flag, struct err *err)
{
	if (setns(fd, (int)flag) < 0)
		return err_errno(err, errno, "joining %s namespace", word(flag));
	return 0;
}

int ns_join_pidfd(int pidfd, unsigned int flags, struct err *err)
{
	if (setns(pidfd, (int)flags) < 0)
		return err_errno(err, errno, "joining namespaces of process");
	return 0;
}

int ns_owner(int fd)
{
	int owner = ioctl(fd, NS_GET_USERNS);

	return owner < 0 ? -errno : owner;
}

int ns_parent(int userns)
{
	int parent = ioctl(userns, NS_GET_PARENT);

	return parent < 0 ? -errno : parent;
}

int ns_is_own(int fd, unsigned int flag)
{
	const struct ns_type *t = ns_by_flag(flag);
	struct stat own, other;
	char path[64];

	if (!t)
		return -EINVAL;
	snprintf(path, sizeof(path), "/proc/self/ns/%s", t->file);
	if (stat(path, &own) < 0 || fstat(fd, &other) < 0)
		return -errno;
	return own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

int ns_unshare_time(int fd, const struct ns_time_offset *offsets, size_t n, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;

	if (unshare(CLONE_NEWTIME) < 0)
		return err_errno(err, errno, "making time namespace");
	for (size_t i = 0; i < n; i++)
		buf_addf(&text, "%d %lld %u\n", offsets[i].clock, (long long)offsets[i].secs,
			 offsets[i].nanosecs);
	if (n == 0)
		return 0;
	if (write(fd, buf_str(&text), text.len) < 0)
		return err_errno(err, errno, "setting offsets of time namespace");
	return 0;
}
