/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "cli/cli.h"
#include "cli/transfer.h"
#include "cli/transport.h"

static const char *const multi_arch_words[] = { "system", "all", "index-only", NULL };

struct copy_cmd {
	bool all, preserve, remove_signatures;
	char **more_names;
	char *multi_arch, *format, *platform, *digestfile, *authfile;
	struct cli_progress progress;
	struct cli_retry retry;
	struct cli_access from, to;
};

#define COPY_OPT(member) OPT_FIELD(struct copy_cmd, member)

/* The options of one of the two registries. */
#define SIDE_OPTS(prefix, member, which)                                                           \
	{ .name = prefix "-authfile",                                                              \
	  .kind = OPT_STR,                                                                         \
	  COPY_OPT(member.authfile),                                                               \
	  .arg = "FILE",                                                                           \
	  .help = "file of credentials for the " which },                                          \
	    { .name = prefix "-cert-dir",                                                          \
	      .kind = OPT_STR,                                                                     \
	      COPY_OPT(member.cert_dir),                                                           \
	      .arg = "DIR",                                                                        \
	      .help = "certificates for the " which },                                             \
	    { .name = prefix "-creds",                                                             \
	      .kind = OPT_STR,                                                                     \
	      COPY_OPT(member.creds),                                                              \
	      .arg = "USER:PASSWORD",                                                              \
	      .help = "credentials for the " which },                                              \
	    { .name = prefix "-no-creds",                                                          \
	      .kind = OPT_FLAG,                                                                    \
	      COPY_OPT(member.no_creds),                                                           \
	      .help = "speak to the " which " without credentials" },                              \
	{                                                                                          \
		.name = prefix "-tls-verify", .kind = OPT_FN, COPY_OPT(member.tls_verify),         \
		.arg = "true|false", .parse = cli_parse_opt_bool, .flags = OPT_OPTIONAL_ARG,       \
		.help = "require https and check the certificate of the " which                    \
	}

static const struct opt opts[] = {
	{ .name = "additional-tag",
	  .kind = OPT_STRV,
	  COPY_OPT(more_names),
	  .arg = "NAME:TAG",
	  .help = "one more name for the image in a docker-archive" },
	{ .name = "all",
	  .short_name = 'a',
	  .kind = OPT_FLAG,
	  COPY_OPT(all),
	  .help = "copy an index with all of its images, as --multi-arch all" },
	{ .name = "authfile",
	  .kind = OPT_STR,
	  COPY_OPT(authfile),
	  .arg = "FILE",
	  .help = "file of credentials for both registries (REGISTRY_AUTH_FILE)" },
	SIDE_OPTS("dest", to, "destination"),
	CLI_DIGESTFILE_OPT(struct copy_cmd, digestfile, "copied"),
	CLI_MANIFEST_FORMAT_OPT(
	    struct copy_cmd, format, 'f',
	    "of the manifest, oci or v2s2; its digest changes (default: as it is)"),
	{ .name = "multi-arch",
	  .kind = OPT_STR,
	  COPY_OPT(multi_arch),
	  .arg = "WHICH",
	  .help = "of an index, the image for this system, all of them, or the index alone",
	  .choices = multi_arch_words },
	CLI_PLATFORM_OPT(struct copy_cmd, platform,
			 "the image of an index for this platform instead of this machine's"),
	{ .name = "preserve-digests",
	  .kind = OPT_FLAG,
	  COPY_OPT(preserve),
	  .help = "fail rather than change a digest" },
	CLI_PROGRESS_OPTS(struct copy_cmd, progress, "show nothing"),
	CLI_NO_SIGNATURES_OPT(struct copy_cmd, remove_signatures),
	CLI_RETRY_OPTS(struct copy_cmd, retry, "retry-times"),
	SIDE_OPTS("src", from, "source"),
	CLI_REFUSE_DECRYPTION,
	CLI_REFUSE_ENCRYPTION,
	CLI_REFUSE_SIGNING,
};

static struct registry_access side_access(const struct copy_cmd *o, const struct cli_access *side)
{
	struct registry_access access = cli_access(side);

	if (!access.authfile)
		access.authfile = o->authfile;
	return access;
}

static int options_read(const struct copy_cmd *o, struct copy_options *ret, struct err *err)
{
	ret->from = side_access(o, &o->from);
	ret->to = side_access(o, &o->to);
	ret->platform = o->platform;
	ret->keep = o->preserve;
	ret->more_names = o->more_names;
	ret->all = o->all || str_eq(o->multi_arch, "all");
	ret->index_only = str_eq(o->multi_arch, "index-only");
	if ((o->from.creds && o->from.no_creds) || (o->to.creds && o->to.no_creds))
		return err_fail(err, ERR_USAGE, "credentials and none of them: give one");
	if (o->all && o->multi_arch)
		return err_fail(err, ERR_USAGE, "--all and --multi-arch say the same: give one");
	if ((ret->all || ret->index_only) && o->platform)
		return err_fail(err, ERR_USAGE, "--platform chooses one image of an index, not %s",
				ret->all ? "all" : "the index");
	return o->format ? push_format_parse(o->format, &ret->format, err) : 0;
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct copy_cmd *o = options;
	struct copy_options copy = { .out_fd = -EBADF };
	cleanup_transport struct transport_name from = { 0 }, to = { 0 };
	cleanup_copy_result struct copy_result result = { 0 };
	cleanup_engine struct engine eng = ENGINE_INIT;

	int r = options_read(o, &copy, err);
	if (r == 0)
		r = transport_parse(args[0], &from, err);
	if (r == 0)
		r = transport_parse(args[1], &to, err);
	if (r == 0 && o->more_names && to.kind != TRANSPORT_DOCKER_ARCHIVE)
		r = err_fail(err, ERR_USAGE, "--additional-tag is for a docker-archive");
	if (r == 0)
		r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = cli_retry(&eng, &o->retry, err);
	if (r == 0)
		r = cli_copy(&eng, &from, &to, &copy, cli_progress(&o->progress), &result, err);
	return r < 0 ? r : cli_write_digest(o->digestfile, result.digest, err);
}

const struct cmd cmd_image_copy = {
	.name = "copy",
	.args = "[OPTIONS] SOURCE DESTINATION",
	.summary = "Copy an image between registries, archives, directories and the store",
	.details =
	    "SOURCE and DESTINATION are a transport and what it needs: docker://NAME (a registry), "
	    "oci:DIR[:REF] (an OCI image layout), oci-archive:FILE[:REF], "
	    "docker-archive:FILE[:NAME:TAG], dir:DIR, and inro:NAME or just a name for an image "
	    "of inro's own. Nothing but a destination in the store becomes an image of the store.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct copy_cmd),
	.min_args = 2,
	.max_args = 2,
	.run = run,
};
