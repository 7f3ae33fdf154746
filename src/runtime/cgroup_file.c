/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "runtime/cgroup_priv.h"

#define PROCS_BYTES_MAX (64u << 20)
#define BACKOFF_MAX_US  10000

int cgroup_file_open(const struct cgroup_dir *dir, const char *name, int flags)
{
	char path[PATH_MAX];
	int fd;

	if (dir->fd >= 0) {
		fd = openat(dir->fd, name, flags | O_CLOEXEC | O_NOCTTY);
	} else {
		int n = snprintf(path, sizeof(path), "%s/%s", dir->path, name);
		if (n < 0 || (size_t)n >= sizeof(path))
			return -ENAMETOOLONG;
		fd = openat(AT_FDCWD, path, flags | O_CLOEXEC | O_NOCTTY);
	}
	return fd < 0 ? -errno : fd;
}

int cgroup_fd_write(int fd, const struct cgroup_dir *dir, const char *name, const char *value,
		    struct err *err)
{
	if (NO_EINTR(write(fd, value, strlen(value))) < 0)
		return err_errno(err, errno, "writing \"%s\" to %s of cgroup %s", value, name,
				 dir->path);
	return 0;
}

int cgroup_file_write(const struct cgroup_dir *dir, const char *name, const char *value,
		      struct err *err)
{
	cleanup_fd int fd = cgroup_file_open(dir, name, O_WRONLY);

	if (fd < 0)
		return err_errno(err, -fd, "opening %s of cgroup %s", name, dir->path);
	return cgroup_fd_write(fd, dir, name, value, err);
}

ssize_t cgroup_file_read(const struct cgroup_dir *dir, const char *name, char *buf, size_t size)
{
	cleanup_fd int fd = cgroup_file_open(dir, name, O_RDONLY);

	if (fd < 0)
		return fd;
	/* cgroupfs gives a short file whole in the first read: no second one to see its end. */
	ssize_t n = NO_EINTR(read(fd, buf, size - 1));
	if (n < 0)
		return -errno;
	if (n > 0 && buf[n - 1] == '\n')
		n--;
	buf[n] = '\0';
	return n;
}

bool cgroup_file_exists(const struct cgroup_dir *dir, const char *name)
{
	cleanup_fd int fd = cgroup_file_open(dir, name, O_PATH);

	return fd >= 0;
}

int cgroup_path_mkdir(const char *path)
{
	return mkdirat(AT_FDCWD, path, 0755) < 0 ? -errno : 0;
}

int cgroup_path_rmdir(const char *path)
{
	return unlinkat(AT_FDCWD, path, AT_REMOVEDIR) < 0 ? -errno : 0;
}

