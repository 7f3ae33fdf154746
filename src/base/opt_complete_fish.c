/* SPDX-License-Identifier: Apache-2.0 */
#include "base/opt_internal.h"

/* 'text' for a shell; a quote inside ends the string, comes escaped, and starts it again. */
static void add_quoted(struct buf *out, const char *s, const char *quote_escape)
{
	buf_addc(out, '\'');
	for (; *s; s++) {
		if (*s == '\'')
			buf_adds(out, quote_escape);
		else
			buf_addc(out, *s);
	}
	buf_addc(out, '\'');
}

static void fish_option(const char *prog, const char *condition, const struct opt *o,
			struct buf *out)
{
	buf_addf(out, "complete -c %s -n '%s'", prog, condition);
	if (o->short_name)
		buf_addf(out, " -s %c", o->short_name);
	buf_addf(out, " -l %s", o->name);
	if (o->choices) {
		buf_adds(out, o->flags & OPT_OPTIONAL_ARG ? " -fa '" : " -xa '");
		opt_add_words(out, o->choices);
		buf_addc(out, '\'');
	} else if (opt_has_value(o) && !(o->flags & OPT_OPTIONAL_ARG)) {
		buf_adds(out, " -rF");
	}
	buf_adds(out, " -d ");
	add_quoted(out, o->help, "\\'");
	buf_addc(out, '\n');
}

/* Functions for the conditions: the command's words so far, with options left out, are or begin
 * with these. */
static void fish_functions(const struct program *prog, struct buf *out)
{
	buf_addf(out,
		 "function __%s_words\n"
		 "\tset -l words\n\tset -l skip 0\n"
		 "\tfor word in (commandline -opc)[2..-1]\n"
		 "\t\tif test $skip = 1\n\t\t\tset skip 0\n\t\t\tcontinue\n\t\tend\n"
		 "\t\tswitch $word\n",
		 prog->name);
	for (size_t i = 0; i < prog->n_opts; i++) {
		const struct opt *o = &prog->opts[i];

		if (!opt_shown(o) || !opt_has_value(o))
			continue;
		buf_addf(out, "\t\t\tcase --%s", o->name);
		if (o->short_name)
			buf_addf(out, " -%c", o->short_name);
		buf_adds(out, "\n\t\t\t\tset skip 1\n");
	}
	buf_adds(out, "\t\t\tcase '-*'\n\t\t\tcase '*'\n\t\t\t\tset -a words $word\n"
		      "\t\tend\n\tend\n\techo \"$words \"\nend\n");
	buf_addf(out, "function __%s_is\n\ttest (__%s_words) = \"$argv \"\nend\n", prog->name,
		 prog->name);
	buf_addf(out, "function __%s_in\n\tstring match -q -- \"$argv *\" (__%s_words)\nend\n",
		 prog->name, prog->name);
}

static void fish_cmd(const struct program *prog, const struct opt_path *path, struct buf *out)
{
	const char *space = strrchr(path->words, ' ');
	int group = space ? (int)(space - path->words) : 0;
	cleanup_free char *condition = xasprintf("__%s_in %s", prog->name, path->words);
	cleanup_opt_rows struct opt_rows rows = { 0 };

	if (path->cmd->flags & CMD_HIDDEN)
		return;
	if (opt_paths_shown(path)) {
		buf_addf(out, "complete -c %s -f -n '__%s_is %.*s' -a %s -d ", prog->name,
			 prog->name, group, path->words, path->name);
		add_quoted(out, path->cmd->summary, "\\'");
		buf_addc(out, '\n');
	}
	opt_rows_init(&rows, path->cmd->opts, path->cmd->n_opts);
	for (size_t i = 0; i < rows.n; i++) {
		if (opt_shown(&rows.items[i]))
			fish_option(prog->name, condition, &rows.items[i], out);
	}
}

void opt_write_fish(const struct program *prog, struct buf *out)
{
	cleanup_opt_paths struct opt_paths paths = { 0 };
	cleanup_free char *top = xasprintf("__%s_is", prog->name);

	opt_paths_init(&paths, prog);
	buf_addf(out, "# fish completion for %s\n", prog->name);
	fish_functions(prog, out);
	buf_addf(out, "complete -c %s -l help -d 'Show help'\n", prog->name);
	buf_addf(out, "complete -c %s -n '__%s_is' -f -l version -d 'Show the version'\n",
		 prog->name, prog->name);
	for (size_t i = 0; i < prog->n_opts; i++) {
		if (opt_shown(&prog->opts[i]))
			fish_option(prog->name, top, &prog->opts[i], out);
	}
	for (size_t i = 0; i < paths.n; i++) {
		if (!opt_paths_shown(&paths.items[i]) || !paths.items[i].cmd->subs)
			continue;
		buf_addf(out, "complete -c %s -n '__%s_is %s' -f\n", prog->name, prog->name,
			 paths.items[i].words);
	}
	for (size_t i = 0; i < paths.n; i++)
		fish_cmd(prog, &paths.items[i], out);
}
