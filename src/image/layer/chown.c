/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/chown.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

#define DEPTH_MAX 200 /* an fd for each */

struct owner {
	uid_t uid;
	gid_t gid;
};

static int chown_list(int fd, const struct owner *o, int depth, struct err *err);

/* Containers may change the tree meanwhile: what is gone is no error. */
static int chown_entry(int dir, const char *name, const struct owner *o, int depth, struct err *err)
{
	struct stat st;
	int fd;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_errno(err, errno, "looking at %s", name);
	if ((st.st_uid != o->uid || st.st_gid != o->gid) &&
	    fchownat(dir, name, o->uid, o->gid, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
		return err_errno(err, errno, "changing the owner of %s", name);
	if (!S_ISDIR(st.st_mode))
		return 0;
	if (depth >= DEPTH_MAX)
		return err_fail(err, ERR_LIMIT, "%s: more than %d directories deep", name,
				DEPTH_MAX);
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
			   ? 0
			   : err_errno(err, errno, "opening %s", name);
	return chown_list(fd, o, depth + 1, err);
}

/* Takes fd over. */
static int chown_list(int fd, const struct owner *o, int depth, struct err *err)
{
	DIR *dir = fdopendir(fd);
	const struct dirent *de;
	int r = 0;

	if (!dir) {
		fd_close(fd);
		return err_errno(err, errno, "reading a directory");
	}
	while (r == 0 && (de = readdir(dir)))
		if (!str_eq(de->d_name, ".") && !str_eq(de->d_name, ".."))
			r = chown_entry(dirfd(dir), de->d_name, o, depth, err);
	closedir(dir);
	return r;
}

int chown_tree(int dir, uid_t uid, gid_t gid, struct err *err)
{
	const struct owner o = { uid, gid };
	struct stat st;
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0) {
		fd_close(fd);
		return err_errno(err, errno, "opening the directory");
	}
	if ((st.st_uid != uid || st.st_gid != gid) && fchown(fd, uid, gid) < 0) {
		fd_close(fd);
		return err_errno(err, errno, "changing the owner of the directory");
	}
	return chown_list(fd, &o, 0, err);
}
