/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel interfaces newer than the headers of the oldest distribution we build on (Linux 6.1,
 * glibc 2.36). Numbers and layouts are those of the kernel's uapi; each says since which version.
 * Everything is guarded, so newer headers win.
 */
#pragma once

#include <linux/ioctl.h>
#include <linux/sched.h>
#include <linux/types.h>
#include <sys/mount.h>
#include <sys/syscall.h>

/* --- mounts --- */

#ifndef MOVE_MOUNT_SET_GROUP
#define MOVE_MOUNT_SET_GROUP 0x00000100 /* 5.15 */
#endif
#ifndef MOVE_MOUNT_BENEATH
#define MOVE_MOUNT_BENEATH 0x00000200 /* 6.5 */
#endif
#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000 /* 5.14 */
#endif
#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256 /* 5.10 */
#endif
#ifndef __NR_open_tree_attr
#define __NR_open_tree_attr                                                                        \
	467 /* 6.15: open_tree + mount_setattr in one call, all architectures                      \
	     */
#endif
/* 6.6: like FSCONFIG_CMD_CREATE, but never reuses an existing superblock. */
#define FSCONFIG_CMD_CREATE_EXCL_NR 8

/* --- pidfd --- */

#ifndef PIDFD_GET_INFO
struct pidfd_info {
	__u64 mask; /* in: what is wanted, out: what was filled */
	__u64 cgroupid;
	__u32 pid, tgid, ppid;
	__u32 ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
	__s32 exit_code; /* wait status, with PIDFD_INFO_EXIT */
};
#define PIDFD_GET_INFO      _IOWR(0xFF, 11, struct pidfd_info) /* 6.13 */
#define PIDFD_INFO_PID      (1UL << 0)
#define PIDFD_INFO_CREDS    (1UL << 1)
#define PIDFD_INFO_CGROUPID (1UL << 2)
#define PIDFD_INFO_EXIT     (1UL << 3) /* 6.15; works after the process was reaped */
#endif

/* --- process --- */

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080 /* 5.6; clone3(2) and unshare(2) only */
#endif
#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ULL /* 5.5 */
#endif
#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL /* 5.7 */
#endif

/* --- memory --- */

#define MPOL_WEIGHTED_INTERLEAVE_NR 6 /* 6.9; an enumerator in newer headers */
#ifndef MPOL_F_NUMA_BALANCING
#define MPOL_F_NUMA_BALANCING (1 << 13) /* 5.12 */
#endif

/* --- seccomp --- */

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5) /* 5.19 */
#endif

/* --- files --- */

#ifndef __NR_fchmodat2
#define __NR_fchmodat2 452 /* 6.6: chmod with AT_EMPTY_PATH, so on O_PATH fds */
#endif

/* --- Landlock: headers 6.1 know ABI 2 --- */

#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14) /* ABI 3, 6.2 */
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15) /* ABI 5, 6.10 */
#endif
#ifndef LANDLOCK_ACCESS_NET_BIND_TCP
#define LANDLOCK_ACCESS_NET_BIND_TCP    (1ULL << 0) /* ABI 4, 6.7 */
#define LANDLOCK_ACCESS_NET_CONNECT_TCP (1ULL << 1)
#endif
#ifndef LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
#define LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0) /* ABI 6, 6.12 */
#define LANDLOCK_SCOPE_SIGNAL               (1ULL << 1)
#endif
struct sys_landlock_ruleset_attr { /* struct landlock_ruleset_attr of ABI 6 */
	__u64 handled_access_fs;
	__u64 handled_access_net;
	__u64 scoped;
};

/* --- magic numbers --- */

#ifndef PROC_SUPER_MAGIC
#define PROC_SUPER_MAGIC 0x9fa0
#endif
