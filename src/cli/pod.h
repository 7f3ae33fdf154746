/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that do something with each of several pods: named, in files that `pod create` wrote,
 * all of them, or the newest. */
#pragma once

#include "base/opt.h"
#include "engine/pod_end.h"

struct pod_select {
	bool all, latest;
	char **id_files;
};

/* T: the command's options, with a member "select". */
#define POD_ALL(T)                                                                                 \
	{                                                                                          \
		.name = "all", .short_name = 'a', .kind = OPT_FLAG, OPT_FIELD(T, select.all),      \
		.help = "all pods"                                                                 \
	}
#define POD_LATEST(T)                                                                              \
	{                                                                                          \
		.name = "latest", .short_name = 'l', .kind = OPT_FLAG,                             \
		OPT_FIELD(T, select.latest), .help = "the newest pod"                              \
	}
#define POD_ID_FILE(T)                                                                             \
	{                                                                                          \
		.name = "pod-id-file", .kind = OPT_STRV, OPT_FIELD(T, select.id_files),            \
		.arg = "FILE", .help = "the pod whose id is in the file"                           \
	}

/* Words for the pods that are meant, which the caller frees. */
int cli_pods(struct engine *eng, const struct pod_select *o, char *const *args, char ***ret,
	     struct err *err);

struct pod_verb {
	int (*fn)(struct engine *eng, const struct pod_view *v, const void *data, struct err *err);
	const void *data;
	const struct pod_end_how *end;        /* or this, of several at a time */
	bool ignore;                          /* one that is not there is as wished */
	int (*status)(const struct err *one); /* of the command, after this error; NULL: 125 */
};
/* Prints the id of each pod that it was done with. The exit status, or -errno. */
int cli_pod_verb(const void *globals, const struct pod_select *o, const struct pod_verb *verb,
		 char *const *args, struct err *err);
