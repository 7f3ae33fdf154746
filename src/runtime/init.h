/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container's first process between clone and execve. A fork of the runtime, so everything that
 * was prepared before (configuration, fds, compiled filter) is there in memory. It works through
 * tables of steps; the first error goes to the runtime in one write and the process ends.
 */
#pragma once

#include "runtime/cgroup.h"
#include "runtime/container.h"
#include "runtime/mount_opts.h"
#include "sys/cap.h"
#include "sys/lsm.h"

struct init_mount {
	struct mount_opts opts;
	int fd; /* a detached mount that the runtime made with rights the init lacks; or -EBADF */
	int late_fd; /* made read-only once everything below it is mounted; or -EBADF */
};

/* A mount that was attached: its destination, cleaned, and its root. */
struct init_placed {
	char *destination;
	int fd;
};

/* The directory of the notification socket (notify.h); mount.source is NULL without. */
struct init_notify {
	struct spec_mount mount;
	struct init_mount made;
};

struct init {
	/* set by the runtime before clone */
	const struct runtime *rt;
	const struct create_args *args;
	const struct spec *spec;
	char *bundle;         /* absolute */
	char *rootfs;         /* absolute; "" with an overlay */
	uint64_t new_ns;      /* CLONE_NEW* to make */
	uint64_t joined_ns;   /* CLONE_NEW* that are joined by path */
	int host_mnt_fd;      /* the runtime's, where the container has none; or -EBADF */
	int ns_fds[NS_COUNT]; /* by enum spec_ns; -EBADF */
	bool userns;          /* the container is in another user namespace than the runtime */
	bool mapped;          /* the container is not in the initial user namespace */
	bool stranger;        /* the runtime's user is not in there: what is his is opened before */
	bool outside;         /* it joins a pid namespace, but only when all is set up */
	int rootfs_fd;        /* detached mount made by the runtime, or -EBADF */
	struct init_mount *mounts; /* one per spec->mounts */
	struct init_notify notify;
	const void *bpf;
	size_t bpf_len;
	unsigned int bpf_flags;
	int cgroup_fd;               /* v2: the init is cloned into it */
	const struct cgroup *cgroup; /* begun: its hierarchies and place are known; or NULL */
	int sync;                    /* to the runtime */
	int listen_fd;               /* start.sock; -EBADF: starts at once */
	int dir_fd;        /* state directory: closed at once, the lock is the runtime's */
	int sync_parent;   /* the runtime's end, closed at once */
	int idle_close_fd; /* of struct runtime; closed at once, the runtime does it later */
	struct container_state *state; /* for hooks */
	struct cap_sets caps;          /* what process.capabilities comes to */

	/* Looks at the place of one of spec->mounts, before it is covered; NULL: all are right.
	 * For a container that runs (live.h). */
	int (*admit)(struct init *in, const struct spec_mount *m, int target, struct err *err);
	const void *admit_data;

	/* the init's own */
	int root;         /* O_PATH of the container's root mount */
	int procfs;       /* private handle on the container's proc */
	int time_offsets; /* own timens_offsets, to be written later; or -EBADF */
	int console;      /* pty slave */
	int conn; /* who is told about success or failure: sync, later the start connection */
	struct init_placed *placed; /* those that protected paths lead through */
	size_t n_placed;
	bool netns_by_helper; /* decided by the runtime */
	bool netns_made;      /* args->netns_fd is to be joined; so, too */
	bool mntns_made;
	struct mount_layers *reopened; /* args->overlay in the new mount namespace; or NULL */
	bool cgroup_joined, netns_joined, netns_offered, in_cwd;
	bool pid_ns_pending;  /* outside: not yet joined, for children either */
	bool entered;         /* outside: this is the process that is inside */
	struct lsm_state lsm; /* read while names are the host's: process_read_lsm() */
	char **env;           /* the program's, complete */
	char *program;        /* absolute path inside the root, or as given with a slash */
};

struct init_step {
	const char *what; /* context of an error; NULL: the function says it all */
	int (*fn)(struct init *in, struct err *err);
};
/* Everything that is an fd is -EBADF. */
void init_blank(struct init *in, const struct runtime *rt, const struct create_args *args);
int init_run_steps(struct init *in, const struct init_step *steps, size_t n, struct err *err);

