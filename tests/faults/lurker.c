/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lurker FILE: waits inside a container for processes that enter it, and tries everything on them
 * before they execute their program: their program file, descriptors, memory, root and working
 * directory, ptrace(2). FILE is the program that they are going to execute; what is found after
 * that is the container's own and does not count. One finding a line; at its end (SIGTERM) the
 * line "seen N": how many times it looked at one, "first" when it did so first. A lurker that has
 * CAP_SYS_PTRACE may trace what enters: with --no-ptrace it does not try, with --stronger it does,
 * and tells of processes that have capabilities which it lacks, and are free to use them.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t stop;
static struct stat program, root, passwd;
static unsigned int seen;
static enum { WITHOUT_RIGHTS, NO_PTRACE, STRONGER } mode;

#define CAPS   "\nCapPrm:\t"
#define FILTER "\nSeccomp:\t"

static void on_signal(int signo)
{
	stop = 1;
}

static int same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Only what is read while this holds before and after belongs to the runtime. */
static int is_runtime(const char *pid)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%s/exe", pid);
	if (stat(path, &st) < 0)
		return errno != ENOENT;
	return !same_file(&st, &program);
}

static void try_file(const char *pid, const char *name, int flags)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
	fd = openat(AT_FDCWD, path, flags | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return;
	if (is_runtime(pid))
		printf("%s: opened, flags %#x\n", name, (unsigned int)flags);
	close(fd);
}

/* Once nobody executes it any more, only a read-only mount or a seal keeps it from being written.
 */
static void try_program(const char *pid)
{
	struct statvfs fs;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/exe", pid);
	fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (is_runtime(pid) && fstatvfs(fd, &fs) == 0 && !(fs.f_flag & ST_RDONLY) &&
	    !(fcntl(fd, F_GET_SEALS) & F_SEAL_WRITE))
		printf("exe: can be written later\n");
	close(fd);
}

/* A directory of which nothing comes, and from which no way leads up. */
static int is_nothing(const char *path, const struct stat *st)
{
	char up[80];
	struct stat above;
	struct dirent *e;
	int n = 0;
	DIR *dir = opendir(path);

	while (dir && (e = readdir(dir)))
		n++;
	if (dir)
		closedir(dir);
	snprintf(up, sizeof(up), "%s/..", path);
	return n == 2 && stat(up, &above) == 0 && same_file(&above, st);
}

static void try_directory(const char *pid, const char *name)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
	if (stat(path, &st) == 0 && !same_file(&st, &root) && !is_nothing(path, &st) &&
	    is_runtime(pid))
		printf("%s: is not the container's root\n", name);
}

static int is_own(const char *link)
{
	struct stat st;

	return stat(link, &st) < 0 || same_file(&st, &root) || same_file(&st, &passwd);
}

/* Standard streams and the socket to the runtime are there until the program runs; the container's
 * root and its passwd are, for $HOME. */
static void try_fds(const char *pid)
{
	char path[64], link[512], target[256];
	struct dirent *e;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	dir = opendir(path);
	while (dir && (e = readdir(dir))) {
		ssize_t n;

		if (strtol(e->d_name, NULL, 10) < 3)
			continue;
		snprintf(link, sizeof(link), "%s/%s", path, e->d_name);
		n = readlink(link, target, sizeof(target) - 1);
		if (n < 0)
			continue;
		target[n] = '\0';
		if (strncmp(target, "socket:", 7) != 0 && !is_own(link) && is_runtime(pid))
			printf("fd %s: %s\n", e->d_name, target);
	}
	if (dir)
		closedir(dir);
}

static void try_ptrace(const char *pid)
{
	pid_t p = (pid_t)strtol(pid, NULL, 10);

	/* No SIGSTOP, which would be left to a program that is executed meanwhile. */
	if (ptrace(PTRACE_SEIZE, p, NULL, NULL) < 0)
		return;
	ptrace(PTRACE_INTERRUPT, p, NULL, NULL);
	waitpid(p, NULL, __WALL);
	if (is_runtime(pid))
		printf("ptrace: seized\n");
	ptrace(PTRACE_DETACH, p, NULL, NULL);
}

