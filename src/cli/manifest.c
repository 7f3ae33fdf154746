/* SPDX-License-Identifier: Apache-2.0 */
/* manifest create, add, annotate, remove: each prints the list's id. */
#include "engine/manifest.h"

#include "base/str.h"
#include "base/strv.h"
#include "cli/cli.h"
#include "cli/transfer.h"

struct manifest_cli {
	bool all, amend, index, insecure;
	char **annotations, **features, **os_features;
	char *arch, *os, *os_version, *variant, *subject;
	struct cli_retry retry;
	struct cli_access access;
};

#define FIELD(member) OPT_FIELD(struct manifest_cli, member)

#define OPT_ALL                                                                                    \
	{                                                                                          \
		.name = "all", .kind = OPT_FLAG, FIELD(all),                                       \
		.help = "of an image that is a list itself all members, not this machine's alone"  \
	}
#define OPT_ANNOTATION(what)                                                                       \
	{                                                                                          \
		.name = "annotation", .kind = OPT_STRV, FIELD(annotations), .arg = "KEY=VALUE",    \
		.help = what                                                                       \
	}
#define OPT_INSECURE                                                                               \
	{                                                                                          \
		.name = "insecure", .kind = OPT_FLAG, FIELD(insecure),                             \
		.help = "docker's word for --tls-verify=false"                                     \
	}
#define OPTS_PLATFORM                                                                              \
	{ .name = "arch",                                                                          \
	  .kind = OPT_STR,                                                                         \
	  FIELD(arch),                                                                             \
	  .arg = "ARCH",                                                                           \
	  .help = "the architecture that the list says it is for, as Go names it" },               \
	    { .name = "features",                                                                  \
	      .kind = OPT_STRV,                                                                    \
	      FIELD(features),                                                                     \
	      .arg = "FEATURE",                                                                    \
	      .help = "of the processor that it needs" },                                          \
	    { .name = "os",                                                                        \
	      .kind = OPT_STR,                                                                     \
	      FIELD(os),                                                                           \
	      .arg = "OS",                                                                         \
	      .help = "the operating system that it is for" },                                     \
	    { .name = "os-features",                                                               \
	      .kind = OPT_STRV,                                                                    \
	      FIELD(os_features),                                                                  \
	      .arg = "FEATURE",                                                                    \
	      .help = "of the operating system that it needs" },                                   \
	    { .name = "os-version",                                                                \
	      .kind = OPT_STR,                                                                     \
	      FIELD(os_version),                                                                   \
	      .arg = "VERSION",                                                                    \
	      .help = "of the operating system that it needs" },                                   \
	{                                                                                          \
		.name = "variant", .kind = OPT_STR, FIELD(variant), .arg = "VARIANT",              \
		.help = "of the architecture"                                                      \
	}

#define REFUSE_ARTIFACT(option)                                                                    \
	OPT_REFUSE(option, "make it with `inro artifact add`, then add it to the list by its "     \
			   "name")

static const struct opt create_opts[] = {
	OPT_ALL,
	{ .name = "amend",
	  .short_name = 'a',
	  .kind = OPT_FLAG,
	  FIELD(amend),
	  .help = "add to the list when there is one of that name" },
	OPT_ANNOTATION("a note on the list"),
	OPT_INSECURE,
	CLI_ACCESS_OPTS(struct manifest_cli, access),
};

static const struct opt add_opts[] = {
	OPT_ALL,
	OPT_ANNOTATION("a note on the member"),
	OPTS_PLATFORM,
	CLI_RETRY_OPTS(struct manifest_cli, retry, "retry"),
	CLI_ACCESS_OPTS(struct manifest_cli, access),
	REFUSE_ARTIFACT("artifact"),
	REFUSE_ARTIFACT("artifact-annotation"),
	REFUSE_ARTIFACT("artifact-config"),
	REFUSE_ARTIFACT("artifact-config-type"),
	REFUSE_ARTIFACT("artifact-exclude-titles"),
	REFUSE_ARTIFACT("artifact-layer-type"),
	REFUSE_ARTIFACT("artifact-subject"),
	REFUSE_ARTIFACT("artifact-type"),
};

static const struct opt annotate_opts[] = {
	OPT_ANNOTATION("a note on the member, with --index on the list"),
	OPTS_PLATFORM,
	{ .name = "index", .kind = OPT_FLAG, FIELD(index), .help = "annotate the list itself" },
	{ .name = "subject",
	  .kind = OPT_STR,
	  FIELD(subject),
	  .arg = "IMAGE",
	  .help = "what the list refers to; with --index" },
	CLI_ACCESS_OPTS(struct manifest_cli, access),
};

