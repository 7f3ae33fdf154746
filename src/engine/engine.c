/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/check.h"
#include "engine/config.h"
#include "engine/db.h"
#include "engine/network_place.h"
#include "engine/unshare.h"

#define ROOT_DEFAULT    "/var/lib/inro"
#define RUNROOT_DEFAULT "/run/inro"
#define NET_ROOT        "root" /* in <runroot>/net: whose networks they are */

static const char *env_path(const char *name)
{
	const char *v = getenv(name);

	return v && v[0] == '/' ? v : NULL;
}

static int root_default(bool rootless, char **ret, struct err *err)
{
	const char *dir;

	if (!rootless) {
		*ret = xstrdup(ROOT_DEFAULT);
		return 0;
	}
	dir = env_path("XDG_DATA_HOME");
	if (dir) {
		*ret = path_join(dir, "inro");
		return 0;
	}
	dir = env_path("HOME");
	if (!dir)
		return err_hint(err,
				err_fail(err, ERR_INVALID,
					 "no place for images and containers: HOME is "
					 "not set to an absolute path"),
				"set HOME or give --root");
	*ret = path_join(dir, ".local/share/inro");
	return 0;
}

/* A directory in /tmp could have been made by somebody else: only a private one of ours will do. */
static int check_owner(const char *path, struct err *err)
{
	struct stat st;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_errno(err, errno, "making directory %s", path);
	if (lstat(path, &st) < 0)
		return err_errno(err, errno, "looking at %s", path);
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 0077))
		return err_fail(
		    err, ERR_DENIED,
		    "refusing %s as run directory: not a private directory of this user", path);
	return 0;
}

static int runroot_default(bool rootless, char **ret, struct err *err)
{
	const char *dir;
	char *path;
	int r;

	if (!rootless) {
		*ret = xstrdup(RUNROOT_DEFAULT);
		return 0;
	}
	dir = env_path("XDG_RUNTIME_DIR");
	if (dir) {
		*ret = path_join(dir, "inro");
		return 0;
	}
	path = xasprintf("/tmp/inro-%u", (unsigned int)geteuid());
	r = check_owner(path, err);
	if (r < 0) {
		free(path);
		return r;
	}
	*ret = path;
	return 0;
}

/* State paths are kept absolute: a container outlives the directory it was started from. */
static int path_absolute(const char *path, char **ret, struct err *err)
{
	cleanup_free char *cwd = NULL;
	cleanup_free char *joined = NULL;

	if (path[0] == '/') {
		*ret = path_clean(path);
		return 0;
	}
	if (!path[0])
		return err_fail(err, ERR_USAGE, "a state directory must not be empty");
	cwd = getcwd(NULL, 0);
	if (!cwd)
		return err_errno(err, errno, "finding the current directory");
	joined = path_join(cwd, path);
	*ret = path_clean(joined);
	return 0;
}

static char *self_path(void)
{
	char buf[4096];
	ssize_t n = readlink("/proc/self/exe", buf, sizeof(buf) - 1);

	if (n <= 0)
		return xstrdup("inro");
	buf[n] = '\0';
	return xstrdup(buf);
}

int engine_init(struct engine *eng, const char *root, const char *runroot, struct err *err)
{
	int r;

	*eng = (struct engine)ENGINE_INIT;
	eng->unshared = unshare_is_inside(&eng->rootless);
	eng->rootless = eng->rootless || geteuid() != 0;
	if (!root)
		root = env_path("INRO_ROOT");
	if (!runroot)
		runroot = env_path("INRO_RUNROOT");
	r = root ? path_absolute(root, &eng->root, err)
		 : root_default(eng->rootless, &eng->root, err);
	if (r < 0)
		return r;
	r = runroot ? path_absolute(runroot, &eng->runroot, err)
		    : runroot_default(eng->rootless, &eng->runroot, err);
	if (r < 0)
		return r;
	eng->self_path = self_path();
	eng->runtime.root = path_join(eng->runroot, "runtime");
	eng->runtime.rootless = eng->rootless;
	return 0;
}

void engine_done(struct engine *eng)
{
	db_close(eng->db);
	if (eng->store_open)
		image_store_done(&eng->store);
	fd_close(eng->root_fd);
	fd_close(eng->containers_fd);
	fd_close(eng->run_fd);
	free(eng->root);
	free(eng->runroot);
	network_place_done(eng);
	free(eng->self_path);
	free(eng->config_file);
	config_free(eng->config);
	free(eng->runtime.root);
	*eng = (struct engine)ENGINE_INIT;
}

void engine_own_group(int dir, mode_t mode)
{
	struct stat st;

	if (fstat(dir, &st) < 0 || (st.st_gid == getegid() && !(st.st_mode & S_ISGID)))
		return;
	/* Where that can't be, what needs it says so. */
	if (fchown(dir, (uid_t)-1, getegid()) == 0)
		(void)fchmod(dir, mode);
}

/* Opens the directory, making it only when it is missing: one call on the usual path. */
static int dir_open(const char *path, struct err *err)
{
	cleanup_fd int made = -EBADF;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 || errno != ENOENT)
		return fd >= 0 ? fd : err_errno(err, errno, "opening directory %s", path);
	made = path_mkdirs(path, 0700, err);
	if (made < 0)
		return made;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, errno, "opening directory %s", path);
	engine_own_group(fd, 0700);
	return fd;
}