/* -1: it is gone. A number of /proc/PID/status. */
static int read_status(const char *pid, const char *name, unsigned long long *ret)
{
	char path[64], text[4096], *line;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/status", pid);
	fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return -1;
	text[n] = '\0';
	line = strstr(text, name);
	if (!line)
		return -1;
	*ret = strtoull(line + strlen(name), NULL, 16);
	return 0;
}

/* The program is executed with this one's capabilities. */
static void try_capabilities(const char *pid)
{
	unsigned long long own, its, filter;

	if (read_status("self", CAPS, &own) < 0 || read_status(pid, CAPS, &its) < 0)
		return;
	/* Later: one that comes under a filter does not lose it. */
	if (mode == STRONGER && (read_status(pid, FILTER, &filter) < 0 || filter == 2))
		return;
	if ((its & ~own) && is_runtime(pid))
		printf("capabilities: %#llx more than the program\n", its & ~own);
}

static int is_stronger(const char *pid)
{
	unsigned long long own, its, filter;

	return read_status("self", CAPS, &own) == 0 && read_status(pid, CAPS, &its) == 0 &&
	       read_status(pid, FILTER, &filter) == 0 && (its & ~own) && filter != 2 &&
	       is_runtime(pid);
}

/* What it seizes stays as it is while it looks. */
static void try_stronger(const char *pid)
{
	pid_t p = (pid_t)strtol(pid, NULL, 10);

	if (!is_stronger(pid) || ptrace(PTRACE_SEIZE, p, NULL, NULL) < 0)
		return;
	ptrace(PTRACE_INTERRUPT, p, NULL, NULL);
	waitpid(p, NULL, __WALL);
	if (is_stronger(pid))
		printf("ptrace: seized, has more capabilities\n");
	ptrace(PTRACE_DETACH, p, NULL, NULL);
}

static void try_all(const char *pid)
{
	if (!is_runtime(pid))
		return;
	if (seen++ == 0)
		printf("first\n");
	try_capabilities(pid);
	try_file(pid, "exe", O_WRONLY);
	try_file(pid, "exe", O_RDWR);
	try_program(pid);
	try_fds(pid);
	try_directory(pid, "root");
	try_directory(pid, "cwd");
	if (mode == STRONGER)
		try_stronger(pid);
	if (mode == WITHOUT_RIGHTS) {
		try_file(pid, "exe", O_RDONLY);
		try_file(pid, "mem", O_RDWR);
		try_file(pid, "environ", O_RDONLY);
		try_file(pid, "maps", O_RDONLY);
		try_ptrace(pid);
	}
}

/* The pid that was given out last in this namespace ends the line of /proc/loadavg. */
static int newest(int fd, char *pid, size_t size)
{
	char text[128];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	char *last;

	if (n < 2)
		return -1;
	text[n - 1] = '\0';
	last = strrchr(text, ' ');
	return last ? snprintf(pid, size, "%s", last + 1) : -1;
}

int main(int argc, char **argv)
{
	int fd = openat(AT_FDCWD, "/proc/loadavg", O_RDONLY | O_CLOEXEC);
	char pid[16];

	setlinebuf(stdout);
	signal(SIGTERM, on_signal);
	if (argc < 2 || stat(argv[1], &program) < 0 || stat("/", &root) < 0 ||
	    stat("/etc/passwd", &passwd) < 0 || fd < 0)
		return 2;
	if (argc > 2)
		mode = strcmp(argv[2], "--stronger") ? NO_PTRACE : STRONGER;
	printf("ready\n");
	while (!stop)
		if (newest(fd, pid, sizeof(pid)) > 0 && strcmp(pid, "1") != 0)
			try_all(pid);
	printf("seen %u\n", seen);
	return 0;
}
