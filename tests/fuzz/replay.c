/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target over the files of its corpus directory: what a fuzzer once found stays found
 * in every build. An empty or missing corpus is a failure, else nothing would be tested.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(int dirfd, const char *name)
{
	struct stat st;
	int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0) {
		perror(name);
		return -1;
	}
	if (!S_ISREG(st.st_mode)) {
		close(fd);
		return 0;
	}

	/* An exact heap copy, so that a read past the end is seen by the sanitizer. */
	size_t size = (size_t)st.st_size;
	uint8_t *data = malloc(size ? size : 1);
	ssize_t n = data ? read(fd, data, size) : -1;
	close(fd);
	if (n != (ssize_t)size) {
		fprintf(stderr, "%s: short read\n", name);
		free(data);
		return -1;
	}
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	return 1;
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s CORPUS-DIRECTORY\n", argv[0]);
		return 2;
	}
	DIR *dir = opendir(argv[1]);
	if (!dir) {
		perror(argv[1]);
		return 1;
	}

	int total = 0;
	for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
		int n = replay_file(dirfd(dir), e->d_name);
		if (n < 0)
			return 1;
		total += n;
	}
	closedir(dir);
	printf("%d inputs\n", total);
	return total > 0 ? 0 : 1;
}
