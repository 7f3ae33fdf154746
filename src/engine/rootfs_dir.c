/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/rootfs_dir.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

static bool take_end(char *path, const char *end)
{
	size_t len = strlen(path), n = strlen(end);

	if (len < n || !str_eq(path + len - n, end))
		return false;
	path[len - n] = '\0';
	return true;
}

int rootfs_dir_parse(const char *word, struct record_options *ret, struct err *err)
{
	cleanup_free char *path = xstrdup(word);
	bool more = true;

	while (more) {
		bool overlay = take_end(path, ":O"), idmap = take_end(path, ":idmap");

		ret->rootfs_overlay = ret->rootfs_overlay || overlay;
		ret->rootfs_idmap = ret->rootfs_idmap || idmap;
		more = overlay || idmap;
	}
	if (strstr(path, ":idmap="))
		return err_fail(err, ERR_UNSUPPORTED,
				"--rootfs %s: ids are mapped as in the container's user namespace: "
				"leave what is behind :idmap out",
				word);
	if (!*path)
		return err_fail(err, ERR_USAGE, "--rootfs: expected a directory, got \"%s\"", word);
	free(ret->rootfs);
	ret->rootfs = take_ptr(path);
	return 0;
}

int rootfs_dir_open(const struct record_options *o, int **ret_fds, size_t *ret_n, struct err *err)
{
	/* Not O_PATH: an overlay takes no such fd. */
	int fd = open(o->rootfs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_errno(err, errno, "opening the root directory %s", o->rootfs);
	*ret_fds = xcalloc(1, sizeof(**ret_fds));
	(*ret_fds)[0] = fd;
	*ret_n = 1;
	return 0;
}

int rootfs_dir_init_upper(int dir_fd, int upper_fd, struct err *err)
{
	struct stat st;

	/* An unprivileged user gives nothing away: then it is his own, as in his other containers.
	 */
	if (fstat(dir_fd, &st) < 0 || fchmod(upper_fd, st.st_mode & 07777) < 0 ||
	    (fchown(upper_fd, st.st_uid, st.st_gid) < 0 && errno != EPERM))
		return err_errno(err, errno, "preparing the container's root directory");
	return 0;
}
