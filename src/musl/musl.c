/* SPDX-License-Identifier: Apache-2.0 */
/* What inro uses of glibc and musl lacks: wrappers of newer system calls, and words. Declared in
 * include/, which the compiler searches before musl's own headers. */
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

extern const ElfW(Dyn) _DYNAMIC[] __attribute__((visibility("hidden")));

/* glibc's start makes what was relocated read-only, musl's leaves it to the loader, which a static
 * program does not have. */
__attribute__((constructor)) static void protect_relocated(void)
{
	const ElfW(Phdr) *ph = (const void *)getauxval(AT_PHDR);
	const size_t n = getauxval(AT_PHNUM), page = getauxval(AT_PAGESZ);
	uintptr_t base = 0;

	for (size_t i = 0; i < n; i++)
		if (ph[i].p_type == PT_DYNAMIC)
			base = (uintptr_t)_DYNAMIC - ph[i].p_vaddr;
	for (size_t i = 0; i < n; i++) {
		uintptr_t start = (base + ph[i].p_vaddr) & -page;
		uintptr_t end = (base + ph[i].p_vaddr + ph[i].p_memsz) & -page;
		if (ph[i].p_type == PT_GNU_RELRO && start < end)
			mprotect((void *)start, end - start, PROT_READ);
	}
}

int fsopen(const char *fs_name, unsigned int flags)
{
	return (int)syscall(SYS_fsopen, fs_name, flags);
}

int fsconfig(int fd, unsigned int cmd, const char *key, const void *value, int aux)
{
	return (int)syscall(SYS_fsconfig, fd, cmd, key, value, aux);
}

int fsmount(int fd, unsigned int flags, unsigned int attr_flags)
{
	return (int)syscall(SYS_fsmount, fd, flags, attr_flags);
}

int open_tree(int fd, const char *path, unsigned int flags)
{
	return (int)syscall(SYS_open_tree, fd, path, flags);
}

int move_mount(int from_fd, const char *from, int to_fd, const char *to, unsigned int flags)
{
	return (int)syscall(SYS_move_mount, from_fd, from, to_fd, to, flags);
}

int mount_setattr(int fd, const char *path, unsigned int flags, struct mount_attr *attr,
		  size_t size)
{
	return (int)syscall(SYS_mount_setattr, fd, path, flags, attr, size);
}

int pidfd_open(pid_t pid, unsigned int flags)
{
	return (int)syscall(SYS_pidfd_open, pid, flags);
}

int pidfd_getfd(int pidfd, int target_fd, unsigned int flags)
{
	return (int)syscall(SYS_pidfd_getfd, pidfd, target_fd, flags);
}

int pidfd_send_signal(int pidfd, int signo, siginfo_t *info, unsigned int flags)
{
	return (int)syscall(SYS_pidfd_send_signal, pidfd, signo, info, flags);
}

int statx(int fd, const char *path, int flags, unsigned int mask, struct statx *ret)
{
	return (int)syscall(SYS_statx, fd, path, flags, mask, ret);
}

/* Messages must not depend on the libc that a build happens to have: those where it matters, as
 * people know and search for them. */
const char *strerrordesc_np(int errnum)
{
	static const char *const words[] = {
		[EBUSY] = "Device or resource busy",
		[EXDEV] = "Invalid cross-device link",
		[EMFILE] = "Too many open files",
		[ENFILE] = "Too many open files in system",
		[ENAMETOOLONG] = "File name too long",
		[ELOOP] = "Too many levels of symbolic links",
		[ENOMEM] = "Cannot allocate memory",
		[ECHILD] = "No child processes",
		[EIO] = "Input/output error",
		[ENOTTY] = "Inappropriate ioctl for device",
		[ERANGE] = "Numerical result out of range",
		[EDOM] = "Numerical argument out of domain",
		[EOPNOTSUPP] = "Operation not supported",
		[EADDRINUSE] = "Address already in use",
		[EADDRNOTAVAIL] = "Cannot assign requested address",
		[ECONNRESET] = "Connection reset by peer",
		[ETIMEDOUT] = "Connection timed out",
		[ENOTCONN] = "Transport endpoint is not connected",
		[EISCONN] = "Transport endpoint is already connected",
		[ENOTSOCK] = "Socket operation on non-socket",
		[EMSGSIZE] = "Message too long",
		[EDQUOT] = "Disk quota exceeded",
		[EOVERFLOW] = "Value too large for defined data type",
		[ESTALE] = "Stale file handle",
		[EUSERS] = "Too many users",
		[EILSEQ] = "Invalid or incomplete multibyte or wide character",
	};

	if (errnum >= 0 && (size_t)errnum < sizeof(words) / sizeof(words[0]) && words[errnum])
		return words[errnum];
	if (errnum == 0)
		return "Success";
	const char *s = strerror(errnum);
	return strcmp(s, "No error information") == 0 ? NULL : s;
}

const char *sigabbrev_np(int signo)
{
	static const char *const words[] = {
		[SIGHUP] = "HUP",       [SIGINT] = "INT",       [SIGQUIT] = "QUIT",
		[SIGILL] = "ILL",       [SIGTRAP] = "TRAP",     [SIGABRT] = "ABRT",
		[SIGBUS] = "BUS",       [SIGFPE] = "FPE",       [SIGKILL] = "KILL",
		[SIGUSR1] = "USR1",     [SIGSEGV] = "SEGV",     [SIGUSR2] = "USR2",
		[SIGPIPE] = "PIPE",     [SIGALRM] = "ALRM",     [SIGTERM] = "TERM",
		[SIGSTKFLT] = "STKFLT", [SIGCHLD] = "CHLD",     [SIGCONT] = "CONT",
		[SIGSTOP] = "STOP",     [SIGTSTP] = "TSTP",     [SIGTTIN] = "TTIN",
		[SIGTTOU] = "TTOU",     [SIGURG] = "URG",       [SIGXCPU] = "XCPU",
		[SIGXFSZ] = "XFSZ",     [SIGVTALRM] = "VTALRM", [SIGPROF] = "PROF",
		[SIGWINCH] = "WINCH",   [SIGIO] = "POLL",       [SIGPWR] = "PWR",
		[SIGSYS] = "SYS",
	};

	return signo > 0 && (size_t)signo < sizeof(words) / sizeof(words[0]) ? words[signo] : NULL;
}
