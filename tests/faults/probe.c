/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe: tries, inside a container, what a container must not be able to do, one attempt a line:
 * "NAME RESULT" where the result is "done" or the name of the errno. The attempts end in failure or
 * are undone by the container's end; it is only ever run where it should be refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

static void say(const char *name, long r)
{
	printf("%s %s\n", name, r < 0 ? strerrorname_np(errno) : "done");
}

/* Where the 64-bit kernel also runs 32-bit programs, any program can make their system calls. */
static long call_32bit(long nr, long a, long b, long c)
{
#if defined(__x86_64__)
	long r;

	__asm__ volatile("int $0x80"
			 : "=a"(r)
			 : "a"(nr), "b"(a), "c"(b), "d"(c)
			 : "memory", "r8", "r9", "r10", "r11");
	if (r < 0 && r > -4096) {
		errno = (int)-r;
		return -1;
	}
	return r;
#else
	errno = ENOSYS;
	return -1;
#endif
}

#define I386_SOCKETCALL 102
#define I386_UNSHARE    310
#define I386_SOCKET     359
#define I386_KEYCTL     288
#define I386_MOUNT      21
#define I386_GETPID     20

static void try_32bit(void)
{
	/* socketcall(2) takes a pointer to its arguments: below 4 GiB */
	static unsigned int args[3];
	unsigned int *low = args;

	say("32bit-getpid", call_32bit(I386_GETPID, 0, 0, 0));
	say("32bit-socket-alg", call_32bit(I386_SOCKET, AF_ALG, SOCK_SEQPACKET, 0));
	say("32bit-socket-vsock", call_32bit(I386_SOCKET, AF_VSOCK, SOCK_STREAM, 0));
	say("32bit-unshare-user", call_32bit(I386_UNSHARE, CLONE_NEWUSER, 0, 0));
	say("32bit-mount", call_32bit(I386_MOUNT, 0, 0, 0));
	say("32bit-keyctl", call_32bit(I386_KEYCTL, KEYCTL_GET_KEYRING_ID, -3, 1));
	if ((unsigned long)low >> 32) {
		printf("32bit-socketcall the program is not below 4 GiB\n");
		return;
	}
	low[0] = AF_ALG;
	low[1] = SOCK_SEQPACKET;
	say("32bit-socketcall-alg", call_32bit(I386_SOCKETCALL, 1, (long)low, 0));
	low[0] = AF_VSOCK;
	low[1] = SOCK_STREAM;
	say("32bit-socketcall-vsock", call_32bit(I386_SOCKETCALL, 1, (long)low, 0));
}

#define X32_BIT 0x40000000

static void try_sockets(void)
{
	say("socket-alg", socket(AF_ALG, SOCK_SEQPACKET, 0));
	say("socket-vsock", socket(AF_VSOCK, SOCK_STREAM, 0));
	/* the kernel looks at the lower half of the register alone */
	say("socket-alg-high-bits", syscall(SYS_socket, 0x100000000UL | AF_ALG, SOCK_SEQPACKET, 0));
	say("x32-socket-alg", syscall(X32_BIT | SYS_socket, AF_ALG, SOCK_SEQPACKET, 0));
	say("socket-inet", socket(AF_INET, SOCK_STREAM, 0));
}

static void try_namespaces(void)
{
	say("unshare-user", unshare(CLONE_NEWUSER));
	say("unshare-user-high-bits", syscall(SYS_unshare, 0x100000000UL | CLONE_NEWUSER));
	say("unshare-mount", unshare(CLONE_NEWNS));
	say("clone-user", syscall(SYS_clone, CLONE_NEWUSER | 17, 0, 0, 0, 0));
	say("clone3", syscall(SYS_clone3, 0, 0));
	say("setns", setns(open("/proc/self/ns/mnt", O_RDONLY), 0));
}

static void try_mounts(void)
{
	say("mount", mount("tmpfs", "/tmp", "tmpfs", 0, NULL));
	say("remount-proc-sys", mount(NULL, "/proc/sys", NULL, MS_REMOUNT | MS_BIND, NULL));
	say("umount-proc-sys", umount2("/proc/sys", MNT_DETACH));
	say("fsopen", syscall(430, "tmpfs", 0));
	say("open_tree", syscall(428, AT_FDCWD, "/", 1));
	say("mount_setattr", syscall(442, AT_FDCWD, "/", 0, NULL, 0));
	say("pivot_root", syscall(SYS_pivot_root, ".", "."));
}

static void try_devices(void)
{
	say("mknod-block", mknod("/tmp/sda", S_IFBLK | 0600, makedev(8, 0)));
	say("open-block", open("/tmp/sda", O_RDONLY));
	say("mknod-loop", mknod("/tmp/loop", S_IFBLK | 0600, makedev(7, 0)));
	say("open-loop", open("/tmp/loop", O_RDONLY));
	say("mknod-mem", mknod("/tmp/mem", S_IFCHR | 0600, makedev(1, 1)));
	say("open-mem", open("/tmp/mem", O_RDONLY));
	say("mknod-kmsg", mknod("/tmp/kmsg", S_IFCHR | 0600, makedev(1, 11)));
	say("open-kmsg", open("/tmp/kmsg", O_RDWR));
	say("mknod-fuse", mknod("/tmp/fuse", S_IFCHR | 0600, makedev(10, 229)));
	say("open-fuse", open("/tmp/fuse", O_RDWR));
	say("open-null", open("/dev/null", O_RDWR));
}

static void try_kernel(void)
{
	struct stat st;
	int kcore;

	say("keyctl", syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 1));
	say("add_key", syscall(SYS_add_key, "user", "x", "y", 1, KEY_SPEC_USER_KEYRING));
	say("request_key", syscall(SYS_request_key, "user", "x", NULL, 0));
	say("bpf", syscall(SYS_bpf, 0, NULL, 0));
	say("perf_event_open", syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0));
	say("userfaultfd", syscall(SYS_userfaultfd, 0));
	say("io_uring_setup", syscall(SYS_io_uring_setup, 1, NULL));
	say("kexec_load", syscall(SYS_kexec_load, 0, 0, NULL, 0));
	say("init_module", syscall(SYS_init_module, NULL, 0, ""));
	say("open_by_handle_at", syscall(SYS_open_by_handle_at, AT_FDCWD, NULL, 0));
	say("sethostname", sethostname("taken", 5));
	say("ptrace-init", ptrace(PTRACE_SEIZE, getppid(), NULL, NULL));
	say("reboot", syscall(SYS_reboot, 0, 0, 0, NULL));
	say("core_pattern", open("/proc/sys/kernel/core_pattern", O_WRONLY));
	say("ip_forward", open("/proc/sys/net/ipv4/ip_forward", O_WRONLY));
	say("sysrq", open("/proc/sysrq-trigger", O_WRONLY));
	say("sys", open("/sys/kernel/uevent_helper", O_WRONLY | O_CREAT, 0600));
	say("cgroup", mkdir("/sys/fs/cgroup/escape", 0755));
	kcore = open("/proc/kcore", O_RDONLY);
	printf("kcore %s\n",
	       kcore < 0 || (fstat(kcore, &st) == 0 && S_ISCHR(st.st_mode)) ? "masked" : "open");
	say("own-program", open("/proc/self/exe", O_WRONLY));
}

int main(void)
{
	try_sockets();
	try_32bit();
	try_mounts();
	try_devices();
	try_kernel();
	try_namespaces();
	return 0;
}
