/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/confine.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/fd.h"
#include "base/sanitized.h"
#include "sys/cap.h"
#include "sys/landlock.h"
#include "sys/mount.h"
#include "sys/prctl.h"
#include "sys/rlimit.h"

#define MEMORY_MAX (1024u << 20) /* address space; a zstd window may take 128 MiB */
#define FILES_MAX  256           /* removing a tree takes two for each of its levels, up to 64 */

#if defined(__x86_64__)
#define ARCH_NATIVE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH_NATIVE AUDIT_ARCH_AARCH64
#elif defined(__riscv)
#define ARCH_NATIVE AUDIT_ARCH_RISCV64
#else
#error "name the audit architecture of this machine here"
#endif

#if SANITIZED
/* The leak checker at exit needs /proc, which is out of reach by then; the fuzz target has it. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return 1;
}
#endif

int confine_userns(int sync_fd, struct err *err)
{
	char byte = 'u';

	if (unshare(CLONE_NEWUSER) < 0)
		return err_errno(err, errno, "making a user namespace");
	if (NO_EINTR(write(sync_fd, &byte, 1)) != 1 || NO_EINTR(read(sync_fd, &byte, 1)) != 1)
		return err_fail(err, ERR_SYSTEM, "waiting for the user namespace's mappings");
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return err_errno(err, errno, "becoming root of the user namespace");
	return 0;
}

int confine_root(int *dir_fd, int idmap_fd, bool *ret_apart, struct err *err)
{
	*ret_apart = false;
	/* The fd stays in the old mount namespace; the working directory goes along. */
	if (fchdir(*dir_fd) < 0)
		return err_errno(err, errno, "entering directory");
	if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
		return errno == EPERM && idmap_fd < 0 ? 0
						      : err_errno(err, errno, "making namespaces");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_errno(err, errno, "making mounts private");
	cleanup_fd int dir = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_errno(err, errno, "opening directory");
	cleanup_fd int mnt = mount_clone(dir, "", false, err);
	if (mnt < 0)
		return mnt;
	int r = idmap_fd < 0 ? 0 : mount_set(mnt, "", false, 0, 0, 0, idmap_fd, err);
	if (r == 0)
		r = mount_attach(mnt, dir, err);
	if (r == 0)
		r = mount_pivot(mnt, err);
	if (r < 0)
		return r;
	/* Unpacking makes device nodes as root: nothing in here may open one. */
	if (mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_NODEV | MS_NOSUID | MS_NOEXEC, NULL) <
	    0)
		return err_errno(err, errno, "closing the new root to devices and programs");
	int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return err_errno(err, errno, "opening the new root");
	fd_close(*dir_fd);
	*dir_fd = root;
	*ret_apart = true;
	return 0;
}

static int confine_limits(uint64_t max_file, struct err *err)
{
	const struct rlimit_value limits[] = {
		{ RLIMIT_AS, SANITIZED ? UINT64_MAX : MEMORY_MAX },
		{ RLIMIT_NOFILE, FILES_MAX },
		{ RLIMIT_FSIZE, max_file },
		{ RLIMIT_CORE, 0 },
	};

	return rlimit_lower(limits, ARRAY_SIZE(limits), err);
}

static int confine_caps(unsigned int flags, bool apart, struct err *err)
{
	/* SYS_ADMIN is for trusted.overlay.opaque alone; the calls that make it dangerous are not
	 * in the seccomp list. */
	const uint64_t unpack = 1ull << CAP_CHOWN | 1ull << CAP_DAC_OVERRIDE | 1ull << CAP_FOWNER |
				1ull << CAP_FSETID | 1ull << CAP_MKNOD | 1ull << CAP_SETFCAP |
				1ull << CAP_SYS_ADMIN;
	/* Of these SYS_ADMIN shows trusted.overlay.*. */
	const uint64_t reading = 1ull << CAP_DAC_READ_SEARCH | 1ull << CAP_SYS_ADMIN;
	struct cap_sets have;

	int r = cap_get(&have);
	if (r < 0)
		return err_errno(err, -r, "reading capabilities");
	uint64_t keep = have.permitted & (flags & CONFINE_UNPACK    ? unpack
					  : flags & CONFINE_READING ? reading
								    : 0);
	/* A device node that is made on a mount which lets it be opened is the whole machine. */
	if (!apart)
		keep &= ~(1ull << CAP_MKNOD);
	if (have.permitted & 1ull << CAP_SETPCAP)
		r = cap_drop_bounding(keep, err);
	struct cap_sets sets = { .bounding = keep, .effective = keep, .permitted = keep };
	return r < 0 ? r : cap_apply(&sets, err);
}

