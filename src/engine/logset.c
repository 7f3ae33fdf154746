/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/logset.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "runtime/logline.h"

/* A rotation takes some 20 us; a writer that rotates faster than files can be opened has to be met
 * between two. */
#define SCAN_TRIES    100
#define SCAN_PAUSE_NS 100000
/* A monitor that was killed while it renamed leaves one number free. */
#define GAPS_MAX 1

static bool same_file(const struct logset_file *file, const struct stat *st)
{
	return file->dev == st->st_dev && file->ino == st->st_ino;
}

/* What scan() found, the newest first. */
struct found {
	struct logset_file files[LOGLINE_FILES_MAX];
	size_t n;
	bool met_last; /* came to the last one of the set */
};

static void found_close(struct found *found)
{
	for (size_t i = 0; i < found->n; i++)
		fd_close(found->files[i].fd);
	found->n = 0;
}

/* 1: opened; 0: no such file, or none of ours. */
static int open_number(const struct logset *set, size_t number, int *ret_fd, struct stat *ret_st)
{
	cleanup_free char *name =
	    number ? xasprintf("%s.%zu", set->name, number) : xstrdup(set->name);
	cleanup_fd int fd =
	    openat(set->dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(fd, ret_st) < 0)
		return -errno;
	if (!S_ISREG(ret_st->st_mode))
		return 0;
	*ret_fd = take_fd(fd);
	return 1;
}

static int scan(const struct logset *set, struct found *found)
{
	const struct logset_file *last = set->n ? &set->files[set->n - 1] : NULL;
	size_t gaps = 0;

	*found = (struct found){ .n = 0 };
	for (size_t i = 0; i < LOGLINE_FILES_MAX && gaps <= GAPS_MAX; i++) {
		struct stat st;
		int fd = -EBADF, r;

		r = open_number(set, i, &fd, &st);
		if (r < 0) {
			found_close(found);
			return r;
		}
		if (r == 0) {
			gaps++;
			continue;
		}
		if (last && same_file(last, &st)) {
			fd_close(fd);
			found->met_last = true;
			break;
		}
		/* renamed while we looked */
		if (found->n && same_file(&found->files[found->n - 1], &st)) {
			fd_close(fd);
			continue;
		}
		found->files[found->n++] =
		    (struct logset_file){ .fd = fd, .dev = st.st_dev, .ino = st.st_ino };
	}
	return 0;
}

/* Is the newest one still the newest? Else a whole rotation may have gone through. */
static bool is_current(const struct logset *set, const struct found *found)
{
	struct stat st;

	if (fstatat(set->dirfd, set->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return !found->n && !found->met_last;
	if (found->n)
		return same_file(&found->files[0], &st);
	return found->met_last && same_file(&set->files[set->n - 1], &st);
}

static int scan_whole(struct logset *set, struct found *found, struct err *err)
{
	const struct timespec pause = { .tv_nsec = SCAN_PAUSE_NS };
	int r;

	for (int i = 0;; i++) {
		r = scan(set, found);
		if (r < 0)
			return err_errno(err, -r, "opening log %s", set->name);
		/* in the end what was found counts: the name may be free for good */
		if (is_current(set, found) || i == SCAN_TRIES)
			return 0;
		found_close(found);
		nanosleep(&pause, NULL);
	}
}

static void take_found(struct logset *set, struct found *found)
{
	set->files = xrealloc(set->files, (set->n + found->n) * sizeof(*set->files));
	while (found->n)
		set->files[set->n++] = found->files[--found->n];
}

int logset_refresh(struct logset *set, struct err *err)
{
	struct found found;
	struct stat st;
	int r;

	if (fstatat(set->dirfd, set->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_errno(err, errno, "looking at log %s", set->name);
	if (set->n && same_file(&set->files[set->n - 1], &st))
		return 0;
	r = scan_whole(set, &found, err);
	if (r < 0 || !found.n)
		return r;
	set->lost = set->lost || (set->n && !found.met_last);
	take_found(set, &found);
	return 1;
}

int logset_open(struct logset *set, int dirfd, const char *name, struct err *err)
{
	struct found found;
	int r;

	*set = (struct logset){ .dirfd = dirfd, .name = name };
	r = scan_whole(set, &found, err);
	if (r == 0 && found.n)
		take_found(set, &found);
	return r;
}

void logset_drop(struct logset *set, size_t n)
{
	if (n == 0)
		return; /* there may be no array at all */
	for (size_t i = 0; i < n; i++)
		fd_close(set->files[i].fd);
	set->n -= n;
	memmove(set->files, set->files + n, set->n * sizeof(*set->files));
}

void logset_done(struct logset *set)
{
	logset_drop(set, set->n);
	free(set->files);
	set->files = NULL;
}
