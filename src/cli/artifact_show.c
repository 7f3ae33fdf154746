/* SPDX-License-Identifier: Apache-2.0 */
/* artifact ls, inspect, extract. */
#include <fcntl.h>
#include <inttypes.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"
#include "cli/cli.h"
#include "cli/format.h"
#include "cli/inspect.h"
#include "cli/output.h"
#include "engine/artifact.h"
#include "oci/reference.h"

/* ---- ls ---- */

struct ls_cmd {
	bool no_trunc, noheading, quiet;
	char *format;
};

static const struct opt ls_opts[] = {
	{ .name = "format",
	  .kind = OPT_STR,
	  OPT_FIELD(struct ls_cmd, format),
	  .arg = "FORMAT",
	  .help = CLI_FORMAT_HELP },
	{ .name = "no-trunc",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct ls_cmd, no_trunc),
	  .help = "do not shorten digests" },
	{ .name = "noheading",
	  .short_name = 'n',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct ls_cmd, noheading),
	  .help = "leave the heading of the table out" },
	{ .name = "quiet",
	  .short_name = 'q',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct ls_cmd, quiet),
	  .help = "show digests only" },
};

/* An artifact under one of its names. */
struct row {
	const struct image_row *artifact;
	const struct reference *ref;
	bool whole;
};
#define ROW(r) ((const struct row *)(r))

static char *row_created_at(const void *r)
{
	return cli_time(ROW(r)->artifact->created_ns);
}
static char *row_created(const void *r)
{
	return cli_ago(ROW(r)->artifact->created_ns);
}
static char *row_digest(const void *r)
{
	return cli_short_id(ROW(r)->artifact->id, ROW(r)->whole);
}
static char *row_repository(const void *r)
{
	return ROW(r)->ref->path ? reference_familiar_repository(ROW(r)->ref) : xstrdup("<none>");
}
static char *row_size(const void *r)
{
	return cli_size(ROW(r)->artifact->size);
}
static char *row_tag(const void *r)
{
	return xstrdup(ROW(r)->ref->tag ? ROW(r)->ref->tag : "<none>");
}
static char *row_bytes(const void *r)
{
	return xasprintf("%" PRIu64, ROW(r)->artifact->size);
}

static const struct cli_field fields[] = {
	{ "Created", "CREATED", row_created, 0 }, { "CreatedAt", "CREATED AT", row_created_at, 0 },
	{ "Digest", "DIGEST", row_digest, 0 },    { "Repository", "REPOSITORY", row_repository, 0 },
	{ "Size", "SIZE", row_size, 0 },          { "Tag", "TAG", row_tag, 0 },
	{ "VirtualSize", "SIZE", row_bytes, 0 },
};
static const struct cli_table table = { fields, ARRAY_SIZE(fields),
					"Repository Tag Digest Created Size" };

static int list_artifact(struct cli_list *list, const struct ls_cmd *o,
			 const struct image_row *artifact, struct err *err)
{
	int r = 0;

	/* told by what a registry calls it, or not at all */
	if (!artifact->names) {
		cleanup_reference struct reference ref = { 0 };
		const struct row row = { artifact, &ref, o->no_trunc };

		if (artifact->repo_digests)
			reference_parse(artifact->repo_digests[0], &ref, NULL);
		return cli_list_row(list, &row, err);
	}
	for (size_t i = 0; r == 0 && artifact->names[i]; i++) {
		cleanup_reference struct reference ref = { 0 };
		const struct row row = { artifact, &ref, o->no_trunc };

		reference_parse(artifact->names[i], &ref, NULL);
		r = cli_list_row(list, &row, err);
	}
	return r;
}

static int run_ls(const void *globals, void *options, char **args, struct err *err)
{
	const struct ls_cmd *o = options;
	cleanup_image_rows struct image_rows rows = { 0 };
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_cli_list struct cli_list *list = NULL;
	cleanup_buf struct buf ids = BUF_INIT;

	int r = cli_list_new(&table, o->format, !o->noheading, &list, err);
	if (r == 0)
		r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = artifact_list(&eng, &rows, err);
	for (size_t i = 0; r == 0 && i < rows.n; i++) {
		cleanup_free char *id = cli_short_id(rows.items[i].id, o->no_trunc);

		buf_addf(&ids, "%s\n", id);
		r = list_artifact(list, o, &rows.items[i], err);
	}
	if (r < 0)
		return r;
	return o->quiet ? cli_print(&ids, err) : cli_list_print(list, err);
}

const struct cmd cmd_artifact_ls = {
	.name = "ls",
	.args = "[OPTIONS]",
	.summary = "List artifacts",
	.opts = ls_opts,
	.n_opts = ARRAY_SIZE(ls_opts),
	.opts_size = sizeof(struct ls_cmd),
	.run = run_ls,
};

/* ---- inspect ---- */

struct inspect_cmd {
	char *format;
};

static const struct opt inspect_opts[] = {
	{ .name = "format",
	  .short_name = 'f',
	  .kind = OPT_STR,
	  OPT_FIELD(struct inspect_cmd, format),
	  .arg = "FORMAT",
	  .help = "json (in one line), or a Go template" },
};

