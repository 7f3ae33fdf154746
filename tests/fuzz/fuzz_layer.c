/* SPDX-License-Identifier: Apache-2.0 */
/* A layer's tar, compressed or not, unpacked into a throwaway directory by the code of inro-layer
 * without its confinement. What lies beside the directory must stay as it is. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/path.h"
#include "image/layer/apply.h"
#include "image/layer/tar.h"

#define ENTRIES_MAX 1000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int input_open(const uint8_t *data, size_t size)
{
	int fd = memfd_create("layer", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0)
		abort();
	return fd;
}

/* Nothing but "fs" and the bait, which is empty. */
static void check_beside(int top)
{
	struct stat st;
	struct dirent *entry;
	int n = 0;
	DIR *dir = fdopendir(fd_dup(top, 3));

	while ((entry = readdir(dir)))
		n++;
	rewinddir(dir);
	closedir(dir);
	if (n != 4 || fstatat(top, "bait", &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_size != 0 ||
	    st.st_nlink != 1 || (st.st_mode & 07777) != 0640)
		abort();
}

static void check_result(const struct apply_result *result, const struct err *err, int r)
{
	if (r < 0 ? !err->msg[0] : result->entries > ENTRIES_MAX)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct source_limits limits = { .max_bytes = 8u << 20, .max_ratio = 1000 };
	const struct apply_options opts = { .max_entries = ENTRIES_MAX, .userns = true };
	char name[sizeof("inro-fuzz-") + HEX_ID_LEN] = "inro-fuzz-", *id = name + strlen(name);
	struct apply_result result = { 0 };
	struct err err = ERR_INIT;
	struct stat st;

	log_setup("fuzz", STDERR_FILENO, LOG_PLAIN, LOG_ERROR);
	tar_setup();
	umask(0);
	cleanup_fd int tmp = open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (tmp < 0)
		tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (tmp < 0 || hex_random_id(id) < 0 || mkdirat(tmp, name, 0700) < 0)
		abort();
	cleanup_fd int top = openat(tmp, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (top < 0 || mkdirat(top, "fs", 0755) < 0 || mknodat(top, "bait", S_IFREG | 0640, 0) < 0)
		abort();
	cleanup_fd int fs = openat(top, "fs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_fd int in = input_open(data, size);
	struct source *src = source_new(in, &limits, 0);
	int r = apply_layer(src, fs, &opts, &result, &err);
	source_free(src);
	check_result(&result, &err, r);
	if (fstat(fs, &st) < 0)
		abort();
	check_beside(top);
	json_free(&apply_result_desc, &result);
	path_remove_tree(tmp, name, NULL);
	return 0;
}
