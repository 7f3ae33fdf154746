/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/seccomp_default.h"

#include <linux/capability.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/socket.h>

#include "base/strv.h"

#define CAP(name) (1ULL << (name))
#define ALWAYS    0

#define ALLOW "SCMP_ACT_ALLOW"
#define ERRNO "SCMP_ACT_ERRNO"

static const char files[] =
    "_llseek access chdir chmod chown chown32 close close_range copy_file_range creat dup "
    "dup2 dup3 faccessat faccessat2 fadvise64 fadvise64_64 arm_fadvise64_64 fallocate "
    "fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync "
    "file_getattr file_setattr flock fstat fstat64 fstatat64 fstatfs fstatfs64 fsync "
    "ftruncate ftruncate64 futimesat getcwd getdents getdents64 ioctl lchown lchown32 link "
    "linkat lseek lstat lstat64 mkdir mkdirat mknod mknodat name_to_handle_at newfstatat "
    "open openat openat2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead "
    "readlink readlinkat readv rename renameat renameat2 rmdir sendfile sendfile64 stat "
    "stat64 statfs statfs64 statx symlink symlinkat sync sync_file_range sync_file_range2 "
    "arm_sync_file_range syncfs truncate truncate64 umask unlink unlinkat utime utimensat "
    "utimensat_time64 utimes write writev";
static const char attributes[] =
    "fgetxattr flistxattr fremovexattr fsetxattr getxattr getxattrat lgetxattr listxattr "
    "listxattrat llistxattr lremovexattr lsetxattr removexattr removexattrat setxattr "
    "setxattrat";
/* pipes, waiting for many, watching files, asynchronous I/O of the older kind */
static const char events[] =
    "_newselect epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 "
    "epoll_wait epoll_wait_old eventfd eventfd2 fanotify_mark inotify_add_watch "
    "inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents "
    "io_pgetevents io_pgetevents_time64 io_setup io_submit pipe pipe2 poll ppoll "
    "ppoll_time64 pselect6 pselect6_time64 select splice tee";
static const char memory[] =
    "brk cachestat madvise map_shadow_stack membarrier memfd_create memfd_secret mincore "
    "mlock mlock2 mlockall mmap mmap2 mprotect mremap mseal msync munlock munlockall munmap "
    "pkey_alloc pkey_free pkey_mprotect remap_file_pages";
static const char processes[] =
    "capget capset execve execveat exit exit_group fork getcpu getpgid getpgrp getpid "
    "getppid getpriority getrandom getrlimit getrusage getsid gettid ioprio_get ioprio_set "
    "landlock_add_rule landlock_create_ruleset landlock_restrict_self lsm_get_self_attr "
    "lsm_list_modules pidfd_open pidfd_send_signal prctl prlimit64 process_mrelease "
    "process_vm_readv process_vm_writev ptrace seccomp setpgid setpriority setrlimit setsid "
    "sysinfo times ugetrlimit uname vfork wait4 waitid waitpid";
static const char threads[] =
    "arch_prctl breakpoint cacheflush futex futex_requeue futex_time64 futex_wait "
    "futex_waitv futex_wake get_robust_list get_thread_area modify_ldt riscv_flush_icache "
    "riscv_hwprobe rseq set_robust_list set_thread_area set_tid_address set_tls uretprobe";
static const char identity[] =
    "getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getresgid "
    "getresgid32 getresuid getresuid32 getuid getuid32 setfsgid setfsgid32 setfsuid "
    "setfsuid32 setgid setgid32 setgroups setgroups32 setregid setregid32 setresgid "
    "setresgid32 setresuid setresuid32 setreuid setreuid32 setuid setuid32";
static const char scheduling[] =
    "sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr "
    "sched_getparam sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 "
    "sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield";
static const char signals[] =
    "kill pause restart_syscall rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo "
    "rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo "
    "sigaction sigaltstack signal signalfd signalfd4 sigpending sigprocmask sigreturn "
    "sigsuspend tgkill tkill";
