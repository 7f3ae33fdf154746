/* SPDX-License-Identifier: Apache-2.0 */
/* container prune, image prune, network prune, pod prune, system prune, volume prune. */
#include "base/str.h"
#include "base/strv.h"
#include "cli/cli.h"
#include "cli/format.h"
#include "engine/images_query.h"
#include "engine/network_query.h"
#include "engine/pod_verbs.h"
#include "engine/prune.h"
#include "engine/volumes_query.h"

struct prune_options {
	bool all, external, force, volumes;
	char **filters;
};

#define OPT_FORCE                                                                                  \
	{                                                                                          \
		.name = "force", .short_name = 'f', .kind = OPT_FLAG,                              \
		OPT_FIELD(struct prune_options, force), .help = "do not ask"                       \
	}
#define OPT_FILTER                                                                                 \
	{                                                                                          \
		.name = "filter", .kind = OPT_STRV, OPT_FIELD(struct prune_options, filters),      \
		.arg = "KEY=VALUE",                                                                \
		.help = "remove only what meets the condition: until=TIME, label=NAME[=VALUE]"     \
	}

#define OPT_EXTERNAL                                                                               \
	{                                                                                          \
		.name = "external", .kind = OPT_FLAG, OPT_FIELD(struct prune_options, external),   \
		.help = "has no effect, as nobody else's containers are in the store; for the "    \
			"sake of scripts"                                                          \
	}

#define MAPPINGS_TOO                                                                               \
	"The trees that layers have for --userns keep-id and nomap go, too, when no container "    \
	"has these ids any more; with --filter they stay."

static const struct opt opts[] = {
	{ .name = "all",
	  .short_name = 'a',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct prune_options, all),
	  .help = "remove all images that no container uses, not only those without a name" },
	OPT_EXTERNAL,
	OPT_FILTER,
	OPT_FORCE,
	OPT_REFUSE("build-cache", "there is no build cache"),
	OPT_REFUSE("build", "there are no containers of a build"),
};

static const struct opt system_opts[] = {
	{ .name = "all",
	  .short_name = 'a',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct prune_options, all),
	  .help = "remove all images that no container uses, not only those without a name" },
	OPT_EXTERNAL,
	OPT_FILTER,
	OPT_FORCE,
	{ .name = "volumes",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct prune_options, volumes),
	  .help = "remove anonymous volumes that no container uses" },
	OPT_REFUSE("build-cache", "there is no build cache"),
	OPT_REFUSE("build", "there are no containers of a build"),
};

static const struct opt volume_opts[] = {
	{ .name = "all",
	  .short_name = 'a',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct prune_options, all),
	  .help = "remove all volumes that no container uses, not only anonymous ones" },
	OPT_FILTER,
	OPT_FORCE,
	OPT_REFUSE("dry-run", "`inro volume ls --filter dangling=true` shows them"),
};

static const struct opt network_opts[] = { OPT_FILTER, OPT_FORCE };

static const struct opt pod_opts[] = { OPT_FORCE };

static const struct opt container_opts[] = {
	OPT_FILTER,
	OPT_FORCE,
};

static void add_list(struct buf *out, const char *title, char *const *lines)
{
	if (!strv_len(lines))
		return;
	buf_addf(out, "%s\n", title);
	for (size_t i = 0; lines[i]; i++)
		buf_addf(out, "%s\n", lines[i]);
	buf_addc(out, '\n');
}

static int print_freed(struct buf *out, uint64_t freed, struct err *err)
{
	cleanup_free char *size = cli_size_room(freed);

	buf_addf(out, "Total reclaimed space: %s\n", size);
	return cli_print(out, err);
}

static int run_image(const void *globals, void *options, char **args, struct err *err)
{
	const struct prune_options *o = options;
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_strv char **lines = NULL;
	cleanup_buf struct buf out = BUF_INIT;
	uint64_t freed = 0;
	int r;

	if (!o->force &&
	    !cli_confirmed(o->all ? "WARNING! This will remove all images without at least one "
				    "container associated to them."
				  : "WARNING! This will remove all dangling images."))
		return print_freed(&out, 0, err);
	r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = images_prune(&eng, o->all, o->filters, &lines, &freed, err);
	if (r < 0)
		return r;
	add_list(&out, "Deleted Images:", lines);
	return print_freed(&out, freed, err);
}

static int run_container(const void *globals, void *options, char **args, struct err *err)
{
	const struct prune_options *o = options;
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_strv char **ids = NULL;
	cleanup_buf struct buf out = BUF_INIT;
	uint64_t freed = 0;
	int r;

	if (!o->force && !cli_confirmed("WARNING! This will remove all stopped containers."))
		return print_freed(&out, 0, err);
	r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = containers_prune(&eng, o->filters, &ids, &freed, err);
	if (r < 0)
		return r;
	add_list(&out, "Deleted Containers:", ids);
	return print_freed(&out, freed, err);
}

static int run_volume(const void *globals, void *options, char **args, struct err *err)
{
	const struct prune_options *o = options;
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_strv char **names = NULL;
	cleanup_buf struct buf out = BUF_INIT;
	uint64_t freed = 0;
	int r;

	if (!o->force &&
	    !cli_confirmed(o->all ? "WARNING! This will remove all local volumes not used "
				    "by at least one container."
				  : "WARNING! This will remove anonymous local volumes not "
				    "used by at least one container."))
		return print_freed(&out, 0, err);
	r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = volumes_prune(&eng, o->all, o->filters, &names, &freed, err);
	if (r < 0 && !names)
		return r;
	add_list(&out, "Deleted Volumes:", names);
	int printed = print_freed(&out, freed, r < 0 ? NULL : err);
	return r < 0 ? r : printed;
}

