/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/access.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "cli/transport.h"

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

static int pull_registry(struct engine *eng, const struct pull_cmd *o, const char *word,
			 struct err *err)
{
	struct progress *progress =
	    progress_new(progress_mode_of(o->progress, o->quiet), STDOUT_FILENO);
	const struct pull_options pull = { .platform = o->platform,
					   .all_tags = o->all_tags,
					   .access = cli_access(&o->access),
					   .events = progress_events(progress) };
	cleanup_free char *id = NULL;

	int r = engine_pull(eng, word, &pull, &id, err);
	progress_free(progress);
	return r;
}

/* From an archive or a directory, as podman takes it, too. */
static int pull_file(struct engine *eng, const struct pull_cmd *o,
		     const struct transport_name *from, struct err *err)
{
	const struct transport_name to = { .kind = TRANSPORT_STORE };
	struct copy_options copy = { .platform = o->platform, .out_fd = -EBADF };
	cleanup_copy_result struct copy_result result = { 0 };
	cleanup_buf struct buf out = BUF_INIT;
	enum progress_mode mode = progress_mode_of(o->progress, o->quiet);

	if (o->all_tags)
		return err_fail(err, ERR_USAGE, "--all-tags is for registries");
	int r = cli_copy(eng, from, &to, &copy, mode, &result, err);
	if (r < 0)
		return r;
	if (mode == PROGRESS_JSON)
		return 0;
	buf_addf(&out, "%s\n", result.names ? result.names[0] : result.id);
	return cli_print(&out, err);
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct pull_cmd *o = options;
	cleanup_engine struct engine eng = ENGINE_INIT;

	int r = cli_engine(globals, &eng, err);
	for (size_t i = 0; r == 0 && args[i]; i++) {
		cleanup_transport struct transport_name from = { 0 };

		r = transport_parse(args[i], &from, err);
		if (r == 0)
			r = from.path ? pull_file(&eng, o, &from, err)
				      : pull_registry(&eng, o, args[i], err);
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
	    "a short name means, mirrors and certificates are settings, see inro.conf(5).\n\n"
	    "IMAGE may also be in an archive or a directory: oci:DIR[:REF], "
	    "oci-archive:FILE[:REF], docker-archive:FILE[:NAME:TAG], dir:DIR.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct pull_cmd),
	.min_args = 1,
	.max_args = -1,
	.run = run,
};
