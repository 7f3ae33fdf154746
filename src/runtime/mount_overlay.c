/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounts of type overlay. Their directories are opened and handed over as fds, as fsconfig(2) takes
 * no more than 255 bytes of a list, and as root in a user namespace may not get to all of them.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "runtime/init.h"
#include "sys/mount.h"

/* Others are for the kernel alone to understand. */
static bool is_known(const char *key)
{
	static const char *const keys[] = { "lowerdir", "upperdir", "workdir", "userxattr",
					    "volatile" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (str_eq(keys[i], key))
			return true;
	return false;
}

bool mount_is_overlay(const struct spec_mount *m, const struct mount_opts *o)
{
	/* Those directories are opened by name. */
	if (!str_eq(m->type, "overlay") || o->below || !mount_opts_data(o, "lowerdir"))
		return false;
	for (size_t i = 0; i < o->n_data; i++)
		if (!is_known(o->data[i].key))
			return false;
	return true;
}

/* The next directory of the list, with "\:" for a colon in its name. Heap; NULL at the end. */
static char *next_dir(const char **list)
{
	cleanup_buf struct buf name = BUF_INIT;
	const char *p = *list;

	if (!*p)
		return NULL;
	for (; *p && *p != ':'; p++) {
		p += *p == '\\' && p[1];
		buf_addc(&name, *p);
	}
	*list = *p ? p + 1 : p;
	return buf_take(&name);
}

static int open_dir(const char *path, struct err *err)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? err_errno(err, errno, "opening %s", path) : fd;
}

/* A directory whose ids are mapped is a mount of its own. */
static int open_lower(const char *path, int userns, struct err *err)
{
	cleanup_fd int dir = open_dir(path, err);
	cleanup_fd int mapped = -EBADF;
	int r;

	if (dir < 0 || userns < 0)
		return take_fd(dir);
	mapped = mount_clone(dir, "", false, err);
	if (mapped < 0)
		return mapped;
	r = mount_set(mapped, "", false, 0, 0, 0, userns, err);
	return r < 0 ? r : take_fd(mapped);
}

static int open_lowers(const char *list, int userns, int **ret, size_t *ret_n, struct err *err)
{
	char *path;
	int r = 0;

	while (r >= 0 && (path = next_dir(&list))) {
		*ret = xrealloc(*ret, (*ret_n + 1) * sizeof(**ret));
		r = *ret_n < MOUNT_LAYERS_MAX
			? open_lower(path, userns, err)
			: err_fail(err, ERR_LIMIT, "overlayfs takes %d layers at most",
				   MOUNT_LAYERS_MAX);
		if (r >= 0)
			(*ret)[(*ret_n)++] = r;
		free(path);
	}
	return r < 0 ? r : 0;
}

int mount_overlay_open(const struct init *in, const struct mount_opts *o, int userns,
		       struct err *err)
{
	const char *upper = mount_opts_data(o, "upperdir"), *work = mount_opts_data(o, "workdir");
	cleanup_fd int upper_fd = upper ? open_dir(upper, err) : -EBADF;
	cleanup_fd int work_fd = work ? open_dir(work, err) : -EBADF;
	int *lowers = NULL, r = 0;
	size_t n = 0;

	if (!upper != !work)
		return err_fail(err, ERR_INVALID, "upperdir and workdir belong together");
	if (upper && (upper_fd < 0 || work_fd < 0))
		return upper_fd < 0 ? upper_fd : work_fd;
	r = open_lowers(mount_opts_data(o, "lowerdir"), userns, &lowers, &n, err);
	if (r == 0) {
		const struct mount_layers layers = {
			.lower_fds = lowers,
			.n_lower = n,
			.upper_fd = upper_fd,
			.work_fd = work_fd,
			.userxattr = in->rt->rootless || mount_opts_data(o, "userxattr"),
			.throw_away = mount_opts_data(o, "volatile") != NULL,
			.part = o->part,
		};

		r = mount_overlay(&layers, 0, err);
	}
	while (n > 0)
		fd_close(lowers[--n]);
	free(lowers);
	return r;
}

int mount_overlay_spec(struct init *in, const struct spec_mount *m, struct init_mount *im,
		       struct err *err)
{
	cleanup_fd int fd = take_fd(im->fd);
	cleanup_fd int target = -EBADF;
	struct stat st;
	int r;

	if (fd < 0)
		fd = mount_overlay_open(in, &im->opts, -EBADF, err);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return err_errno(err, errno, "reading the overlay's root");
	/* A part of it may be a file. */
	target = mount_target(in, m->destination, S_ISDIR(st.st_mode), err);
	if (target < 0)
		return target;
	r = mount_apply_opts(fd, &im->opts, true, err);
	return r < 0 ? r : mount_place_spec(in, m, fd, target, err);
}
