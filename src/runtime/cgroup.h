/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's cgroup in every hierarchy of the machine: made at the path asked for, given its
 * limits, joined, killed, removed. v1, hybrid and v2 behind one interface (runtime-spec
 * config-linux.md, "Control groups"). Joining on v1 costs no wait for RCU: the init itself writes
 * "0" to the `tasks` file through an fd opened by the runtime (kernel >= 5.5 takes no global lock
 * for that); on v2, and in the cgroup2 of a hybrid machine, it is cloned into the cgroup.
 *
 * Whose cgroups are touched: the last component of the path is the container's own. It is made or,
 * when it is there without a process in it, taken over (what a killed runtime left; as runc does),
 * and is removed in the end with all that the container made below it. One that has processes or is
 * frozen is refused. Parents are made when missing and stay, as /docker does, unless cgroup_create
 * fails: making and removing them again would cost each start as much as the container's own. Of a
 * parent that others made only empty cpuset masks are filled (v1) and controllers are enabled (v2):
 * without these no child can work.
 */
#pragma once

#include "oci/spec.h"
#include "sys/cgroup.h"

struct cgroup_dir {
	int fd;             /* O_PATH of the directory on v2; -EBADF on v1, where the path serves */
	char *path;         /* absolute host path, for state.json and deletion */
	char **controllers; /* v1; v2: what cgroup.controllers says, NULL before it was read */
	bool v2;
	int n_created; /* how many trailing components cgroup_create made; 0: the cgroup was there
			*/
};
struct cgroup {
	enum cgroup_layout layout;
	struct cgroup_dir dirs[CGROUP_HIERARCHIES_MAX];
	size_t n;
	char *rel_path; /* "/inro/abc", as in linux.cgroupsPath; NULL after cgroup_open */
	bool rootless;
	bool take_over;  /* of struct cgroup_request */
	bool lenient;    /* cgroup_apply leaves out limits that no cgroup is there for */
	char **left_out; /* their names */
	bool opened;     /* by cgroup_open: it has its device rules already */
	struct cgroup_system *pending;  /* between cgroup_create_begin and _finish */
	struct cgroup_journal *journal; /* what cgroup_update would have to take back */
	struct cgroup_unit *unit;       /* the systemd driver's; NULL: cgroupfs */
};

struct cgroup_request {
	const char *cgroups_path;
	const char *id;
	bool rootless;
	/* What a killed creation has left, to be deleted: a cgroup above may be frozen. */
	bool take_over;
	/* A transient scope of systemd's: cgroups_path is "slice:prefix:name". _begin only looks
	 * for systemd and makes nothing; cgroup_enter_unit() does, with a process to put in it. */
	bool systemd;
	const struct json_map *annotations;     /* org.systemd.property.*; may be NULL */
	const struct spec_resources *resources; /* as properties of the unit; may be NULL */
};

/* Makes the directories: below every mounted v1 controller, name=systemd and cgroup2. cgroups_path
 * is taken from the root of each hierarchy when absolute, else from the runtime's own cgroup (v1)
 * or its parent (v2, where a cgroup with processes can't give controllers to children), as runc
 * does. NULL: "/inro/<id>", rootless "inro/<id>". rootless: hierarchies without permission are left
 * out with a debug line; a limit asked for in such a one is an error at cgroup_apply. ERR_CONFLICT:
 * the cgroup is in use. On failure nothing is left. */
int cgroup_create(const struct cgroup_request *req, struct cgroup *ret, struct err *err);
/* The same in two parts: first what clone3(2) needs, cgroup2; then the v1 hierarchies, nine or so,
 * while the container's init is at its root filesystem already. When _finish fails it
 * leaves nothing of its own; the caller deletes what _begin made. */
int cgroup_create_begin(const struct cgroup_request *req, struct cgroup *ret, struct err *err);
int cgroup_create_finish(struct cgroup *cg, struct err *err);

/* Between _begin and _finish: starts the unit with this process and waits until the process is in
 * it: the init, or one that will be its parent, before it takes the ids of a user namespace (a
 * user's systemd moves processes of its user only). Nothing without a unit. */
int cgroup_enter_unit(struct cgroup *cg, pid_t pid, struct err *err);
/* What state.json keeps: the unit's name (NULL: none), and whether the user's instance has it. */
const char *cgroup_unit_name(const struct cgroup *cg, bool *ret_user);
/* After cgroup_open(): it is this unit's. cgroup_apply() and cgroup_delete() then ask systemd. */
void cgroup_set_unit(struct cgroup *cg, const char *unit, bool user);
/* Systemd moves the process into the unit, by its own rights. */
int cgroup_unit_move(const char *unit, bool user, pid_t pid, struct err *err);
/* For a creation that was killed before the state had cgroup paths, when its processes are gone:
 * the unit, if there was one, goes with them. Takes back what else there may be of it. */
void cgroup_unit_forget(const char *cgroups_path, const char *id, bool user);

/* The host path in hierarchy h of a cgroup with this rel_path. The caller frees. */
char *cgroup_path_in(const struct cgroup_hierarchy *h, const char *rel_path);