static const char clocks[] =
    "adjtimex alarm clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 "
    "clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64 getitimer "
    "gettimeofday nanosleep setitimer time timer_create timer_delete timer_getoverrun "
    "timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create "
    "timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64";
/* socket and socketpair: see socket_families */
static const char sockets[] =
    "accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom "
    "recvmmsg recvmmsg_time64 recvmsg send sendmmsg sendmsg sendto setsockopt shutdown";
static const char sysv_and_queues[] =
    "ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 "
    "mq_timedsend mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd semctl semget "
    "semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget";

static const char mounts_and_namespaces[] =
    "clone clone3 fsconfig fsmount fsopen fspick listmount listns mount mount_setattr "
    "move_mount open_tree open_tree_attr pivot_root setns statmount umount umount2 unshare";
static const char administration[] =
    "fanotify_init lsm_set_self_attr quotactl quotactl_fd setdomainname sethostname";
static const char bpf[] = "bpf";
static const char perf[] = "perf_event_open";
static const char kernel_log[] = "syslog";
static const char handles[] = "open_by_handle_at";
static const char root_change[] = "chroot";
static const char boot[] = "reboot";
static const char modules[] = "delete_module finit_module init_module";
static const char accounting[] = "acct";
static const char introspection[] = "kcmp pidfd_getfd process_madvise";
static const char ports[] = "ioperm iopl";
static const char clock_setting[] = "clock_settime clock_settime64 settimeofday stime";
static const char terminals[] = "vhangup";
static const char numa[] = "get_mempolicy mbind set_mempolicy set_mempolicy_home_node";

/* Refused, but whoever tries them knows an older way, or does without. socketcall has to be named:
 * rules on "socket" would let it through on 32-bit x86 (libseccomp drops their arguments there). */
static const char newer_mounts[] =
    "clone3 fsconfig fsmount fsopen fspick listmount listns mount_setattr move_mount "
    "open_tree open_tree_attr statmount";
static const char newer[] = "io_uring_enter io_uring_register io_uring_setup socketcall";

#define GROUP(list, with, without, act, err)                                                       \
	{                                                                                          \
		.names = (list), .any_of = (with), .none_of = (without), .action = (act),          \
		.errnum = (err)                                                                    \
	}

static const struct group {
	const char *names; /* with spaces between */
	uint64_t any_of;   /* capabilities of which one must be there; 0: none is needed */
	uint64_t none_of;  /* capabilities with which the group is left out */
	const char *action;
	unsigned int errnum;
} groups[] = {
	GROUP(files, ALWAYS, 0, ALLOW, 0),
	GROUP(attributes, ALWAYS, 0, ALLOW, 0),
	GROUP(events, ALWAYS, 0, ALLOW, 0),
	GROUP(memory, ALWAYS, 0, ALLOW, 0),
	GROUP(processes, ALWAYS, 0, ALLOW, 0),
	GROUP(threads, ALWAYS, 0, ALLOW, 0),
	GROUP(identity, ALWAYS, 0, ALLOW, 0),
	GROUP(scheduling, ALWAYS, 0, ALLOW, 0),
	GROUP(signals, ALWAYS, 0, ALLOW, 0),
	GROUP(clocks, ALWAYS, 0, ALLOW, 0),
	GROUP(sockets, ALWAYS, 0, ALLOW, 0),
	GROUP(sysv_and_queues, ALWAYS, 0, ALLOW, 0),
	GROUP(mounts_and_namespaces, CAP(CAP_SYS_ADMIN), 0, ALLOW, 0),
	GROUP(administration, CAP(CAP_SYS_ADMIN), 0, ALLOW, 0),
	GROUP(bpf, CAP(CAP_SYS_ADMIN) | CAP(CAP_BPF), 0, ALLOW, 0),
	GROUP(perf, CAP(CAP_SYS_ADMIN) | CAP(CAP_PERFMON), 0, ALLOW, 0),
	GROUP(kernel_log, CAP(CAP_SYS_ADMIN) | CAP(CAP_SYSLOG), 0, ALLOW, 0),
	GROUP(handles, CAP(CAP_DAC_READ_SEARCH), 0, ALLOW, 0),
	GROUP(root_change, CAP(CAP_SYS_CHROOT), 0, ALLOW, 0),
	GROUP(boot, CAP(CAP_SYS_BOOT), 0, ALLOW, 0),
	GROUP(modules, CAP(CAP_SYS_MODULE), 0, ALLOW, 0),
	GROUP(accounting, CAP(CAP_SYS_PACCT), 0, ALLOW, 0),
	GROUP(introspection, CAP(CAP_SYS_PTRACE), 0, ALLOW, 0),
	GROUP(ports, CAP(CAP_SYS_RAWIO), 0, ALLOW, 0),
	GROUP(clock_setting, CAP(CAP_SYS_TIME), 0, ALLOW, 0),
	GROUP(terminals, CAP(CAP_SYS_TTY_CONFIG), 0, ALLOW, 0),
	GROUP(numa, CAP(CAP_SYS_NICE), 0, ALLOW, 0),
	GROUP(newer_mounts, ALWAYS, CAP(CAP_SYS_ADMIN), ERRNO, ENOSYS),
	GROUP(newer, ALWAYS, 0, ERRNO, ENOSYS),
};

