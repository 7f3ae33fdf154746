/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/userdb.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/path.h"

/* overlay's marks: a 0:0 character device hides the name below, an opaque directory all names. */
static bool is_opaque(int dirfd)
{
	char value[4], path[FD_PATH_MAX];

	fd_proc_path(dirfd, path);
	return (getxattr(path, "trusted.overlay.opaque", value, sizeof(value)) == 1 ||
		getxattr(path, "user.overlay.opaque", value, sizeof(value)) == 1) &&
	       value[0] == 'y';
}

/* 1: this layer decides (file found, or hidden below); 0: look further down. */
static int layer_read(int layer, const char *name, struct buf *out)
{
	cleanup_fd int etc = path_open_in(layer, "etc", O_PATH | O_DIRECTORY, 0, NULL);
	cleanup_fd int found = -EBADF;
	cleanup_fd int fd = -EBADF;
	char link[FD_PATH_MAX];
	struct stat st;

	if (etc < 0)
		return 0;
	if (fstatat(etc, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return is_opaque(etc);
	if (S_ISLNK(st.st_mode)) {
		cleanup_free char *path = path_join("etc", name);

		found = path_open_in(layer, path, O_PATH, 0, NULL);
	} else {
		found = openat(etc, name, O_PATH | O_CLOEXEC | O_NOFOLLOW);
	}
	/* An image's device node is not even opened: that alone can start a watchdog. */
	if (found < 0 || fstat(found, &st) < 0 || !S_ISREG(st.st_mode))
		return 1;
	fd = openat(AT_FDCWD, fd_proc_path(found, link), O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 1;
	if (io_read_all(fd, out, USER_FILE_MAX) < 0)
		buf_reset(out);
	return 1;
}

static void layers_read(const int *layers, size_t n, const char *name, struct buf *out)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (layer_read(layers[i], name, out))
			return;
}

int userdb_resolve(const int *layers, size_t n, const char *user, char *const *groups,
		   struct user_result *ret, struct json_u32s *ret_groups, struct err *err)
{
	cleanup_buf struct buf passwd = BUF_INIT;
	cleanup_buf struct buf group = BUF_INIT;
	struct user_files files;
	uint32_t gid;
	size_t i;
	int r;

	layers_read(layers, n, "passwd", &passwd);
	layers_read(layers, n, "group", &group);
	files = (struct user_files){ .passwd = passwd.data,
				     .passwd_len = passwd.len,
				     .group = group.data,
				     .group_len = group.len };
	r = user_resolve(user ? user : "", &files, ret, err);
	if (r < 0)
		return r;
	for (i = 0; groups && groups[i]; i++) {
		r = user_resolve_group(groups[i], &files, &gid, err);
		if (r < 0) {
			user_result_done(ret);
			return err_wrap(err, r, "--group-add");
		}
		ret_groups->items =
		    xrealloc(ret_groups->items, (ret_groups->n + 1) * sizeof(uint32_t));
		ret_groups->items[ret_groups->n++] = gid;
	}
	return 0;
}
