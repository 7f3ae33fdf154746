/* SPDX-License-Identifier: Apache-2.0 */
#include "image/sync.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/hex.h"
#include "base/io.h"
#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "image/background.h"

#define BOOT_ID_PATH   "/proc/sys/kernel/random/boot_id"
#define BOOT_ID_LEN    36
#define SERIAL_LEN     16
#define TARGET_MAX     64 /* what ext4 keeps in the inode is shorter */
#define MARKS          SYNC_MARKS
#define NEW            ".new" /* a mark before it has its name */
#define LOOKED         "looked"
#define FOREGROUND_MAX (32u << 20) /* bytes that are written while the user waits */

/* "" where there is none: then nothing is left for later. */
static const char *boot_id_read(char out[TARGET_MAX])
{
	cleanup_fd int fd = open(BOOT_ID_PATH, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : io_read(fd, out, TARGET_MAX - 1);

	out[n > 0 ? n : 0] = '\0';
	out[strcspn(out, "\n")] = '\0';
	if (strlen(out) > BOOT_ID_LEN)
		out[BOOT_ID_LEN] = '\0';
	return out;
}

/* ---- marks ---- */

/* An fd of the directory, whose lock keeps a mark that somebody takes away from being a newer one.
 */
static int marks_lock(const struct image_store *store)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(store->fd, MARKS, flags);

	if (fd < 0 && errno == ENOENT && (mkdirat(store->fd, MARKS, 0700) == 0 || errno == EEXIST))
		fd = openat(store->fd, MARKS, flags);
	if (fd >= 0 && NO_EINTR(flock(fd, LOCK_EX)) == 0)
		return fd;
	int r = -errno;
	fd_close(fd);
	return r;
}

int sync_mark(struct image_store *store, const char *name, struct err *err)
{
	char target[TARGET_MAX], serial[HEX_ID_LEN + 1];

	if (!boot_id_read(target)[0])
		return syncfs(store->fd) < 0
			   ? err_errno(err, errno, "writing to the disk of %s", store->root)
			   : 0;
	if (hex_random_id(serial) < 0)
		return err_errno(err, EIO, "getting random bytes");
	size_t len = strlen(target);
	snprintf(target + len, sizeof(target) - len, ".%.*s", SERIAL_LEN, serial);
	cleanup_fd int dir = marks_lock(store);
	if (dir < 0)
		return err_errno(err, -dir, "locking %s/" MARKS, store->root);
	/* One that is there belongs to something that was lost, never got its name, or has just got
	 * it from somebody else, and must not be without for a moment. */
	unlinkat(dir, NEW, 0);
	if (symlinkat(target, dir, NEW) < 0 || renameat(dir, NEW, dir, name) < 0)
		return err_errno(err, errno, "creating %s/" MARKS "/%s", store->root, name);
	return 0;
}

/* "" when there is no such link. */
static const char *target_read(int dir, const char *path, char out[TARGET_MAX])
{
	ssize_t n = readlinkat(dir, path, out, TARGET_MAX - 1);

	out[n > 0 ? n : 0] = '\0';
	return out;
}

/* Boot ids have one length. */
static bool is_of(const char *target, const char *boot_id)
{
	const char *rest = *boot_id ? str_after(target, boot_id) : NULL;

	return rest && (*rest == '\0' || *rest == '.');
}

bool sync_is_lost(const struct image_store *store, const char *name)
{
	cleanup_free char *path = xasprintf(MARKS "/%s", name);
	char target[TARGET_MAX], id[TARGET_MAX];

	/* Almost always there is no mark. */
	return target_read(store->fd, path, target)[0] && !is_of(target, boot_id_read(id));
}

void sync_forget(const struct image_store *store, const char *name)
{
	cleanup_free char *path = xasprintf(MARKS "/%s", name);

	unlinkat(store->fd, path, 0);
}

/* The marks of this boot: the name and target of each. */
static void marks_list(const struct image_store *store, char ***ret)
{
	int fd = openat(store->fd, MARKS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	char id[TARGET_MAX], target[TARGET_MAX];

	if (!dir) {
		fd_close(fd);
		return;
	}
	boot_id_read(id);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.' ||
		    !is_of(target_read(dirfd(dir), entry->d_name, target), id))
			continue;
		strv_add(ret, entry->d_name);
		strv_add(ret, target);
	}
	closedir(dir);
}

/* Not one that was made since: what it is for came after what has been written to the disk. */
static void marks_remove(int dir, char *const *marks)
{
	char target[TARGET_MAX];

	for (size_t i = 0; marks && marks[i]; i += 2)
		if (str_eq(target_read(dir, marks[i], target), marks[i + 1]))
			unlinkat(dir, marks[i], 0);
}

static int marks_finish(struct image_store *store, char *const *marks, bool settle, struct err *err)
{
	if (syncfs(store->fd) < 0)
		return err_errno(err, errno, "writing to the disk of %s", store->root);
	cleanup_fd int dir = marks_lock(store);
	if (dir < 0)
		return err_errno(err, -dir, "locking %s/" MARKS, store->root);
	marks_remove(dir, marks);
	/* Should the machine go down after this, a mark that came back would say of what is there
	 * that it is not. Others need not wait for the disk. */
	flock(dir, LOCK_UN);
	if (settle && fsync(dir) < 0)
		return err_errno(err, errno, "writing %s/" MARKS " to the disk", store->root);
	return 0;
}

int sync_finish(struct image_store *store, enum sync_how how, struct err *err)
{
	cleanup_strv char **marks = NULL;

	marks_list(store, &marks);
	if (!marks && how != SYNC_WAIT)
		return 0;
	if (how != SYNC_BACKGROUND)
		return marks_finish(store, marks, how == SYNC_WAIT, err);
	pid_t pid = background_start(store);
	if (pid == 0) {
		marks_finish(store, marks, true, NULL);
		_exit(0);
	}
	return pid < 0 ? marks_finish(store, marks, false, err) : 0;
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

/* ---- another boot ---- */

bool sync_boot_is_new(int root_fd)
{
	char target[TARGET_MAX], id[TARGET_MAX];

	return boot_id_read(id)[0] && !str_eq(target_read(root_fd, LOOKED, target), id);
}

void sync_boot_seen(int root_fd)
{
	char id[TARGET_MAX];

	unlinkat(root_fd, LOOKED, 0);
	if (symlinkat(boot_id_read(id), root_fd, LOOKED) < 0 && errno != EEXIST)
		log_debug("noting that the store was looked at: %s", strerror(errno));
}
