/* SPDX-License-Identifier: Apache-2.0 */
#include "image/sync.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/str.h"
#include "base/strv.h"
#include "image/background.h"

#define BOOT_ID_PATH   "/proc/sys/kernel/random/boot_id"
#define BOOT_ID_MAX    64
#define MARKS          "unsynced"
#define FOREGROUND_MAX (32u << 20) /* bytes that are written while the user waits */

/* "" where there is none: then nothing is left for later. */
static const char *boot_id_read(char out[BOOT_ID_MAX])
{
	cleanup_fd int fd = open(BOOT_ID_PATH, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : io_read(fd, out, BOOT_ID_MAX - 1);

	out[n > 0 ? n : 0] = '\0';
	out[strcspn(out, "\n")] = '\0';
	return out;
}

int sync_mark(struct image_store *store, const char *name, struct err *err)
{
	cleanup_free char *path = xasprintf(MARKS "/%s", name);
	char id[BOOT_ID_MAX];

	if (!boot_id_read(id)[0])
		return syncfs(store->fd) < 0
			   ? err_errno(err, errno, "writing to the disk of %s", store->root)
			   : 0;
	if (symlinkat(id, store->fd, path) == 0)
		return 0;
	if (errno == ENOENT && mkdirat(store->fd, MARKS, 0700) < 0 && errno != EEXIST)
		return err_errno(err, errno, "creating %s/" MARKS, store->root);
	/* One that is there belongs to something that was lost, or never got its name. */
	if (unlinkat(store->fd, path, 0) < 0 && errno != ENOENT)
		return err_errno(err, errno, "replacing %s/%s", store->root, path);
	if (symlinkat(id, store->fd, path) < 0 && errno != EEXIST)
		return err_errno(err, errno, "creating %s/%s", store->root, path);
	return 0;
}

static bool is_lost(const struct image_store *store, const char *path, const char *boot_id)
{
	char target[BOOT_ID_MAX];
	ssize_t n = readlinkat(store->fd, path, target, sizeof(target) - 1);

	if (n < 0)
		return false;
	target[n] = '\0';
	return !str_eq(target, boot_id);
}

bool sync_is_lost(const struct image_store *store, const char *name)
{
	cleanup_free char *path = xasprintf(MARKS "/%s", name);
	char id[BOOT_ID_MAX] = "";

	/* Almost always there is no mark. */
	return is_lost(store, path, id) && is_lost(store, path, boot_id_read(id));
}

void sync_forget(const struct image_store *store, const char *name)
{
	cleanup_free char *path = xasprintf(MARKS "/%s", name);

	unlinkat(store->fd, path, 0);
}

/* The marks of this boot. */
static void marks_list(const struct image_store *store, char ***ret)
{
	int fd = openat(store->fd, MARKS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	char id[BOOT_ID_MAX];

	if (!dir) {
		fd_close(fd);
		return;
	}
	boot_id_read(id);
	while ((entry = readdir(dir))) {
		cleanup_free char *path = xasprintf(MARKS "/%s", entry->d_name);
		if (entry->d_name[0] != '.' && !is_lost(store, path, id))
			strv_take(ret, take_ptr(path));
	}
	closedir(dir);
}

/* Should the machine go down after this, a mark that came back would say of what is there that it
 * is not. */
static int marks_settle(struct image_store *store, struct err *err)
{
	cleanup_fd int fd =
	    openat(store->fd, MARKS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return 0;
	return fd < 0 || fsync(fd) < 0
		   ? err_errno(err, errno, "writing %s/" MARKS " to the disk", store->root)
		   : 0;
}

static int marks_finish(struct image_store *store, char *const *paths, bool settle, struct err *err)
{
	if (syncfs(store->fd) < 0)
		return err_errno(err, errno, "writing to the disk of %s", store->root);
	for (size_t i = 0; paths && paths[i]; i++)
		unlinkat(store->fd, paths[i], 0);
	return settle ? marks_settle(store, err) : 0;
}

int sync_finish(struct image_store *store, enum sync_how how, struct err *err)
{
	cleanup_strv char **paths = NULL;

	marks_list(store, &paths);
	if (!paths && how != SYNC_WAIT)
		return 0;
	if (how != SYNC_BACKGROUND)
		return marks_finish(store, paths, how == SYNC_WAIT, err);
	pid_t pid = background_start(store);
	if (pid == 0) {
		marks_finish(store, paths, true, NULL);
		_exit(0);
	}
	return pid < 0 ? marks_finish(store, paths, false, err) : 0;
}

int image_store_sync(struct image_store *store, uint64_t added_bytes, bool wait, struct err *err)
{
	enum sync_how how = SYNC_SHORT;

	if (wait)
		how = SYNC_WAIT;
	else if (added_bytes > FOREGROUND_MAX)
		how = SYNC_BACKGROUND;
	return sync_finish(store, how, err);
}