static int run_network(const void *globals, void *options, char **args, struct err *err)
{
	const struct prune_options *o = options;
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_strv char **names = NULL;
	cleanup_buf struct buf out = BUF_INIT;
	int r, printed;

	if (!o->force && !cli_confirmed("WARNING! This will remove all custom networks not used by "
					"at least one container."))
		return 0;
	r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = networks_prune(&eng, o->filters, &names, err);
	add_list(&out, "Deleted Networks:", names);
	printed = cli_print(&out, r < 0 ? NULL : err);
	return r < 0 ? r : printed;
}

static int run_pod(const void *globals, void *options, char **args, struct err *err)
{
	const struct prune_options *o = options;
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_strv char **ids = NULL;
	cleanup_buf struct buf out = BUF_INIT;
	int r, printed;

	if (!o->force && !cli_confirmed("WARNING! This will remove all stopped/exited pods.."))
		return 0;
	r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = pods_prune(&eng, &ids, err);
	for (size_t i = 0; ids && ids[i]; i++)
		buf_addf(&out, "%s\n", ids[i]);
	printed = cli_print(&out, r < 0 ? NULL : err);
	return r < 0 ? r : printed;
}

static bool system_confirmed(const struct prune_options *o)
{
	cleanup_free char *text = xasprintf(
	    "WARNING! This will remove:\n  - all stopped pods and containers\n"
	    "  - all networks not used by at least one container\n%s  - all %s\n",
	    o->volumes ? "  - all anonymous volumes not used by at least one container\n" : "",
	    o->all ? "images without at least one container associated to them"
		   : "dangling images");

	return cli_confirmed(text);
}

static int run_system(const void *globals, void *options, char **args, struct err *err)
{
	const struct prune_options *o = options;
	cleanup_strv char **containers = NULL, **images = NULL, **volumes = NULL, **pods = NULL,
			  **networks = NULL;
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_buf struct buf out = BUF_INIT;
	uint64_t freed = 0, freed_images = 0;
	int r;

	if (!o->force && !system_confirmed(o))
		return print_freed(&out, 0, err);
	r = cli_engine(globals, &eng, err);
	if (r == 0 && !strv_len(o->filters)) /* which are not of pods */
		r = pods_prune(&eng, &pods, err);
	if (r == 0)
		r = containers_prune(&eng, o->filters, &containers, &freed, err);
	if (r == 0)
		r = networks_prune(&eng, o->filters, &networks, err);
	if (r == 0 && o->volumes)
		r = volumes_prune(&eng, false, o->filters, &volumes, &freed, err);
	if (r == 0)
		r = images_prune(&eng, o->all, o->filters, &images, &freed_images, err);
	if (r < 0 && !containers && !pods)
		return r;
	/* What went before something could not. */
	add_list(&out, "Deleted Pods:", pods);
	add_list(&out, "Deleted Containers:", containers);
	add_list(&out, "Deleted Networks:", networks);
	add_list(&out, "Deleted Volumes:", volumes);
	add_list(&out, "Deleted Images:", images);
	int printed = print_freed(&out, freed + freed_images, r < 0 ? NULL : err);
	return r < 0 ? r : printed;
}

const struct cmd cmd_container_prune = {
	.name = "prune",
	.args = "[OPTIONS]",
	.summary = "Remove all stopped containers",
	.opts = container_opts,
	.n_opts = ARRAY_SIZE(container_opts),
	.opts_size = sizeof(struct prune_options),
	.run = run_container,
};

const struct cmd cmd_image_prune = {
	.name = "prune",
	.args = "[OPTIONS]",
	.summary = "Remove images that nobody needs",
	.details = MAPPINGS_TOO,
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct prune_options),
	.run = run_image,
};

const struct cmd cmd_network_prune = {
	.name = "prune",
	.args = "[OPTIONS]",
	.summary = "Remove networks that no container uses",
	.opts = network_opts,
	.n_opts = ARRAY_SIZE(network_opts),
	.opts_size = sizeof(struct prune_options),
	.run = run_network,
};

const struct cmd cmd_pod_prune = {
	.name = "prune",
	.args = "[OPTIONS]",
	.summary = "Remove pods whose containers have ended, with these",
	.opts = pod_opts,
	.n_opts = ARRAY_SIZE(pod_opts),
	.opts_size = sizeof(struct prune_options),
	.run = run_pod,
};

const struct cmd cmd_system_prune = {
	.name = "prune",
	.args = "[OPTIONS]",
	.summary = "Remove stopped containers, and networks and images that nobody needs",
	.details = MAPPINGS_TOO,
	.opts = system_opts,
	.n_opts = ARRAY_SIZE(system_opts),
	.opts_size = sizeof(struct prune_options),
	.run = run_system,
};

const struct cmd cmd_volume_prune = {
	.name = "prune",
	.args = "[OPTIONS]",
	.summary = "Remove volumes that no container uses",
	.opts = volume_opts,
	.n_opts = ARRAY_SIZE(volume_opts),
	.opts_size = sizeof(struct prune_options),
	.run = run_volume,
};
