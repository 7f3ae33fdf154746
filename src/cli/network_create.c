/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "base/strv.h"
#include "cli/cli.h"
#include "engine/networks.h"

struct create_options {
	struct network_asked asked;
	char *scope;
	bool attachable, ignore;
};
#define ASKED(member) OPT_FIELD(struct create_options, asked.member)

static const char *const bools[] = { "true", "false", NULL };

static const struct opt opts[] = {
	{ .name = "attachable",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct create_options, attachable),
	  .help = "accepted for docker's users: containers may always be connected" },
	{ .name = "aux-address",
	  .kind = OPT_STRV,
	  ASKED(aux),
	  .arg = "NAME=ADDRESS",
	  .help = "an address that no container gets, as somebody else has it" },
	{ .name = "disable-dns",
	  .kind = OPT_FLAG,
	  ASKED(disable_dns),
	  .help = "containers do not find each other by name" },
	{ .name = "dns",
	  .kind = OPT_STRV,
	  ASKED(dns),
	  .arg = "ADDRESS",
	  .help = "server that is asked for other names, instead of the host's" },
	{ .name = "driver",
	  .short_name = 'd',
	  .kind = OPT_STR,
	  ASKED(driver),
	  .arg = "NAME",
	  .help = "what kind of network (default bridge)" },
	{ .name = "gateway",
	  .kind = OPT_STRV,
	  ASKED(gateways),
	  .arg = "ADDRESS",
	  .help = "the host's address in it (default: the subnet's first)" },
	{ .name = "ignore",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct create_options, ignore),
	  .help = "a network of this name that is there is no error, and stays as it is" },
	{ .name = "interface-name",
	  .kind = OPT_STR,
	  ASKED(interface),
	  .arg = "NAME",
	  .help = "of the bridge, or of the parent interface of other drivers" },
	{ .name = "internal",
	  .kind = OPT_FLAG,
	  ASKED(internal),
	  .help = "no way out of it, and none in" },
	{ .name = "ip-range",
	  .kind = OPT_STRV,
	  ASKED(ranges),
	  .arg = "SUBNET|FIRST-LAST",
	  .help = "which addresses are given to containers that ask for none" },
	{ .name = "ipam-driver",
	  .kind = OPT_STR,
	  ASKED(ipam_driver),
	  .arg = "NAME",
	  .help = "default, host-local (the same), or none: containers get no address" },
	{ .name = "ipv4",
	  .kind = OPT_STR,
	  ASKED(ipv4),
	  .arg = "BOOL",
	  .help = "IPv4 addresses (default true)",
	  .choices = bools,
	  .flags = OPT_OPTIONAL_ARG },
	{ .name = "ipv6",
	  .kind = OPT_STR,
	  ASKED(ipv6),
	  .arg = "BOOL",
	  .help = "IPv6 addresses (default true where the kernel has IPv6)",
	  .choices = bools,
	  .flags = OPT_OPTIONAL_ARG },
	{ .name = "label",
	  .kind = OPT_STRV,
	  ASKED(labels),
	  .arg = "NAME[=VALUE]",
	  .help = "set a label" },
	{ .name = "opt",
	  .short_name = 'o',
	  .kind = OPT_STRV,
	  ASKED(opts),
	  .arg = "NAME=VALUE",
	  .help = "option of the driver" },
	{ .name = "scope",
	  .kind = OPT_STR,
	  OPT_FIELD(struct create_options, scope),
	  .arg = "SCOPE",
	  .help = "there is local alone" },
	{ .name = "subnet",
	  .kind = OPT_STRV,
	  ASKED(subnets),
	  .arg = "SUBNET",
	  .help = "of IPv4 or IPv6, one of each (default: chosen, overlapping no network and no "
		  "route)" },
	OPT_REFUSE("config-from", "each network is made from its own options"),
	OPT_REFUSE("config-only", "each network is made from its own options"),
	OPT_REFUSE("ingress", "there is no swarm"),
	OPT_REFUSE("ipam-opt", "addresses come from --subnet and --ip-range alone"),
	OPT_REFUSE("route", "containers have the default route of their first network"),
};

static int run(const void *globals, void *options, char **args, struct err *err)
{
	struct create_options *o = options;
	cleanup_network struct network net = { 0 };
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_buf struct buf out = BUF_INIT;
	struct network_asked asked = o->asked;
	int r;

	if (o->scope && !str_eq(o->scope, "local"))
		return err_fail(err, ERR_UNSUPPORTED, "--scope %s: there is local alone", o->scope);
	asked.name = args[0];
	r = cli_engine(globals, &eng, err);
	if (r == 0) {
		struct err one = ERR_INIT;

		r = network_create(&eng, &asked, &net, &one);
		if (r < 0 && one.kind == ERR_EXISTS && o->ignore)
			r = network_find(&eng, args[0], &net, err);
		else if (r < 0)
			*err = one;
	}
	if (r < 0)
		return r;
	buf_addf(&out, "%s\n", net.id);
	return cli_print(&out, err);
}

const struct cmd cmd_network_create = {
	.name = "create",
	.args = "[OPTIONS] [NETWORK]",
	.summary = "Create a network",
	.details =
	    "Prints its id. Without a name it gets one. Nothing is made in the kernel before "
	    "the first container needs it.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct create_options),
	.max_args = 1,
	.run = run,
};
