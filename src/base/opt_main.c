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

/* What has been typed of the command line: its command and that one's names. */
struct call {
	const struct program *prog;
	const struct cmd *cmd; /* NULL: none yet */
	struct buf words;      /* "image ls" */
};

/* The name and command that are i-th at the top or in the group. false: there are no more. */
static bool listed(const struct call *call, size_t i, struct cmd_sub *ret)
{
	const struct cmd *cmd;

	if (call->cmd) {
		*ret = call->cmd->subs[i];
		return ret->name != NULL;
	}
	cmd = call->prog->cmds[i];
	if (cmd)
		*ret = (struct cmd_sub){ .name = cmd->name, .cmd = cmd };
	return cmd != NULL;
}

static const char *nearest(const struct call *call, const char *name)
{
	const char *best = NULL;
	size_t least = TYPO_MAX + 1;
	struct cmd_sub sub;

	for (size_t i = 0; listed(call, i, &sub); i++) {
		size_t n = str_edits(name, sub.name);

		/* of a short name, two edits leave nothing */
		if (!(sub.cmd->flags & CMD_HIDDEN) && n < least && n < strlen(name)) {
			least = n;
			best = sub.name;
		}
	}
	return best;
}

/* -ENOENT: nothing is said of these words. */
static int refuse(const struct program *prog, const char *words, struct err *err)
{
	for (const struct cmd_refused *c = prog->refused; c && c->words; c++) {
		cleanup_strv char **names = strv_split(c->words, '|');

		if (!strv_has(names, words))
			continue;
		err_fail(err, ERR_UNSUPPORTED, "%s is not supported: %s", words, c->why);
		return c->hint ? err_hint(err, -EOPNOTSUPP, "%s", c->hint) : -EOPNOTSUPP;
	}
	return -ENOENT;
}

/* One word further: a command, or a group. */
static int enter(struct call *call, const char *name, struct err *err)
{
	const char *space = call->words.len ? " " : "", *near;
	cleanup_free char *words = NULL;
	struct cmd_sub sub;
	int r;

	for (size_t i = 0; listed(call, i, &sub); i++) {
		if (str_eq(sub.name, name)) {
			call->cmd = sub.cmd;
			buf_addf(&call->words, "%s%s", space, name);
			return 0;
		}
	}
	words = xasprintf("%s%s%s", buf_str(&call->words), space, name);
	r = refuse(call->prog, words, err);
	if (r != -ENOENT)
		return r;
	err_fail(err, ERR_USAGE, "unknown command: %s", words);
	near = nearest(call, name);
	if (near)
		return err_hint(err, -EINVAL, "did you mean \"%s %s%s%s\"?", call->prog->name,
				buf_str(&call->words), space, near);
	return err_hint(err, -EINVAL, "see '%s %s%s--help'", call->prog->name,
			buf_str(&call->words), space);
}

/* Finds the command that args begin with, and says in *ret_last where its last word is. A group
 * counts when nothing follows it, or an option: then it is call->cmd. */
static int find_cmd(struct call *call, char **args, char ***ret_last, struct err *err)
{
	int r = enter(call, *args, err);

	while (r == 0 && call->cmd->subs && args[1] && args[1][0] != '-')
		r = enter(call, *++args, err);
	*ret_last = args;
	return r;
}

static int check_count(const struct call *call, size_t n, struct err *err)
{
	const char *prog = call->prog->name, *words = buf_str(&call->words);
	const struct cmd *cmd = call->cmd;
	size_t min = (size_t)cmd->min_args, max = (size_t)cmd->max_args;
	const char *how = "exactly";
	size_t wanted = min;

	if (n >= min && (cmd->max_args < 0 || n <= max))
		return 0;
	if (cmd->max_args == 0) {
		err_fail(err, ERR_USAGE, "\"%s\" accepts no arguments", words);
	} else {
		if (min != max) {
			how = n < min ? "at least" : "at most";
			wanted = n < min ? min : max;
		}
		err_fail(err, ERR_USAGE, "\"%s\" requires %s %zu argument%s", words, how, wanted,
			 wanted == 1 ? "" : "s");
	}
	return err_hint(err, -EINVAL, "usage: %s %s %s; see '%s %s --help'", prog, words, cmd->args,
			prog, words);
}

