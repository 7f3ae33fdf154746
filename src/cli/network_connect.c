/* SPDX-License-Identifier: Apache-2.0 */
/* network connect, disconnect. */
#include "base/str.h"
#include "base/strv.h"
#include "cli/cli.h"
#include "engine/network_connect.h"

struct connect_options {
	char *ip, *ip6, *mac;
	char **alias, **link_local;
	struct opt_i64 priority;
};

static const struct opt connect_opts[] = {
	{ .name = "alias",
	  .kind = OPT_STRV,
	  OPT_FIELD(struct connect_options, alias),
	  .arg = "NAME",
	  .help = "another name of it for the others on the network" },
	{ .name = "gw-priority",
	  .kind = OPT_I64,
	  OPT_FIELD(struct connect_options, priority),
	  .arg = "N",
	  .help = "of several networks the one with the highest has the default route" },
	{ .name = "ip",
	  .kind = OPT_STR,
	  OPT_FIELD(struct connect_options, ip),
	  .arg = "ADDRESS",
	  .help = "its IPv4 address there" },
	{ .name = "ip6",
	  .kind = OPT_STR,
	  OPT_FIELD(struct connect_options, ip6),
	  .arg = "ADDRESS",
	  .help = "its IPv6 address there" },
	{ .name = "link-local-ip",
	  .kind = OPT_STRV,
	  OPT_FIELD(struct connect_options, link_local),
	  .arg = "ADDRESS",
	  .help = "an address beside these, of the link alone" },
	{ .name = "mac-address",
	  .kind = OPT_STR,
	  OPT_FIELD(struct connect_options, mac),
	  .arg = "MAC",
	  .help = "address of its interface there" },
	OPT_REFUSE("link", "containers of a network know each other's names"),
	OPT_REFUSE("driver-opt", "a network's options are given when it is created"),
};

static int run_connect(const void *globals, void *options, char **args, struct err *err)
{
	const struct connect_options *o = options;
	const struct netspec_words words = { o->ip, o->ip6, o->mac, o->link_local, o->alias };
	struct netspec asked = { .kind = NETSPEC_NETWORK, .target = xstrdup(args[0]) };
	cleanup_engine struct engine eng = ENGINE_INIT;
	int r = netspec_add(&asked, &words, err);

	if (o->priority.set)
		asked.gw_priority = (int)o->priority.value;
	if (r == 0)
		r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = network_connect(&eng, &asked, args[1], err);
	netspec_done(&asked);
	return r;
}

const struct cmd cmd_network_connect = {
	.name = "connect",
	.args = "[OPTIONS] NETWORK CONTAINER",
	.summary = "Connect a container to one more network, at once if it runs",
	.opts = connect_opts,
	.n_opts = ARRAY_SIZE(connect_opts),
	.opts_size = sizeof(struct connect_options),
	.min_args = 2,
	.max_args = 2,
	.run = run_connect,
};

struct disconnect_options {
	bool force;
};

static const struct opt disconnect_opts[] = {
	{ .name = "force",
	  .short_name = 'f',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct disconnect_options, force),
	  .help = "that it is not connected is no error, nor that its interface can't be removed" },
};

static int run_disconnect(const void *globals, void *options, char **args, struct err *err)
{
	const struct disconnect_options *o = options;
	cleanup_engine struct engine eng = ENGINE_INIT;
	int r = cli_engine(globals, &eng, err);

	return r < 0 ? r : network_disconnect(&eng, args[0], args[1], o->force, err);
}

const struct cmd cmd_network_disconnect = {
	.name = "disconnect",
	.args = "[OPTIONS] NETWORK CONTAINER",
	.summary = "Disconnect a container from a network, at once if it runs",
	.opts = disconnect_opts,
	.n_opts = ARRAY_SIZE(disconnect_opts),
	.opts_size = sizeof(struct disconnect_options),
	.min_args = 2,
	.max_args = 2,
	.run = run_disconnect,
};