#define NEW_NAMESPACES                                                                             \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |             \
	 CLONE_NEWPID | CLONE_NEWNET)
#define NEW_TIME_NAMESPACE 0x80 /* only unshare(2) takes it, in clone(2) it is part of a signal */

#if defined(__s390x__)
#define CLONE_FLAGS_ARG 1
#else
#define CLONE_FLAGS_ARG 0
#endif

#define INT_MASK 0xffffffffULL

/*
 * Rules on one argument, all of the form (argument & mask) == value. The kernel looks at the lower
 * half of an int or unsigned int alone: a plain "equal" or "less" on 64 bits could be passed by
 * with something in the upper half.
 */
static const struct argument {
	const char *name;
	const char *action;
	unsigned int errnum;
	unsigned int index;
	uint64_t mask, value;
	uint64_t any_of, none_of;
} arguments[] = {
	{ "socket", ALLOW, 0, 0, INT_MASK, AF_UNIX, 0, 0 },
	{ "socket", ALLOW, 0, 0, INT_MASK, AF_INET, 0, 0 },
	{ "socket", ALLOW, 0, 0, INT_MASK, AF_INET6, 0, 0 },
	{ "socket", ALLOW, 0, 0, INT_MASK, AF_NETLINK, 0, 0 },
	{ "socket", ALLOW, 0, 0, INT_MASK, AF_PACKET, 0, 0 },
	{ "socketpair", ALLOW, 0, 0, INT_MASK, AF_UNIX, 0, 0 },
	/* who manages networks needs more families; AF_ALG and AF_VSOCK are for nobody */
	{ "socket", ALLOW, 0, 0, INT_MASK, AF_KEY, CAP(CAP_NET_ADMIN), 0 },
	{ "socket", ALLOW, 0, 0, INT_MASK, AF_PPPOX, CAP(CAP_NET_ADMIN), 0 },
	{ "socket", ALLOW, 0, 0, INT_MASK, AF_LLC, CAP(CAP_NET_ADMIN), 0 },
	{ "socket", ALLOW, 0, 0, INT_MASK, AF_CAN, CAP(CAP_NET_ADMIN), 0 },
	{ "socket", ALLOW, 0, 0, INT_MASK, AF_TIPC, CAP(CAP_NET_ADMIN), 0 },
	{ "socket", ALLOW, 0, 0, INT_MASK, AF_BLUETOOTH, CAP(CAP_NET_ADMIN), 0 },
	{ "socket", ALLOW, 0, 0, INT_MASK, AF_SMC, CAP(CAP_NET_ADMIN), 0 },
	{ "socket", ALLOW, 0, 0, INT_MASK, AF_XDP, CAP(CAP_NET_ADMIN), 0 },
	{ "socket", ERRNO, EAFNOSUPPORT, 0, INT_MASK, AF_ALG, 0, 0 },
	{ "socket", ERRNO, EAFNOSUPPORT, 0, INT_MASK, AF_VSOCK, 0, 0 },
	{ "clone", ALLOW, 0, CLONE_FLAGS_ARG, NEW_NAMESPACES, 0, 0, CAP(CAP_SYS_ADMIN) },
	{ "unshare", ALLOW, 0, 0, NEW_NAMESPACES | NEW_TIME_NAMESPACE, 0, 0, CAP(CAP_SYS_ADMIN) },
	{ "personality", ALLOW, 0, 0, INT_MASK, PER_LINUX, 0, 0 },
	{ "personality", ALLOW, 0, 0, INT_MASK, PER_LINUX32, 0, 0 },
	{ "personality", ALLOW, 0, 0, INT_MASK, UNAME26, 0, 0 },
	{ "personality", ALLOW, 0, 0, INT_MASK, PER_LINUX32 | UNAME26, 0, 0 },
	{ "personality", ALLOW, 0, 0, INT_MASK, INT_MASK, 0, 0 }, /* asks only */
};

