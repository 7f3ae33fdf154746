/* SPDX-License-Identifier: Apache-2.0 */
/* The options of `pod create`, and of `pod clone`, which has some more: the last few. */
#pragma once

#include "cli/pod.h"
#include "engine/pods.h"

struct pod_create_options {
	struct run_options member;
	char *name, *share, *exit_policy, *pod_id_file;
	char *infra, *share_parent; /* "true", "false" */
	char *infra_command, *infra_image, *infra_name, *infra_pid_file;
	char **label, **label_file;
	bool replace;
	bool destroy, start; /* of clone */
};

#define POD_CLONE_OPTIONS     54
#define POD_CLONE_OPTIONS_OWN 2
#define POD_CREATE_OPTIONS    (POD_CLONE_OPTIONS - POD_CLONE_OPTIONS_OWN)
extern const struct opt pod_create_opts[POD_CLONE_OPTIONS];

/* What a pod was created with, but for its name. The caller frees with the table, in any case. */
int pod_create_from(const struct pod *from, struct pod_create_options *ret, struct err *err);
/* A pod of these options, which are the pod's from then on. */
int pod_create_fill(struct engine *eng, struct pod_create_options *o, struct pod *pod,
		    struct err *err);
/* The pod into the database, in the place of one of its name with --replace. Its id goes to
 * --pod-id-file: one that nobody is told of does not stay. */
int pod_create_insert(struct engine *eng, const struct pod_create_options *o, struct pod *pod,
		      struct err *err);
