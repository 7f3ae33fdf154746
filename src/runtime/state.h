/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container leaves on disk: the directory <root>/<id> (0700) with state.json, config.json as
 * it was when the container was created, and a socket: init.sock while it is being created,
 * start.sock while it waits for start, none when it runs.
 * Verbs that change something hold a flock(2) on the directory, which a killed runtime gives up.
 */
#pragma once

#include "runtime/container.h"
#include "runtime/rdt.h"

#define STATE_FILE     "state.json"
#define STATE_CONFIG   "config.json"
#define STATE_CREATING "init.sock"
#define STATE_CREATED  "start.sock"
#define STATE_FREEZER  "freezer.lock"
#define STATE_NOTIFY   "notify" /* a directory that the container sees (notify.h) */

struct state {
	struct container_state pub;
	char *cgroups_path;   /* linux.cgroupsPath as configured; NULL: the default */
	bool cgroups_planned; /* cgroup_create() may have begun; pub.cgroup_paths may be missing */
	bool shares_pid_ns;   /* the first process's end does not end the others */
	int64_t memory_swap;  /* linux.resources.memory.swap as configured last; 0: unset */
	struct rdt rdt;       /* processes that join the container go there, too */
	char *systemd_unit;   /* NULL: cgroupfs. Started, perhaps, when there are no paths yet */
	bool systemd_user;    /* by the user's instance */
	char *listener_path, *listener_metadata; /* of linux.seccomp; NULL: none */
	char *hooks;                             /* hooks_save(), NULL: none */
	bool chrooted; /* "/" is not the root of the container's mount namespace */
	/* What the program got as 0, 1 and 2, as the links in /proc/PID/fd say it, for checkpoint;
	 * NULL: a terminal. It may have put others there. */
	char **streams;
};

/* Makes the directory (and root), locked. dirfd or -errno; ERR_EXISTS when the id is in use. */
int state_dir_create(const struct runtime *rt, const char *id, struct err *err);
/* Opens and locks (LOCK_EX, LOCK_SH, or 0: no lock). ERR_NOT_FOUND. dirfd or -errno. */
int state_dir_open(const struct runtime *rt, const char *id, int lock, struct err *err);
/* Whether the directory, or a file, was deleted. */
bool state_removed(int fd);
/* Locks what was opened without, or unlocked: waits for it so long. 0, -EAGAIN: somebody has it,
 * -ENOENT: the container was deleted meanwhile. */
int state_lock(int dir, int timeout_ms);
/* The same for as long as it takes, or until a signal comes to cancel_fd (runtime/cancel.h). */
int state_lock_cancel(int dir, const char *id, int cancel_fd, struct err *err);
void state_unlock(int dir);
/* Held while processes are frozen or thawed, so that no command undoes another one's. Not the lock
 * above: hooks may pause a container while start holds that, and nobody runs a hook with this one.
 * *ret: close it; negative where the directory can't be written. ERR_CONFLICT: it was not to be
 * had.
 */
int state_freezer_lock(int dir, int *ret, struct err *err);
int state_dir_remove(const struct runtime *rt, const char *id, struct err *err);

/* What is known of a container before it is made. *st is zeroed before. */
void state_fill(struct state *st, const char *id, const struct spec *spec, const char *bundle,
		const char *rootfs);
void state_fill_streams(struct state *st, const struct create_args *args);
int state_write(int dirfd, const struct state *st, struct err *err);
/* Reads state.json; then looks at the process and sets pub.status and pub.pid. *ret is zeroed.
 * ERR_NOT_FOUND when there is no state.json: a create that was killed early. */
int state_read(int dirfd, const char *id, struct state *ret, struct err *err);
/* Before a command is refused for a pause: kill --all stops the processes for a moment. That is
 * waited for, then the status looked at again. */
int state_settle(int dirfd, struct state *st, struct err *err);
/* Both: the fd of state_dir_open(), or -errno, and state_read(). */
int state_open(const struct runtime *rt, const char *id, int lock, struct state *ret,
	       struct err *err);
/* The file's text, checked whole: what is accepted is safe to act upon. Pure. *ret is zeroed when
 * it fails. */
int state_parse(const char *text, size_t len, struct state *ret, struct err *err);
void state_format(const struct state *st, struct buf *out);
void state_done(struct state *st);
/* The configuration that the container was created with: what the bundle has by now says nothing
 * about it. It is kept once, and is the bundle's where none was (by an older inro-runtime, or by a
 * caller that has none). *ret: spec_free(); it has linux. */
int state_config_write(int dirfd, const struct create_args *args, struct err *err);
int state_config_read(int dirfd, const struct state *st, struct spec *ret, struct err *err);
#define cleanup_state CLEANUP(state_done)
/* The pidfd of the container's process, which is verified to be the one recorded; -ESRCH. */
int state_pidfd(const struct state *st);
/* Signals the container's process. Where a sandbox has no pidfds, by its pid right after a look
 * that it is the one recorded. -ESRCH: gone. */
int state_kill(const struct state *st, int signo);
/* Waits until the process has ended, also when it is our own child that nobody has reaped. 1: it
 * has, 0: not in this time, or -errno. */
int state_wait_end(const struct state *st, int timeout_ms);
