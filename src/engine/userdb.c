/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/userdb.h"

#include <fcntl.h>
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
static int layer_read(int layer, const char *name, struct userdb_file *to)
{
	cleanup_fd int etc = path_open_in(layer, "etc", O_PATH | O_DIRECTORY, 0, NULL);
	cleanup_fd int found = -EBADF;
	cleanup_fd int fd = -EBADF;
	char link[FD_PATH_MAX];
	struct stat st;

	if (etc < 0)
		return fstatat(layer, "etc", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISCHR(st.st_mode);
	if (fstatat(etc, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return is_opaque(etc);
	to->closed = !S_ISCHR(st.st_mode);
	if (S_ISLNK(st.st_mode)) {
		cleanup_free char *path = path_join("etc", name);

		found = path_open_in(layer, path, O_PATH, 0, NULL);
	} else {
		found = openat(etc, name, O_PATH | O_CLOEXEC | O_NOFOLLOW);
		if (S_ISREG(st.st_mode))
			to->st = st;
	}
	/* An image's device node is not even opened: that alone can start a watchdog. */
	if (found < 0 || fstat(found, &st) < 0 || !S_ISREG(st.st_mode))
		return 1;
	fd = openat(AT_FDCWD, fd_proc_path(found, link), O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 1;
	if (io_read_all(fd, &to->text, USER_FILE_MAX) < 0)
		buf_reset(&to->text);
	else
		to->closed = !S_ISREG(to->st.st_mode);
	return 1;
}

static void layers_read(const int *layers, size_t n, const char *name, struct userdb_file *to)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (layer_read(layers[i], name, to))
			return;
}

void userdb_read(const int *layers, size_t n, struct userdb *ret)
{
	size_t i = 0;

	*ret = (struct userdb){ 0 };
	layers_read(layers, n, "passwd", &ret->passwd);
	layers_read(layers, n, "group", &ret->group);
	while (i < n && fstatat(layers[i], "etc", &ret->etc, AT_SYMLINK_NOFOLLOW) < 0)
		i++;
	if (i == n || S_ISCHR(ret->etc.st_mode))
		ret->etc = (struct stat){ 0 };
	ret->etc_is_link = ret->etc.st_mode && !S_ISDIR(ret->etc.st_mode);
}

void userdb_done(struct userdb *db)
{
	buf_done(&db->passwd.text);
	buf_done(&db->group.text);
}

struct user_files userdb_files(const struct userdb *db)
{
	return (struct user_files){ .passwd = db->passwd.text.data,
				    .passwd_len = db->passwd.text.len,
				    .group = db->group.text.data,
				    .group_len = db->group.text.len };
}

int userdb_resolve(const struct userdb *db, const char *user, char *const *groups,
		   struct user_result *ret, struct json_u32s *ret_groups, struct err *err)
{
	const struct user_files files = userdb_files(db);
	uint32_t gid;
	size_t i;
	int r;

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
