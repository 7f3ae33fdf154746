/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Completion scripts, written whole from the tables: commands, options, the words of options that
 * have choices, and files everywhere else. They never call the program.
 */
#include "base/opt.h"

#include "base/opt_internal.h"
#include "base/str.h"

static bool is_shown(const struct opt *o)
{
	return !(o->flags & OPT_HIDDEN);
}

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

static void add_words(struct buf *out, const char *const *words)
{
	for (size_t i = 0; words[i]; i++)
		buf_addf(out, "%s%s", i ? " " : "", words[i]);
}

static void add_cmd_names(const struct program *prog, struct buf *out)
{
	for (size_t i = 0; prog->cmds[i]; i++) {
		if (!(prog->cmds[i]->flags & CMD_HIDDEN))
			buf_addf(out, "%s ", prog->cmds[i]->name);
	}
	buf_adds(out, "help");
}

/* "-e|--env", a pattern of case */
static void bash_pattern(const struct opt *o, struct buf *out)
{
	if (o->short_name)
		buf_addf(out, "-%c|", o->short_name);
	buf_addf(out, "--%s", o->name);
}

/* A case over the word before the cursor: options whose value is being typed. */
static void bash_values(const struct opt *opts, size_t n, struct buf *out)
{
	buf_adds(out, "\t\tcase $prev in\n");
	for (size_t i = 0; i < n; i++) {
		if (!is_shown(&opts[i]) || !opt_has_value(&opts[i]) ||
		    (opts[i].flags & OPT_OPTIONAL_ARG))
			continue;
		buf_adds(out, "\t\t");
		bash_pattern(&opts[i], out);
		buf_adds(out, ") ");
		if (opts[i].choices) {
			buf_adds(out, "words='");
			add_words(out, opts[i].choices);
			buf_adds(out, "' ;;\n");
		} else {
			buf_adds(out, "files=1 ;;\n");
		}
	}
	buf_adds(out, "\t\t*) words='");
	for (size_t i = 0; i < n; i++) {
		if (is_shown(&opts[i]))
			buf_addf(out, "--%s ", opts[i].name);
	}
	buf_adds(out, "--help' options=1 ;;\n\t\tesac\n");
}

static void write_bash(const struct program *prog, struct buf *out)
{
	buf_addf(out, "# bash completion for %s\n_%s() {\n", prog->name, prog->name);
	buf_adds(out, "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
		      "\tlocal cmd='' words='' files='' options='' i\n"
		      "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
		      "\t\tcase ${COMP_WORDS[i]} in\n");
	for (size_t i = 0; i < prog->n_opts; i++) {
		if (is_shown(&prog->opts[i]) && opt_has_value(&prog->opts[i])) {
			buf_adds(out, "\t\t");
			bash_pattern(&prog->opts[i], out);
			buf_adds(out, ") ((i++)) ;;\n");
		}
	}
	buf_adds(out, "\t\t-*|=) ;;\n"
		      "\t\t*) cmd=${COMP_WORDS[i]}; break ;;\n"
		      "\t\tesac\n"
		      "\tdone\n"
		      "\tcase $cmd in\n\t'')\n");
	bash_values(prog->opts, prog->n_opts, out);
	buf_adds(out, "\t\twords+=${options:+' --version'}\n"
		      "\t\tif [[ $options && $cur != -* ]]; then words='");
	add_cmd_names(prog, out);
	buf_adds(out, "' options=''; fi\n\t\t;;\n\thelp) words='");
	add_cmd_names(prog, out);
	buf_adds(out, "' ;;\n");
	for (size_t i = 0; prog->cmds[i]; i++) {
		buf_addf(out, "\t%s)\n", prog->cmds[i]->name);
		bash_values(prog->cmds[i]->opts, prog->cmds[i]->n_opts, out);
		buf_adds(out, "\t\t;;\n");
	}
	buf_adds(out, "\t*) files=1 ;;\n\tesac\n"
		      "\tif [[ $options && $cur != -* ]]; then files=1; fi\n"
		      "\tif [[ $files ]]; then\n"
		      "\t\tcompopt -o filenames 2>/dev/null\n"
		      "\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
		      "\telse\n"
		      "\t\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
		      "\tfi\n}\n");
	buf_addf(out, "complete -F _%s %s\n", prog->name, prog->name);
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
			add_words(out, o->choices);
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
		if (is_shown(&opts[i]))
			zsh_option(&opts[i], out);
	}
	buf_adds(out, " \\\n\t\t'--help[Show help]'");
}

