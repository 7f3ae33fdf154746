/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of a program with all their names. */
#include "base/opt_internal.h"

#include "base/str.h"

static void add(struct opt_paths *paths, struct opt_path path)
{
	paths->items = xrealloc(paths->items, (paths->n + 1) * sizeof(*paths->items));
	paths->items[paths->n++] = path;
}

static void add_subs(struct opt_paths *paths, const char *words, const struct cmd *group)
{
	const struct cmd_sub *sub;

	for (sub = group->subs; sub->name; sub++)
		add(paths, (struct opt_path){ .words = xasprintf("%s %s", words, sub->name),
					      .name = sub->name,
					      .cmd = sub->cmd,
					      .alias = sub->alias });
}

void opt_paths_init(struct opt_paths *paths, const struct program *prog)
{
	*paths = (struct opt_paths){ .n = 0 };
	for (size_t i = 0; prog->cmds[i]; i++)
		add(paths, (struct opt_path){ .words = xstrdup(prog->cmds[i]->name),
					      .name = prog->cmds[i]->name,
					      .cmd = prog->cmds[i] });
	/* the list grows while it is walked: a group may hold groups */
	for (size_t i = 0; i < paths->n; i++)
		if (paths->items[i].cmd->subs)
			add_subs(paths, paths->items[i].words, paths->items[i].cmd);
}

void opt_paths_done(struct opt_paths *paths)
{
	for (size_t i = 0; i < paths->n; i++)
		free(paths->items[i].words);
	free(paths->items);
	*paths = (struct opt_paths){ .n = 0 };
}

const char *opt_paths_first(const struct opt_paths *paths, const struct cmd *cmd)
{
	for (size_t i = 0; i < paths->n; i++)
		if (paths->items[i].cmd == cmd)
			return paths->items[i].words;
	return cmd->name;
}

void opt_paths_others(const struct opt_paths *paths, const struct cmd *cmd, const char *words,
		      const char *separator, struct buf *out)
{
	size_t before = out->len;

	for (size_t i = 0; i < paths->n; i++) {
		const struct opt_path *p = &paths->items[i];

		if (p->cmd == cmd && !str_eq(p->words, words))
			buf_addf(out, "%s%s", out->len > before ? separator : "", p->words);
	}
}

bool opt_paths_shown(const struct opt_path *path)
{
	return !(path->cmd->flags & CMD_HIDDEN) && !path->alias;
}
