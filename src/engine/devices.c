/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/devices.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"

#define DEPTH_MAX 8

void device_list_done(struct device_list *list)
{
	size_t i;

	for (i = 0; i < list->n; i++) {
		free(list->items[i].device.path);
		free(list->items[i].device.type);
		free(list->items[i].host);
		free(list->items[i].access);
	}
	free(list->items);
	*list = (struct device_list){ 0 };
}

static bool is_device(const struct stat *st)
{
	return S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode);
}

static void add(struct device_list *list, const char *host, const char *path, const struct stat *st,
		const char *access)
{
	struct spec_device_pair *pair = LIST_ADD(*list);
	struct spec_device *d = &pair->device;

	pair->host = xstrdup(host);
	d->path = xstrdup(path);
	d->type = xstrdup(S_ISCHR(st->st_mode) ? "c" : "b");
	d->major = (struct opt_i64){ true, major(st->st_rdev) };
	d->minor = (struct opt_i64){ true, minor(st->st_rdev) };
	d->file_mode = (struct opt_u32){ true, st->st_mode & 07777 };
	d->uid = (struct opt_u32){ true, st->st_uid };
	d->gid = (struct opt_u32){ true, st->st_gid };
	pair->access = xstrdup(access);
}

/* What the runtime makes itself in every container. */
static bool is_private(const char *path)
{
	static const char *const names[] = {
		"/dev/pts",     "/dev/shm",  "/dev/fd",   "/dev/mqueue",    "/dev/console",
		"/dev/.udev",   "/dev/null", "/dev/zero", "/dev/full",      "/dev/random",
		"/dev/urandom", "/dev/tty",  "/dev/ptmx", "/dev/hugepages",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (str_eq(path, names[i]))
			return true;
	return false;
}

static void dir_cleanup(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* Takes fd over. Symbolic links are left out: the devices they lead to are listed themselves. */
static int walk(struct device_list *list, int fd, const char *host, const char *container,
		const char *access, int depth)
{
	CLEANUP(dir_cleanup) DIR *dir = fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		fd_close(fd);
		return -errno;
	}
	while ((entry = readdir(dir))) {
		cleanup_free char *from = path_join(host, entry->d_name);
		cleanup_free char *to = path_join(container, entry->d_name);
		struct stat st;
		int sub;

		if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, "..") ||
		    (str_starts(from, "/dev/") && is_private(from)) ||
		    fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (is_device(&st))
			add(list, from, to, &st, access);
		if (!S_ISDIR(st.st_mode) || depth >= DEPTH_MAX)
			continue;
		sub = openat(dirfd(dir), entry->d_name,
			     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub >= 0)
			walk(list, sub, from, to, access, depth + 1);
	}
	return 0;
}

int devices_add(struct device_list *list, const struct device_request *req, struct err *err)
{
	struct stat st;
	int fd, r;

	if (stat(req->host, &st) < 0)
		return err_errno(err, errno, "adding device %s", req->host);
	if (is_device(&st)) {
		add(list, req->host, req->container, &st, req->access);
		return 0;
	}
	if (!S_ISDIR(st.st_mode))
		return err_fail(err, ERR_INVALID, "adding device %s: not a device", req->host);
	fd = open(req->host, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = fd < 0 ? -errno : walk(list, fd, req->host, req->container, req->access, 0);
	return r < 0 ? err_errno(err, -r, "adding devices of %s", req->host) : 0;
}

static mode_t type_bits(const char *type)
{
	return str_eq(type, "b") ? S_IFBLK : S_IFCHR;
}

int devices_add_described(struct device_list *list, const char *host,
			  const struct spec_device *want, const char *access, bool make,
			  struct err *err)
{
	bool whole = want->type && want->major.set && want->minor.set;
	struct spec_device *d;
	struct stat st = { 0 };

	if (str_eq(want->type, "p"))
		return err_fail(err, ERR_UNSUPPORTED, "adding device %s: it is a FIFO", want->path);
	if (stat(host, &st) < 0) {
		if (!make || !whole)
			return err_errno(err, errno, "adding device %s", host);
		st = (struct stat){ .st_mode = type_bits(want->type) | 0666 };
	}
	if (!is_device(&st) || (want->type && type_bits(want->type) != (st.st_mode & S_IFMT)))
		return err_fail(err, ERR_INVALID,
				"adding device %s: not a device, or of another type", host);
	add(list, host, want->path, &st, access);
	d = &list->items[list->n - 1].device;
	if (want->major.set)
		d->major = want->major;
	if (want->minor.set)
		d->minor = want->minor;
	if (want->file_mode.set)
		d->file_mode = (struct opt_u32){ true, want->file_mode.value & 07777 };
	if (want->uid.set)
		d->uid = want->uid;
	if (want->gid.set)
		d->gid = want->gid;
	return 0;
}

int devices_add_all(struct device_list *list, struct err *err)
{
	int fd = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = fd < 0 ? -errno : walk(list, fd, "/dev", "/dev", "rwm", 0);

	return r < 0 ? err_errno(err, -r, "listing the devices of /dev") : 0;
}
