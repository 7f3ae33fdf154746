/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One container's processes, from a bundle to its deletion (runtime-spec runtime.md). Used by the
 * inro-runtime command line and, linked in, by inro-monitor. Single-threaded callers. All state on
 * disk is <root>/<id>/ (runtime/state.h); a killed runtime leaves what container_delete(force)
 * removes.
 */
#pragma once

#include "oci/spec.h"
#include "sys/mount.h"

struct runtime {
	char *root;    /* state directory, "/run/inro/runtime" or $XDG_RUNTIME_DIR/inro/runtime */
	bool rootless; /* euid != 0 or inside a user namespace without full rights */
	bool systemd_cgroup;
	/* What takes long to close, selfexe_mount_fd(): create and exec do it while they wait.
	 * 0 or -EBADF: nothing. */
	int idle_close_fd;
	/* The memory of the program's own arguments: what waits in a container overwrites it. NULL:
	 * it stays as it is. */
	char *args;
	size_t args_len;
};

struct container_stdio {
	int in, out, err;
}; /* for the container; -EBADF: inherit */

extern const char *const container_given[]; /* the names of create_args.give_fd; NULL at the end */
struct create_args {
	const char *id;
	const char *bundle; /* directory; stored absolute in the state */
	const struct spec *spec;
	/* config.json as it was read: kept for exec and checkpoint. NULL: they read the bundle's.
	 */
	const char *spec_text;
	size_t spec_len;
	const char *pid_file;       /* NULL: none */
	const char *console_socket; /* NULL: none. Ignored when console_fd_out is set */
	int *console_fd_out; /* in-process callers: receives the pty master (process.terminal) */
	const struct mount_layers *overlay; /* instead of root.path; mounted detached; or NULL */
	bool rootfs_idmap; /* root.path has the owners that the container's user namespace gives */
	/* Without root, where the container's root is another one than who makes it: a directory
	 * whose files "upper" (the overlay's), "hosts", "users/etc/passwd" and the like become its
	 * root's. 0: none. */
	int give_fd;
	struct container_stdio stdio;
	int preserve_fds; /* fds 3 .. 3+n-1 are passed */
	bool need_limits; /* unprivileged too: one that can't be set is an error, not a warning */
	bool start;       /* run: do not wait for container_start */
	bool no_pivot;
	int cancel_fd;       /* runtime/cancel.h: readable when the creation is to be given up */
	bool no_new_keyring; /* keep the caller's session keyring */
	/* Where the container's READY=1 goes (runtime/notify.h), NULL: it has no socket for that.
	 * With start, the creation is over when it has come, or else the caller gets the socket. */
	const char *notify_host;
	int *notify_fd_out;
	/* container_shm() of the container whose IPC namespace this one joins: takes the place of
	 * the source CONTAINER_SHM_OF_OTHER. 0: none. */
	int shm_fd;
	/* A user namespace of the caller's in which the container's own is made, with ids that are
	 * mapped there: its network is that one's business then. 0: none. */
	int userns_above;
	/* From netns_make(), for a container that is to get a network namespace which belongs to
	 * our user namespace; or 0. */
	int netns_fd;
	/* SOCK_SEQPACKET, to who gives the container's own network namespace its interfaces: the
	 * init sends SYNC_NETNS with the namespace, and its own pidfd if it is the one that
	 * becomes the program, once that is there, and does not go on before SYNC_GO. The caller
	 * closes it. 0: nobody does. */
	int network_fd;
};
/* No process has this id: what stands there is nobody's. */
#define CONTAINER_SHM_OF_OTHER "/proc/0/root/dev/shm"

struct container {
	pid_t pid;
	int pidfd; /* owned */
};

/* create (and start when args->start). On failure nothing is left behind. */
int container_create(const struct runtime *rt, const struct create_args *args,
		     struct container *ret, struct err *err);
/* Interrupted at cancel_fd, as by a failing hook, the container is stopped. notify_host: as in
 * struct create_args, for a container that was created with one; it is waited for. */
int container_start(const struct runtime *rt, const char *id, const char *notify_host,
		    int cancel_fd, struct err *err);

/* A process in a container that runs or is created (runc-exec(8)). Without process_text it is the
 * container's own process of config.json with the changes of the members behind it. */
struct exec_args {
	const char *id;
	const char *process_text; /* JSON of a process object, or NULL */
	size_t process_len;
	char *const *argv;
	char *const *env;         /* added to the process's, also to that of process_text */
	char *const *default_env; /* the same, where the process has no such variable */
	const char *cwd;
	const char *user;  /* "uid[:gid]", or names of the container's /etc/passwd and group */
	bool look_up_user; /* numbers, too: its group and groups are the files', as with docker */
	const struct json_u32s *additional_gids;
	char *const *caps; /* added to bounding, effective, permitted */
	const char *apparmor, *process_label;
	struct opt_bool no_new_privs;
	bool tty;

