/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/xattr.h"

#include <sys/xattr.h>

#include "base/fd.h"
#include "base/strv.h"

#define VALUE_MAX 65536

int xattr_set(int fd, const char *name, const void *value, size_t len)
{
	char path[FD_PATH_MAX];

	if (fsetxattr(fd, name, value, len, 0) == 0)
		return 0;
	if (errno != EBADF)
		return -errno;
	return setxattr(fd_proc_path(fd, path), name, value, len, 0) < 0 ? -errno : 0;
}

int xattr_get(int fd, const char *name, struct buf *out)
{
	char path[FD_PATH_MAX];
	cleanup_free char *value = xmalloc(VALUE_MAX);
	ssize_t n = fgetxattr(fd, name, value, VALUE_MAX);

	if (n < 0 && errno == EBADF)
		n = getxattr(fd_proc_path(fd, path), name, value, VALUE_MAX);
	if (n < 0)
		return -errno;
	buf_reset(out);
	buf_add(out, value, (size_t)n);
	return 0;
}

int xattr_list(int fd, char ***ret_names)
{
	char path[FD_PATH_MAX];
	cleanup_free char *list = xmalloc(VALUE_MAX); /* XATTR_LIST_MAX of the kernel */
	ssize_t n = flistxattr(fd, list, VALUE_MAX);
	char **names = NULL;

	if (n < 0 && errno == EBADF)
		n = listxattr(fd_proc_path(fd, path), list, VALUE_MAX);
	if (n < 0)
		return -errno;
	for (const char *p = list; p < list + n; p += strlen(p) + 1)
		strv_add(&names, p);
	*ret_names = names;
	return 0;
}

int xattr_copy(int from_fd, int to_fd, bool (*want)(const char *name))
{
	cleanup_strv char **names = NULL;
	cleanup_buf struct buf value = BUF_INIT;
	int r = xattr_list(from_fd, &names);

	if (r == -EOPNOTSUPP)
		return 0;
	for (char **name = names; r == 0 && name && *name; name++) {
		if (want && !want(*name))
			continue;
		r = xattr_get(from_fd, *name, &value);
		if (r == 0)
			r = xattr_set(to_fd, *name, value.data, value.len);
		else if (r == -ENODATA) /* gone since it was listed */
			r = 0;
	}
	return r;
}
