/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's cgroup in every hierarchy of the machine: made at the path asked for, given its
 * limits, joined, killed, removed. v1, hybrid and v2 behind one interface (runtime-spec
 * config-linux.md, "Control groups"). Joining on v1 costs no wait for RCU: the init itself writes
 * "0" to the `tasks` file through an fd opened by the runtime (kernel >= 5.5 takes no global lock
 * for that); on v2 it is cloned into the cgroup.
 */
#pragma once

#include "oci/spec.h"
#include "sys/cgroup.h"

struct cgroup_dir {
	int fd;     /* O_DIRECTORY of the container's cgroup in this hierarchy */
	char *path; /* absolute host path, for state.json and deletion */
	char **controllers;
	bool v2;
	int n_created; /* how many trailing components we made: only these are removed again */
};
struct cgroup {
	enum cgroup_layout layout;
	struct cgroup_dir dirs[CGROUP_HIERARCHIES_MAX];
	size_t n;
	char *rel_path; /* "/inro/abc", as in linux.cgroupsPath */
};

/* Makes the directories. cgroups_path NULL: "/inro/<id>" below the own cgroup's root rules of runc
 * (absolute from the hierarchy's root; relative below the runtime's own cgroup). rootless:
 * hierarchies without permission are left out with a debug line; a limit asked for in such a one is
 * an error at cgroup_apply. On failure nothing is left. */
int cgroup_create(const char *cgroups_path, const char *id, bool rootless, struct cgroup *ret,
		  struct err *err);
/* Writes the limits; device rules included (v1 files, v2 BPF). resources may be NULL. */
int cgroup_apply(struct cgroup *cg, const struct spec_resources *resources, struct err *err);
/* fds that the init writes "0" to in order to join (v1 `tasks`); none for v2 where clone_fd is
 * used. Up to n. Returns the count. */
int cgroup_open_join(const struct cgroup *cg, int *fds, size_t n, struct err *err);
int cgroup_clone_fd(const struct cgroup *cg); /* fd for CLONE_INTO_CGROUP or -EBADF; borrowed */
int cgroup_join_pid(const struct cgroup *cg, pid_t pid,
		    struct err *err); /* the slow way, by cgroup.procs */
/* Opens an existing one again from what state.json kept. Missing directories are skipped. */
int cgroup_open(char *const *paths, struct cgroup *ret, struct err *err);
int cgroup_kill(const struct cgroup *cg, int signo,
		struct err *err); /* all processes; thaws v1 first */
int cgroup_freeze(const struct cgroup *cg, bool frozen, struct err *err);
int cgroup_delete(struct cgroup *cg,
		  struct err *err);  /* rmdir with bounded retries; missing is fine */
void cgroup_done(struct cgroup *cg); /* closes and frees, removes nothing */
