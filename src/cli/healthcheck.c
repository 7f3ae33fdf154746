/* SPDX-License-Identifier: Apache-2.0 */
/* healthcheck run, and what a probe becomes when a container's health has changed. */
#include "engine/health.h"

#include <stdio.h>

#include "cli/cli.h"

struct act_options {
	char *action;
};

static const struct opt act_opts[] = {
	{ .name = "action",
	  .kind = OPT_STR,
	  OPT_FIELD(struct act_options, action),
	  .arg = "ACTION",
	  .choices = health_action_names,
	  .help = "what is to be done" },
};

struct probe_options {
	bool ignore_result;
};

static const struct opt probe_opts[] = {
	{ .name = "ignore-result",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct probe_options, ignore_result),
	  .help = "exit with 0 also when it is not well" },
};

static int run_probe(const void *globals, void *options, char **args, struct err *err)
{
	const struct probe_options *o = options;
	cleanup_engine struct engine eng = ENGINE_INIT;
	bool well = false;
	int status = HEALTH_STARTING;
	int r = cli_engine(globals, &eng, err);

	if (r == 0)
		r = health_run(&eng, args[0], &well, &status, err);
	if (r < 0 || well)
		return r;
	/* One failure is not yet a change of its state. */
	printf("%s\n", health_status_names[status == HEALTH_STARTING ? status : HEALTH_UNHEALTHY]);
	return o->ignore_result ? 0 : 1;
}

static int run_act(const void *globals, void *options, char **args, struct err *err)
{
	const struct act_options *o = options;
	cleanup_engine struct engine eng = ENGINE_INIT;
	int r = cli_engine(globals, &eng, err);

	return r < 0 ? r : health_act(&eng, args[0], args[1], o->action, err);
}

const struct cmd cmd_healthcheck_run = {
	.name = "run",
	.args = "[OPTIONS] CONTAINER",
	.summary = "Probe a container's health now",
	.details = "Exits with 0 when the container is well. Else prints what it is, starting or "
		   "unhealthy, and exits with 1. The answer counts like any other.",
	.opts = probe_opts,
	.n_opts = ARRAY_SIZE(probe_opts),
	.opts_size = sizeof(struct probe_options),
	.min_args = 1,
	.max_args = 1,
	.run = run_probe,
};

const struct cmd cmd_health = {
	.name = "__health",
	.args = "[OPTIONS] CONTAINER STATUS",
	.summary = "See to what follows from a change of a container's health",
	.opts = act_opts,
	.n_opts = ARRAY_SIZE(act_opts),
	.opts_size = sizeof(struct act_options),
	.min_args = 2,
	.max_args = 2,
	.run = run_act,
	.flags = CMD_HIDDEN,
};