/* The child's main: never returns. */
_Noreturn void init_main(struct init *in);

/* What a process that enters a running container (exec_child.c) does in the same way. */
int init_reset_process(struct init *in, struct err *err); /* signals; a session of its own */
int init_join_keyring(struct init *in, struct err *err);
/* The memory of what the container may see is a copy of the runtime's, whose caller may have left
 * secrets in the environment and names of the host in the arguments. Hooks do not get the former
 * either. */
int init_forget_caller(struct init *in, struct err *err);
/* Loads the filter if it is one of seccomp_is_early(); then no capability is kept for that. */
int init_load_early(struct init *in, struct err *err);
int init_give_up(struct init *in, struct err *err); /* capabilities, no_new_privs, seccomp */
int init_execute(struct init *in, struct err *err); /* returns only on failure */

/* runtime/init_ns.c: the intermediate process, where user, pid or time namespaces ask for one. */
bool init_needs_stage(const struct init *in);
/* All of ns_fds, a user namespace at the right moment, in which ids become 0:0. */
int init_join_all(struct init *in, struct err *err);
int init_become_root(struct err *err);
_Noreturn void stage_main(struct init *in);
int init_join_pid_ns(struct init *in, struct err *err);  /* for children: what pends of it */
int init_make_time_ns(struct init *in, struct err *err); /* outside: for the last process */
/* Makes the container's first process of one that was outside, and goes on as that. */
int init_clone_last(struct init *in, struct err *err);
int init_enter_userns(struct init *in, struct err *err); /* ids 0:0 in the new user namespace */
int init_make_namespaces(struct init *in, struct err *err);
/* Waits for the limits and joins the cgroups, once; then makes the cgroup namespace. */
int init_join_cgroup(struct init *in, struct err *err);
/* Makes or waits for the network namespace, once, and brings its loopback up. */
int init_join_netns(struct init *in, struct err *err);
/* create_args.network_fd: hands the network namespace out, once it is there; waits until it is set
 * up. */
int init_offer_netns(struct init *in, struct err *err);
int init_await_network(struct init *in, struct err *err);

/*
 * netns.c. A network namespace takes the kernel 0.5 ms, as long as half of all mounts: where there
 * is a second CPU, a helper process makes it and sends it to the init, which mounts meanwhile.
 * Not for user namespaces, which must own theirs.
 */
bool netns_is_made(const struct init *in); /* create_args.netns_fd is for this one */
bool netns_needs_helper(const struct init *in);
/* In the runtime, after the init was made. *ret_pidfd: netns_helper_done(). */
int netns_helper_start(const struct init *in, int *ret_pidfd, struct err *err);
int netns_helper_done(int *pidfd, struct err *err); /* waits for it */

/* netdev.c: linux.netDevices. */
int netdev_wait(struct init *in, struct err *err); /* the init asks for them */
/* In the runtime, for the asking init: sock is an rtnetlink socket of its network namespace. */
int netdev_move(const struct init *in, pid_t pid, int sock, struct err *err);

/* rootfs.c */
int rootfs_isolate(struct init *in, struct err *err); /* propagation of the new namespace */
/* in->reopened, in the mount namespace where the overlay will be mounted. */
int rootfs_reopen(struct init *in, struct err *err);
int rootfs_mount(struct init *in, struct err *err);
int rootfs_finish_mounts(struct init *in, struct err *err); /* cwd, read-only root */
int rootfs_enter(struct init *in, struct err *err);         /* pivot_root or chroot */
bool rootfs_is_chroot(const struct init *in);
/* mounts.c */
int mounts_make(struct init *in, struct err *err);
/* One of spec->mounts. */
int mount_make(struct init *in, const struct spec_mount *m, struct init_mount *im, struct err *err);
int mounts_notify(struct init *in, struct err *err);
/* Of type overlay, with options that need no more than fds. */
bool mount_is_overlay(const struct spec_mount *m, const struct mount_opts *o);
/* The detached mount. userns: the lower directories get its ids, or negative. */
int mount_overlay_open(const struct init *in, const struct mount_opts *o, int userns,
		       struct err *err);
