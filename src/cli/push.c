/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/push.h"

#include "base/str.h"
#include "base/strv.h"
#include "cli/cli.h"
#include "cli/compression.h"
#include "cli/transfer.h"
#include "cli/transport.h"
#include "engine/lists.h"

struct push_cli_options {
	char *digestfile, *format, *platform;
	bool all_tags, disable_content_trust, remove_signatures;
	bool foreign;
	struct cli_progress progress;
	struct cli_retry retry;
	struct cli_compression compression;
	struct cli_access access;
};

#define T struct push_cli_options

static const struct opt opts[] = {
	{ .name = "all-tags",
	  .short_name = 'a',
	  .kind = OPT_FLAG,
	  OPT_FIELD(T, all_tags),
	  .help = "push all tags of the repository" },
	CLI_FOREIGN_OPT(T, foreign),
	CLI_COMPRESSION_OPTS(T, compression),
	CLI_DIGESTFILE_OPT(T, digestfile, "pushed"),
	CLI_CONTENT_TRUST_OPT(T, disable_content_trust),
	CLI_MANIFEST_FORMAT_OPT(
	    T, format, 'f', "of the manifest, oci or v2s2; its digest changes (default: as it is)"),
	CLI_PLATFORM_OPT(T, platform, "of a list, the image for this platform alone"),
	CLI_PROGRESS_OPTS(T, progress, "show the name of what was pushed and nothing else"),
	CLI_NO_SIGNATURES_OPT(T, remove_signatures),
	CLI_RETRY_OPTS(T, retry, "retry"),
	CLI_ACCESS_OPTS(T, access),
	OPT_REFUSE("compress", "layers go into a directory as they are stored"),
	CLI_REFUSE_SIGNING,
	CLI_REFUSE_ENCRYPTION,
};

/* ---- what goes where ---- */

static int push_one(struct engine *eng, const struct push_cli_options *o, const char *word,
		    const struct reference *to, struct err *err)
{
	struct push_options options = { .access = cli_access(&o->access),
					.foreign = o->foreign,
					.event = progress_push_event };
	cleanup_push_result struct push_result result = { 0 };
	cleanup_free char *found = NULL;
	struct progress *progress;
	int r;

	r = images_for_platform(eng, word, o->platform, &found, err);
	if (r < 0)
		return r;
	r = o->format ? push_format_parse(o->format, &options.format, err) : 0;
	if (r == 0)
		r = cli_compression(&o->compression, &options.convert, err);
	if (r < 0)
		return r;
	options.ctx = progress = progress_new_push(cli_progress(&o->progress), STDOUT_FILENO, to);
	r = push(eng, found, to, &options, &result, err);
	if (r == 0)
		progress_pushed(progress, &result);
	progress_free(progress);
	return r < 0 ? r : cli_write_digest(o->digestfile, result.digest, err);
}

/* Into an archive or a directory, as podman pushes, too. */
static int push_file(struct engine *eng, const struct push_cli_options *o, const char *word,
		     const struct transport_name *to, struct err *err)
{
	struct transport_name from = { .kind = TRANSPORT_STORE };
	cleanup_free char *found = NULL;
	struct copy_options copy = { .out_fd = -EBADF, .all = true, .foreign = o->foreign };
	cleanup_copy_result struct copy_result result = { 0 };

	if (o->compression.format || o->compression.level.set || o->compression.force.set)
		return err_hint(err,
				err_fail(err, ERR_UNSUPPORTED,
					 "layers are compressed anew for registries, not for "
					 "files"),
				"leave out --compression-format, --compression-level and "
				"--force-compression");
	int r = images_for_platform(eng, word, o->platform, &found, err);
	if (r == 0 && o->format)
		r = push_format_parse(o->format, &copy.format, err);
	from.name = found;
	if (r == 0)
		r = cli_copy(eng, &from, to, &copy, cli_progress(&o->progress), &result, err);
	return r < 0 ? r : cli_write_digest(o->digestfile, result.digest, err);
}

static int push_to(struct engine *eng, const struct push_cli_options *o, const char *word,
		   const char *destination, struct err *err)
{
	cleanup_transport struct transport_name to = { 0 };
	cleanup_reference struct reference ref = { 0 };

	int r = transport_parse(destination, &to, err);
	if (r < 0)
		return r;
	if (to.path)
		return push_file(eng, o, word, &to, err);
	/* docker://host/path is how skopeo and podman write it. */
	r = reference_parse(to.kind == TRANSPORT_DOCKER ? to.name : destination, &ref, err);
	return r < 0 ? r : push_one(eng, o, word, &ref, err);
}

/* Pushing to where its name says takes an image of that very name: not one found by its id. */
static int push_named(struct engine *eng, const struct push_cli_options *o, const char *word,
		      struct err *err)
{
	const char *whole = str_after(word, "docker://");
	cleanup_reference struct reference to = { 0 };
	cleanup_image_row struct image_row row = { 0 };
	cleanup_free char *name = NULL;

	word = whole ? whole : word;
	int r = reference_parse(word, &to, err);

	if (r < 0)
		return err_hint(err, r, "name the destination: inro push %s REGISTRY/NAME:TAG",
				word);
	name = reference_format(&to);
	if (images_find_whole(eng, word, &row, NULL) < 0 ||
	    (!to.digest && !strv_has(row.names, name)))
		return err_fail(err, ERR_NOT_FOUND,
				"An image does not exist locally with the tag: %s", name);
	return push_one(eng, o, word, &to, err);
}

static int push_all_tags(struct engine *eng, const struct push_cli_options *o, const char *word,
			 struct err *err)
{
	cleanup_image_rows struct image_rows rows = { 0 };
	cleanup_reference struct reference repository = { 0 };
	size_t n = 0;
	int r = reference_parse(word, &repository, err);

	if (r < 0)
		return r;
	if (repository.digest || (strrchr(word, ':') && !strchr(strrchr(word, ':'), '/')))
		return err_fail(err, ERR_USAGE, "tag can't be used with --all-tags/-a");
	r = images_list(eng, word, &rows, err);
	for (size_t i = 0; r == 0 && i < rows.n; i++) {
		for (size_t k = 0; r == 0 && rows.items[i].names && rows.items[i].names[k]; k++) {
			r = push_named(eng, o, rows.items[i].names[k], err);
			n++;
		}
	}
	if (r == 0 && n == 0)
		r = err_fail(err, ERR_NOT_FOUND, "An image does not exist locally with the tag: %s",
			     word);
	return r;
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct push_cli_options *o = options;
	cleanup_engine struct engine eng = ENGINE_INIT;
	int r;

	if (o->all_tags && (args[1] || o->digestfile))
		return err_fail(err, ERR_USAGE,
				"--all-tags takes no destination and no --digestfile");
	r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = cli_retry(&eng, &o->retry, err);
	if (r < 0)
		return r;
	if (o->all_tags)
		return push_all_tags(&eng, o, args[0], err);
	if (!args[1])
		return push_named(&eng, o, args[0], err);
	return push_to(&eng, o, args[0], args[1], err);
}

const struct cmd cmd_push = {
	.name = "push",
	.args = "[OPTIONS] IMAGE [DESTINATION]",
	.summary = "Push an image to a registry",
	.details = "DESTINATION may also be an archive or a directory: oci:DIR[:REF], "
		   "oci-archive:FILE[:REF], docker-archive:FILE[:NAME:TAG], dir:DIR.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct push_cli_options),
	.min_args = 1,
	.max_args = 2,
	.run = run,
};