static int show_help(const struct call *call)
{
	cleanup_buf struct buf out = BUF_INIT;

	if (call->cmd)
		opt_write_help_as(call->prog, call->cmd, buf_str(&call->words), &out);
	else
		opt_write_help(call->prog, NULL, &out);
	return write_stdout(&out);
}

/* help, __man and __complete. Returns the exit status, -ENOENT for another name, or -errno. */
static int run_builtin(struct call *call, char **args, struct err *err)
{
	cleanup_buf struct buf out = BUF_INIT;
	bool help = str_eq(args[0], "help"), man = str_eq(args[0], "__man");
	char **last;
	int r;

	if ((help || man) && args[1]) {
		r = find_cmd(call, args + 1, &last, err);
		if (r < 0)
			return r;
	}
	if (help)
		return show_help(call);
	if (man) {
		opt_write_man(call->prog, call->cmd, &out);
	} else if (str_eq(args[0], "__complete")) {
		r = opt_write_completion(call->prog, args[1] ? args[1] : "", &out, err);
		if (r < 0)
			return r;
	} else {
		return -ENOENT;
	}
	return write_stdout(&out);
}

/* A group alone, or an option behind it. */
static int run_group(const struct call *call, char **argv, struct err *err)
{
	char **args;
	int r = opt_parse(NULL, 0, NULL, argv, CMD_STOP_AT_ARG, &args, err);

	if (r == OPT_ASKED_HELP || (r == 0 && !args[0]))
		return show_help(call);
	if (r == 0)
		r = err_fail(err, ERR_USAGE, "unknown command: %s %s", buf_str(&call->words),
			     args[0]);
	return err_hint(err, r, "see '%s %s --help'", call->prog->name, buf_str(&call->words));
}

static int run_cmd(const struct call *call, void *globals, char **argv, struct err *err)
{
	const struct program *prog = call->prog;
	const struct cmd *cmd = call->cmd;
	cleanup_free void *opts = xcalloc(1, cmd->opts_size);
	struct err usage = ERR_INIT;
	char **args = NULL;
	int r, parsed;

	parsed = opt_parse(cmd->opts, cmd->n_opts, opts, argv, cmd->flags, &args, &usage);
	if (parsed == OPT_ASKED_HELP) {
		r = show_help(call);
	} else {
		/* set-up comes first: it says where errors go, also those of usage */
		r = prog->setup ? prog->setup(globals, err) : 0;
		if (r >= 0 && parsed < 0) {
			*err = usage;
			r = err_hint(err, parsed, "see '%s %s --help'", prog->name,
				     buf_str(&call->words));
		} else if (r >= 0) {
			r = check_count(call, strv_len(args), err);
		}
		if (r >= 0)
			r = cmd->run(globals, opts, args, err);
	}
	opt_free(cmd->opts, cmd->n_opts, opts);
	return r;
}

static int run_program(struct call *call, void *globals, char **argv, struct err *err)
{
	const struct program *prog = call->prog;
	cleanup_buf struct buf version = BUF_INIT;
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
		return show_help(call);
	r = run_builtin(call, args, err);
	if (r != -ENOENT)
		return r;
	r = find_cmd(call, args, &args, err);
	if (r < 0)
		return r;
	return call->cmd->subs ? run_group(call, args, err) : run_cmd(call, globals, args, err);
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
	struct call call = { .prog = prog };
	struct err err = ERR_INIT;
	int status, r;

	r = run_program(&call, globals, argv, &err);
	status = r;
	if (r < 0) {
		status = report(prog, globals, &err);
		if (err.kind == ERR_USAGE)
			status = prog->usage_status;
	}
	opt_free(prog->opts, prog->n_opts, globals);
	buf_done(&call.words);
	return status;
}
