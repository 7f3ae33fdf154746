/* SPDX-License-Identifier: Apache-2.0 */
/* podman's commands for which inro has nothing to do: scripts call them all the same. */
#include "cli/cli.h"

static int say(const char *what, struct err *err)
{
	cleanup_buf struct buf out = BUF_INIT;

	buf_addf(&out, "nothing to do: %s\n", what);
	return cli_print(&out, err);
}

static int run_migrate(const void *globals, void *options, char **args, struct err *err)
{
	return say("the first command of a new inro brings what is there up to date", err);
}

static const struct opt migrate_opts[] = {
	OPT_REFUSE("new-runtime", "other runtimes are not there yet"),
};

const struct cmd cmd_system_migrate = {
	.name = "migrate",
	.args = "",
	.summary = "Do nothing, for podman's users",
	.details = "The first command of a new inro brings the database up to date by itself, and "
		   "no container has to end for it.",
	.opts = migrate_opts,
	.n_opts = ARRAY_SIZE(migrate_opts),
	.run = run_migrate,
};

static int run_renumber(const void *globals, void *options, char **args, struct err *err)
{
	return say("locks have no numbers", err);
}

const struct cmd cmd_system_renumber = {
	.name = "renumber",
	.args = "",
	.summary = "Do nothing, for podman's users",
	.details = "Containers have locks of their own, as many as there are containers.",
	.run = run_renumber,
};

static int run_reload(const void *globals, void *options, char **args, struct err *err)
{
	return say("there are no drivers of volumes but local", err);
}

const struct cmd cmd_volume_reload = {
	.name = "reload",
	.args = "",
	.summary = "Do nothing, for podman's users",
	.details = "It asks drivers which volumes they have: there is the driver local alone.",
	.run = run_reload,
};