/* podman's members. */
struct shown {
	struct oci_manifest *manifest;
	char *name, *digest;
};
static const struct json_field shown_fields[] = {
	JSON_FIELD(struct shown, manifest, "Manifest", JSON_OBJ, .desc = &oci_manifest_desc),
	JSON_FIELD(struct shown, name, "Name", JSON_STR),
	JSON_FIELD(struct shown, digest, "Digest", JSON_STR),
};
static const struct json_desc shown_desc = JSON_DESC(struct shown, shown_fields);

static struct shown show(const struct artifact *artifact)
{
	char **names = artifact->row.names ? artifact->row.names : artifact->row.repo_digests;

	return (struct shown){ .manifest = (struct oci_manifest *)(uintptr_t)&artifact->manifest,
			       .name = names ? names[0] : NULL,
			       .digest = artifact->row.id };
}

int cli_inspect_artifact(struct engine *eng, const char *word, struct cli_objects *objects,
			 struct err *err)
{
	cleanup_artifact struct artifact artifact = { 0 };
	int r = artifact_read(eng, word, &artifact, err);
	struct shown shown = show(&artifact);

	return r < 0 ? r : cli_objects_add(objects, &shown_desc, &shown, err);
}

static int run_inspect(const void *globals, void *options, char **args, struct err *err)
{
	const struct inspect_cmd *o = options;
	cleanup_artifact struct artifact artifact = { 0 };
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_buf struct buf out = BUF_INIT;

	int r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = artifact_read(&eng, args[0], &artifact, err);
	if (r < 0)
		return r;
	const struct shown shown = show(&artifact);
	if (o->format)
		r = cli_format_object(o->format, &shown_desc, &shown, &out, err);
	else
		json_write(&shown_desc, &shown, JSON_PRETTY | JSON_NEWLINE, &out);
	return r < 0 ? r : cli_print(&out, err);
}

const struct cmd cmd_artifact_inspect = {
	.name = "inspect",
	.args = "[OPTIONS] NAME",
	.summary = "Show the manifest of an artifact",
	.opts = inspect_opts,
	.n_opts = ARRAY_SIZE(inspect_opts),
	.opts_size = sizeof(struct inspect_cmd),
	.min_args = 1,
	.max_args = 1,
	.run = run_inspect,
};

/* ---- extract ---- */

struct extract_cmd {
	char *digest, *title;
};

static const struct opt extract_opts[] = {
	{ .name = "digest",
	  .kind = OPT_STR,
	  OPT_FIELD(struct extract_cmd, digest),
	  .arg = "DIGEST",
	  .help = "only the file with this digest" },
	{ .name = "title",
	  .kind = OPT_STR,
	  OPT_FIELD(struct extract_cmd, title),
	  .arg = "NAME",
	  .help = "only the file of this name" },
};

/* To where the user says, which may be a link, a device or standard output. */
static int extract_to(struct engine *eng, const struct artifact *artifact,
		      const struct artifact_choice *choice, const char *path, struct err *err)
{
	cleanup_output struct output out = OUTPUT_INIT;
	size_t len = strlen(path);

	if (len && path[len - 1] == '/')
		return err_fail(err, ERR_NOT_FOUND, "there is no directory %s", path);
	out.mode = 0666;
	int r = output_open(path, "extract", &out, err);
	if (r == 0)
		r = artifact_write(eng, artifact, choice, out.fd, err);
	return r < 0 ? r : output_finish(&out, err);
}

/* Of the files: one at least, and one at most that is to have a name of its own. */
static int check_count(size_t n, bool to_dir, const char *path, struct err *err)
{
	if (n == 0)
		return err_fail(err, ERR_NOT_FOUND, "the artifact has no such file");
	if (n == 1 || to_dir)
		return 0;
	return err_hint(
	    err,
	    err_fail(err, ERR_USAGE, "the artifact has %zu files and %s is no directory", n, path),
	    "choose one with --title or --digest");
}

static int run_extract(const void *globals, void *options, char **args, struct err *err)
{
	const struct extract_cmd *o = options;
	const struct artifact_choice choice = { .digest = o->digest, .title = o->title };
	cleanup_artifact struct artifact artifact = { 0 };
	cleanup_engine struct engine eng = ENGINE_INIT;

	if (o->digest && o->title)
		return err_fail(err, ERR_USAGE,
				"--digest and --title choose a file each: give one");
	int r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = artifact_read(&eng, args[0], &artifact, err);
	if (r < 0)
		return r;
	cleanup_fd int dir = open(args[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 && errno != ENOTDIR && errno != ENOENT)
		return err_errno(err, errno, "opening %s", args[1]);
	r = check_count(artifact_count(&artifact, &choice), dir >= 0, args[1], err);
	if (r < 0)
		return r;
	return dir >= 0 ? artifact_extract(&eng, &artifact, &choice, dir, err)
			: extract_to(&eng, &artifact, &choice, args[1], err);
}

const struct cmd cmd_artifact_extract = {
	.name = "extract",
	.args = "[OPTIONS] NAME PATH",
	.summary = "Write the files of an artifact",
	.details =
	    "PATH is a directory, where each file gets the name that the artifact has for it, "
	    "or for a single file its new name.",
	.opts = extract_opts,
	.n_opts = ARRAY_SIZE(extract_opts),
	.opts_size = sizeof(struct extract_cmd),
	.min_args = 2,
	.max_args = 2,
	.run = run_extract,
};
