/* SPDX-License-Identifier: Apache-2.0 */
/* network exists, inspect, reload, rm, update. */
#include "base/str.h"
#include "base/strv.h"
#include "cli/cli.h"
#include "cli/format.h"
#include "cli/inspect.h"
#include "engine/firewall.h"
#include "engine/life.h"
#include "engine/network_devices.h"
#include "engine/network_inspect.h"
#include "engine/network_heal.h"
#include "engine/network_names.h"
#include "engine/network_query.h"
#include "engine/services.h"

static int run_exists(const void *globals, void *options, char **args, struct err *err)
{
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_network struct network net = { 0 };
	int r = cli_engine(globals, &eng, err);

	if (r == 0)
		r = network_find(&eng, args[0], &net, err);
	return cli_exists(r, err);
}

const struct cmd cmd_network_exists = {
	.name = "exists",
	.args = "NETWORK",
	.summary = "Tell by the exit status whether there is a network",
	.details = "Exit status: 0, it is there; 1, it is not; 125, inro failed.",
	.min_args = 1,
	.max_args = 1,
	.run = run_exists,
};

/* ---- inspect ---- */

struct inspect_options {
	char *format;
	bool verbose;
};

static const struct opt inspect_opts[] = {
	{ .name = "format",
	  .short_name = 'f',
	  .kind = OPT_STR,
	  OPT_FIELD(struct inspect_options, format),
	  .arg = "FORMAT",
	  .help = "json (in one line), or a Go template" },
	{ .name = "verbose",
	  .short_name = 'v',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct inspect_options, verbose),
	  .help = "accepted for docker's users: there is no more to show" },
};

static int add(struct engine *eng, const char *word, const void *data, struct cli_objects *objects,
	       struct err *err)
{
	return cli_inspect_network(eng, word, objects, err);
}

int cli_inspect_network(struct engine *eng, const char *word, struct cli_objects *objects,
			struct err *err)
{
	cleanup_network_inspect struct network_inspect ni = { 0 };
	int r = network_inspect(eng, word, &ni, err);

	return r < 0 ? r : cli_objects_add(objects, &network_inspect_desc, &ni, err);
}

static int run_inspect(const void *globals, void *options, char **args, struct err *err)
{
	const struct inspect_options *o = options;
	cleanup_cli_objects struct cli_objects *objects = NULL;
	cleanup_engine struct engine eng = ENGINE_INIT;
	int r = cli_objects_new(o->format, &objects, err);

	if (r == 0)
		r = cli_engine(globals, &eng, err);
	return r < 0 ? r : cli_objects_of(objects, &eng, args, add, NULL, 1, err);
}

const struct cmd cmd_network_inspect = {
	.name = "inspect",
	.args = "[OPTIONS] NETWORK [NETWORK...]",
	.summary = "Show all that is known of networks",
	.opts = inspect_opts,
	.n_opts = ARRAY_SIZE(inspect_opts),
	.opts_size = sizeof(struct inspect_options),
	.min_args = 1,
	.max_args = -1,
	.run = run_inspect,
};

/* ---- rm ---- */

struct rm_options {
	bool force;
};

static const struct opt rm_opts[] = {
	{ .name = "force",
	  .short_name = 'f',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct rm_options, force),
	  .help = "remove the containers and pods that use it, too, also those that run; a network "
		  "that is not there is no error" },
	OPT_REFUSE("time", "containers are killed: `inro stop --time` before it waits for them"),
};

static int remove_one(struct engine *eng, const char *word, bool force, struct err *err)
{
	cleanup_buf struct buf out = BUF_INIT;
	int r = network_rm(eng, word, force, err);

	if (r < 0)
		return r;
	buf_addf(&out, "%s\n", word);
	return cli_print(&out, err);
}

static int run_rm(const void *globals, void *options, char **args, struct err *err)
{
	const struct rm_options *o = options;

	return cli_each(globals, args, o->force, remove_one, err);
}

const struct cmd cmd_network_rm = {
	.name = "rm",
	.args = "[OPTIONS] NETWORK [NETWORK...]",
	.summary = "Remove networks",
	.opts = rm_opts,
	.n_opts = ARRAY_SIZE(rm_opts),
	.opts_size = sizeof(struct rm_options),
	.min_args = 1,
	.max_args = -1,
	.run = run_rm,
};

/* ---- update ---- */

struct update_options {
	char **add, **drop;
};

