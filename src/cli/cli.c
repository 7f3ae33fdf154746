/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <stdio.h>
#include <unistd.h>

#include "base/io.h"

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
