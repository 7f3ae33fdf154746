/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <stdio.h>
#include <unistd.h>

#include "base/io.h"
#include "base/strv.h"

int cli_engine(const void *globals, struct engine *ret, struct err *err)
{
	const struct globals *g = globals;
	int r = engine_init(ret, g->root, g->runroot, err);

	ret->debug = g->debug;
	ret->config_file = g->config ? xstrdup(g->config) : NULL;
	return r;
}

int cli_print(const struct buf *out, struct err *err)
{
	int r = io_write(STDOUT_FILENO, buf_str(out), out->len);

	return r < 0 ? err_errno(err, -r, "writing to standard output") : 0;
}

void cli_report(const struct err *err)
{
	fprintf(stderr, "inro: %s\n", err->msg);
	if (err->hint[0])
		fprintf(stderr, "hint: %s\n", err->hint);
}

bool cli_confirmed(const char *warning)
{
	char answer = 0, c;

	printf("%s\nAre you sure you want to continue? [y/N] ", warning);
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) == 1 && c != '\n')
		answer = answer ? 'n' : c;
	return answer == 'y' || answer == 'Y';
}

int cli_exists(int r, const struct err *err)
{
	return r < 0 && err->kind == ERR_NOT_FOUND ? 1 : r;
}

int cli_each(const void *globals, char **words, bool force,
	     int (*fn)(struct engine *eng, const char *word, bool force, struct err *err),
	     struct err *err)
{
	cleanup_engine struct engine eng = ENGINE_INIT;
	int status = 0;
	int r;

	r = cli_engine(globals, &eng, err);
	if (r < 0)
		return r;
	for (; *words; words++) {
		struct err one = ERR_INIT;

		if (fn(&eng, *words, force, &one) == 0)
			continue;
		cli_report(&one);
		if (!force || one.kind != ERR_NOT_FOUND)
			status = 1;
	}
	return status;
}

const struct opt cli_rm_opts[2] = {
	{ .name = "all",
	  .short_name = 'a',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct cli_rm, all),
	  .help = "remove all" },
	{ .name = "ignore",
	  .short_name = 'i',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct cli_rm, ignore),
	  .help = "take what is not there for removed" },
};

int cli_rm(const void *globals, const struct cli_rm *o, char **words,
	   int (*list)(struct engine *eng, char ***ret, struct err *err),
	   int (*fn)(struct engine *eng, const char *word, bool force, struct err *err),
	   struct err *err)
{
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_strv char **ids = NULL;
	int status = 0, r;

	if (o->all == (words[0] != NULL))
		return err_fail(err, ERR_USAGE, "give names, or --all");
	if (!o->all)
		return cli_each(globals, words, o->ignore, fn, err);
	r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = list(&eng, &ids, err);
	for (size_t i = 0; r == 0 && ids && ids[i]; i++) {
		struct err one = ERR_INIT;

		/* one that has gone meanwhile is as wished */
		if (fn(&eng, ids[i], true, &one) == 0 || one.kind == ERR_NOT_FOUND)
			continue;
		cli_report(&one);
		status = 1;
	}
	return r < 0 ? r : status;
}
