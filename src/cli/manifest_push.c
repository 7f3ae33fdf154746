/* SPDX-License-Identifier: Apache-2.0 */
/* manifest push: progress to standard error, the digest to standard output. */
#include "base/str.h"
#include "base/strv.h"
#include "cli/cli.h"
#include "cli/compression.h"
#include "cli/transfer.h"
#include "cli/transport.h"
#include "engine/manifest.h"

struct manifest_push_options {
	struct opt_bool all;
	char *digestfile, *format;
	bool insecure, rm, purge, remove_signatures;
	bool foreign;
	struct cli_progress progress;
	struct cli_retry retry;
	struct cli_compression compression;
	struct cli_access access;
};

#define T             struct manifest_push_options
#define FIELD(member) OPT_FIELD(T, member)

static const struct opt opts[] = {
	{ .name = "all",
	  .kind = OPT_FN,
	  FIELD(all),
	  .arg = "true|false",
	  .parse = cli_parse_opt_bool,
	  .flags = OPT_OPTIONAL_ARG,
	  .help = "push the members, too (default true; false: the registry has them)" },
	CLI_FOREIGN_OPT(T, foreign),
	CLI_COMPRESSION_OPTS(T, compression),
	CLI_DIGESTFILE_OPT(T, digestfile, "pushed"),
	CLI_MANIFEST_FORMAT_OPT(
	    T, format, 'f',
	    "of the list and its members, oci or v2s2; digests change (default: as it is)"),
	{ .name = "insecure",
	  .kind = OPT_FLAG,
	  FIELD(insecure),
	  .help = "docker's word for --tls-verify=false" },
	CLI_PROGRESS_OPTS(T, progress, "show the digest and nothing else"),
	{ .name = "purge",
	  .short_name = 'p',
	  .kind = OPT_FLAG,
	  FIELD(purge),
	  .help = "docker's word for --rm" },
	CLI_NO_SIGNATURES_OPT(T, remove_signatures),
	CLI_RETRY_OPTS(T, retry, "retry"),
	{ .name = "rm",
	  .kind = OPT_FLAG,
	  FIELD(rm),
	  .help = "remove the list from this machine when it has been pushed" },
	CLI_ACCESS_OPTS(T, access),
	OPT_REFUSE("add-compression", "a list has each image once; push it to another name with "
				      "--compression-format, and add those images"),
	CLI_REFUSE_SIGNING,
};

static int push_list(struct engine *eng, const struct manifest_push_options *o, const char *list,
		     const struct reference *to, struct push_result *ret, struct err *err)
{
	struct push_options options = { .access = cli_access(&o->access),
					.list_alone = o->all.set && !o->all.value,
					.foreign = o->foreign,
					.event = progress_push_event };
	int r = o->format ? push_format_parse(o->format, &options.format, err) : 0;

	if (r == 0)
		r = cli_compression(&o->compression, &options.convert, err);
	if (r < 0)
		return r;
	if (o->insecure && !options.access.tls_verify.set)
		options.access.tls_verify = (struct opt_bool){ .set = true };
	if (o->progress.quiet)
		options.event = NULL;
	else
		options.ctx = progress_new_push(cli_progress(&o->progress), STDERR_FILENO, to);
	r = manifest_push(eng, list, to, &options, o->rm || o->purge, ret, err);
	if (r == 0 && options.ctx)
		progress_pushed(options.ctx, ret);
	if (options.ctx)
		progress_free(options.ctx);
	return r;
}

/* Without a destination the name says where; an id doesn't. */
static int check_name(struct engine *eng, const char *word, const struct reference *to,
		      struct err *err)
{
	cleanup_image_row struct image_row row = { 0 };
	cleanup_free char *name = reference_format(to);
	int r = lists_find(eng, word, &row, err);

	if (r == 0 && !strv_has(row.names, name))
		r = err_fail(err, ERR_USAGE, "%s is no name of the list", word);
	return r < 0
		   ? err_hint(err, r,
			      "name the destination: inro manifest push %s REGISTRY/NAME:TAG", word)
		   : 0;
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct manifest_push_options *o = options;
	const char *word = args[1] ? args[1] : args[0], *rest = str_after(word, "docker://");
	cleanup_push_result struct push_result result = { 0 };
	cleanup_reference struct reference to = { 0 };
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_buf struct buf out = BUF_INIT;
	int r = reference_parse(rest ? rest : word, &to, err);

	if (r == 0)
		r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = cli_retry(&eng, &o->retry, err);
	if (r == 0 && !args[1])
		r = check_name(&eng, args[0], &to, err);
	if (r == 0)
		r = push_list(&eng, o, args[0], &to, &result, err);
	if (r == 0)
		r = cli_write_digest(o->digestfile, result.digest, err);
	if (r < 0)
		return r;
	buf_addf(&out, "%s\n", result.digest);
	return cli_print(&out, err);
}

const struct cmd cmd_manifest_push = {
	.name = "push",
	.args = "[OPTIONS] LIST [DESTINATION]",
	.summary = "Push a list of manifests and its members to a registry",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct manifest_push_options),
	.min_args = 1,
	.max_args = 2,
	.run = run,
};