/* What reading an archive and writing a tree takes. All else fails with EPERM: no sockets, no
 * processes, no mounts, no opening of devices' ioctls. */
static const int calls[] = {
	SYS_read,           SYS_write,     SYS_pwrite64,   SYS_pread64,         SYS_openat,
	SYS_openat2,        SYS_close,     SYS_newfstatat, SYS_fstat,           SYS_statx,
	SYS_fchown,         SYS_fchownat,  SYS_fchmod,     SYS_fchmodat,        SYS_utimensat,
	SYS_fsetxattr,      SYS_fgetxattr, SYS_flistxattr, SYS_fremovexattr,    SYS_lsetxattr,
	SYS_mkdirat,        SYS_symlinkat, SYS_linkat,     SYS_mknodat,         SYS_unlinkat,
	SYS_renameat2,      SYS_ftruncate, SYS_fchdir,     SYS_getdents64,      SYS_lseek,
	SYS_readlinkat,     SYS_faccessat, SYS_mmap,       SYS_munmap,          SYS_mremap,
	SYS_mprotect,       SYS_madvise,   SYS_brk,        SYS_futex,           SYS_getrandom,
	SYS_clock_gettime,  SYS_gettid,    SYS_getpid,     SYS_rt_sigreturn,    SYS_rt_sigaction,
	SYS_rt_sigprocmask, SYS_exit,      SYS_exit_group, SYS_restart_syscall, SYS_wait4,
#ifdef SYS_renameat
	SYS_renameat,
#endif
#ifdef SYS_fstatfs
	SYS_fstatfs,
#endif
};

/* These make the kernel signal any process, and Landlock keeps that inside from Linux 6.12 on only.
 */
static const unsigned int signalling[] = { F_SETOWN, F_SETOWN_EX, F_SETSIG };

