/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/exec.h"

#include "base/strv.h"
#include "cli/cli.h"
#include "cli/select.h"

struct exec_cli_options {
	struct exec_options exec;
	struct select_options select;
};
#define EXEC_OPT(member) OPT_FIELD(struct exec_cli_options, exec.member)

static const struct opt opts[] = {
	SELECT_CIDFILE(struct exec_cli_options),
	{ .name = "detach",
	  .short_name = 'd',
	  .kind = OPT_FLAG,
	  EXEC_OPT(detach),
	  .help = "return when the command runs; its output goes nowhere" },
	{ .name = "detach-keys",
	  .kind = OPT_STR,
	  EXEC_OPT(detach_keys),
	  .arg = "KEYS",
	  .help = "keys that leave the command running (default ctrl-p,ctrl-q; \"\": none)" },
	{ .name = "env",
	  .short_name = 'e',
	  .kind = OPT_STRV,
	  EXEC_OPT(env),
	  .arg = "NAME[=VALUE]",
	  .help = "set a variable; without a value, to that of inro's environment" },
	{ .name = "env-file",
	  .kind = OPT_STRV,
	  EXEC_OPT(env_file),
	  .arg = "FILE",
	  .help = "read variables from a file" },
	{ .name = "interactive",
	  .short_name = 'i',
	  .kind = OPT_FLAG,
	  EXEC_OPT(interactive),
	  .help = "pass standard input to the command" },
	SELECT_LATEST(struct exec_cli_options),
	OPT_REFUSE("no-session", "a command that is executed leaves nothing but events"),
	OPT_REFUSE("preserve-fd", "use --preserve-fds, which takes them in a row"),
	{ .name = "preserve-fds",
	  .kind = OPT_INT,
	  EXEC_OPT(preserve_fds),
	  .arg = "N",
	  .help = "pass N file descriptors from 3 on to the command" },
	{ .name = "privileged",
	  .kind = OPT_FLAG,
	  EXEC_OPT(privileged),
	  .help = "give the command all capabilities" },
	{ .name = "tty",
	  .short_name = 't',
	  .kind = OPT_FLAG,
	  EXEC_OPT(tty),
	  .help = "give the command a terminal" },
	{ .name = "user",
	  .short_name = 'u',
	  .kind = OPT_STR,
	  EXEC_OPT(user),
	  .arg = "USER[:GROUP]",
	  .help = "user and group, names of the container or numbers" },
	{ .name = "workdir",
	  .short_name = 'w',
	  .kind = OPT_STR,
	  EXEC_OPT(workdir),
	  .arg = "DIR",
	  .help = "working directory" },
};

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct exec_cli_options *o = options;
	bool named = !o->select.latest && !strv_len(o->select.cidfiles);
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_strv char **found = NULL;
	int r;

	if (named && !args[1])
		return err_fail(err, ERR_USAGE, "exec needs a container and a command");
	r = cli_engine(globals, &eng, err);
	if (r == 0 && !named)
		r = cli_select(&eng, &o->select, SELECT_ANY, NULL, &found, err);
	if (r < 0)
		return r;
	if (named)
		return engine_exec(&eng, args[0], &o->exec, args + 1, err);
	if (strv_len(found) != 1)
		return err_fail(err, ERR_USAGE, "exec is for one container");
	return engine_exec(&eng, found[0], &o->exec, args, err);
}

const struct cmd cmd_exec = {
	.name = "exec",
	.args = "[OPTIONS] CONTAINER COMMAND [ARG...]",
	.summary = "Run a command in a running container",
	.details =
	    "The command has the container's namespaces, limits, seccomp filter and, unless "
	    "options "
	    "say otherwise, the user, variables and working directory that the container was "
	    "started with. Without -i its standard input is empty. Signals that inro gets are "
	    "passed on to it. The detach keys, on a terminal with -i -t, leave it running.\n\n"
	    "Exit status: that of the command; 128 and the signal's number when one ended it; 125 "
	    "when inro failed, 126 when the command cannot be executed, 127 when it is not there.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct exec_cli_options),
	.min_args = 1,
	.max_args = -1,
	.run = run,
	.flags = CMD_STOP_AT_ARG,
};
