/* SPDX-License-Identifier: Apache-2.0 */
#include "base/opt.h"

#include "base/opt_internal.h"

#define GAP 3 /* between the columns */

/* "-e, --env strings", "    --rm" */
static void add_flags(const struct opt *o, struct buf *out)
{
	const char *value = opt_value_name(o);

	if (o->short_name)
		buf_addf(out, "-%c, ", o->short_name);
	else
		buf_adds(out, "    ");
	buf_addf(out, "--%s", o->name);
	if (value && (o->flags & OPT_OPTIONAL_ARG))
		buf_addf(out, "[=%s]", value);
	else if (value)
		buf_addf(out, " %s", value);
}

static void add_choices(const struct opt *o, struct buf *out)
{
	if (!o->choices)
		return;
	buf_adds(out, " (");
	for (size_t i = 0; o->choices[i]; i++)
		buf_addf(out, "%s%s", i ? ", " : "", o->choices[i]);
	buf_addc(out, ')');
}

static void add_padded(struct buf *out, const char *s, size_t width)
{
	buf_addf(out, "  %-*s", (int)(width + GAP), s);
}

static void write_options(const struct opt *opts, size_t n, struct buf *out)
{
	cleanup_buf struct buf flags = BUF_INIT;
	size_t width = 0, shown = 0;

	for (size_t i = 0; i < n; i++) {
		if (opts[i].flags & OPT_HIDDEN)
			continue;
		buf_reset(&flags);
		add_flags(&opts[i], &flags);
		width = flags.len > width ? flags.len : width;
		shown++;
	}
	if (shown == 0)
		return;
	buf_adds(out, "\nOptions:\n");
	for (size_t i = 0; i < n; i++) {
		if (opts[i].flags & OPT_HIDDEN)
			continue;
		buf_reset(&flags);
		add_flags(&opts[i], &flags);
		add_padded(out, buf_str(&flags), width);
		buf_adds(out, opts[i].help);
		add_choices(&opts[i], out);
		buf_addc(out, '\n');
	}
}

/* The table's, and those that program_main() handles itself. */
static void write_program_options(const struct program *prog, struct buf *out)
{
	static const struct opt own[] = {
		{ .name = "help", .short_name = 'h', .help = "Show help" },
		{ .name = "version", .short_name = 'v', .help = "Show the version" },
	};
	cleanup_free struct opt *all = xcalloc(prog->n_opts + ARRAY_SIZE(own), sizeof(*all));
	size_t n;

	for (n = 0; n < prog->n_opts; n++)
		all[n] = prog->opts[n];
	for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
		if (opt_find(prog->opts, prog->n_opts, own[i].name, strlen(own[i].name)))
			continue;
		all[n] = own[i];
		if (opt_find_short(prog->opts, prog->n_opts, own[i].short_name))
			all[n].short_name = 0;
		n++;
	}
	write_options(all, n, out);
}

/* Commands that are groups, or those that are not. */
static void write_commands(const struct program *prog, bool groups, struct buf *out)
{
	size_t width = 0, n = 0;

	for (size_t i = 0; prog->cmds[i]; i++) {
		size_t len = strlen(prog->cmds[i]->name);

		if (prog->cmds[i]->flags & CMD_HIDDEN)
			continue;
		width = len > width ? len : width;
		n += groups == !!prog->cmds[i]->subs;
	}
	if (n == 0)
		return;
	buf_adds(out, groups ? "\nGroups of commands:\n" : "\nCommands:\n");
	for (size_t i = 0; prog->cmds[i]; i++) {
		const struct cmd *cmd = prog->cmds[i];

		if ((cmd->flags & CMD_HIDDEN) || groups != !!cmd->subs)
			continue;
		add_padded(out, cmd->name, width);
		buf_addf(out, "%s\n", cmd->summary);
	}
}

static void write_group(const struct program *prog, const struct cmd *group, const char *words,
			struct buf *out)
{
	const struct cmd_sub *sub;
	size_t width = 0;

	buf_addf(out, "Usage:  %s %s COMMAND [ARG...]\n\n%s\n\nCommands:\n", prog->name, words,
		 group->summary);
	for (sub = group->subs; sub->name; sub++)
		if (!sub->alias && strlen(sub->name) > width)
			width = strlen(sub->name);
	for (sub = group->subs; sub->name; sub++) {
		if (sub->alias || (sub->cmd->flags & CMD_HIDDEN))
			continue;
		add_padded(out, sub->name, width);
		buf_addf(out, "%s\n", sub->cmd->summary);
	}
	buf_addf(out, "\nSee '%s %s COMMAND --help' for more about a command.\n", prog->name,
		 words);
}

void opt_write_help_as(const struct program *prog, const struct cmd *cmd, const char *words,
		       struct buf *out)
{
	cleanup_opt_paths struct opt_paths paths = { 0 };
	cleanup_buf struct buf others = BUF_INIT;
	cleanup_free char *separator = xasprintf(", %s ", prog->name);
	cleanup_opt_rows struct opt_rows rows = { 0 };

	if (cmd->subs) {
		write_group(prog, cmd, words, out);
		return;
	}
	buf_addf(out, "Usage:  %s %s %s\n\n%s\n", prog->name, words, cmd->args, cmd->summary);
	opt_paths_init(&paths, prog);
	opt_paths_others(&paths, cmd, words, separator, &others);
	if (others.len)
		buf_addf(out, "\nThe same as:\n  %s %s\n", prog->name, buf_str(&others));
	if (cmd->details)
		buf_addf(out, "\n%s\n", cmd->details);
	opt_rows_init(&rows, cmd->opts, cmd->n_opts);
	write_options(rows.items, rows.n, out);
}

void opt_write_help(const struct program *prog, const struct cmd *cmd, struct buf *out)
{
	cleanup_opt_paths struct opt_paths paths = { 0 };

	if (cmd) {
		opt_paths_init(&paths, prog);
		opt_write_help_as(prog, cmd, opt_paths_first(&paths, cmd), out);
		return;
	}
	buf_addf(out, "Usage:  %s [OPTIONS] COMMAND [ARG...]\n\n%s\n", prog->name, prog->summary);
	write_commands(prog, false, out);
	write_commands(prog, true, out);
	write_program_options(prog, out);
	buf_addf(out, "\nSee '%s COMMAND --help' for more about a command.\n", prog->name);
}
