/* SPDX-License-Identifier: Apache-2.0 */
/* The manual pages as scdoc(5) source. */
#include "base/opt.h"

#include "base/opt_internal.h"

void opt_man_text(struct buf *out, const char *s)
{
	bool line_start = true;

	for (; *s; s++) {
		if (strchr("*_\\`[]#+~", *s) || (line_start && strchr("-.|", *s)))
			buf_addc(out, '\\');
		buf_addc(out, *s);
		line_start = *s == '\n';
	}
}

static void write_option(const struct opt *o, struct buf *out)
{
	const char *value = opt_value_name(o);

	if (o->flags & OPT_HIDDEN)
		return;
	if (o->short_name)
		buf_addf(out, "*-%c*, ", o->short_name);
	buf_addf(out, "*--%s*", o->name);
	if (value) {
		buf_adds(out, o->flags & OPT_OPTIONAL_ARG ? "\\[=_" : " _");
		/* inside an underlined word only the underscore is markup */
		for (const char *c = value; *c; c++)
			buf_addf(out, "%s%c", strchr("_*\\[]", *c) ? "\\" : "", *c);
		buf_adds(out, o->flags & OPT_OPTIONAL_ARG ? "_\\]" : "_");
	}
	buf_adds(out, "\n\t");
	opt_man_text(out, o->help);
	buf_addc(out, '.');
	for (size_t i = 0; o->choices && o->choices[i]; i++) {
		buf_adds(out, i ? ", " : " One of ");
		opt_man_text(out, o->choices[i]);
	}
	buf_adds(out, o->choices ? ".\n\n" : "\n\n");
}

static void write_options(const struct opt *opts, size_t n, struct buf *out)
{
	buf_adds(out, "# OPTIONS\n\n");
	for (size_t i = 0; i < n; i++)
		write_option(&opts[i], out);
	buf_adds(out, "*--help*\n\tShow a short form of this page.\n");
}

static void write_head(const char *title, const char *summary, struct buf *out)
{
	buf_addf(out, "%s(1) \"inro " INRO_VERSION "\" \"inro manual\"\n\n# NAME\n\n%s - ", title,
		 title);
	opt_man_text(out, summary);
	buf_adds(out, "\n\n# SYNOPSIS\n\n");
}

/* "inro-image-ls" */
static void add_page(const struct program *prog, const char *words, struct buf *out)
{
	buf_addf(out, "%s-", prog->name);
	for (; *words; words++)
		buf_addc(out, *words == ' ' ? '-' : *words);
}

static void write_group(const struct program *prog, const struct opt_paths *paths,
			const struct cmd *group, struct buf *out)
{
	buf_addf(out, "*%s %s* COMMAND \\[ARG...\\]\n\n# DESCRIPTION\n\n", prog->name,
		 opt_paths_first(paths, group));
	opt_man_text(out, group->summary);
	buf_adds(out, ".\n\n# COMMANDS\n\n");
	for (const struct cmd_sub *sub = group->subs; sub->name; sub++) {
		if (sub->alias || (sub->cmd->flags & CMD_HIDDEN))
			continue;
		buf_addf(out, "*%s*\n\t", sub->name);
		opt_man_text(out, sub->cmd->summary);
		buf_adds(out, ": *");
		add_page(prog, opt_paths_first(paths, sub->cmd), out);
		buf_adds(out, "*(1).\n\n");
	}
	write_options(NULL, 0, out);
}

static void write_description(const struct program *prog, const struct opt_paths *paths,
			      const struct cmd *cmd, struct buf *out)
{
	cleanup_free char *separator = xasprintf("*, *%s ", prog->name);
	const char *words = opt_paths_first(paths, cmd);
	cleanup_buf struct buf others = BUF_INIT;
	cleanup_opt_rows struct opt_rows rows;

	buf_addf(out, "*%s %s* ", prog->name, words);
	opt_man_text(out, cmd->args);
	buf_adds(out, "\n\n# DESCRIPTION\n\n");
	opt_man_text(out, cmd->summary);
	buf_adds(out, ".\n\n");
	opt_paths_others(paths, cmd, words, separator, &others);
	if (others.len)
		buf_addf(out, "The same as *%s %s*.\n\n", prog->name, buf_str(&others));
	if (cmd->details) {
		opt_man_text(out, cmd->details);
		buf_adds(out, "\n\n");
	}
	opt_rows_init(&rows, cmd->opts, cmd->n_opts);
	write_options(rows.items, rows.n, out);
}

static void write_command(const struct program *prog, const struct cmd *cmd, struct buf *out)
{
	cleanup_opt_paths struct opt_paths paths = { 0 };
	cleanup_buf struct buf title = BUF_INIT;

	opt_paths_init(&paths, prog);
	add_page(prog, opt_paths_first(&paths, cmd), &title);
	write_head(buf_str(&title), cmd->summary, out);
	if (cmd->subs)
		write_group(prog, &paths, cmd, out);
	else
		write_description(prog, &paths, cmd, out);
	buf_addf(out, "\n# SEE ALSO\n\n*%s*(1)\n", prog->name);
}

void opt_write_man(const struct program *prog, const struct cmd *cmd, struct buf *out)
{
	if (cmd) {
		write_command(prog, cmd, out);
		return;
	}
	write_head(prog->name, prog->summary, out);
	buf_addf(out, "*%s* \\[OPTIONS\\] COMMAND \\[ARG...\\]\n\n# DESCRIPTION\n\n", prog->name);
	opt_man_text(out, prog->summary);
	buf_adds(out, ".\n\n# COMMANDS\n\n");
	for (size_t i = 0; prog->cmds[i]; i++) {
		if (prog->cmds[i]->flags & CMD_HIDDEN)
			continue;
		buf_addf(out, "*%s-%s*(1)\n\t", prog->name, prog->cmds[i]->name);
		opt_man_text(out, prog->cmds[i]->summary);
		buf_adds(out, ".\n\n");
	}
	write_options(prog->opts, prog->n_opts, out);
	buf_adds(out, "\n*--version*\n\tShow the version.\n");
}
