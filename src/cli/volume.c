/* SPDX-License-Identifier: Apache-2.0 */
/* volume create, exists, inspect, rm. */
#include "base/hex.h"
#include "base/str.h"
#include "base/strv.h"
#include "cli/cli.h"
#include "cli/format.h"
#include "engine/parse.h"
#include "engine/volumes_query.h"

struct create_options {
	char *driver, *name;
	char **labels, **opts;
	bool ignore;
};

static const struct opt create_opts[] = {
	{ .name = "driver",
	  .short_name = 'd',
	  .kind = OPT_STR,
	  OPT_FIELD(struct create_options, driver),
	  .arg = "NAME",
	  .help = "volume driver: there is local alone" },
	{ .name = "ignore",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct create_options, ignore),
	  .help = "accepted for podman's users: a volume that is there is never an error" },
	{ .name = "label",
	  .short_name = 'l',
	  .kind = OPT_STRV,
	  OPT_FIELD(struct create_options, labels),
	  .arg = "NAME[=VALUE]",
	  .help = "set a label" },
	{ .name = "name",
	  .kind = OPT_STR,
	  OPT_FIELD(struct create_options, name),
	  .arg = "NAME",
	  .help = "the same as the argument",
	  .flags = OPT_HIDDEN },
	{ .name = "opt",
	  .short_name = 'o',
	  .kind = OPT_STRV,
	  OPT_FIELD(struct create_options, opts),
	  .arg = "NAME=VALUE",
	  .help = "option of the driver: type, device, o" },
	OPT_REFUSE("gid", "owners in a volume are for a container to set"),
	OPT_REFUSE("uid", "owners in a volume are for a container to set"),
	OPT_REFUSE("availability", "there are no cluster volumes"),
	OPT_REFUSE("group", "there are no cluster volumes"),
	OPT_REFUSE("limit-bytes", "there are no cluster volumes"),
	OPT_REFUSE("required-bytes", "there are no cluster volumes"),
	OPT_REFUSE("scope", "there are no cluster volumes"),
	OPT_REFUSE("secret", "there are no cluster volumes"),
	OPT_REFUSE("sharing", "there are no cluster volumes"),
	OPT_REFUSE("topology-preferred", "there are no cluster volumes"),
	OPT_REFUSE("topology-required", "there are no cluster volumes"),
	OPT_REFUSE("type", "there are no cluster volumes"),
};

static int fill(const struct create_options *o, struct volume *v, struct err *err)
{
	char id[HEX_ID_LEN + 1];
	int r = 0;

	if (o->driver && !str_eq(o->driver, "local"))
		return err_fail(err, ERR_UNSUPPORTED,
				"error looking up volume plugin %s: there is local alone",
				o->driver);
	for (size_t i = 0; r == 0 && o->labels && o->labels[i]; i++)
		r = label_parse(o->labels[i], "label", &v->labels, err);
	for (size_t i = 0; r == 0 && o->opts && o->opts[i]; i++)
		r = label_parse(o->opts[i], "option", &v->options, err);
	if (r < 0 || v->name)
		return r;
	r = hex_random_id(id);
	if (r < 0)
		return err_errno(err, -r, "choosing a name for the volume");
	v->name = xstrdup(id);
	v->anonymous = true;
	json_map_set(&v->labels, VOLUME_ANONYMOUS, "");
	return 0;
}

static int run_create(const void *globals, void *options, char **args, struct err *err)
{
	const struct create_options *o = options;
	cleanup_volume struct volume v = { 0 };
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_buf struct buf out = BUF_INIT;
	bool is_new = false;
	int r;

	if (args[0] && o->name)
		return err_fail(err, ERR_USAGE,
				"conflicting options: cannot specify a volume-name through both "
				"--name and as a positional arg");
	if (args[0] || o->name)
		v.name = xstrdup(args[0] ? args[0] : o->name);
	r = fill(o, &v, err);
	if (r == 0)
		r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = volume_create(&eng, &v, &is_new, err);
	if (r < 0)
		return r;
	buf_addf(&out, "%s\n", v.name);
	return cli_print(&out, err);
}

const struct cmd cmd_volume_create = {
	.name = "create",
	.args = "[OPTIONS] [VOLUME]",
	.summary = "Create a volume",
	.details =
	    "Without a name it gets one, and is anonymous. One that is there stays as it is.",
	.opts = create_opts,
	.n_opts = ARRAY_SIZE(create_opts),
	.opts_size = sizeof(struct create_options),
	.max_args = 1,
	.run = run_create,
};

/* ---- exists ---- */

