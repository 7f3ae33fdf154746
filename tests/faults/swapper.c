/* SPDX-License-Identifier: Apache-2.0 */
/*
 * swapper A B [A B...]
 * Exchanges the names of each pair, over and over, as fast as it can: a directory that was checked
 * is a symlink when it is used, and the other way round. Prints "ready" first; ends when its stdin
 * does, with the number of exchanges.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef RENAME_EXCHANGE
#define RENAME_EXCHANGE (1 << 1)
#endif

int main(int argc, char **argv)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	unsigned long n = 0;

	if (argc < 3 || argc % 2 == 0) {
		fprintf(stderr, "usage: swapper A B [A B...]\n");
		return 2;
	}
	puts("ready");
	fflush(stdout);
	while (n % 64 || poll(&in, 1, 0) == 0) {
		for (int i = 1; i < argc; i += 2) {
			if (syscall(SYS_renameat2, AT_FDCWD, argv[i], AT_FDCWD, argv[i + 1],
				    RENAME_EXCHANGE) < 0 &&
			    errno != ENOENT) {
				perror(argv[i]);
				return 1;
			}
		}
		n++;
	}
	printf("%lu\n", n);
	return 0;
}
