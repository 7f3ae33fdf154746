/* SPDX-License-Identifier: Apache-2.0 */
/* Services that `generate systemd` makes, of a container, or of a pod and of each of its
 * containers. */
#pragma once

#include "cli/cli.h"
#include "engine/pods_query.h"
#include "units/file.h"

struct generate_options {
	bool files, name, as_new, no_header, from_template;
	char *format, *restart_policy, *prefix, *pod_prefix, *separator;
	char **after, **requires, **wants, **env;
	struct opt_u64 restart_sec, start_timeout, stop_timeout;
};

struct generator {
	const struct generate_options *o;
	const void *globals;
	struct engine *eng;
	const struct record *rec; /* NULL: it is the pod's own */
	const struct pod *pod;    /* or NULL */
	const char *pod_unit;     /* "pod-shop": its service's name; borrowed */
	char **services;          /* of the pod's containers; borrowed */
	char *name;               /* "container-web" */
	char *which;              /* the container's or the pod's name or id */
	uint64_t stop_s;
	struct unit_file unit;
};

/* All but name, which is set already, and services. ERR_USAGE: the name is no file's. */
int generator_init(struct generator *g, struct err *err);
void generator_done(struct generator *g);
int generate_container(struct generator *g, struct err *err);
int generate_pod(struct generator *g, struct err *err);