static int run_exists(const void *globals, void *options, char **args, struct err *err)
{
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_volume struct volume v = { 0 };
	int r = cli_engine(globals, &eng, err);

	if (r == 0)
		r = volume_find(&eng, args[0], &v, err);
	return cli_exists(r, err);
}

const struct cmd cmd_volume_exists = {
	.name = "exists",
	.args = "VOLUME",
	.summary = "Tell by the exit status whether there is a volume",
	.details = "Exit status: 0, it is there; 1, it is not; 125, inro failed.",
	.min_args = 1,
	.max_args = 1,
	.run = run_exists,
};

/* ---- inspect ---- */

struct inspect_options {
	char *format;
	bool all;
};

static const struct opt inspect_opts[] = {
	{ .name = "all",
	  .short_name = 'a',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct inspect_options, all),
	  .help = "all volumes" },
	{ .name = "format",
	  .short_name = 'f',
	  .kind = OPT_STR,
	  OPT_FIELD(struct inspect_options, format),
	  .arg = "FORMAT",
	  .help = "json (in one line), or a Go template" },
};

static int names_of_all(struct engine *eng, char ***ret, struct err *err)
{
	cleanup_volume_list struct volume_list list = { 0 };
	int r = volumes_list(eng, &list, err);

	for (size_t i = 0; r == 0 && i < list.n; i++)
		strv_add(ret, list.items[i].name);
	return r;
}

static int add(struct engine *eng, const char *word, const void *data, struct cli_objects *objects,
	       struct err *err)
{
	cleanup_volume_inspect struct volume_inspect vi = { 0 };
	int r = volume_inspect(eng, word, &vi, err);

	return r < 0 ? r : cli_objects_add(objects, &volume_inspect_desc, &vi, err);
}

static int run_inspect(const void *globals, void *options, char **args, struct err *err)
{
	const struct inspect_options *o = options;
	cleanup_cli_objects struct cli_objects *objects = NULL;
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_strv char **names = strv_copy(args);
	int r;

	if (o->all == (args[0] != NULL))
		return err_fail(err, ERR_USAGE, "expected names of volumes, or --all");
	r = cli_objects_new(o->format, &objects, err);
	if (r == 0)
		r = cli_engine(globals, &eng, err);
	if (r == 0 && o->all)
		r = names_of_all(&eng, &names, err);
	return r < 0 ? r : cli_objects_of(objects, &eng, names, add, NULL, 1, err);
}

const struct cmd cmd_volume_inspect = {
	.name = "inspect",
	.args = "[OPTIONS] VOLUME [VOLUME...]",
	.summary = "Show all that is known of volumes",
	.opts = inspect_opts,
	.n_opts = ARRAY_SIZE(inspect_opts),
	.opts_size = sizeof(struct inspect_options),
	.max_args = -1,
	.run = run_inspect,
};

/* ---- rm ---- */

struct rm_options {
	bool all, force;
};

static const struct opt rm_opts[] = {
	{ .name = "all",
	  .short_name = 'a',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct rm_options, all),
	  .help = "all volumes; those that containers use can't be removed" },
	{ .name = "force",
	  .short_name = 'f',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct rm_options, force),
	  .help = "one that is not there is no error" },
	OPT_REFUSE("time", "no container is stopped for it: remove those that use it first"),
};

static int run_rm(const void *globals, void *options, char **args, struct err *err)
{
	const struct rm_options *o = options;
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_strv char **names = strv_copy(args);
	int status = 0, r;

	if (o->all == (args[0] != NULL))
		return err_fail(err, ERR_USAGE, "expected names of volumes, or --all");
	r = cli_engine(globals, &eng, err);
	if (r == 0 && o->all)
		r = names_of_all(&eng, &names, err);
	for (size_t i = 0; r == 0 && names && names[i]; i++) {
		cleanup_buf struct buf out = BUF_INIT;
		struct err one = ERR_INIT;

		r = volume_remove(&eng, names[i], &one);
		if (r == 0 || (o->force && one.kind == ERR_NOT_FOUND)) {
			buf_addf(&out, "%s\n", names[i]);
			r = cli_print(&out, err);
			continue;
		}
		cli_report(&one);
		status = 1;
		r = 0;
	}
	return r < 0 ? r : status;
}

const struct cmd cmd_volume_rm = {
	.name = "rm",
	.args = "[OPTIONS] VOLUME [VOLUME...]",
	.summary = "Remove volumes, with all that is in them",
	.opts = rm_opts,
	.n_opts = ARRAY_SIZE(rm_opts),
	.opts_size = sizeof(struct rm_options),
	.max_args = -1,
	.run = run_rm,
};