int engine_dirs(struct engine *eng, struct err *err)
{
	cleanup_free char *containers = NULL;
	cleanup_free char *run = NULL;

	if (eng->run_fd >= 0)
		return 0;
	containers = path_join(eng->root, "containers");
	run = path_join(eng->runroot, "containers");
	if (eng->root_fd < 0)
		eng->root_fd = dir_open(eng->root, err);
	if (eng->root_fd < 0)
		return eng->root_fd;
	if (eng->containers_fd < 0)
		eng->containers_fd = dir_open(containers, err);
	if (eng->containers_fd < 0)
		return eng->containers_fd;
	eng->run_fd = dir_open(run, err);
	return eng->run_fd < 0 ? eng->run_fd : 0;
}

int engine_net(struct engine *eng, struct err *err)
{
	cleanup_free char *path = path_join(eng->runroot, "net");

	if (eng->net_fd >= 0)
		return 0;
	eng->net_fd = dir_open(path, err);
	return eng->net_fd < 0 ? eng->net_fd : 0;
}

char *engine_net_other(struct engine *eng)
{
	cleanup_buf struct buf root = BUF_INIT;
	cleanup_fd int there = -EBADF;
	struct stat own, other;

	if (io_read_file(eng->net_fd, NET_ROOT, &root, PATH_MAX, NULL) < 0 ||
	    str_eq(buf_str(&root), eng->root) || fstat(eng->root_fd, &own) < 0)
		return NULL;
	there = open(buf_str(&root), O_PATH | O_DIRECTORY | O_CLOEXEC);
	/* It may be gone, or have moved here. */
	return there < 0 || fstat(there, &other) < 0 ||
		       (other.st_dev == own.st_dev && other.st_ino == own.st_ino)
		   ? NULL
		   : xstrdup(buf_str(&root));
}

/* By the directory itself: of two stores that come at once one has the networks in it. */
static int lock_net(struct engine *eng, struct err *err)
{
	cleanup_fd int fd = openat(eng->net_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || NO_EINTR(flock(fd, LOCK_EX)) < 0)
		return err_errno(err, errno, "locking %s/net", eng->runroot);
	return take_fd(fd);
}

int engine_net_own(struct engine *eng, struct err *err)
{
	cleanup_buf struct buf root = BUF_INIT;
	cleanup_free char *other = NULL;
	cleanup_fd int lock = -EBADF;
	int r = engine_dirs(eng, err);

	if (r == 0)
		r = engine_net(eng, err);
	if (r < 0)
		return r;
	if (io_read_file(eng->net_fd, NET_ROOT, &root, PATH_MAX, NULL) >= 0 &&
	    str_eq(buf_str(&root), eng->root))
		return 0;
	lock = lock_net(eng, err);
	if (lock < 0)
		return lock;
	other = engine_net_other(eng);
	if (!other) /* the first one has it */
		return io_replace_file(eng->net_fd, NET_ROOT, eng->root, strlen(eng->root), 0600,
				       false, err);
	return err_hint(err,
			err_fail(err, ERR_CONFLICT,
				 "networks in run directory %s are those of the store %s",
				 eng->runroot, other),
			"give this store a --runroot of its own; or, when nothing of that one runs "
			"any more, remove %s/net/" NET_ROOT,
			eng->runroot);
}

bool engine_net_is_own(struct engine *eng)
{
	cleanup_free char *other = NULL;

	if (engine_net(eng, NULL) < 0 ||
	    faccessat(eng->net_fd, NET_ROOT, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	other = engine_net_other(eng);
	return !other;
}

int engine_db(struct engine *eng, struct err *err)
{
	cleanup_free char *path = NULL;
	int r;

	if (eng->db)
		return 0;
	r = engine_dirs(eng, err);
	if (r < 0)
		return r;
	path = path_join(eng->root, "inro.db");
	r = db_open(path, &eng->db, err);
	if (r == 0)
		engine_check_boot(eng);
	return r;
}

int engine_store(struct engine *eng, struct err *err)
{
	int r;

	if (eng->store_open)
		return 0;
	r = engine_dirs(eng, err);
	if (r < 0)
		return r;
	r = image_store_open(eng->root, eng->rootless, &eng->store, err);
	if (r < 0)
		return r;
	eng->store_open = true;
	return 0;
}

bool engine_limits_swap(void)
{
	return access("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes", F_OK) == 0 ||
	       access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0;
}

int engine_program(const struct engine *eng, const char *name, char **ret, struct err *err)
{
	const char *slash = strrchr(eng->self_path, '/');
	char *path;

	if (slash) {
		path = xasprintf("%.*s/%s", (int)(slash - eng->self_path), eng->self_path, name);
		if (access(path, X_OK) == 0) {
			*ret = path;
			return 0;
		}
		free(path);
	}
	path = path_join(INRO_LIBEXECDIR, name);
	if (access(path, X_OK) == 0) {
		*ret = path;
		return 0;
	}
	free(path);
	return err_hint(err, err_fail(err, ERR_NOT_FOUND, "program %s is not installed", name),
			"it belongs beside inro or in %s", INRO_LIBEXECDIR);
}