	char *const *cgroups; /* --cgroup: "path", or "controller[,controller]:path" of each */
	const char *pid_file, *pidfd_socket, *console_socket;
	int *console_fd_out; /* as in struct create_args */
	struct container_stdio stdio;
	int preserve_fds;
	bool ignore_paused; /* it waits until the container is resumed */
	bool no_new_keyring;
	int cancel_fd; /* runtime/cancel.h, until the program runs; or 0 */
};
/* Returns when the program runs; it is a child of the caller. Whoever waits for it is not needed by
 * the container: a caller that is killed before leaves no process, one killed later leaves it. */
int container_exec(const struct runtime *rt, const struct exec_args *args, struct container *ret,
		   struct err *err);

/* signo to init, or to all processes of the cgroup: with all, and with SIGKILL when the container
 * has no pid namespace of its own, in which the kernel would do it. SIGKILL ends a pause. */
int container_kill(const struct runtime *rt, const char *id, int signo, bool all, struct err *err);
int container_delete(const struct runtime *rt, const char *id, bool force, struct err *err);

/* For create_args.netns_fd, made by a caller that has nothing else to do: a network namespace with
 * its loopback up. This process is back in its own. fd or -errno. */
int netns_make(struct err *err);

/* Stops all processes with the freezer, a created container's too, and lets them go on. No lock is
 * taken: a hook may call these. ERR_CONFLICT: not running; not paused. */
int container_pause(const struct runtime *rt, const char *id, struct err *err);
int container_resume(const struct runtime *rt, const char *id, struct err *err);

/* New limits for a container that has not stopped: only what is set in resources changes, and
 * nothing when one of them can't be set (cgroup_update). A memory limit without memory.swap leaves
 * the sum of memory and swap as it was configured last. rdt: new schemata, or NULL. No lock, as
 * above. */
int container_update(const struct runtime *rt, const char *id,
		     const struct spec_resources *resources, const struct spec_intel_rdt *rdt,
		     struct err *err);

/* The configuration that exec and checkpoint go by, for a container that has not stopped: what of
 * it is not yet true is for the caller to make so. No lock. ERR_CONFLICT: it is not there yet. */
int container_reconfigure(const struct runtime *rt, const char *id, const char *text, size_t len,
			  struct err *err);

/* What the container uses now (runtime/cgroup_stats.h). *ret: cgroup_stats_done(). ERR_CONFLICT:
 * not running. */
struct cgroup_stats;
int container_stats(const struct runtime *rt, const char *id, struct cgroup_stats *ret,
		    struct err *err);
/* The same of what is asked for again and again (cgroup_usage_read()), and its process. */
int container_usage(const struct runtime *rt, const char *id, struct cgroup_stats *ret,
		    pid_t *ret_pid, struct err *err);
/* What was counted of its memory (runtime/cgroup_oom.h), also of one that has stopped. */
struct cgroup_memory;
int container_memory(const struct runtime *rt, const char *id, struct cgroup_memory *ret,
		     struct err *err);
/* Waits for what happens to a container that has not stopped. */
struct container_watch;
int container_watch_new(const struct runtime *rt, const char *id, struct container_watch **ret,
			struct err *err);
enum container_event { CONTAINER_NOTHING, CONTAINER_OOM, CONTAINER_ENDED };
/* timeout_ms -1: as long as it takes. An out-of-memory kill is told before the end that it may be.
 * enum container_event or -errno. */
int container_watch_wait(struct container_watch *w, int timeout_ms);
void container_watch_free(struct container_watch *w);

enum container_status {
	CONTAINER_CREATING,
	CONTAINER_CREATED,
	CONTAINER_RUNNING,
	CONTAINER_PAUSED,
	CONTAINER_STOPPED
};
extern const char *const container_status_names[];
struct container_state {
	char *oci_version, *id, *bundle, *rootfs, *created, *owner;
	int status;              /* enum container_status */
	pid_t pid;               /* 0 when stopped, and for moments while creating */
	uint64_t pid_start_time; /* /proc/PID/stat field 22: a recycled pid is not ours */
	char **cgroup_paths;
	struct json_map annotations;
};
/* Reads <root>/<id>/state.json and looks whether the process lives. ERR_NOT_FOUND: "container does
 * not exist". */
int container_state_read(const struct runtime *rt, const char *id, struct container_state *ret,
			 struct err *err);
void container_state_free(struct container_state *st);
/* The state as the specification's JSON (hooks' stdin, `state`). */
void container_state_write(const struct container_state *st, struct buf *out);
void container_state_write_line(const struct container_state *st, struct buf *out); /* compact */
/* All ids below root, sorted. */
int container_list(const struct runtime *rt, char ***ret_ids, struct err *err);
bool container_id_valid(const char *id); /* [a-zA-Z0-9][a-zA-Z0-9_.+-]*, at most 255 */
