/* SPDX-License-Identifier: Apache-2.0 */
/* manifest inspect, exists, rm. */
#include <unistd.h>

#include "base/str.h"
#include "base/strv.h"
#include "cli/access.h"
#include "cli/cli.h"
#include "engine/manifest.h"

struct show_options {
	bool insecure, raw, referrers, verbose;
	char *type;
	struct cli_access access;
};

#define FIELD(member) OPT_FIELD(struct show_options, member)

static const struct opt inspect_opts[] = {
	{ .name = "artifact-type",
	  .kind = OPT_STR,
	  FIELD(type),
	  .arg = "TYPE",
	  .help = "of --referrers, only those of this type" },
	{ .name = "insecure",
	  .kind = OPT_FLAG,
	  FIELD(insecure),
	  .help = "docker's word for --tls-verify=false" },
	{ .name = "raw",
	  .kind = OPT_FLAG,
	  FIELD(raw),
	  .help = "the document's own bytes, which its digest is of" },
	{ .name = "referrers",
	  .kind = OPT_FLAG,
	  FIELD(referrers),
	  .help = "a list of what refers to it in its registry: signatures, bills of materials" },
	{ .name = "verbose",
	  .short_name = 'v',
	  .kind = OPT_FLAG,
	  FIELD(verbose),
	  .help = "with name, descriptor and platform, as docker shows it; of a list all members" },
	CLI_ACCESS_OPTS(struct show_options, access),
};

/* On a terminal without what would steer that. */
static int print_masked(const struct buf *text, struct err *err)
{
	cleanup_buf struct buf out = BUF_INIT;
	cleanup_free char *shown = NULL;

	if (!isatty(STDOUT_FILENO))
		return cli_print(text, err);
	for (size_t i = 0; i < text->len; i++)
		buf_addc(&out, text->data[i] ? text->data[i] : '?');
	shown = buf_take(&out);
	buf_adds(&out, str_mask_controls(shown, "\n\t"));
	return cli_print(&out, err);
}

static int print_lines(const struct buf *text, struct err *err)
{
	cleanup_buf struct buf out = BUF_INIT;

	json_indent(buf_str(text), text->len, &out);
	return print_masked(&out, err);
}

/* A registry's: as it is, or by lines. */
static int print_document(const struct buf *text, bool raw, struct err *err)
{
	struct document {
		struct json_map members;
	};
	static const struct json_field fields[] = {
		JSON_FIELD(struct document, members, NULL, JSON_RAW_MAP),
	};
	static const struct json_desc desc = JSON_DESC(struct document, fields);
	struct document document = { .members = { .n = 0 } };

	if (raw)
		return print_masked(text, err);
	int r = json_parse(&desc, &document, buf_str(text), text->len, "manifest", err);
	json_free(&desc, &document);
	if (r < 0)
		return r;
	return print_lines(text, err);
}

static int run_inspect(const void *globals, void *options, char **args, struct err *err)
{
	const struct show_options *o = options;
	struct registry_access access = cli_access(&o->access);
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_buf struct buf text = BUF_INIT;

	if (o->type && !o->referrers)
		return err_fail(err, ERR_USAGE, "--artifact-type is for --referrers");
	if (o->verbose && (o->raw || o->referrers))
		return err_fail(err, ERR_USAGE, "--verbose goes without --%s",
				o->raw ? "raw" : "referrers");
	if (o->insecure && !access.tls_verify.set)
		access.tls_verify = (struct opt_bool){ .set = true };
	int r = cli_engine(globals, &eng, err);
	if (r == 0 && o->referrers)
		r = manifest_referrers(&eng, args[0], o->type, &access, &text, err);
	else if (r == 0 && o->verbose)
		r = manifest_read_verbose(&eng, args[0], &access, &text, err);
	else if (r == 0)
		r = manifest_read(&eng, args[0], &access, &text, err);
	if (r < 0)
		return r;
	return o->verbose ? print_lines(&text, err) : print_document(&text, o->raw, err);
}

const struct cmd cmd_manifest_inspect = {
	.name = "inspect",
	.args = "[OPTIONS] LIST|IMAGE",
	.summary = "Show a list of manifests, or a manifest",
	.details = "A list that is here is shown; any other name is asked a registry for, as also "
		   "one with docker:// before it.",
	.opts = inspect_opts,
	.n_opts = ARRAY_SIZE(inspect_opts),
	.opts_size = sizeof(struct show_options),
	.min_args = 1,
	.max_args = 1,
	.run = run_inspect,
};

static int run_exists(const void *globals, void *options, char **args, struct err *err)
{
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_image_row struct image_row row = { 0 };
	int r = cli_engine(globals, &eng, err);

	if (r == 0)
		r = lists_find(&eng, args[0], &row, err);
	/* an image is no list */
	if (r < 0 && err->kind == ERR_CONFLICT)
		return 1;
	return cli_exists(r, err);
}

const struct cmd cmd_manifest_exists = {
	.name = "exists",
	.args = "LIST",
	.summary = "Tell by the exit status whether a list is here: 0, or 1 when it is not",
	.opts_size = 1,
	.min_args = 1,
	.max_args = 1,
	.run = run_exists,
};

struct rm_options {
	bool ignore;
};

static const struct opt rm_opts[] = {
	{ .name = "ignore",
	  .short_name = 'i',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct rm_options, ignore),
	  .help = "what is not there is as wished" },
};

static int remove_one(struct engine *eng, const char *word, bool ignore, struct err *err)
{
	cleanup_buf struct buf out = BUF_INIT;
	cleanup_image_row struct image_row row = { 0 };
	cleanup_strv char **lines = NULL;
	int r = lists_find(eng, word, &row, err);

	if (r == 0)
		r = images_remove(eng, word, false, &lines, err);
	for (size_t i = 0; r == 0 && lines && lines[i]; i++)
		buf_addf(&out, "%s\n", lines[i]);
	return r == 0 ? cli_print(&out, err) : r;
}

static int run_rm(const void *globals, void *options, char **args, struct err *err)
{
	const struct rm_options *o = options;

	return cli_each(globals, args, o->ignore, remove_one, err);
}

const struct cmd cmd_manifest_rm = {
	.name = "rm",
	.args = "[OPTIONS] LIST [LIST...]",
	.summary = "Remove lists of manifests from this machine",
	.opts = rm_opts,
	.n_opts = ARRAY_SIZE(rm_opts),
	.opts_size = sizeof(struct rm_options),
	.min_args = 1,
	.max_args = -1,
	.run = run_rm,
};
