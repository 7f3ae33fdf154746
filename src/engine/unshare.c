/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/unshare.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/mappings.h"
#include "sys/mount.h"
#include "sys/ns.h"

/* The namespace's inode number, and the word behind a comma when there is a user namespace: a
 * variable that was carried elsewhere says nothing there. */
#define VARIABLE "INRO_UNSHARED"
#define ROOTLESS "rootless"

static int own_mount_ns(uint64_t *ret)
{
	struct stat st;

	if (stat("/proc/self/ns/mnt", &st) < 0)
		return -errno;
	*ret = st.st_ino;
	return 0;
}

bool unshare_is_inside(bool *ret_rootless)
{
	const char *value = getenv(VARIABLE);
	uint64_t said, own = 0;

	*ret_rootless = false;
	if (!value)
		return false;
	cleanup_free char *number = xstrndup(value, strcspn(value, ","));
	if (str_parse_u64(number, &said) < 0 || own_mount_ns(&own) < 0 || said != own)
		return false;
	*ret_rootless = str_eq(value + strlen(number), "," ROOTLESS);
	return true;
}

static int enter_user_namespace(struct err *err)
{
	CLEANUP(idmap_done) struct idmap uids = { 0 };
	CLEANUP(idmap_done) struct idmap gids = { 0 };

	int r = mappings_rootless(&uids, &gids, err);
	if (r < 0)
		return r;
	cleanup_fd int fd = idmap_userns_fd(&uids, &gids, err);
	return fd < 0 ? fd : ns_join(fd, CLONE_NEWUSER, err);
}

/* What the host mounts comes in, nothing goes out. */
static int enter_mount_namespace(struct err *err)
{
	if (unshare(CLONE_NEWNS) < 0)
		return err_errno(err, errno, "making a mount namespace");
	cleanup_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return err_errno(err, errno, "opening /");
	return mount_set(root, "", true, 0, 0, MS_SLAVE, -EBADF, err);
}

static int make_place(const struct engine *eng, struct err *err)
{
	static const struct mount_option mode = { "mode", "0700" };
	cleanup_free char *path = path_join(eng->runroot, UNSHARE_MOUNTS);
	cleanup_fd int dir = path_mkdirs(path, 0700, err);

	if (dir < 0)
		return dir;
	cleanup_fd int tmpfs =
	    mount_new("tmpfs", "tmpfs", &mode, 1,
		      MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, err);
	return tmpfs < 0 ? tmpfs : mount_attach(tmpfs, dir, err);
}

static int set_environment(const struct engine *eng, struct err *err)
{
	char value[64];
	uint64_t own = 0;

	int r = own_mount_ns(&own);
	if (r < 0)
		return err_errno(err, -r, "looking at the mount namespace");
	snprintf(value, sizeof(value), "%" PRIu64 "%s", own, eng->rootless ? "," ROOTLESS : "");
	if (setenv(VARIABLE, value, 1) < 0 || setenv("INRO_ROOT", eng->root, 1) < 0 ||
	    setenv("INRO_RUNROOT", eng->runroot, 1) < 0)
		return err_errno(err, errno, "setting the environment");
	return 0;
}

/* By the lock that those hold who add images. */
static int hold_images(struct engine *eng, struct err *err)
{
	int r = engine_store(eng, err);

	if (r == 0)
		r = image_store_hold(&eng->store, err);
	if (r >= 0)
		r = fd_set_cloexec(r, false);
	return r;
}

int engine_unshare(struct engine *eng, struct err *err)
{
	int r = hold_images(eng, err);

	/* Inside already: then root has that user namespace. */
	if (r == 0 && eng->rootless && geteuid() != 0)
		r = enter_user_namespace(err);
	if (r == 0)
		r = enter_mount_namespace(err);
	if (r == 0)
		r = make_place(eng, err);
	if (r == 0)
		r = set_environment(eng, err);
	return r < 0 ? err_wrap(err, r, "making namespaces for a command") : 0;
}
