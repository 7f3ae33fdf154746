/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/paused.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "base/timeutil.h"

/* Beside the containers' run directories. */
#define PAUSED_DIR "../paused"
/* The list may be older than the mark, by milliseconds. */
#define LEFT_AGE_S 60

static char *mark_path(const char *id)
{
	return path_join(PAUSED_DIR, id);
}

int paused_mark(struct engine *eng, const char *id)
{
	cleanup_free char *path = mark_path(id);

	if (mkdirat(eng->run_fd, PAUSED_DIR, 0700) < 0 && errno != EEXIST)
		return -errno;
	return mknodat(eng->run_fd, path, S_IFREG | 0600, 0) < 0 && errno != EEXIST ? -errno : 0;
}

void paused_unmark(struct engine *eng, const char *id)
{
	cleanup_free char *path = mark_path(id);

	unlinkat(eng->run_fd, path, 0);
}

bool paused_is_marked(struct engine *eng, const char *id)
{
	cleanup_free char *path = mark_path(id);

	return faccessat(eng->run_fd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static struct record *record_of(struct record_list *all, const char *id)
{
	for (size_t i = 0; i < all->n; i++)
		if (str_eq(all->items[i].id, id))
			return &all->items[i];
	return NULL;
}

static bool is_left(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	       time_now_ns() / 1000000000 - st.st_mtim.tv_sec > LEFT_AGE_S;
}

void paused_each(struct engine *eng, struct record_list *all,
		 void (*fn)(struct engine *eng, struct record *rec))
{
	cleanup_fd int fd =
	    openat(eng->run_fd, PAUSED_DIR, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;

	if (!dir)
		return;
	while ((e = readdir(dir))) {
		struct record *rec = record_of(all, e->d_name);

		if (rec)
			fn(eng, rec);
		else if (is_left(fd, e->d_name))
			unlinkat(fd, e->d_name, 0);
	}
	take_fd(fd);
	closedir(dir);
}
