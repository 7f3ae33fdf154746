/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "cli/cli.h"
#include "engine/unshare.h"

static char shell_default[] = "/bin/sh";

/* As a shell's exit status says it. */
static int exec_error(const char *program, struct err *err)
{
	enum err_kind kind = errno == ENOENT ? ERR_CMD_NOT_FOUND : ERR_NOT_EXECUTABLE;

	return err_set_kind(err, err_errno(err, errno, "executing %s", program), kind);
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	char *shell[] = { getenv("SHELL"), NULL };
	struct engine eng = ENGINE_INIT;
	int r = cli_engine(globals, &eng, err);

	if (!shell[0] || !shell[0][0])
		shell[0] = shell_default;
	if (!args[0])
		args = shell;
	if (r == 0)
		r = engine_unshare(&eng, err);
	engine_done(&eng);
	if (r < 0)
		return r;
	execvp(args[0], args);
	return exec_error(args[0], err);
}

const struct cmd cmd_unshare = {
	.name = "unshare",
	.args = "[COMMAND [ARG...]]",
	.summary = "Run a command where images can be mounted",
	.details =
	    "A mount namespace of its own, in which `inro image mount` works: what is mounted "
	    "there is gone when the last process in it has ended. An unprivileged user is root in "
	    "a user namespace besides, with the ids that files of images and containers belong "
	    "to. Without a command it is the user's shell.",
	.opts_size = 1,
	.min_args = 0,
	.max_args = -1,
	.run = run,
	.flags = CMD_STOP_AT_ARG,
};
