/* SPDX-License-Identifier: Apache-2.0 */
/* image mount, image unmount. */
#include "base/str.h"
#include "base/strv.h"
#include "base/table.h"
#include "cli/cli.h"
#include "cli/format.h"
#include "engine/image_mount.h"
#include "oci/digest.h"

/* ---- mount ---- */

struct mount_options {
	bool all;
	char *format;
};

static const struct opt mount_opts[] = {
	{ .name = "all",
	  .short_name = 'a',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct mount_options, all),
	  .help = "mount all images" },
	{ .name = "format",
	  .kind = OPT_STR,
	  OPT_FIELD(struct mount_options, format),
	  .arg = "FORMAT",
	  .help = "json, or a Go template" },
};

/* As podman has it. */
struct mount_doc {
	char *id;
	char **names, **repositories;
	char *path;
};
static const struct json_field mount_fields[] = {
	JSON_FIELD(struct mount_doc, id, "id", JSON_STR),
	JSON_FIELD(struct mount_doc, names, "Names", JSON_STRV, .flags = JSON_KEEP),
	JSON_FIELD(struct mount_doc, repositories, "Repositories", JSON_STRV, .flags = JSON_KEEP),
	JSON_FIELD(struct mount_doc, path, "mountpoint", JSON_STR),
};
static const struct json_desc mount_desc = JSON_DESC(struct mount_doc, mount_fields);

static int print_objects(const struct image_mounts *mounts, const char *format, struct err *err)
{
	cleanup_cli_objects struct cli_objects *objects = NULL;
	int r = cli_objects_new(format, &objects, err);

	for (size_t i = 0; r == 0 && i < mounts->n; i++) {
		const struct image_mount *one = &mounts->items[i];
		char *names[] = { one->image.manifest, NULL };
		const struct mount_doc doc = {
			.id = xstrdup(digest_hex(one->image.id)),
			.names = names,
			.repositories = one->image.names,
			.path = one->path,
		};

		r = cli_objects_add(objects, &mount_desc, &doc, err);
		free(doc.id);
	}
	return r < 0 ? r : cli_objects_print(objects, err);
}

static int print_lines(const struct image_mounts *mounts, struct err *err)
{
	static const char *const headers[] = { "", "" };
	cleanup_buf struct buf out = BUF_INIT;
	struct table *table = table_new(headers, 2);

	for (size_t i = 0; i < mounts->n; i++) {
		const struct image_mount *one = &mounts->items[i];
		const char *name = one->image.names ? one->image.names[0] : one->image.id;
		const char *const cells[] = { name, one->path };

		table_row(table, cells);
	}
	table_write(table, false, &out);
	table_free(table);
	return cli_print(&out, err);
}

/* One image by its name: its path alone, for scripts. */
static int print_path(const struct image_mounts *mounts, struct err *err)
{
	cleanup_buf struct buf out = BUF_INIT;

	buf_addf(&out, "%s\n", mounts->items[0].path);
	return cli_print(&out, err);
}

static int mount_all(struct engine *eng, struct image_mounts *mounts, struct err *err)
{
	cleanup_image_rows struct image_rows rows = { 0 };
	int r = images_list_brief(eng, NULL, false, &rows, err);

	for (size_t i = 0; r == 0 && i < rows.n; i++)
		if (rows.items[i].kind == IMAGE_KIND_IMAGE)
			r = image_mount(eng, rows.items[i].id, mounts, err);
	return r;
}

static int run_mount(const void *globals, void *options, char **args, struct err *err)
{
	const struct mount_options *o = options;
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_image_mounts struct image_mounts mounts = { 0 };
	int r = cli_engine(globals, &eng, err);

	if (r == 0 && o->all && args[0])
		r = err_fail(err, ERR_USAGE, "--all is given together with images");
	for (size_t i = 0; r == 0 && args[i]; i++)
		r = image_mount(&eng, args[i], &mounts, err);
	if (r == 0 && o->all)
		r = mount_all(&eng, &mounts, err);
	if (r == 0 && !o->all && !args[0])
		r = image_mount_list(&eng, &mounts, err);
	if (r < 0)
		return r;
	if (o->format)
		return print_objects(&mounts, o->format, err);
	return args[0] && !args[1] ? print_path(&mounts, err) : print_lines(&mounts, err);
}

const struct cmd cmd_image_mount = {
	.name = "mount",
	.args = "[OPTIONS] [IMAGE...]",
	.summary = "Mount images inside of `inro unshare`, and show where",
	.details =
	    "Prints the path of the image's files, which can't be written to. Several "
	    "images, or none, which lists those that are mounted, give lines of a name and a "
	    "path.",
	.opts = mount_opts,
	.n_opts = ARRAY_SIZE(mount_opts),
	.opts_size = sizeof(struct mount_options),
	.min_args = 0,
	.max_args = -1,
	.run = run_mount,
};

/* ---- unmount ---- */

struct unmount_options {
	bool all, force;
};

static const struct opt unmount_opts[] = {
	{ .name = "all",
	  .short_name = 'a',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct unmount_options, all),
	  .help = "unmount all images" },
	{ .name = "force",
	  .short_name = 'f',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct unmount_options, force),
	  .help = "even if it was mounted several times" },
};

static int unmount_one(struct engine *eng, const char *word, bool force, struct err *err)
{
	cleanup_buf struct buf out = BUF_INIT;
	cleanup_free char *id = NULL;
	int r = image_unmount(eng, word, force, &id, err);

	if (r < 0 || !id)
		return r;
	buf_addf(&out, "%s\n", digest_hex(id));
	return cli_print(&out, err);
}

static int unmount_all(const void *globals, bool force, struct err *err)
{
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_image_mounts struct image_mounts mounts = { 0 };
	int r = cli_engine(globals, &eng, err);

	if (r == 0)
		r = image_mount_list(&eng, &mounts, err);
	for (size_t i = 0; r == 0 && i < mounts.n; i++)
		r = unmount_one(&eng, mounts.items[i].image.id, force, err);
	return r;
}

static int run_unmount(const void *globals, void *options, char **args, struct err *err)
{
	const struct unmount_options *o = options;

	if (o->all != !args[0])
		return err_fail(err, ERR_USAGE,
				o->all ? "--all is given together with images"
				       : "image name or ID must be specified");
	/* Unlike elsewhere --force does not mean that an image may be unknown. */
	if (o->all)
		return unmount_all(globals, o->force, err);
	cleanup_engine struct engine eng = ENGINE_INIT;
	int r = cli_engine(globals, &eng, err);
	for (size_t i = 0; r == 0 && args[i]; i++)
		r = unmount_one(&eng, args[i], o->force, err);
	return r;
}

const struct cmd cmd_image_unmount = {
	.name = "unmount",
	.args = "[OPTIONS] IMAGE [IMAGE...]",
	.summary = "Unmount images inside of `inro unshare`",
	.details =
	    "Prints the id of each. What was mounted twice stays until it has been unmounted "
	    "twice. Images that aren't mounted are no error.",
	.opts = unmount_opts,
	.n_opts = ARRAY_SIZE(unmount_opts),
	.opts_size = sizeof(struct unmount_options),
	.min_args = 0,
	.max_args = -1,
	.run = run_unmount,
};
