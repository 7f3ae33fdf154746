/* SPDX-License-Identifier: Apache-2.0 */
/* What a pod is created with, what of that its members have, and its limits. */
#pragma once

#include "engine/pods.h"
#include "oci/spec.h"

extern const struct json_desc pod_options_desc;

/* What the user said, as words, to options that a pod can have: what can't be is refused, paths are
 * made absolute. share: a list as --share has it, NULL: the default; infra: --infra is not false.
 */
struct pod_words {
	const char *share, *exit_policy;
	bool infra;
};
int pod_options_finish(struct engine *eng, const struct pod_words *words, struct pod_options *o,
		       struct err *err);

/* After that, for one that is to be made: with --userns auto its ids are taken, and stand in
 * --uidmap and --gidmap from there on. */
int pod_choose_ids(struct engine *eng, struct pod *pod, struct err *err);
/* Takes those away again, for another pod. */
void pod_forget_ids(struct run_options *o);
/* Have members a user namespace that is the pod's? */
bool pod_has_ids(const struct pod *pod);

/* --userns keep-id and nomap, which are each member's own words then; NULL: another one. */
const char *pod_userns(const struct pod *pod);

/* Id and time of one that is to be made; its name is checked. */
int pod_fill_new(struct pod *pod, struct err *err);
int pod_read_id_file(const char *path, char **ret, struct err *err);

/* The limits of all members together. Frees: json_free(&spec_resources_desc). */
int pod_limits(const struct pod_options *o, struct spec_resources *ret, struct err *err);
bool pod_is_limited(const struct pod_options *o);

/* A member to be made: the options of run with those of the pod in them. Strings are borrowed from
 * both. */
struct pod_member {
	struct pod pod;
	struct run_options opts;
	struct run_options asked; /* as they were given, but for the pod's name: its id */
	char **share;             /* for its record */
	bool made;                /* the pod, for it */
	/* owned */
	char **volume, **volumes_from, **device, **security_opt, **sysctl, **add_host, **dns,
	    **dns_search, **dns_option;
	char *cgroup_parent;
	char *network[2]; /* of who shares none and says none */
};
/* opts->pod: a pod's name or id, or "new:NAME", which makes one; or opts->pod_id_file. Options that
 * belong to the pod are refused. */
int pod_member_init(struct engine *eng, const struct run_options *opts, struct pod_member *ret,
		    struct err *err);
/* Takes away what would be refused of options that were made without this pod. Whether there was
 * any. */
bool pod_member_yield(const struct pod *pod, struct run_options *o);
/* failed: a pod that was made for it goes with it. */
void pod_member_done(struct engine *eng, struct pod_member *m, bool failed);