/* fcntl but for these commands; what is no fcntl jumps over it. */
static size_t filter_fcntl(struct sock_filter *prog)
{
	const uint8_t last = ARRAY_SIZE(signalling);
	size_t n = 0;

	prog[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fcntl, 0, last + 3);
	prog[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						 offsetof(struct seccomp_data, args[1]));
	for (uint8_t i = 0; i < last; i++)
		prog[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, signalling[i],
							 (uint8_t)(last - i), 0);
	prog[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	prog[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	return n;
}

/* What passing data on takes, with memory to decompress it. */
static const int stage_calls[] = {
	SYS_read,       SYS_write, SYS_mmap,  SYS_munmap,       SYS_mremap,          SYS_mprotect,
	SYS_madvise,    SYS_brk,   SYS_futex, SYS_rt_sigreturn, SYS_restart_syscall, SYS_exit,
	SYS_exit_group,
};

/* What reading a tree takes. */
static const int reading_calls[] = {
	SYS_read,       SYS_write,        SYS_openat,          SYS_close,
	SYS_newfstatat, SYS_fstat,        SYS_fchdir,          SYS_getdents64,
	SYS_lseek,      SYS_readlinkat,   SYS_lgetxattr,       SYS_llistxattr,
	SYS_mmap,       SYS_munmap,       SYS_mremap,          SYS_mprotect,
	SYS_madvise,    SYS_brk,          SYS_futex,           SYS_poll,
	SYS_getrandom,  SYS_rt_sigreturn, SYS_restart_syscall, SYS_exit,
	SYS_exit_group, SYS_wait4,
};

static int confine_calls(const int *allowed, uint8_t n_allowed, bool with_fcntl, struct err *err)
{
	struct sock_filter prog[ARRAY_SIZE(calls) + ARRAY_SIZE(signalling) + 10];
	size_t n = 0;

	/* The sanitizers' runtimes make calls of their own. */
	if (SANITIZED)
		return 0;
	prog[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						 offsetof(struct seccomp_data, arch));
	prog[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH_NATIVE, 1, 0);
	prog[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	prog[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						 offsetof(struct seccomp_data, nr));
	if (with_fcntl)
		n += filter_fcntl(prog + n);
	/* A match jumps over the rest and the refusal. */
	for (uint8_t i = 0; i < n_allowed; i++)
		prog[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
							 (unsigned int)allowed[i],
							 (uint8_t)(n_allowed - i), 0);
	prog[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	prog[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog fprog = { .len = (unsigned short)n, .filter = prog };
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &fprog) < 0)
		return err_errno(err, errno, "loading the seccomp filter");
	return 0;
}

int confine(int dir_fd, unsigned int flags, bool apart, uint64_t max_file, struct err *err)
{
	const struct landlock_rule rule = { .fd = dir_fd, .access = LANDLOCK_WRITE };

	umask(0);
	int r = confine_limits(max_file, err);
	if (r == 0)
		r = confine_caps(flags, apart, err);
	/* Changing credentials has taken the signal at the engine's death away. */
	if (r == 0 && (r = prctl_parent_death_signal(SIGKILL, 0)) < 0)
		r = err_errno(err, -r, "asking for a signal when the engine ends");
	if (r == 0 && (r = prctl_no_new_privs()) < 0)
		r = err_errno(err, -r, "setting no_new_privs");
	if (r == 0)
		r = landlock_restrict(&rule, 1, LANDLOCK_NO_NETWORK | LANDLOCK_SCOPED, err);
	if (r >= 0)
		r = confine_calls(calls, ARRAY_SIZE(calls), true, err);
	return r < 0 ? err_wrap(err, r, "confining inro-layer") : 0;
}

int confine_reading(int dir_fd, int more_fd, struct err *err)
{
	const struct landlock_rule rules[] = { { dir_fd, LANDLOCK_READ },
					       { more_fd, LANDLOCK_READ } };

	int r = confine_limits(UINT64_MAX, err);
	if (r == 0)
		r = confine_caps(CONFINE_READING, true, err);
	if (r == 0 && (r = prctl_parent_death_signal(SIGKILL, 0)) < 0)
		r = err_errno(err, -r, "asking for a signal when the engine ends");
	if (r == 0 && (r = prctl_no_new_privs()) < 0)
		r = err_errno(err, -r, "setting no_new_privs");
	if (r == 0)
		r = landlock_restrict(rules, more_fd < 0 ? 1 : 2,
				      LANDLOCK_NO_NETWORK | LANDLOCK_SCOPED, err);
	if (r >= 0)
		r = confine_calls(reading_calls, ARRAY_SIZE(reading_calls), true, err);
	return r < 0 ? err_wrap(err, r, "confining inro-layer") : 0;
}

int confine_stage(pid_t parent, uint64_t max_file, struct err *err)
{
	int r = confine_limits(max_file, err);

	if (r == 0)
		r = confine_caps(0, true, err);
	if (r == 0 && (r = prctl_parent_death_signal(SIGKILL, parent)) < 0)
		r = err_errno(err, -r, "asking for a signal when inro-layer ends");
	if (r == 0 && (r = prctl_no_new_privs()) < 0)
		r = err_errno(err, -r, "setting no_new_privs");
	if (r == 0)
		r = landlock_restrict(NULL, 0, LANDLOCK_NO_NETWORK | LANDLOCK_SCOPED, err);
	if (r >= 0)
		r = confine_calls(stage_calls, ARRAY_SIZE(stage_calls), false, err);
	return r < 0 ? err_wrap(err, r, "confining a stage of inro-layer") : 0;
}
