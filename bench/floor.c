/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor: the least that a container start costs on this machine. clone3 with six namespaces,
 * the usual mounts on ROOTFS, pivot_root, exec of /bin/true. No policy, no cgroup, no error
 * handling beyond a non-zero status: a yardstick, not a model.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
	const char *source, *target, *type, *data;
	unsigned long flags;
} mounts[] = {
	{ "proc", "proc", "proc", NULL, 0 },
	{ "tmpfs", "dev", "tmpfs", "mode=755", 0 },
	{ "devpts", "dev/pts", "devpts", "newinstance", 0 },
	{ "shm", "dev/shm", "tmpfs", NULL, 0 },
	{ "mqueue", "dev/mqueue", "mqueue", NULL, 0 },
	{ "sysfs", "sys", "sysfs", NULL, MS_RDONLY },
};

static int child(const char *rootfs)
{
	int bad = 0;

	bad |= mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	bad |= mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL);
	bad |= chdir(rootfs);
	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		mkdir(mounts[i].target, 0755);
		bad |= mount(mounts[i].source, mounts[i].target, mounts[i].type, mounts[i].flags,
			     mounts[i].data);
	}
	bad |= (int)syscall(SYS_pivot_root, ".", ".");
	bad |= umount2(".", MNT_DETACH);
	if (!bad)
		execl("/bin/true", "true", (char *)NULL);
	return 127;
}

int main(int argc, char **argv)
{
	struct clone_args args = { .exit_signal = SIGCHLD,
				   .flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET |
					    CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP };
	int status;
	long pid;

	if (argc != 2)
		return 2;
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		_exit(child(argv[1]));
	if (pid < 0 || waitpid((pid_t)pid, &status, 0) < 0)
		return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