int cgroup_path_open(const char *path)
{
	int fd = openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int cgroup_path_is_cgroupfs(const char *path, bool *ret_v2)
{
	struct statfs st;

	if (statfs(path, &st) < 0)
		return -errno;
	*ret_v2 = st.f_type == CGROUP2_SUPER_MAGIC;
	return *ret_v2 || st.f_type == CGROUP_SUPER_MAGIC;
}

struct pids {
	pid_t *items;
	size_t n;
};

static int pids_of(int dirfd, struct pids *pids)
{
	cleanup_fd int fd = openat(dirfd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	cleanup_buf struct buf text = BUF_INIT;

	if (fd < 0)
		return errno == ENOENT || errno == ENODEV ? 0 : -errno;
	int r = io_read_all(fd, &text, PROCS_BYTES_MAX);
	if (r == -EOPNOTSUPP) { /* threaded: a thread's id serves for signals as well */
		cleanup_fd int threads = openat(dirfd, "cgroup.threads", O_RDONLY | O_CLOEXEC);
		r = threads < 0 ? -errno : io_read_all(threads, &text, PROCS_BYTES_MAX);
	}
	if (r == -ENODEV || r == -ENOENT)
		return 0; /* removed meanwhile */
	if (r < 0)
		return r;

	char *rest = text.data;
	for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
		int pid;
		/* 0: a process of a pid namespace that we can't see into */
		if (str_parse_int(line, &pid) < 0 || pid <= 0)
			continue;
		pids->items = xrealloc(pids->items, (pids->n + 1) * sizeof(*pids->items));
		pids->items[pids->n++] = pid;
	}
	return 0;
}

/* Child cgroups, deepest first. Depth is the container's choice when it has a cgroup to write: no
 * recursion, and one open directory whatever the depth. */
struct walk {
	int (*fn)(int parent, const char *name, int fd, void *data);
	void *data;
};
struct level {
	char *name;   /* of the directory in its parent */
	char **names; /* its children */
	size_t next;
};
struct levels {
	struct level *items;
	size_t n;
};

static int levels_push(struct levels *levels, int dirfd, const char *name)
{
	struct level level = { .name = xstrdup(name) };
	int copy = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);

	if (!dir) {
		int r = -errno;
		fd_close(copy);
		free(level.name);
		return r;
	}
	for (struct dirent *e = readdir(dir); e; e = readdir(dir))
		if (e->d_type == DT_DIR && !str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
			strv_add(&level.names, e->d_name);
	closedir(dir);
	levels->items = xrealloc(levels->items, (levels->n + 1) * sizeof(level));
	levels->items[levels->n++] = level;
	return 0;
}

static void levels_pop(struct levels *levels)
{
	struct level *top = &levels->items[--levels->n];

	free(top->name);
	strv_free(top->names);
}

static int walk_down(struct levels *levels, int *cur)
{
	struct level *top = &levels->items[levels->n - 1];
	const char *name = top->names[top->next++];
	int child = openat(*cur, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (child < 0)
		return errno == ENOENT ? 0 : -errno; /* removed meanwhile */
	int r = levels_push(levels, child, name);
	if (r < 0) {
		fd_close(child);
		return r == -ENOENT || r == -ENODEV ? 0 : r;
	}
	fd_close(*cur);
	*cur = child;
	return 0;
}

static int walk_up(struct levels *levels, int *cur, const struct walk *w)
{
	int parent = openat(*cur, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (parent < 0)
		return -errno;
	int r = w->fn(parent, levels->items[levels->n - 1].name, *cur, w->data);
	levels_pop(levels);
	fd_close(*cur);
	*cur = parent;
	return r;
}

static int walk_children(int dirfd, const struct walk *w)
{
	struct levels levels = { 0 };
	cleanup_fd int cur = fd_dup(dirfd, 3);
	int r = cur < 0 ? cur : levels_push(&levels, cur, ".");

	while (r == 0) {
		const struct level *top = &levels.items[levels.n - 1];
		if (top->names && top->names[top->next])
			r = walk_down(&levels, &cur);
		else if (levels.n > 1)
			r = walk_up(&levels, &cur, w);
		else
			break;
	}
	while (levels.n > 0)
		levels_pop(&levels);
	free(levels.items);
	return r;
}

static int collect(int parent, const char *name, int fd, void *data)
{
	return pids_of(fd, data);
}

static int open_dir(const struct cgroup_dir *dir)
{
	return dir->fd >= 0 ? fd_dup(dir->fd, 3) : cgroup_path_open(dir->path);
}

int cgroup_pids_read(const struct cgroup_dir *dir, pid_t **ret, size_t *ret_n)
{
	cleanup_fd int fd = open_dir(dir);
	struct pids pids = { 0 };
	const struct walk w = { .fn = collect, .data = &pids };

	if (fd < 0)
		return fd;
	int r = walk_children(fd, &w);
	if (r == 0)
		r = pids_of(fd, &pids);
	if (r < 0) {
		free(pids.items);
		return r;
	}
	*ret = pids.items;
	*ret_n = pids.n;
	return 0;
}

static int thaw_child(int parent, const char *name, int child, void *data)
{
	cleanup_fd int fd = openat(child, "freezer.state", O_WRONLY | O_CLOEXEC);

	(void)parent, (void)name, (void)data;
	if (fd >= 0)
		(void)!NO_EINTR(write(fd, "THAWED", strlen("THAWED")));
	return 0;
}

void cgroup_children_thaw(const struct cgroup_dir *dir)
{
	cleanup_fd int fd = open_dir(dir);
	const struct walk w = { .fn = thaw_child };

	if (fd >= 0)
		(void)walk_children(fd, &w);
}

static int remove_child(int parent, const char *name, int fd, void *data)
{
	return unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

int cgroup_children_remove(const struct cgroup_dir *dir)
{
	cleanup_fd int fd = open_dir(dir);
	const struct walk w = { .fn = remove_child };

	return fd < 0 ? fd : walk_children(fd, &w);
}

bool cgroup_backoff(int64_t deadline_ns, unsigned int *inout_us)
{
	struct timespec ts = { .tv_nsec = (long)*inout_us * 1000 };

	if (time_monotonic_ns() >= deadline_ns)
		return false;
	nanosleep(&ts, NULL);
	*inout_us += *inout_us / 2;
	if (*inout_us > BACKOFF_MAX_US)
		*inout_us = BACKOFF_MAX_US;
	return true;
}
