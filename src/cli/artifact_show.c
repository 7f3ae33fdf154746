/* SPDX-License-Identifier: Apache-2.0 */
/* artifact ls, inspect, extract. */
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "cli/cli.h"
#include "cli/format.h"
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
	{ "Created", "CREATED", row_created, 0 },
	{ "Digest", "DIGEST", row_digest, 0 },
	{ "Repository", "REPOSITORY", row_repository, 0 },
	{ "Size", "SIZE", row_size, 0 },
	{ "Tag", "TAG", row_tag, 0 },
	{ "VirtualSize", "SIZE", row_bytes, 0 },
};
static const struct cli_table table = { fields, ARRAY_SIZE(fields),
					"Repository Tag Digest Created Size" };

static int list_artifact(struct cli_list *list, const struct ls_cmd *o,
			 const struct image_row *artifact, struct err *err)
{
	const struct reference none = { 0 };
	int r = 0;

	if (!artifact->names) {
		const struct row row = { artifact, &none, o->no_trunc };
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
	const struct shown shown = { .manifest = &artifact.manifest,
				     .name = artifact.row.names ? artifact.row.names[0] : NULL,
				     .digest = artifact.row.id };
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

static bool is_wanted(const struct extract_cmd *o, const struct oci_descriptor *desc)
{
	if (o->digest)
		return str_eq(o->digest, desc->digest);
	return !o->title || str_eq(json_map_get(&desc->annotations, ARTIFACT_TITLE), o->title);
}

static int extract_to(struct engine *eng, const struct oci_descriptor *desc, const char *path,
		      struct err *err)
{
	cleanup_output struct output out = OUTPUT_INIT;
	cleanup_fd int fd = artifact_open(eng, desc, err);

	if (fd < 0)
		return fd;
	int r = output_open(path, "extract", &out, err);
	if (r < 0)
		return r;
	int64_t n = io_copy(fd, out.fd);
	if (n < 0)
		return err_errno(err, (int)-n, "writing %s", path);
	if (n != desc->size)
		return err_fail(err, ERR_CORRUPT,
				"blob %s has %" PRId64 " bytes instead of %" PRId64, desc->digest,
				n, desc->size);
	return output_finish(&out, err);
}

/* A name from the artifact leads nowhere but into the directory: nothing that is there is followed
 * or replaced but a regular file. */
static int extract_into(struct engine *eng, const struct oci_descriptor *desc, const char *dir,
			struct err *err)
{
	cleanup_free char *name = artifact_file_name(desc, err);
	struct stat st;

	if (!name)
		return -EINVAL;
	cleanup_free char *path = path_join(dir, name);
	if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return err_fail(err, ERR_EXISTS, "%s is there, and no regular file", path);
	return extract_to(eng, desc, path, err);
}

static int run_extract(const void *globals, void *options, char **args, struct err *err)
{
	const struct extract_cmd *o = options;
	cleanup_artifact struct artifact artifact = { 0 };
	cleanup_engine struct engine eng = ENGINE_INIT;
	struct stat st;
	bool is_dir = stat(args[1], &st) == 0 && S_ISDIR(st.st_mode);
	size_t wanted = 0;

	if (o->digest && o->title)
		return err_fail(err, ERR_USAGE,
				"--digest and --title choose a file each: give one");
	int r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = artifact_read(&eng, args[0], &artifact, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < artifact.manifest.layers.n; i++)
		wanted += is_wanted(o, &artifact.manifest.layers.items[i]);
	if (wanted == 0)
		return err_fail(err, ERR_NOT_FOUND, "the artifact has no such file");
	if (wanted > 1 && !is_dir)
		return err_hint(err,
				err_fail(err, ERR_USAGE,
					 "the artifact has %zu files and %s is no directory",
					 wanted, args[1]),
				"choose one with --title or --digest");
	for (size_t i = 0; r == 0 && i < artifact.manifest.layers.n; i++) {
		const struct oci_descriptor *desc = &artifact.manifest.layers.items[i];

		if (is_wanted(o, desc))
			r = is_dir ? extract_into(&eng, desc, args[1], err)
				   : extract_to(&eng, desc, args[1], err);
	}
	return r;
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
