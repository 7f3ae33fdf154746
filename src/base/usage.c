/* SPDX-License-Identifier: Apache-2.0 */
#include "base/usage.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"

#define DEPTH_MAX  200 /* an fd for each */
#define BLOCK_SIZE 512 /* of st_blocks, everywhere */

static void usage_dir(int fd, struct usage *use, int depth);

static void usage_entry(int dir, const char *name, struct usage *use, int depth)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		use->partly = true;
		return;
	}
	if (!S_ISDIR(st.st_mode)) {
		/* Each of a file's names gets its share. */
		nlink_t names = st.st_nlink > 0 ? st.st_nlink : 1;
		use->bytes += (uint64_t)st.st_blocks * BLOCK_SIZE / names;
		use->inodes += names == 1;
		return;
	}
	use->bytes += (uint64_t)st.st_blocks * BLOCK_SIZE;
	use->inodes++;
	int fd = depth < DEPTH_MAX
		     ? openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
		     : -EBADF;
	if (fd < 0)
		use->partly = true;
	else
		usage_dir(fd, use, depth + 1);
}

/* Takes fd over. */
static void usage_dir(int fd, struct usage *use, int depth)
{
	DIR *dir = fdopendir(fd);
	const struct dirent *entry;

	if (!dir) {
		fd_close(fd);
		use->partly = true;
		return;
	}
	while ((entry = readdir(dir)))
		if (!str_eq(entry->d_name, ".") && !str_eq(entry->d_name, ".."))
			usage_entry(dirfd(dir), entry->d_name, use, depth);
	closedir(dir);
}

void usage_tree(int dir_fd, struct usage *inout)
{
	struct stat st;
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fstat(dir_fd, &st) == 0) {
		inout->bytes += (uint64_t)st.st_blocks * BLOCK_SIZE;
		inout->inodes++;
	}
	if (fd < 0)
		inout->partly = true;
	else
		usage_dir(fd, inout, 0);
}
