/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Completion scripts, written whole from the tables: commands, options, the words of options that
 * have choices, and files everywhere else. They never call the program.
 */
#include "base/opt.h"

#include "base/opt_internal.h"
#include "base/str.h"

bool opt_path_in(const struct opt_path *path, const char *group)
{
	size_t len = strlen(group);

	if (!len)
		return !strchr(path->words, ' ');
	return strncmp(path->words, group, len) == 0 && path->words[len] == ' ' &&
	       !strchr(path->words + len + 1, ' ');
}

void opt_add_words(struct buf *out, const char *const *words)
{
	for (size_t i = 0; words[i]; i++)
		buf_addf(out, "%s%s", i ? " " : "", words[i]);
}

/* The names of the commands at the top, or of a group's. */
static void add_cmd_names(const struct opt_paths *paths, const char *group, struct buf *out)
{
	for (size_t i = 0; i < paths->n; i++) {
		if (opt_paths_shown(&paths->items[i]) && opt_path_in(&paths->items[i], group))
			buf_addf(out, "%s ", paths->items[i].name);
	}
	if (!group[0])
		buf_adds(out, "help");
}

bool opt_add_pattern(const struct opt_paths *paths, const struct opt_path *path, struct buf *out)
{
	if (opt_paths_first(paths, path->cmd) != path->words)
		return false;
	buf_addf(out, "'%s'", path->words);
	for (size_t i = 0; i < paths->n; i++)
		if (paths->items[i].cmd == path->cmd && &paths->items[i] != path)
			buf_addf(out, "|'%s'", paths->items[i].words);
	return true;
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
		if (!opt_shown(&opts[i]) || !opt_has_value(&opts[i]) ||
		    (opts[i].flags & OPT_OPTIONAL_ARG))
			continue;
		buf_adds(out, "\t\t");
		bash_pattern(&opts[i], out);
		buf_adds(out, ") ");
		if (opts[i].choices) {
			buf_adds(out, "words='");
			opt_add_words(out, opts[i].choices);
			buf_adds(out, "' ;;\n");
		} else {
			buf_adds(out, "files=1 ;;\n");
		}
	}
	buf_adds(out, "\t\t*) words='");
	for (size_t i = 0; i < n; i++) {
		if (opt_shown(&opts[i]))
			buf_addf(out, "--%s ", opts[i].name);
	}
	buf_adds(out, "--help' options=1 ;;\n\t\tesac\n");
}

/* The words before the cursor: which command is being typed? */
static void bash_find_cmd(const struct program *prog, const struct opt_paths *paths,
			  struct buf *out)
{
	buf_adds(out, "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
		      "\t\tcase ${COMP_WORDS[i]} in\n");
	for (size_t i = 0; i < prog->n_opts; i++) {
		if (opt_shown(&prog->opts[i]) && opt_has_value(&prog->opts[i])) {
			buf_adds(out, "\t\t");
			bash_pattern(&prog->opts[i], out);
			buf_adds(out, ") ((i++)) ;;\n");
		}
	}
	buf_adds(out, "\t\t-*|=) ;;\n"
		      "\t\t*)\n"
		      "\t\t\tcmd+=${cmd:+ }${COMP_WORDS[i]}\n"
		      "\t\t\tcase $cmd in\n\t\t\t''");
	for (size_t i = 0; i < paths->n; i++)
		if (paths->items[i].cmd->subs)
			buf_addf(out, "|'%s'", paths->items[i].words);
	buf_adds(out, ") ;;\n"
		      "\t\t\t*) break ;;\n"
		      "\t\t\tesac ;;\n"
		      "\t\tesac\n"
		      "\tdone\n");
}

static void bash_cmd(const struct opt_paths *paths, const struct opt_path *path, struct buf *out)
{
	cleanup_opt_rows struct opt_rows rows = { 0 };

	if (path->cmd->subs) {
		buf_addf(out, "\t'%s') words='", path->words);
		add_cmd_names(paths, path->words, out);
		buf_adds(out, "--help' ;;\n");
		return;
	}
	buf_addc(out, '\t');
	if (!opt_add_pattern(paths, path, out)) {
		out->len--;
		return;
	}
	buf_adds(out, ")\n");
	opt_rows_init(&rows, path->cmd->opts, path->cmd->n_opts);
	bash_values(rows.items, rows.n, out);
	buf_adds(out, "\t\t;;\n");
}

static void write_bash(const struct program *prog, struct buf *out)
{
	cleanup_opt_paths struct opt_paths paths = { 0 };

	opt_paths_init(&paths, prog);
	buf_addf(out, "# bash completion for %s\n_%s() {\n", prog->name, prog->name);
	buf_adds(out, "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
		      "\tlocal cmd='' words='' files='' options='' i\n");
	bash_find_cmd(prog, &paths, out);
	buf_adds(out, "\tcase $cmd in\n\t'')\n");
	bash_values(prog->opts, prog->n_opts, out);
	buf_adds(out, "\t\twords+=${options:+' --version'}\n"
		      "\t\tif [[ $options && $cur != -* ]]; then words='");
	add_cmd_names(&paths, "", out);
	buf_adds(out, "' options=''; fi\n\t\t;;\n\thelp) words='");
	add_cmd_names(&paths, "", out);
	buf_adds(out, "' ;;\n");
	for (size_t i = 0; i < paths.n; i++)
		bash_cmd(&paths, &paths.items[i], out);
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

int opt_write_completion(const struct program *prog, const char *shell, struct buf *out,
			 struct err *err)
{
	static const struct {
		const char *shell;
		void (*write)(const struct program *prog, struct buf *out);
	} writers[] = { { "bash", write_bash },
			{ "zsh", opt_write_zsh },
			{ "fish", opt_write_fish } };

	for (size_t i = 0; i < ARRAY_SIZE(writers); i++) {
		if (str_eq(shell, writers[i].shell)) {
			writers[i].write(prog, out);
			return 0;
		}
	}
	return err_fail(err, ERR_USAGE, "unknown shell: \"%s\": expected bash, zsh or fish", shell);
}
