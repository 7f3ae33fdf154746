/* SPDX-License-Identifier: Apache-2.0 */
#include <netinet/in.h>

#include "base/str.h"
#include "base/strv.h"
#include "cli/cli.h"
#include "cli/format.h"
#include "cli/select.h"
#include "engine/life.h"
#include "engine/publish.h"
#include "engine/services.h"

struct port_options {
	bool all, latest;
};

static const struct opt opts[] = {
	{ .name = "all",
	  .short_name = 'a',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct port_options, all),
	  .help = "of all containers, each line behind its container's id" },
	{ .name = "latest",
	  .short_name = 'l',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct port_options, latest),
	  .help = "of the newest container" },
};

/* PORT[/PROTOCOL]. */
static int parse_port(const char *word, struct port_binding *ret, struct err *err)
{
	cleanup_free char *number = xstrndup(word, strcspn(word, "/"));
	const char *proto = strchr(word, '/');
	struct port_range range;

	if (port_range_parse(number, &range) < 0 || range.first != range.last)
		return err_fail(err, ERR_USAGE, "invalid port: %s", word);
	if (port_proto_parse(proto ? proto + 1 : "", &ret->proto) < 0)
		return err_fail(err, ERR_USAGE, "invalid proto: %s", proto + 1);
	ret->port = range.first;
	return 0;
}

static int load(struct engine *eng, const struct record *rec, struct port_bindings *ret,
		struct err *err)
{
	int r = rec->running ? publish_load(eng, publish_ports_owner(rec), ret, err) : 0;

	if (r == 0)
		ports_sort(ret);
	return r;
}

/* All: "80/tcp -> 0.0.0.0:8080". */
static int add_all(struct engine *eng, const struct record *rec, bool with_id, struct buf *out,
		   struct err *err)
{
	cleanup_port_bindings struct port_bindings ports = { 0 };
	int r = load(eng, rec, &ports, err);

	for (size_t i = 0; r == 0 && i < ports.n; i++) {
		const struct port_binding *p = &ports.items[i];
		cleanup_free char *host = ports_host_text(&p->host, p->host_port);

		if (with_id)
			buf_addf(out, "%.12s\t", rec->id);
		buf_addf(out, "%u/%s -> %s\n", p->port, port_proto_name(p->proto), host);
	}
	return r;
}

/* Where one of them is published. */
static int add_one(struct engine *eng, const struct record *rec, const char *word, struct buf *out,
		   struct err *err)
{
	cleanup_port_bindings struct port_bindings ports = { 0 };
	struct port_binding wanted = { 0 };
	int r = parse_port(word, &wanted, err);

	if (r == 0)
		r = load(eng, rec, &ports, err);
	for (size_t i = 0; r == 0 && i < ports.n; i++) {
		const struct port_binding *p = &ports.items[i];
		cleanup_free char *host = ports_host_text(&p->host, p->host_port);

		if (p->port == wanted.port && p->proto == wanted.proto)
			buf_addf(out, "%s\n", host);
	}
	if (r == 0 && !out->len)
		r = err_fail(err, ERR_NOT_FOUND, "No public port '%u/%s' published for %s",
			     wanted.port, port_proto_name(wanted.proto), rec->name);
	return r;
}

static int add_of_all(struct engine *eng, struct buf *out, struct err *err)
{
	cleanup_record_list struct record_list list = { 0 };
	int r = life_list(eng, &list, err);

	for (size_t i = 0; r == 0 && i < list.n; i++)
		r = add_all(eng, &list.items[i], true, out, err);
	return r;
}

/* A service's ports are those of each of its replicas that runs. */
static int find(struct engine *eng, const char *word, struct record *ret, struct err *err)
{
	char *const given[] = { (char *)(uintptr_t)word, NULL };
	cleanup_strv char **words = strv_copy(given);
	int r = engine_db(eng, err);

	if (r == 0)
		r = services_expand(eng, &words, err);
	for (size_t i = 0; r == 0 && words[i] && !ret->running; i++) {
		record_done(ret);
		r = life_find(eng, words[i], ret, err);
	}
	return r;
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	cleanup_record struct record rec = { 0 };
	cleanup_engine struct engine eng = ENGINE_INIT;
	const struct port_options *o = options;
	cleanup_buf struct buf out = BUF_INIT;
	cleanup_free char *newest = NULL;
	int r = cli_engine(globals, &eng, err);

	if (r == 0 && o->all && args[0])
		return err_fail(err, ERR_USAGE, "--all and names do not go together");
	if (r == 0 && o->latest && !o->all)
		r = cli_latest(&eng, &newest, err);
	if (r == 0 && !o->all && !o->latest && !args[0])
		return err_fail(err, ERR_USAGE, "port needs a container, --latest or --all");
	if (r == 0 && !o->all)
		r = find(&eng, newest ? newest : args[0], &rec, err);
	if (r < 0)
		return r;
	if (!newest && args[0])
		args++;
	if (o->all)
		r = add_of_all(&eng, &out, err);
	else
		r = args[0] ? add_one(&eng, &rec, args[0], &out, err)
			    : add_all(&eng, &rec, false, &out, err);
	return r < 0 ? r : cli_print(&out, err);
}

const struct cmd cmd_port = {
	.name = "port",
	.args = "[OPTIONS] [CONTAINER|SERVICE] [PORT[/PROTOCOL]]",
	.summary = "Show the published ports of a container or a service",
	.details =
	    "Each line is a port of the container and the address and port of this machine that "
	    "lead there; with PORT, the latter alone. A container that does not run has none.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct port_options),
	.max_args = 2,
	.run = run,
};
