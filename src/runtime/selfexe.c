/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/selfexe.h"

#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/str.h"
#include "sys/mount.h"

#define SELF  "/proc/self/exe"
#define GUARD "_INRO_SELFEXE"
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static int open_readonly_mount(const char *path)
{
	cleanup_fd int fd = mount_clone(AT_FDCWD, path, false, NULL);
	int r;

	if (fd < 0)
		return fd;
	r = mount_set(fd, "", false, MOUNT_ATTR_RDONLY, 0, 0, -EBADF, NULL);
	return r < 0 ? r : take_fd(fd);
}

static int open_sealed_copy(const char *path, struct err *err)
{
	cleanup_fd int in = open(path, O_RDONLY | O_CLOEXEC);
	cleanup_fd int out = -EBADF;
	int64_t n;

	if (in < 0)
		return err_errno(err, errno, "opening %s", path);
	out = memfd_create("inro", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (out < 0)
		return err_errno(err, errno, "making a memory file");
	n = io_copy(in, out);
	if (n < 0)
		return err_errno(err, (int)-n, "copying %s", path);
	if (fchmod(out, 0755) < 0 || fcntl(out, F_ADD_SEALS, SEALS) < 0)
		return err_errno(err, errno, "sealing the copy of %s", path);
	return take_fd(out);
}

int selfexe_open(const char *path, struct err *err)
{
	int fd = open_readonly_mount(path ? path : SELF);

	return fd >= 0 ? fd : open_sealed_copy(path ? path : SELF, err);
}

static bool is_sealed_copy(void)
{
	cleanup_fd int fd = open(SELF, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && (fcntl(fd, F_GET_SEALS) & SEALS) == SEALS;
}

bool selfexe_path_is_safe(const char *path)
{
	struct statvfs fs;
	struct stat st;

	if (statvfs(path, &fs) == 0 && (fs.f_flag & ST_RDONLY))
		return true;
	/* An unprivileged runtime can't map root into a container. */
	return geteuid() != 0 && stat(path, &st) == 0 && st.st_uid == 0 && !(st.st_mode & 022);
}

bool selfexe_is_protected(void)
{
	return selfexe_path_is_safe(SELF) || (getenv(GUARD) && is_sealed_copy());
}

int selfexe_mount_fd(void)
{
	static const char prefix[] = "/dev/fd/";
	const char *name = (const char *)getauxval(AT_EXECFN);
	int fd;

	if (!name || !str_starts(name, prefix) || str_parse_int(name + strlen(prefix), &fd) < 0 ||
	    fd < 3)
		return -EBADF;
	return fd_set_cloexec(fd, true) < 0 ? -EBADF : fd;
}

void selfexe_exec(const char *path, char *const *argv, int first_fd)
{
	cleanup_fd int mount = geteuid() == 0 ? open_readonly_mount(path) : -EPERM;
	/* Stays open: selfexe_mount_fd(). */
	int fd = mount < 0 ? mount : fcntl(mount, F_DUPFD, first_fd);

	if (fd < 0)
		return;
	syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
	fd_close(fd);
}

int selfexe_protect(char *const *argv, struct err *err)
{
	cleanup_fd int fd = -EBADF;

	if (selfexe_is_protected()) {
		unsetenv(GUARD);
		return 0;
	}
	if (getenv(GUARD))
		return err_fail(err, ERR_UNSUPPORTED, "protecting the runtime's own program file");
	fd = selfexe_open(NULL, err);
	if (fd < 0)
		return fd;
	setenv(GUARD, "1", 1);
	syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
	return err_errno(err, errno, "executing the protected copy of the runtime");
}
