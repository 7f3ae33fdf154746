/* SPDX-License-Identifier: Apache-2.0 */
#include "base/opt_internal.h"

/* A pattern of case over all groups. */
static void add_groups(const struct opt_paths *paths, struct buf *out)
{
	const char *separator = "";

	for (size_t i = 0; i < paths->n; i++) {
		if (!paths->items[i].cmd->subs)
			continue;
		buf_addf(out, "%s'%s'", separator, paths->items[i].words);
		separator = "|";
	}
}

/* Text inside [...] of an _arguments specification. */
static void zsh_text(struct buf *out, const char *s)
{
	for (; *s; s++) {
		if (strchr("[]:\\", *s))
			buf_addc(out, '\\');
		if (*s == '\'')
			buf_adds(out, "'\\''");
		else
			buf_addc(out, *s);
	}
}

static void zsh_option(const struct opt *o, struct buf *out)
{
	const char *value = opt_value_name(o), *repeat = o->kind == OPT_STRV ? "*" : "";

	buf_adds(out, " \\\n\t\t");
	if (o->short_name && !*repeat)
		buf_addf(out, "'(-%c --%s)'", o->short_name, o->name);
	else if (*repeat)
		buf_addf(out, "'%s'", repeat);
	if (o->short_name)
		buf_addf(out, "{-%c%s,--%s%s}", o->short_name, value ? "+" : "", o->name,
			 value ? "=" : "");
	else
		buf_addf(out, "--%s%s", o->name,
			 value ? (o->flags & OPT_OPTIONAL_ARG ? "=-" : "=") : "");
	buf_adds(out, "'[");
	zsh_text(out, o->help);
	buf_addc(out, ']');
	if (value) {
		buf_adds(out, o->flags & OPT_OPTIONAL_ARG ? "::" : ":");
		zsh_text(out, value);
		buf_addc(out, ':');
		if (o->choices) {
			buf_addc(out, '(');
			opt_add_words(out, o->choices);
			buf_addc(out, ')');
		} else {
			buf_adds(out, "_files");
		}
	}
	buf_addc(out, '\'');
}

static void zsh_options(const struct opt *opts, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n; i++) {
		if (opt_shown(&opts[i]))
			zsh_option(&opts[i], out);
	}
	buf_adds(out, " \\\n\t\t'--help[Show help]'");
}

/* A function that describes the commands of a group: _inro_commands_image. */
static void zsh_commands(const struct program *prog, const struct opt_paths *paths,
			 const char *group, struct buf *out)
{
	buf_addf(out, "_%s_commands%s", prog->name, group[0] ? "_" : "");
	for (const char *c = group; *c; c++)
		buf_addc(out, *c == ' ' ? '_' : *c);
	buf_adds(out, "() {\n\tlocal -a commands\n\tcommands=(\n");
	for (size_t i = 0; i < paths->n; i++) {
		if (!opt_paths_shown(&paths->items[i]) || !opt_path_in(&paths->items[i], group))
			continue;
		buf_addf(out, "\t\t'%s:", paths->items[i].name);
		zsh_text(out, paths->items[i].cmd->summary);
		buf_adds(out, "'\n");
	}
	if (!group[0])
		buf_adds(out, "\t\t'help:Show help'\n");
	buf_adds(out, "\t)\n\t_describe command commands\n}\n\n");
}

/* Goes through the words of groups, up to the command in $cmd. */
static void zsh_find_cmd(const struct program *prog, const struct opt_paths *paths, struct buf *out)
{
	buf_adds(out, "\twhile :; do\n\t\tcmd+=${cmd:+ }$words[1]\n\t\tcase $cmd in\n\t\t");
	add_groups(paths, out);
	buf_addf(out,
		 ")\n\t\t\tstate=\n"
		 "\t\t\t_arguments -C -S '--help[Show help]'"
		 " \"1: :_%s_commands_${cmd// /_}\" '*:: :->rest'\n"
		 "\t\t\t[[ $state == rest ]] || return ;;\n"
		 "\t\t*) break ;;\n\t\tesac\n\tdone\n",
		 prog->name);
}

static bool has_groups(const struct program *prog)
{
	for (size_t i = 0; prog->cmds[i]; i++)
		if (prog->cmds[i]->subs)
			return true;
	return false;
}

static void zsh_cmd(const struct opt_paths *paths, const struct opt_path *path, struct buf *out)
{
	const struct cmd *cmd = path->cmd;
	cleanup_opt_rows struct opt_rows rows = { 0 };

	if (cmd->subs || opt_paths_first(paths, cmd) != path->words)
		return;
	buf_addc(out, '\t');
	opt_add_pattern(paths, path, out);
	buf_addf(out, ") _arguments -s -S%s", cmd->flags & CMD_STOP_AT_ARG ? " -A '-*'" : "");
	opt_rows_init(&rows, cmd->opts, cmd->n_opts);
	zsh_options(rows.items, rows.n, out);
	buf_adds(out, " \\\n\t\t'*:argument:_files' ;;\n");
}

void opt_write_zsh(const struct program *prog, struct buf *out)
{
	cleanup_opt_paths struct opt_paths paths = { 0 };

	opt_paths_init(&paths, prog);
	buf_addf(out, "#compdef %s\n\n", prog->name);
	zsh_commands(prog, &paths, "", out);
	for (size_t i = 0; i < paths.n; i++)
		if (paths.items[i].cmd->subs)
			zsh_commands(prog, &paths, paths.items[i].words, out);
	buf_addf(out, "_%s() {\n\tlocal curcontext=$curcontext state line cmd=\n\t_arguments -C -S",
		 prog->name);
	zsh_options(prog->opts, prog->n_opts, out);
	buf_addf(out,
		 " \\\n\t\t'--version[Show the version]'"
		 " \\\n\t\t'1: :_%s_commands' \\\n\t\t'*:: :->rest'\n"
		 "\t[[ $state == rest ]] || return\n",
		 prog->name);
	if (has_groups(prog))
		zsh_find_cmd(prog, &paths, out);
	else
		buf_adds(out, "\tcmd=$words[1]\n");
	buf_addf(out, "\tcase $cmd in\n\thelp) _%s_commands ;;\n", prog->name);
	for (size_t i = 0; i < paths.n; i++)
		zsh_cmd(&paths, &paths.items[i], out);
	buf_addf(out, "\tesac\n}\n\n_%s \"$@\"\n", prog->name);
}