int mount_overlay_spec(struct init *in, const struct spec_mount *m, struct init_mount *im,
		       struct err *err);
/* What is to be bound, as the host sees it: relative to the bundle. O_PATH. */
int mount_open_source(const struct init *in, const struct spec_mount *m, const struct mount_opts *o,
		      struct err *err);
/* An O_PATH fd of the mount's target below the root, made when missing: directory or file. */
int mount_target(const struct init *in, const char *destination, bool dir, struct err *err);
/* The same for a directory right below the root that must not be a link: /proc and /sys. */
int mount_target_plain(const struct init *in, const char *destination, struct err *err);
/* Attaches a mount, unless it would cover something in /proc. */
int mount_place(const char *destination, int mount_fd, int target, struct err *err);
/* The same for one of spec->mounts, which protect_paths() then finds again. */
int mount_place_spec(struct init *in, const struct spec_mount *m, int mount_fd, int target,
		     struct err *err);
/* Opens a path for protect_paths(): below the mount that it is in, whatever name leads to that by
 * now. 0 with *ret_fd -EBADF: the container has no such path. */
int mount_open_path(const struct init *in, const char *path, int *ret_fd, struct err *err);
/* Attributes and propagation on a mount (detached or attached). */
int mount_apply_opts(int mount_fd, const struct mount_opts *o, bool with_attrs, struct err *err);
/* mount_special.c: filesystems with rules of their own */
int mount_tmpfs(struct init *in, const struct spec_mount *m, struct mount_opts *o, struct err *err);
int mount_sysfs(struct init *in, const struct spec_mount *m, struct mount_opts *o, struct err *err);
int mount_devpts(struct init *in, const struct spec_mount *m, struct mount_opts *o,
		 struct err *err);
int mount_mqueue(struct init *in, const struct spec_mount *m, struct mount_opts *o,
		 struct err *err);
int mount_plain(struct init *in, const struct spec_mount *m, struct mount_opts *o, struct err *err);
/* mount_proc.c: a procfs of the container's pid namespace, mounted nowhere. fd or -errno. */
int mount_new_proc(struct init *in, const struct mount_opts *o, struct err *err);
bool mount_is_proc(int fd);
/* mount_cgroup.c */
int mount_cgroup(struct init *in, const struct spec_mount *m, struct mount_opts *o,
		 struct err *err);
/* devices.c */
int devices_make(struct init *in, struct err *err);
int devices_console(struct init *in, struct err *err);
/* protect.c: linux.maskedPaths, linux.readonlyPaths */
int protect_paths(struct init *in, struct err *err);
/* sysctl.c */
int sysctl_check(const struct init *in, struct err *err);
int sysctl_apply(struct init *in, struct err *err);
/* process.c, process_user.c */
int process_stdio(struct init *in, struct err *err);
int process_ctty(struct init *in, struct err *err); /* stdin is made the controlling terminal */
int process_limits(struct init *in, struct err *err);
/* The limit on the user's processes waits where the process has still to make one, which would
 * count, unless it has to be raised. The second sets what waited. */
int process_limits_early(struct init *in, struct err *err);
int process_limits_late(struct init *in, struct err *err);
int process_sched(struct init *in, struct err *err);
int process_memory_policy(struct init *in, struct err *err); /* in its cgroups */
bool process_has_label(const struct spec_process *p);
void process_read_lsm(struct init *in); /* what an error of process_labels() is, if need be */
int process_labels(struct init *in, struct err *err);
void process_plan_caps(struct init *in); /* by the runtime, which logs what can't be granted */
int process_user(struct init *in, struct err *err);
int process_cwd_early(struct init *in, struct err *err);
int process_cwd(struct init *in, struct err *err);
int process_program(struct init *in, struct err *err);
/* Others may see the process from here on: it keeps what its program gets, what loading the filter
 * takes, and what is needed. */
int process_reduce_caps(struct init *in, uint64_t needed, struct err *err);
int process_final_caps(struct init *in, struct err *err);
/* seccomp_early.c: the filter takes a capability to be loaded, and forbids nothing that comes
 * between the last of the capabilities and execve. */
bool seccomp_is_early(const struct init *in);
