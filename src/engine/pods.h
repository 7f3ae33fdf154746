/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pods: containers that share namespaces and a cgroup. A pod is a row of the database and has no
 * process of its own: its namespaces are made by the first member that is started, are found at any
 * member that runs by the next (pod_join.h), and go with the last. Which pod a container belongs to
 * stands in its record, for good.
 */
#pragma once

#include "engine/record.h"
#include "engine/runopts.h"

enum pod_exit_policy { POD_EXIT_CONTINUE, POD_EXIT_STOP };

/* What it was created with: column "options". */
struct pod_options {
	struct json_map labels;
	char **share;   /* of "network", "ipc", "uts", "pid", "cgroup": what members share */
	bool no_parent; /* their cgroups are not below the pod's */
	int exit_policy;
	bool unfinished; /* `pod clone` makes its members, with the pod's lock, or was killed */
	char **create_command;
	char **publish; /* words of ports, each with one of the host's (pod_ports.h) */
	char *infra_name, *infra_pid_file; /* of what infra.h makes; NULL: none was given */
	/* What members have unless they say otherwise; limits are those of all members together. */
	struct run_options member;
};

struct pod {
	char *id, *name;
	int64_t created_ns;
	struct pod_options options;
};
void pod_done(struct pod *pod);
#define cleanup_pod CLEANUP(pod_done)

struct pod_list {
	struct pod *items;
	size_t n;
};
void pod_list_done(struct pod_list *list);
#define cleanup_pod_list CLEANUP(pod_list_done)

/* name NULL: a random one is chosen and stored there. ERR_EXISTS: the name is in use. */
int pod_insert(struct engine *eng, struct pod *pod, struct err *err);
/* By name, id, or unambiguous beginning of an id. ERR_NOT_FOUND. */
int pod_find(struct engine *eng, const char *word, struct pod *ret, struct err *err);
/* It is not unfinished any more. */
int pod_set_finished(struct engine *eng, const char *id, struct err *err);
/* All, newest first. */
int pods_list(struct engine *eng, struct pod_list *ret, struct err *err);
/* ERR_CONFLICT: it has members. */
int pod_check_empty(struct engine *eng, const struct pod *pod, struct err *err);
/* The row alone. ERR_CONFLICT: it has members. One that was removed meanwhile is no error. */
int pod_delete(struct engine *eng, const struct pod *pod, struct err *err);
bool pod_shares(const struct pod *pod, const char *ns);
/* In words of podman's, heap: "ipc,net,uts". */
char *pod_share_words(const struct pod *pod);
/* Where its cgroup is, as --cgroup-parent takes it. The caller frees. */
char *pod_cgroup_path(const struct engine *eng, const struct pod *pod);
/* The one above; "" when members' cgroups are elsewhere. The caller frees. */
char *pod_cgroup_parent(const struct engine *eng, const struct pod *pod);
/* That something has happened to it; that this can't be noted fails no command. */
void pod_note(struct engine *eng, const struct pod *pod, const char *action);
