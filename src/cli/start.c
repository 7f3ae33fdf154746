/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/start.h"

#include <stdio.h>

#include "base/str.h"
#include "cli/cli.h"

struct start_cli_options {
	bool attach, interactive, no_stdin;
	char *sig_proxy, *detach_keys;
};

static const char *const bool_choices[] = { "true", "false", NULL };

#define OPT_DETACH_KEYS                                                                            \
	{                                                                                          \
		.name = "detach-keys", .kind = OPT_STR,                                            \
		OPT_FIELD(struct start_cli_options, detach_keys), .arg = "KEYS",                   \
		.help = "keys that leave the container running (default ctrl-p,ctrl-q)"            \
	}
#define OPT_SIG_PROXY                                                                              \
	{                                                                                          \
		.name = "sig-proxy", .kind = OPT_STR,                                              \
		OPT_FIELD(struct start_cli_options, sig_proxy), .arg = "true|false",               \
		.help = "forward signals to the container (default true)",                         \
		.choices = bool_choices, .flags = OPT_OPTIONAL_ARG                                 \
	}

static const struct opt start_opts[] = {
	{ .name = "attach",
	  .short_name = 'a',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct start_cli_options, attach),
	  .help = "show its output, forward signals, exit with its status" },
	OPT_DETACH_KEYS,
	{ .name = "interactive",
	  .short_name = 'i',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct start_cli_options, interactive),
	  .help = "connect standard input as well" },
	OPT_SIG_PROXY,
};

static const struct opt attach_opts[] = {
	OPT_DETACH_KEYS,
	{ .name = "no-stdin",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct start_cli_options, no_stdin),
	  .help = "leave standard input alone" },
	OPT_SIG_PROXY,
};

static int start_one(struct engine *eng, const char *word, bool force, struct err *err)
{
	const struct start_options how = { 0 };
	int r = engine_start(eng, word, &how, err);

	if (r == 0) {
		printf("%s\n", word);
		fflush(stdout);
	}
	return r;
}

static int with_terminal(const void *globals, const char *word, const struct start_options *how,
			 int (*fn)(struct engine *eng, const char *word,
				   const struct start_options *opts, struct err *err),
			 struct err *err)
{
	cleanup_engine struct engine eng = ENGINE_INIT;
	int r = cli_engine(globals, &eng, err);

	return r < 0 ? r : fn(&eng, word, how, err);
}

static int start(const void *globals, void *options, char **args, struct err *err)
{
	const struct start_cli_options *o = options;
	const struct start_options how = {
		.attach = true,
		.interactive = o->interactive,
		.no_proxy = str_eq(o->sig_proxy, "false"),
		.detach_keys = o->detach_keys,
	};

	if (!o->attach && !o->interactive)
		return cli_each(globals, args, false, start_one, err);
	if (args[1])
		return err_fail(err, ERR_USAGE,
				"you cannot start and attach multiple containers at once");
	return with_terminal(globals, args[0], &how, engine_start, err);
}

static int attach(const void *globals, void *options, char **args, struct err *err)
{
	const struct start_cli_options *o = options;
	const struct start_options how = {
		.attach = true,
		.interactive = !o->no_stdin,
		.no_proxy = str_eq(o->sig_proxy, "false"),
		.detach_keys = o->detach_keys,
	};

	return with_terminal(globals, args[0], &how, engine_attach, err);
}

const struct cmd cmd_start = {
	.name = "start",
	.args = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "Start containers that do not run",
	.opts = start_opts,
	.n_opts = ARRAY_SIZE(start_opts),
	.opts_size = sizeof(struct start_cli_options),
	.min_args = 1,
	.max_args = -1,
	.run = start,
};

const struct cmd cmd_attach = {
	.name = "attach",
	.args = "[OPTIONS] CONTAINER",
	.summary = "Join a running container's terminal or output",
	.details = "Exits with the container's status, or with 0 when the detach keys were typed.",
	.opts = attach_opts,
	.n_opts = ARRAY_SIZE(attach_opts),
	.opts_size = sizeof(struct start_cli_options),
	.min_args = 1,
	.max_args = 1,
	.run = attach,
};
