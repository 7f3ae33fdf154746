/* SPDX-License-Identifier: Apache-2.0 */
/* locker FILE: makes the file, locks it, says so on standard output, and keeps the lock. */
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int fd = argc == 2 ? open(argv[1], O_RDWR | O_CREAT, 0644) : -1;

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return 1;
	if (write(fd, "locked\n", 7) != 7)
		return 1;
	for (;;)
		pause();
}
