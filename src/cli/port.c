/* SPDX-License-Identifier: Apache-2.0 */
/* port: as there are no networks that ports could be published in, no container has any. */
#include "base/str.h"
#include "cli/cli.h"
#include "cli/select.h"
#include "engine/life.h"

/* PORT[/PROTOCOL]; the protocol's name is the caller's to print. */
static int parse_port(const char *word, uint64_t *ret, struct err *err)
{
	cleanup_free char *number = xstrndup(word, strcspn(word, "/"));

	if (str_parse_u64(number, ret) < 0 || *ret < 1 || *ret > 65535)
		return err_fail(err, ERR_USAGE, "invalid port: %s", word);
	return 0;
}

struct port_options {
	bool all, latest;
};

static const struct opt opts[] = {
	{ .name = "all",
	  .short_name = 'a',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct port_options, all),
	  .help = "of all containers" },
	{ .name = "latest",
	  .short_name = 'l',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct port_options, latest),
	  .help = "of the newest container" },
};

static int run(const void *globals, void *options, char **args, struct err *err)
{
	cleanup_record struct record rec = { 0 };
	cleanup_engine struct engine eng = ENGINE_INIT;
	const struct port_options *o = options;
	cleanup_free char *newest = NULL;
	char *words[3] = { NULL };
	uint64_t port;
	int r = cli_engine(globals, &eng, err);

	if (r == 0 && o->latest)
		r = cli_latest(&eng, &newest, err);
	if (newest) {
		words[0] = newest;
		words[1] = args[0];
		args = words;
	}
	if (r == 0 && o->all)
		return args[0] ? err_fail(err, ERR_USAGE, "--all and names do not go together") : 0;
	if (r == 0 && !args[0])
		return err_fail(err, ERR_USAGE, "port needs a container, --latest or --all");
	if (r == 0)
		r = life_find(&eng, args[0], &rec, err);
	if (r < 0 || !args[1])
		return r;
	r = parse_port(args[1], &port, err);
	if (r < 0)
		return r;
	return err_fail(err, ERR_NOT_FOUND, "No public port '%s%s' published for %s", args[1],
			strchr(args[1], '/') ? "" : "/tcp", args[0]);
}

const struct cmd cmd_port = {
	.name = "port",
	.args = "[OPTIONS] [CONTAINER] [PORT[/PROTOCOL]]",
	.summary = "Show the published ports of a container",
	.details = "Networks are none or host: no container has any yet.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct port_options),
	.max_args = 2,
	.run = run,
};