/* Writes the limits; only what is set. resources may be NULL. After cgroup_create also the device
 * rules: those of resources and, behind them, the devices that runc always allows (v1 files, v2
 * BPF); without any rule the rest is denied. Rules that allow everything write nothing. Rootless,
 * rules that can't be applied are left out: the user namespace keeps devices away. After
 * cgroup_open device rules are applied only when resources has some. Lenient, an unprivileged
 * user's limits for controllers without a cgroup are left out with one warning that names them. */
int cgroup_apply(struct cgroup *cg, const struct spec_resources *resources, struct err *err);

/* On v2, when the configuration has a cgroup namespace of its own and mounts cgroups writable:
 * makes the container's user the owner of the directory and of the files that the kernel lists for
 * this. init: a process with the container's id mappings. */
int cgroup_give(struct cgroup *cg, const struct spec *spec, pid_t init, struct err *err);

/* New limits for a cgroup that is in use; only what is set changes. The one way for all callers,
 * whatever made the cgroup. What v2 writes together and resources have a half of (cpu.max; swap,
 * which counts memory too) is completed from the files. Device rules are left alone, as runc does:
 * others may have added theirs. All or nothing: after a failure what was written is written back.
 */
int cgroup_update(struct cgroup *cg, const struct spec_resources *resources, struct err *err);

/* One rule more of a cgroup that is in use, or one less; what else there is stays as it is. res:
 * the rules without this one. Where all devices are allowed that is enough. */
int cgroup_devices_change(struct cgroup *cg, const struct spec_resources *res,
			  const struct spec_device_rule *rule, bool allow, struct err *err);

/* fds that the init writes "0" to in order to join (v1 `tasks`); none for v2 where clone_fd is
 * used. Up to n (CGROUP_HIERARCHIES_MAX is enough). Returns the count. */
int cgroup_open_join(const struct cgroup *cg, int *fds, size_t n, struct err *err);
int cgroup_clone_fd(const struct cgroup *cg); /* fd for CLONE_INTO_CGROUP or -EBADF; borrowed */
/* Whether what is cloned into it does not begin, as a cgroup above is frozen. */
bool cgroup_clone_is_frozen(const struct cgroup *cg);
/* The slow way, by cgroup.procs of every hierarchy: where clone3(2) is missing. */
int cgroup_join_pid(const struct cgroup *cg, pid_t pid, struct err *err);

/*
 * Processes that look after a container, and outlive who has started it, share a cgroup beside the
 * containers': neither the limits of a login session or service are theirs, nor is its end. Nobody
 * goes there from the root of a hierarchy, and what can't be done is left.
 */
#define CGROUP_MONITORS "/inro/monitors"
/* cgroup2: the directory, for a process to be cloned into; -ENOENT when there is no need, -errno.
 */
int cgroup_monitors_open(bool rootless);
/* v1: moves this process, which is single-threaded. */
void cgroup_monitors_join(void);
/* clone_process(), on cgroup2 into that directory; on v1 the child is to join by itself. */
pid_t cgroup_monitors_clone(bool rootless, uint64_t flags, int *ret_pidfd);

/* For a container whose cgroup is to be below the caller's, as systemd's services want it: moves
 * this process, and with it the monitor that it starts, to CGROUP_SUPERVISOR below its own cgroup2,
 * where one with processes can't give controllers to children. A relative path of the container's
 * is then beside that. Nothing on v1, nor for who is there already. */
#define CGROUP_SUPERVISOR "/supervisor"
int cgroup_split(bool rootless, struct err *err);

/* Opens an existing one again from what state.json kept. Missing directories are skipped. */
int cgroup_open(char *const *paths, struct cgroup *ret, struct err *err);

/* All processes, those of child cgroups too. After SIGKILL a frozen cgroup is thawed: on v1 frozen
 * tasks ignore even that. Returns when the signals are sent, not when the processes are gone. */
int cgroup_kill(const struct cgroup *cg, int signo, struct err *err);
/* The ids of all processes, those of child cgroups too. The caller frees *ret. */
int cgroup_pids(const struct cgroup *cg, pid_t **ret, size_t *ret_n, struct err *err);
/* Returns when all processes have stopped. ERR_UNSUPPORTED: no freezer. */
int cgroup_freeze(const struct cgroup *cg, bool frozen, struct err *err);
/* After SIGKILL, which waits for a v1 freezer: all of it, with what the container has below. */
void cgroup_thaw_to_die(const struct cgroup *cg);
/* Whether a v1 freezer, this cgroup's or one above, keeps processes from dying. */
bool cgroup_is_held(const struct cgroup *cg);
/* Whether the cgroup with these paths (state.json) was frozen by itself, not through a parent: one
 * file is read. */
bool cgroup_paths_frozen(char *const *paths);
/* Removes the cgroup, child cgroups first; missing is fine. Processes that are still in it are
 * killed and waited for, up to a few seconds: no cgroup_kill is needed before. */
int cgroup_delete(struct cgroup *cg, struct err *err);
void cgroup_done(struct cgroup *cg); /* closes and frees, removes nothing */