static const char *const architectures[] = {
#if defined(__x86_64__)
	"SCMP_ARCH_X86_64",
	"SCMP_ARCH_X86",
	"SCMP_ARCH_X32",
#elif defined(__aarch64__)
	"SCMP_ARCH_AARCH64",
	"SCMP_ARCH_ARM",
#endif
	NULL,
};

static bool applies(uint64_t caps, uint64_t any_of, uint64_t none_of)
{
	return (any_of == ALWAYS || (caps & any_of)) && !(caps & none_of);
}

static struct spec_seccomp_rule *add_rule(struct spec_seccomp *s, const char *action,
					  unsigned int errnum)
{
	struct spec_seccomp_rule *rule = &s->syscalls.items[s->syscalls.n++];

	rule->action = xstrdup(action);
	if (errnum)
		rule->errno_ret = (struct opt_u32){ true, errnum };
	return rule;
}

static void add_group(struct spec_seccomp *s, const struct group *group)
{
	struct spec_seccomp_rule *rule = add_rule(s, group->action, group->errnum);

	rule->names = strv_split(group->names, ' ');
}

static void add_argument(struct spec_seccomp *s, const struct argument *arg)
{
	struct spec_seccomp_rule *rule = add_rule(s, arg->action, arg->errnum);

	strv_add(&rule->names, arg->name);
	rule->args.items = xcalloc(1, sizeof(*rule->args.items));
	rule->args.n = 1;
	rule->args.items[0] = (struct spec_seccomp_arg){
		.index = arg->index,
		.value = arg->mask,
		.value_two = arg->value,
		.op = xstrdup("SCMP_CMP_MASKED_EQ"),
	};
}

int seccomp_default(uint64_t caps, struct spec_seccomp *ret)
{
	struct spec_seccomp s = {
		.default_action = xstrdup(ERRNO),
		.default_errno_ret = { true, EPERM },
	};
	size_t i;

	for (i = 0; architectures[i]; i++)
		strv_add(&s.architectures, architectures[i]);
	s.syscalls.items =
	    xcalloc(ARRAY_SIZE(groups) + ARRAY_SIZE(arguments), sizeof(*s.syscalls.items));
	for (i = 0; i < ARRAY_SIZE(groups); i++)
		if (applies(caps, groups[i].any_of, groups[i].none_of))
			add_group(&s, &groups[i]);
	for (i = 0; i < ARRAY_SIZE(arguments); i++)
		if (applies(caps, arguments[i].any_of, arguments[i].none_of))
			add_argument(&s, &arguments[i]);
	*ret = s;
	return 0;
}
