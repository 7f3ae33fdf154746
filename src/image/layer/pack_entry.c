/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/pack_entry.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"

#define XATTR_MAX 65536 /* of a value, and of the list of names: XATTR_SIZE_MAX */
#define NAMES_MAX 10000000

static int name_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int pack_names(int dir_fd, char ***ret, struct err *err)
{
	char **names = NULL;
	size_t n = 0, cap = 0;
	struct dirent *entry;
	cleanup_fd int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int r = 0;

	if (!dir)
		return err_errno(err, errno, "reading a directory");
	fd = -EBADF; /* the stream has it */
	while (r == 0 && (errno = 0, entry = readdir(dir))) {
		if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
			continue;
		if (n + 1 >= cap) {
			cap = cap ? 2 * cap : 32;
			names = xrealloc(names, cap * sizeof(*names));
		}
		names[n++] = xstrdup(entry->d_name);
		names[n] = NULL;
		if (n >= NAMES_MAX)
			r = err_fail(err, ERR_LIMIT, "more than %d entries in a directory",
				     NAMES_MAX);
	}
	if (r == 0 && errno)
		r = err_errno(err, errno, "reading a directory");
	closedir(dir);
	if (r < 0) {
		strv_free(names);
		return r;
	}
	if (n > 0)
		qsort(names, n, sizeof(*names), name_compare);
	*ret = names;
	return 0;
}

int pack_open_dir(int dir_fd, const char *name, const char *path, struct err *err)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
		return -ENOENT;
	return err_errno(err, errno, "opening directory /%s", path);
}

/* ---- attributes ---- */

/* Labels and measurements are this machine's; trusted.* is nobody's but the kernel's and root's. */
static bool xattr_is_local(const char *name, const struct pack_options *opts)
{
	static const char *const local[] = { "security.selinux", "security.ima", "security.evm",
					     "security.apparmor" };

	for (size_t i = 0; i < ARRAY_SIZE(local); i++)
		if (str_eq(name, local[i]))
			return true;
	return str_starts(name, "trusted.") || (opts->userns && str_starts(name, "user.overlay."));
}

static int xattr_overlay(const char *mark, const char *value, size_t len, const char *path,
			 struct pack_entry *ret, struct err *err)
{
	if (str_eq(mark, "opaque"))
		ret->opaque = len == 1 && value[0] == 'y';
	if (str_eq(mark, "whiteout") && S_ISREG(ret->st.st_mode) && ret->st.st_size == 0)
		ret->whiteout = true;
	/* A moved directory, or a file whose bytes are in a lower layer: the upper directory does
	 * not have all of it. */
	if (str_eq(mark, "redirect") || str_eq(mark, "metacopy"))
		return err_fail(err, ERR_UNSUPPORTED,
				"/%s: overlayfs keeps a part of it in a lower layer (%s)", path,
				mark);
	return 0;
}

static int xattr_read(const char *name, const char *attr, const char *path,
		      const struct pack_options *opts, struct pack_entry *ret, struct err *err)
{
	cleanup_free char *value = xmalloc(XATTR_MAX + 1);
	const char *mark = str_after(attr, opts->userns ? "user.overlay." : "trusted.overlay.");
	ssize_t len = lgetxattr(name, attr, value, XATTR_MAX);

	if (len < 0 && errno == ENODATA)
		return 0;
	if (len < 0)
		return err_errno(err, errno, "reading attribute %s of /%s", attr, path);
	if (mark && opts->layer) {
		int r = xattr_overlay(mark, value, (size_t)len, path, ret, err);
		if (r < 0)
			return r;
	}
	if (xattr_is_local(attr, opts))
		return 0;
	if (strchr(attr, '='))
		return err_fail(err, ERR_UNSUPPORTED, "/%s: no archive can hold the attribute %s",
				path, attr);
	value[len] = '\0';
	ret->xattrs = xrealloc(ret->xattrs, (ret->n_xattrs + 1) * sizeof(*ret->xattrs));
	ret->xattrs[ret->n_xattrs++] = (struct tar_xattr){ .name = xstrdup(attr),
							   .value = take_ptr(value),
							   .len = (size_t)len };
	return 0;
}

static int xattr_compare(const void *a, const void *b)
{
	return strcmp(((const struct tar_xattr *)a)->name, ((const struct tar_xattr *)b)->name);
}

/* No *xattrat calls before Linux 6.13, and no /proc here: the working directory leads there. */
static int xattrs_read(int dir_fd, const char *name, const char *path,
		       const struct pack_options *opts, struct pack_entry *ret, struct err *err)
{
	char list[1024];
	cleanup_free char *more = NULL;
	const char *names = list;
	ssize_t len;

	if (fchdir(dir_fd) < 0)
		return err_errno(err, errno, "entering the directory of /%s", path);
	len = llistxattr(name, list, sizeof(list));
	if (len < 0 && errno == ERANGE) {
		more = xmalloc(XATTR_MAX);
		names = more;
		len = llistxattr(name, more, XATTR_MAX);
	}
	if (len < 0 && (errno == EOPNOTSUPP || errno == ENOENT))
		return 0;
	if (len < 0)
		return err_errno(err, errno, "listing attributes of /%s", path);
	for (const char *p = names; p < names + len; p += strlen(p) + 1) {
		int r = xattr_read(name, p, path, opts, ret, err);
		if (r < 0)
			return r;
	}
	if (ret->n_xattrs > 1)
		qsort(ret->xattrs, ret->n_xattrs, sizeof(*ret->xattrs), xattr_compare);
	return 0;
}

/* ---- entries ---- */

int pack_entry_read(int dir_fd, const char *name, const char *path, const struct pack_options *opts,
		    struct pack_entry *ret, struct err *err)
{
	*ret = (struct pack_entry){ 0 };
	if (fstatat(dir_fd, name, &ret->st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? -ENOENT : err_errno(err, errno, "looking at /%s", path);
	if (opts->layer && S_ISCHR(ret->st.st_mode) && ret->st.st_rdev == makedev(0, 0)) {
		ret->whiteout = true;
		return 0;
	}
	int r = xattrs_read(dir_fd, name, path, opts, ret, err);
	if (r < 0)
		pack_entry_done(ret);
	return r;
}

void pack_entry_done(struct pack_entry *entry)
{
	for (size_t i = 0; i < entry->n_xattrs; i++) {
		free(entry->xattrs[i].name);
		free(entry->xattrs[i].value);
	}
	free(entry->xattrs);
	*entry = (struct pack_entry){ 0 };
}

bool pack_excluded(int dir_fd, const char *name, const char *path, const struct stat *st,
		   const struct pack_options *opts)
{
	cleanup_strv char **names = NULL;
	bool listed = false;

	for (size_t i = 0; !listed && opts->exclude && opts->exclude[i]; i++)
		listed = str_eq(opts->exclude[i] + 1, path);
	if (!listed)
		return false;
	if (S_ISREG(st->st_mode))
		return st->st_size == 0;
	if (!S_ISDIR(st->st_mode))
		return false;
	cleanup_fd int fd = pack_open_dir(dir_fd, name, path, NULL);
	return fd >= 0 && pack_names(fd, &names, NULL) == 0 && !names;
}
