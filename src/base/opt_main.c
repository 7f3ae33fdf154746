/* SPDX-License-Identifier: Apache-2.0 */
#include "base/opt.h"

#include "base/io.h"
#include "base/opt_internal.h"
#include "base/str.h"
#include "base/strv.h"

#define TYPO_MAX 2 /* edits between a command's name and what was meant to be it */

static int write_stdout(const struct buf *b)
{
	return io_write(STDOUT_FILENO, b->data, b->len) < 0 ? 1 : 0;
}

static const struct cmd *nearest(const struct program *prog, const char *name)
{
	const struct cmd *best = NULL;
	size_t least = TYPO_MAX + 1;

	for (size_t i = 0; prog->cmds[i]; i++) {
		size_t n = str_edits(name, prog->cmds[i]->name);

		/* of a short name, two edits leave nothing */
		if (!(prog->cmds[i]->flags & CMD_HIDDEN) && n < least && n < strlen(name)) {
			least = n;
			best = prog->cmds[i];
		}
	}
	return best;
}

static const struct cmd *find_cmd(const struct program *prog, const char *name, struct err *err)
{
	const struct cmd *near;

	for (size_t i = 0; prog->cmds[i]; i++) {
		if (str_eq(prog->cmds[i]->name, name))
			return prog->cmds[i];
	}
	err_fail(err, ERR_USAGE, "unknown command: %s", name);
	near = nearest(prog, name);
	if (near)
		err_hint(err, 0, "did you mean \"%s %s\"?", prog->name, near->name);
	else
		err_hint(err, 0, "see '%s --help'", prog->name);
	return NULL;
}

static int check_count(const struct program *prog, const struct cmd *cmd, size_t n, struct err *err)
{
	size_t min = (size_t)cmd->min_args, max = (size_t)cmd->max_args;
	const char *how = "exactly";
	size_t wanted = min;

	if (n >= min && (cmd->max_args < 0 || n <= max))
		return 0;
	if (cmd->max_args == 0) {
		err_fail(err, ERR_USAGE, "\"%s\" accepts no arguments", cmd->name);
	} else {
		if (min != max) {
			how = n < min ? "at least" : "at most";
			wanted = n < min ? min : max;
		}
		err_fail(err, ERR_USAGE, "\"%s\" requires %s %zu argument%s", cmd->name, how,
			 wanted, wanted == 1 ? "" : "s");
	}
	return err_hint(err, -EINVAL, "usage: %s %s %s; see '%s %s --help'", prog->name, cmd->name,
			cmd->args, prog->name, cmd->name);
}

static int show_help(const struct program *prog, const struct cmd *cmd)
{
	cleanup_buf struct buf out = BUF_INIT;

	opt_write_help(prog, cmd, &out);
	return write_stdout(&out);
}

/* help, __man and __complete. Returns the exit status, -ENOENT for another name, or -errno. */
static int run_builtin(const struct program *prog, char **args, struct err *err)
{
	cleanup_buf struct buf out = BUF_INIT;
	const struct cmd *cmd = NULL;
	bool help = str_eq(args[0], "help"), man = str_eq(args[0], "__man");
	int r;

	if ((help || man) && args[1]) {
		cmd = find_cmd(prog, args[1], err);
		if (!cmd)
			return -EINVAL;
	}
	if (help) {
		opt_write_help(prog, cmd, &out);
	} else if (man) {
		opt_write_man(prog, cmd, &out);
	} else if (str_eq(args[0], "__complete")) {
		r = opt_write_completion(prog, args[1] ? args[1] : "", &out, err);
		if (r < 0)
			return r;
	} else {
		return -ENOENT;
	}
	return write_stdout(&out);
}

static int run_cmd(const struct program *prog, const struct cmd *cmd, void *globals, char **argv,
		   struct err *err)
{
	cleanup_free void *opts = xcalloc(1, cmd->opts_size);
	struct err usage = ERR_INIT;
	char **args = NULL;
	int r, parsed;

	parsed = opt_parse(cmd->opts, cmd->n_opts, opts, argv, cmd->flags, &args, &usage);
	if (parsed == OPT_ASKED_HELP) {
		r = show_help(prog, cmd);
	} else {
		/* set-up comes first: it says where errors go, also those of usage */
		r = prog->setup ? prog->setup(globals, err) : 0;
		if (r >= 0 && parsed < 0) {
			*err = usage;
			r = err_hint(err, parsed, "see '%s %s --help'", prog->name, cmd->name);
		} else if (r >= 0) {
			r = check_count(prog, cmd, strv_len(args), err);
		}
		if (r >= 0)
			r = cmd->run(globals, opts, args, err);
	}
	opt_free(cmd->opts, cmd->n_opts, opts);
	return r;
}

static int run_program(const struct program *prog, void *globals, char **argv, struct err *err)
{
	cleanup_buf struct buf version = BUF_INIT;
	const struct cmd *cmd;
	char **args = NULL;
	int r;

	r = opt_parse(prog->opts, prog->n_opts, globals, argv, CMD_STOP_AT_ARG | OPT_PARSE_VERSION,
		      &args, err);
	if (r < 0)
		return err_hint(err, r, "see '%s --help'", prog->name);
	if (r == OPT_ASKED_VERSION) {
		buf_addf(&version, "%s%s", prog->version,
			 str_ends(prog->version, "\n") ? "" : "\n");
		return write_stdout(&version);
	}
	if (r == OPT_ASKED_HELP || !args[0])
		return show_help(prog, NULL);
	r = run_builtin(prog, args, err);
	if (r != -ENOENT)
		return r;
	cmd = find_cmd(prog, args[0], err);
	return cmd ? run_cmd(prog, cmd, globals, args, err) : -EINVAL;
}

static int report(const struct program *prog, const void *globals, const struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;

	if (prog->report)
		return prog->report(globals, err);
	buf_addf(&text, "%s: %s\n", prog->name, err->msg);
	if (err->hint[0])
		buf_addf(&text, "%s\n", err->hint);
	/* there is nowhere else to say it */
	if (io_write(STDERR_FILENO, text.data, text.len) < 0)
		return 125;
	return err_exit_status(err);
}

int program_main(const struct program *prog, int argc, char **argv)
{
	cleanup_free void *globals = xcalloc(1, prog->opts_size);
	struct err err = ERR_INIT;
	int status, r;

	r = run_program(prog, globals, argv, &err);
	status = r;
	if (r < 0) {
		status = report(prog, globals, &err);
		if (err.kind == ERR_USAGE)
			status = prog->usage_status;
	}
	opt_free(prog->opts, prog->n_opts, globals);
	return status;
}
