/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/tty.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "base/fd.h"

/* The ptmx device's number, Documentation/admin-guide/devices.txt. */
#define PTMX_DEV makedev(5, 2)

/* Nobody can make files in one, so what is on it is what the kernel put there. */
static bool is_on_devpts(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == DEVPTS_SUPER_MAGIC;
}

int tty_open_pair(int dirfd, int *ret_master, int *ret_slave, struct err *err)
{
	cleanup_fd int master = -EBADF;
	int unlock = 0;
	struct stat st;

	/* Before the open, which would have an effect on some devices. */
	if (!is_on_devpts(dirfd))
		return err_fail(err, ERR_DENIED, "what holds ptmx is no devpts filesystem");
	master = openat(dirfd, "ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (master < 0)
		return err_errno(err, errno, "opening ptmx");
	if (fstat(master, &st) < 0)
		return err_errno(err, errno, "checking ptmx");
	if (!S_ISCHR(st.st_mode) || st.st_rdev != PTMX_DEV || !is_on_devpts(master))
		return err_fail(err, ERR_DENIED, "ptmx is not the pseudoterminal device");
	if (ioctl(master, TIOCSPTLCK, &unlock) < 0)
		return err_errno(err, errno, "unlocking pseudoterminal");
	int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return err_errno(err, errno, "opening pseudoterminal's slave (TIOCGPTPEER)");
	fd_set_nonblock(master, false); /* only the open was not to hang on something else */
	*ret_slave = slave;
	*ret_master = take_fd(master);
	return 0;
}

int tty_get_size(int fd, struct winsize *ret)
{
	return ioctl(fd, TIOCGWINSZ, ret) < 0 ? -errno : 0;
}

int tty_set_size(int fd, const struct winsize *size)
{
	return ioctl(fd, TIOCSWINSZ, size) < 0 ? -errno : 0;
}

int tty_make_controlling(int fd, struct err *err)
{
	/* EPERM: a process group leader; a session's leader, which is as good, or not: then
	 * TIOCSCTTY tells. */
	if (setsid() < 0 && errno != EPERM)
		return err_errno(err, errno, "making session");
	if (ioctl(fd, TIOCSCTTY, 0) < 0)
		return err_errno(err, errno, "setting controlling terminal");
	return 0;
}

int tty_make_raw(int fd, struct termios *ret_saved)
{
	struct termios saved, raw;

	if (tcgetattr(fd, &saved) < 0)
		return -errno;
	raw = saved;
	cfmakeraw(&raw);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	if (NO_EINTR(tcsetattr(fd, TCSADRAIN, &raw)) < 0)
		return -errno;
	*ret_saved = saved;
	return 0;
}

int tty_restore(int fd, const struct termios *saved)
{
	return NO_EINTR(tcsetattr(fd, TCSADRAIN, saved)) < 0 ? -errno : 0;
}
