/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/start.h"

#include "base/str.h"
#include "base/strv.h"
#include "cli/cli.h"
#include "cli/select.h"

struct start_cli_options {
	struct select_options select;
	bool attach, interactive, no_stdin;
	char *sig_proxy, *detach_keys, *sdnotify;
};

static const char *const bool_choices[] = { "true", "false", NULL };
static const char *const sdnotify_choices[] = { "conmon", "container", "healthy", "ignore", NULL };

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
	{ .name = "all",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct start_cli_options, select.all),
	  .help = "all containers that do not run" },
	{ .name = "attach",
	  .short_name = 'a',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct start_cli_options, attach),
	  .help = "show its output, forward signals, exit with its status" },
	SELECT_CIDFILE(struct start_cli_options),
	OPT_DETACH_KEYS,
	SELECT_FILTER(struct start_cli_options, 'f'),
	{ .name = "interactive",
	  .short_name = 'i',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct start_cli_options, interactive),
	  .help = "connect standard input as well" },
	SELECT_LATEST(struct start_cli_options),
	{ .name = "sdnotify",
	  .kind = OPT_STR,
	  OPT_FIELD(struct start_cli_options, sdnotify),
	  .arg = "conmon|container|healthy|ignore",
	  .help = "when systemd is told, from now on, that it is ready: as of run",
	  .choices = sdnotify_choices },
	OPT_SIG_PROXY,
	OPT_REFUSE("checkpoint", "inro-runtime restore starts from checkpoints"),
	OPT_REFUSE("checkpoint-dir", "inro-runtime restore starts from checkpoints"),
};

static const struct opt attach_opts[] = {
	OPT_DETACH_KEYS,
	SELECT_LATEST(struct start_cli_options),
	{ .name = "no-stdin",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct start_cli_options, no_stdin),
	  .help = "leave standard input alone" },
	OPT_SIG_PROXY,
};

static int start_one(struct engine *eng, const char *word, const void *data, struct err *err)
{
	return engine_start(eng, word, data, err);
}

static int start_attached(const void *globals, const struct start_cli_options *o, char **args,
			  struct err *err)
{
	const struct start_options how = {
		.attach = true,
		.interactive = o->interactive,
		.no_proxy = str_eq(o->sig_proxy, "false"),
		.detach_keys = o->detach_keys,
		.sdnotify = o->sdnotify,
	};
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_strv char **words = NULL;
	int r = cli_engine(globals, &eng, err);

	if (r == 0)
		r = cli_select(&eng, &o->select, SELECT_STOPPED, args, &words, err);
	if (r < 0)
		return r;
	if (strv_len(words) != 1)
		return err_fail(err, ERR_USAGE,
				"you cannot start and attach multiple containers at once");
	return engine_start(&eng, words[0], &how, err);
}

static int start(const void *globals, void *options, char **args, struct err *err)
{
	const struct start_cli_options *o = options;
	const struct start_options how = { .sdnotify = o->sdnotify };
	const struct cli_verb verb = { .which = SELECT_STOPPED, .fn = start_one, .data = &how };

	if (o->attach || o->interactive)
		return start_attached(globals, o, args, err);
	return cli_verb(globals, &o->select, &verb, args, err);
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
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_strv char **words = NULL;
	int r = cli_engine(globals, &eng, err);

	if (r == 0)
		r = cli_select(&eng, &o->select, SELECT_RUNNING, args, &words, err);
	if (r < 0)
		return r;
	if (strv_len(words) != 1)
		return err_fail(err, ERR_USAGE, "attach needs one container, or --latest");
	return engine_attach(&eng, words[0], &how, err);
}

const struct cmd cmd_start = {
	.name = "start",
	.args = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "Start containers that do not run",
	.details = "Those that should run after a boot are the ones of --filter "
		   "should-start-on-boot=true: the unit inro-restart.service starts them.",
	.opts = start_opts,
	.n_opts = ARRAY_SIZE(start_opts),
	.opts_size = sizeof(struct start_cli_options),
	.max_args = -1,
	.run = start,
};

const struct cmd cmd_attach = {
	.name = "attach",
	.args = "[OPTIONS] [CONTAINER]",
	.summary = "Join a running container's terminal or output",
	.details = "Exits with the container's status, or with 0 when the detach keys were typed.",
	.opts = attach_opts,
	.n_opts = ARRAY_SIZE(attach_opts),
	.opts_size = sizeof(struct start_cli_options),
	.max_args = 1,
	.run = attach,
};
