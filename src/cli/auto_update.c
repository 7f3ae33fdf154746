/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/auto_update.h"

#include "base/str.h"
#include "cli/access.h"
#include "cli/cli.h"
#include "cli/format.h"

struct auto_update_cmd {
	bool dry_run;
	char *format, *rollback;
	struct cli_access access;
};

static const char *const bools[] = { "true", "false", NULL };

static const struct opt opts[] = {
	CLI_ACCESS_FILE_OPTS(struct auto_update_cmd, access),
	{ .name = "dry-run",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct auto_update_cmd, dry_run),
	  .help = "show what would be updated, and change nothing" },
	{ .name = "format",
	  .kind = OPT_STR,
	  OPT_FIELD(struct auto_update_cmd, format),
	  .arg = "FORMAT",
	  .help = CLI_FORMAT_HELP },
	{ .name = "rollback",
	  .kind = OPT_STR,
	  OPT_FIELD(struct auto_update_cmd, rollback),
	  .arg = "true|false",
	  .choices = bools,
	  .help = "a service that does not start with the new image gets the old one (default "
		  "true)" },
};

#define ITEM(r) ((const struct auto_update *)(r))

static char *row_unit(const void *r)
{
	return xstrdup(ITEM(r)->unit);
}
static char *row_container(const void *r)
{
	return xasprintf("%.12s (%s)", ITEM(r)->rec.id, ITEM(r)->rec.name);
}
static char *row_id(const void *r)
{
	return xstrdup(ITEM(r)->rec.id);
}
static char *row_name(const void *r)
{
	return xstrdup(ITEM(r)->rec.name);
}
static char *row_image(const void *r)
{
	return xstrdup(ITEM(r)->rec.image_name);
}
static char *row_policy(const void *r)
{
	return xstrdup(ITEM(r)->policy);
}
static char *row_updated(const void *r)
{
	return xstrdup(auto_update_state_names[ITEM(r)->state]);
}

static const struct cli_field fields[] = {
	{ "Unit", "UNIT", row_unit, 0 },
	{ "Container", "CONTAINER", row_container, 0 },
	{ "ContainerName", "CONTAINER NAME", row_name, 0 },
	{ "ContainerID", "CONTAINER ID", row_id, 0 },
	{ "Image", "IMAGE", row_image, 0 },
	{ "Policy", "POLICY", row_policy, 0 },
	{ "Updated", "UPDATED", row_updated, 0 },
};
static const struct cli_table table = { fields, ARRAY_SIZE(fields),
					"Unit Container Image Policy Updated" };

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct auto_update_cmd *o = options;
	const struct auto_update_options how = {
		.dry_run = o->dry_run,
		.no_rollback = str_eq(o->rollback, "false"),
		.access = cli_access(&o->access),
		.failed = cli_report,
	};
	cleanup_auto_updates struct auto_updates all = { 0 };
	cleanup_cli_list struct cli_list *list = NULL;
	cleanup_engine struct engine eng = ENGINE_INIT;
	int failures = 0;
	int r = cli_list_new(&table, o->format, true, &list, err);

	if (r == 0)
		r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = failures = engine_auto_update(&eng, &how, &all, err);
	for (size_t i = 0; r >= 0 && i < all.n; i++)
		r = cli_list_row(list, &all.items[i], err);
	if (r >= 0)
		r = cli_list_print(list, err);
	if (r < 0)
		return r;
	return failures ? 125 : 0;
}

const struct cmd cmd_auto_update = {
	.name = "auto-update",
	.args = "[OPTIONS]",
	.summary = "Restart services whose containers have a newer image",
	.details = "Containers that run and have a label io.containers.autoupdate: registry, where "
		   "their image is looked for at its registry, and local, where what its name "
		   "stands for here counts. Their label PODMAN_SYSTEMD_UNIT names the service; "
		   "those of .container files have it, and one of the image's does not count. The "
		   "timer inro-auto-update.timer does this "
		   "once a day.\n\n"
		   "Exit status: 125 when something could not be looked for or restarted.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct auto_update_cmd),
	.run = run,
};