static const struct opt remove_opts[] = {
	CLI_ACCESS_OPTS(struct manifest_cli, access),
};

static struct manifest_options options_of(const struct manifest_cli *o)
{
	struct manifest_options options = {
		.all = o->all,
		.amend = o->amend,
		.subject = o->subject,
		.access = cli_access(&o->access),
		.words = { .arch = o->arch,
			   .os = o->os,
			   .variant = o->variant,
			   .os_version = o->os_version,
			   .os_features = o->os_features,
			   .features = o->features },
	};

	if (o->insecure && !options.access.tls_verify.set)
		options.access.tls_verify = (struct opt_bool){ .set = true };
	return options;
}

static int print_id(const char *id, struct err *err)
{
	cleanup_buf struct buf out = BUF_INIT;

	buf_addf(&out, "%s\n", id);
	return cli_print(&out, err);
}

static int run_create(const void *globals, void *opts, char **args, struct err *err)
{
	const struct manifest_cli *o = opts;
	struct manifest_options options = options_of(o);
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_free char *id = NULL;

	options.annotations = o->annotations;
	int r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = manifest_create(&eng, args[0], args + 1, &options, &id, err);
	return r < 0 ? r : print_id(id, err);
}

static int run_add(const void *globals, void *opts, char **args, struct err *err)
{
	const struct manifest_cli *o = opts;
	struct manifest_options options = options_of(o);
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_free char *id = NULL;

	options.words.annotations = o->annotations;
	int r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = cli_retry(&eng, &o->retry, err);
	if (r == 0)
		r = manifest_add(&eng, args[0], args + 1, &options, &id, err);
	return r < 0 ? r : print_id(id, err);
}

static int check_annotate(const struct manifest_cli *o, const char *image, struct err *err)
{
	bool platform =
	    o->arch || o->os || o->variant || o->os_version || o->os_features || o->features;

	if (o->index && (image || platform))
		return err_fail(err, ERR_USAGE,
				"--index takes no IMAGE and no platform: it is about the list");
	if (!o->index && !image)
		return err_fail(err, ERR_USAGE, "expected a member of the list, or --index");
	if (!o->index && o->subject)
		return err_fail(err, ERR_USAGE, "--subject is for the list: add --index");
	return 0;
}

static int run_annotate(const void *globals, void *opts, char **args, struct err *err)
{
	const struct manifest_cli *o = opts;
	struct manifest_options options = options_of(o);
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_free char *id = NULL;

	if (o->index)
		options.annotations = o->annotations;
	else
		options.words.annotations = o->annotations;
	int r = check_annotate(o, args[1], err);
	if (r == 0)
		r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = manifest_annotate(&eng, args[0], args[1], &options, &id, err);
	return r < 0 ? r : print_id(id, err);
}

static int run_remove(const void *globals, void *opts, char **args, struct err *err)
{
	struct manifest_options options = options_of(opts);
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_free char *id = NULL;

	int r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = manifest_remove(&eng, args[0], args + 1, &options, &id, err);
	return r < 0 ? r : print_id(id, err);
}

#define OPTS(table)                                                                                \
	.opts = table, .n_opts = ARRAY_SIZE(table), .opts_size = sizeof(struct manifest_cli)

const struct cmd cmd_manifest_create = {
	.name = "create",
	.args = "[OPTIONS] LIST [IMAGE...]",
	.summary = "Make a list of manifests",
	OPTS(create_opts),
	.min_args = 1,
	.max_args = -1,
	.run = run_create,
};

const struct cmd cmd_manifest_add = {
	.name = "add",
	.args = "[OPTIONS] LIST IMAGE [IMAGE...]",
	.summary = "Add images to a list of manifests",
	OPTS(add_opts),
	.min_args = 2,
	.max_args = -1,
	.run = run_add,
};

const struct cmd cmd_manifest_annotate = {
	.name = "annotate",
	.args = "[OPTIONS] LIST [IMAGE|DIGEST]",
	.summary = "Change what a list says of an image, or of itself",
	OPTS(annotate_opts),
	.min_args = 1,
	.max_args = 2,
	.run = run_annotate,
};

const struct cmd cmd_manifest_remove = {
	.name = "remove",
	.args = "[OPTIONS] LIST IMAGE|DIGEST [IMAGE|DIGEST...]",
	.summary = "Take images out of a list of manifests",
	OPTS(remove_opts),
	.min_args = 2,
	.max_args = -1,
	.run = run_remove,
};
