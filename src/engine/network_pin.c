/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/network_pin.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "sys/mount.h"
#include "sys/ns.h"

#define NETNS_DIR "netns"

int net_state_dir(struct engine *eng, const char *name, struct err *err)
{
	int r = engine_net(eng, err);
	cleanup_fd int fd = r < 0 ? r : path_mkdirs_in(eng->net_fd, name, 0700, err);

	return fd < 0 ? fd : path_open_in(fd, ".", O_RDONLY | O_DIRECTORY, 0, err);
}

bool net_state_is_there(struct engine *eng, const char *name)
{
	return engine_net(eng, NULL) == 0 &&
	       faccessat(eng->net_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

char *net_pin_path(const struct engine *eng, const char *id)
{
	return xasprintf("%s/net/" NETNS_DIR "/%s", eng->runroot, id);
}

static bool is_same(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

int net_pin_open(struct engine *eng, const char *id)
{
	cleanup_fd int dir = net_state_dir(eng, NETNS_DIR, NULL);
	int fd = dir < 0 ? dir : path_open_in(dir, id, O_RDONLY | O_NOFOLLOW, 0, NULL);

	/* A file that is no namespace was made by who was killed before it mounted that there. */
	if (fd >= 0 && !ns_is(fd, CLONE_NEWNET)) {
		close(fd);
		return -ENOENT;
	}
	return fd;
}

int net_pin(struct engine *eng, const char *id, int netns, struct err *err)
{
	cleanup_fd int dir = net_state_dir(eng, NETNS_DIR, err);
	cleanup_fd int was = dir < 0 ? dir : net_pin_open(eng, id);
	int r = dir < 0 ? dir : 0;

	if (was >= 0 && is_same(was, netns))
		return 0;
	net_unpin(eng, id);
	cleanup_fd int file = r < 0 ? r : path_mkfile_in(dir, id, 0600, err);
	cleanup_fd int copy = file < 0 ? file : mount_clone(netns, "", false, err);
	r = copy < 0 ? copy : mount_attach(copy, file, err);
	return r < 0 ? err_wrap(err, r, "mounting the container's network namespace") : 0;
}

void net_unpin(struct engine *eng, const char *id)
{
	cleanup_fd int dir = net_state_dir(eng, NETNS_DIR, NULL);
	cleanup_fd int fd =
	    dir < 0 ? dir : path_open_in(dir, id, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0, NULL);

	if (fd < 0)
		return;
	mount_detach(fd, NULL);
	unlinkat(dir, id, 0);
}