static const struct opt update_opts[] = {
	{ .name = "dns-add",
	  .kind = OPT_STRV,
	  OPT_FIELD(struct update_options, add),
	  .arg = "ADDRESS[,ADDRESS...]",
	  .help = "servers that are asked for other names, too" },
	{ .name = "dns-drop",
	  .kind = OPT_STRV,
	  OPT_FIELD(struct update_options, drop),
	  .arg = "ADDRESS[,ADDRESS...]",
	  .help = "servers that are asked no more" },
};

static char **words_of(char *const *lists)
{
	char **all = NULL;

	for (size_t i = 0; lists && lists[i]; i++) {
		cleanup_strv char **words = strv_split(lists[i], ',');

		strv_extend(&all, words);
	}
	return all;
}

static int run_update(const void *globals, void *options, char **args, struct err *err)
{
	const struct update_options *o = options;
	cleanup_strv char **add_words = words_of(o->add);
	cleanup_strv char **drop_words = words_of(o->drop);
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_buf struct buf out = BUF_INIT;
	int r;

	if (!add_words && !drop_words)
		return err_fail(err, ERR_USAGE, "expected --dns-add or --dns-drop");
	r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = network_update(&eng, args[0], add_words, drop_words, err);
	if (r < 0)
		return r;
	buf_addf(&out, "%s\n", args[0]);
	return cli_print(&out, err);
}

const struct cmd cmd_network_update = {
	.name = "update",
	.args = "[OPTIONS] NETWORK",
	.summary = "Change the name servers of a network",
	.details = "Containers have them from their next start on.",
	.opts = update_opts,
	.n_opts = ARRAY_SIZE(update_opts),
	.opts_size = sizeof(struct update_options),
	.min_args = 1,
	.max_args = 1,
	.run = run_update,
};

/* ---- reload ---- */

struct reload_options {
	bool all, latest;
};

static const struct opt reload_opts[] = {
	{ .name = "all",
	  .short_name = 'a',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct reload_options, all),
	  .help = "accepted for podman's users: always of all containers" },
	{ .name = "latest",
	  .short_name = 'l',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct reload_options, latest),
	  .help = "accepted for podman's users: always of all containers" },
};

static int run_reload(const void *globals, void *options, char **args, struct err *err)
{
	cleanup_record_list struct record_list list = { 0 };
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_buf struct buf out = BUF_INIT;
	struct err own = ERR_INIT;
	int r = cli_engine(globals, &eng, err), left = 0;

	for (size_t i = 0; r == 0 && args[i]; i++) {
		cleanup_record struct record rec = { 0 };

		r = life_find(&eng, args[i], &rec, err);
		if (r == 0)
			buf_addf(&out, "%s\n", rec.id);
	}
	/* Those that are dead are repaired by it: their ports are not to come back. */
	if (r == 0)
		r = life_list(&eng, &list, err);
	for (size_t i = 0; r == 0 && !args[0] && i < list.n; i++)
		if (list.items[i].running)
			buf_addf(&out, "%s\n", list.items[i].id);
	if (r == 0)
		r = engine_net_own(&eng, err);
	if (r == 0)
		left = net_devices_sweep(&eng, &own);
	if (r == 0)
		r = network_heal(&eng, NULL, err);
	if (r == 0)
		r = engine_firewall_repair(&eng, err);
	if (r == 0)
		r = services_refresh(&eng, err);
	if (r == 0)
		r = net_names_ensure(&eng, err);
	/* which is no reason to leave the rest as it is */
	if (r == 0 && left < 0) {
		*err = own;
		r = left;
	}
	return r < 0 ? r : cli_print(&out, err);
}

const struct cmd cmd_network_reload = {
	.name = "reload",
	.args = "[OPTIONS] [CONTAINER...]",
	.summary = "Put back what somebody has taken from networks of containers that run",
	.details = "The firewall's rules of networks and published ports (`nft flush ruleset`, a "
		   "firewall that was started anew): all that is needed is there afterwards, and "
		   "nothing else in inro's table; connections that were open stay open. Bridges "
		   "and interfaces that were deleted, with the addresses and routes that they "
		   "had, services' among them. Names and ports of loopback that have died with "
		   "`inro-net`, and "
		   "interfaces of the host's that a container had that has ended. The next start "
		   "of a container on a network puts back rules and names. Prints the "
		   "containers' ids.",
	.opts = reload_opts,
	.n_opts = ARRAY_SIZE(reload_opts),
	.opts_size = sizeof(struct reload_options),
	.max_args = -1,
	.run = run_reload,
};
