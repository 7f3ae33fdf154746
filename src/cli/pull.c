/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/access.h"
#include "cli/cli.h"
#include "cli/progress.h"

struct pull_cmd {
	bool all_tags, quiet, disable_content_trust;
	char *platform, *progress;
	struct cli_access access;
};

#define PULL_OPT(member) OPT_FIELD(struct pull_cmd, member)

static const struct opt opts[] = {
	{ .name = "all-tags",
	  .short_name = 'a',
	  .kind = OPT_FLAG,
	  PULL_OPT(all_tags),
	  .help = "all tags of the repository" },
	{ .name = "disable-content-trust",
	  .kind = OPT_FLAG,
	  PULL_OPT(disable_content_trust),
	  .help = "has no effect; for the sake of scripts" },
	{ .name = "platform",
	  .kind = OPT_STR,
	  PULL_OPT(platform),
	  .arg = "OS/ARCH[/VARIANT]",
	  .help = "the image for this platform instead of this machine's" },
	{ .name = "progress",
	  .kind = OPT_STR,
	  PULL_OPT(progress),
	  .arg = "MODE",
	  .help = "how progress is shown; auto: tty on a terminal, else plain",
	  .choices = progress_modes },
	{ .name = "quiet",
	  .short_name = 'q',
	  .kind = OPT_FLAG,
	  PULL_OPT(quiet),
	  .help = "show the name of the image only" },
	CLI_ACCESS_OPTS(struct pull_cmd, access),
};

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct pull_cmd *o = options;
	struct pull_options pull = {
		.platform = o->platform,
		.all_tags = o->all_tags,
		.access = cli_access(&o->access),
	};
	cleanup_engine struct engine eng = ENGINE_INIT;

	int r = cli_engine(globals, &eng, err);
	for (size_t i = 0; r == 0 && args[i]; i++) {
		struct progress *progress =
		    progress_new(progress_mode_of(o->progress, o->quiet), STDOUT_FILENO);
		cleanup_free char *id = NULL;

		pull.events = progress_events(progress);
		r = engine_pull(&eng, args[i], &pull, &id, err);
		progress_free(progress);
	}
	return r;
}

const struct cmd cmd_pull = {
	.name = "pull",
	.args = "[OPTIONS] IMAGE [IMAGE...]",
	.summary = "Get images from a registry",
	.details =
	    "IMAGE is a name with a tag or a digest. Layers that are here already are not "
	    "fetched, and a pull that was interrupted goes on where it was. Which registries "
	    "a short name means, mirrors and certificates are settings, see inro.conf(5).",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct pull_cmd),
	.min_args = 1,
	.max_args = -1,
	.run = run,
};
