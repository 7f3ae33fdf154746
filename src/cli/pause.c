/* SPDX-License-Identifier: Apache-2.0 */
/* pause, unpause. */
#include "cli/cli.h"
#include "cli/select.h"
#include "engine/live.h"

struct pause_options {
	struct select_options select;
};

static const struct opt pause_opts[] = {
	SELECT_ALL(struct pause_options, "all running containers"),
	SELECT_CIDFILE(struct pause_options),
	SELECT_FILTER(struct pause_options, 'f'),
	SELECT_LATEST(struct pause_options),
};
static const struct opt unpause_opts[] = {
	SELECT_ALL(struct pause_options, "all paused containers"),
	SELECT_CIDFILE(struct pause_options),
	SELECT_FILTER(struct pause_options, 'f'),
	SELECT_LATEST(struct pause_options),
};

static int pause_one(struct engine *eng, const char *word, const void *data, struct err *err)
{
	return live_pause(eng, word, err);
}

static int unpause_one(struct engine *eng, const char *word, const void *data, struct err *err)
{
	return live_unpause(eng, word, err);
}

static int run_pause(const void *globals, void *options, char **args, struct err *err)
{
	const struct cli_verb verb = { .which = SELECT_UNPAUSED, .fn = pause_one };

	return cli_verb(globals, &((struct pause_options *)options)->select, &verb, args, err);
}

static int run_unpause(const void *globals, void *options, char **args, struct err *err)
{
	const struct cli_verb verb = { .which = SELECT_PAUSED, .fn = unpause_one };

	return cli_verb(globals, &((struct pause_options *)options)->select, &verb, args, err);
}

const struct cmd cmd_pause = {
	.name = "pause",
	.args = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "Stop all processes of containers until they are unpaused",
	.details = "They stop where they are, by the cgroup's freezer, and see nothing of it. An "
		   "unprivileged user needs a cgroup that may be written.",
	.opts = pause_opts,
	.n_opts = ARRAY_SIZE(pause_opts),
	.opts_size = sizeof(struct pause_options),
	.max_args = -1,
	.run = run_pause,
};

const struct cmd cmd_unpause = {
	.name = "unpause",
	.args = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "Let the processes of paused containers go on",
	.opts = unpause_opts,
	.n_opts = ARRAY_SIZE(unpause_opts),
	.opts_size = sizeof(struct pause_options),
	.max_args = -1,
	.run = run_unpause,
};
