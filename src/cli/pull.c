/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "cli/cli.h"
#include "cli/transfer.h"
#include "cli/transport.h"
#include "engine/lists.h"
#include "oci/reference.h"

struct pull_cmd {
	bool all_tags, disable_content_trust;
	char *policy;
	struct cli_platform platform;
	struct cli_progress progress;
	struct cli_retry retry;
	struct cli_access access;
};

static const char *const policies[] = { "always", "missing", "newer", "never", NULL };

static const struct opt opts[] = {
	{ .name = "all-tags",
	  .short_name = 'a',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct pull_cmd, all_tags),
	  .help = "all tags of the repository" },
	CLI_CONTENT_TRUST_OPT(struct pull_cmd, disable_content_trust),
	CLI_PLATFORM_OPTS(struct pull_cmd, platform,
			  "the image for this platform instead of this machine's"),
	{ .name = "policy",
	  .kind = OPT_STR,
	  OPT_FIELD(struct pull_cmd, policy),
	  .arg = "WHEN",
	  .choices = policies,
	  .help = "to ask the registry (default: always); newer: always, and what is here will do "
		  "when it gives no answer" },
	CLI_PROGRESS_OPTS(struct pull_cmd, progress, "show the name of the image only"),
	CLI_RETRY_OPTS(struct pull_cmd, retry, "retry"),
	CLI_ACCESS_OPTS(struct pull_cmd, access),
	CLI_REFUSE_DECRYPTION,
};

static int pull_registry(struct engine *eng, const struct pull_cmd *o, const char *word,
			 char *platform, struct err *err)
{
	struct progress *progress = progress_new(cli_progress(&o->progress), STDOUT_FILENO);
	const struct pull_options pull = { .platform = platform,
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
		     const struct transport_name *from, char *platform, struct err *err)
{
	const struct transport_name to = { .kind = TRANSPORT_STORE };
	struct copy_options copy = { .platform = platform, .out_fd = -EBADF };
	cleanup_copy_result struct copy_result result = { 0 };
	cleanup_buf struct buf out = BUF_INIT;
	enum progress_mode mode = cli_progress(&o->progress);

	if (o->all_tags || o->policy)
		return err_fail(err, ERR_USAGE, "--%s is for registries",
				o->policy ? "policy" : "all-tags");
	int r = cli_copy(eng, from, &to, &copy, mode, &result, err);
	if (r < 0)
		return r;
	if (mode == PROGRESS_JSON)
		return 0;
	buf_addf(&out, "%s\n", result.names ? result.names[0] : result.id);
	return cli_print(&out, err);
}

/* One that is here, as a pull ends. */
static int print_present(struct engine *eng, const struct image_row *row, const char *word,
			 struct err *err)
{
	cleanup_reference struct reference ref = { 0 };
	cleanup_free char *full = registries_choose(eng, word, row->names);
	cleanup_buf struct buf out = BUF_INIT;

	if (!full && reference_parse(word, &ref, NULL) == 0 && ref.digest)
		full = reference_format(&ref);
	buf_addf(&out, "%s\n", full ? full : row->id);
	return cli_print(&out, err);
}

/* 1: the registry is to be asked. */
static int use_present(struct engine *eng, const struct pull_cmd *o, const char *word,
		       const char *platform, struct err *err)
{
	const char *rest = str_after(word, "docker://");
	cleanup_image_row struct image_row row = { 0 };
	cleanup_free char *found = NULL;
	struct err own = ERR_INIT;

	word = rest ? rest : word;
	int r = images_for_platform(eng, word, platform, &found, &own);
	if (r == 0)
		r = images_find_whole(eng, found, &row, &own);
	if (r == 0)
		return print_present(eng, &row, word, err);
	if (own.kind == ERR_NOT_FOUND && !str_eq(o->policy, "never"))
		return 1;
	if (err)
		*err = own;
	return r;
}

static int pull_name(struct engine *eng, const struct pull_cmd *o, const char *word, char *platform,
		     struct err *err)
{
	bool newer = str_eq(o->policy, "newer");
	struct err own = ERR_INIT;

	if (o->all_tags && o->policy && !str_eq(o->policy, "always"))
		return err_fail(err, ERR_USAGE, "--policy %s is for a single image", o->policy);
	if (str_eq(o->policy, "missing") || str_eq(o->policy, "never")) {
		int r = use_present(eng, o, word, platform, err);
		if (r <= 0)
			return r;
	}
	int r = pull_registry(eng, o, word, platform, &own);
	if (r < 0 && newer && use_present(eng, o, word, platform, NULL) == 0) {
		cli_report(&own);
		return 0;
	}
	if (r < 0 && err)
		*err = own;
	return r;
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct pull_cmd *o = options;
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_free char *platform = NULL;

	int r = cli_platform(&o->platform, &platform, err);
	if (r == 0)
		r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = cli_retry(&eng, &o->retry, err);
	for (size_t i = 0; r == 0 && args[i]; i++) {
		cleanup_transport struct transport_name from = { 0 };

		r = transport_parse(args[i], &from, err);
		if (r == 0)
			r = from.path ? pull_file(&eng, o, &from, platform, err)
				      : pull_name(&eng, o, args[i], platform, err);
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