static void write_zsh(const struct program *prog, struct buf *out)
{
	buf_addf(out, "#compdef %s\n\n_%s_commands() {\n\tlocal -a commands\n\tcommands=(\n",
		 prog->name, prog->name);
	for (size_t i = 0; prog->cmds[i]; i++) {
		if (prog->cmds[i]->flags & CMD_HIDDEN)
			continue;
		buf_addf(out, "\t\t'%s:", prog->cmds[i]->name);
		zsh_text(out, prog->cmds[i]->summary);
		buf_adds(out, "'\n");
	}
	buf_addf(out,
		 "\t\t'help:Show help'\n\t)\n\t_describe command commands\n}\n\n"
		 "_%s() {\n\tlocal curcontext=$curcontext state line\n\t_arguments -C -S",
		 prog->name);
	zsh_options(prog->opts, prog->n_opts, out);
	buf_addf(out,
		 " \\\n\t\t'--version[Show the version]'"
		 " \\\n\t\t'1: :_%s_commands' \\\n\t\t'*:: :->rest'\n"
		 "\t[[ $state == rest ]] || return\n\tcase $words[1] in\n"
		 "\thelp) _%s_commands ;;\n",
		 prog->name, prog->name);
	for (size_t i = 0; prog->cmds[i]; i++) {
		const struct cmd *cmd = prog->cmds[i];

		buf_addf(out, "\t%s) _arguments -s -S%s", cmd->name,
			 cmd->flags & CMD_STOP_AT_ARG ? " -A '-*'" : "");
		zsh_options(cmd->opts, cmd->n_opts, out);
		buf_adds(out, " \\\n\t\t'*:argument:_files' ;;\n");
	}
	buf_addf(out, "\tesac\n}\n\n_%s \"$@\"\n", prog->name);
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
		add_words(out, o->choices);
		buf_addc(out, '\'');
	} else if (opt_has_value(o) && !(o->flags & OPT_OPTIONAL_ARG)) {
		buf_adds(out, " -rF");
	}
	buf_adds(out, " -d ");
	add_quoted(out, o->help, "\\'");
	buf_addc(out, '\n');
}

static void write_fish(const struct program *prog, struct buf *out)
{
	char condition[128];

	buf_addf(out, "# fish completion for %s\ncomplete -c %s -n __fish_use_subcommand -f\n",
		 prog->name, prog->name);
	buf_addf(out, "complete -c %s -l help -d 'Show help'\n", prog->name);
	buf_addf(out, "complete -c %s -n __fish_use_subcommand -l version -d 'Show the version'\n",
		 prog->name);
	for (size_t i = 0; i < prog->n_opts; i++) {
		if (is_shown(&prog->opts[i]))
			fish_option(prog->name, "__fish_use_subcommand", &prog->opts[i], out);
	}
	for (size_t i = 0; prog->cmds[i]; i++) {
		const struct cmd *cmd = prog->cmds[i];

		if (cmd->flags & CMD_HIDDEN)
			continue;
		buf_addf(out, "complete -c %s -n __fish_use_subcommand -a %s -d ", prog->name,
			 cmd->name);
		add_quoted(out, cmd->summary, "\\'");
		buf_addc(out, '\n');
		snprintf(condition, sizeof(condition), "__fish_seen_subcommand_from %s", cmd->name);
		for (size_t j = 0; j < cmd->n_opts; j++) {
			if (is_shown(&cmd->opts[j]))
				fish_option(prog->name, condition, &cmd->opts[j], out);
		}
	}
}

int opt_write_completion(const struct program *prog, const char *shell, struct buf *out,
			 struct err *err)
{
	static const struct {
		const char *shell;
		void (*write)(const struct program *prog, struct buf *out);
	} writers[] = { { "bash", write_bash }, { "zsh", write_zsh }, { "fish", write_fish } };

	for (size_t i = 0; i < ARRAY_SIZE(writers); i++) {
		if (str_eq(shell, writers[i].shell)) {
			writers[i].write(prog, out);
			return 0;
		}
	}
	return err_fail(err, ERR_USAGE, "unknown shell: \"%s\": expected bash, zsh or fish", shell);
}
