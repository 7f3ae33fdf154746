/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "base/strv.h"
#include "cli/cli.h"
#include "engine/images.h"
#include "oci/reference.h"

struct images_options {
	bool all, quiet, no_trunc, digests;
	char *format;
};

static const struct opt opts[] = {
	{ .name = "all",
	  .short_name = 'a',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct images_options, all),
	  .help = "show all images (there are no hidden ones)" },
	{ .name = "quiet",
	  .short_name = 'q',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct images_options, quiet),
	  .help = "show ids only" },
	{ .name = "no-trunc",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct images_options, no_trunc),
	  .help = "do not shorten ids" },
	{ .name = "digests",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct images_options, digests),
	  .help = "show the digests of the manifests" },
	{ .name = "format",
	  .kind = OPT_STR,
	  OPT_FIELD(struct images_options, format),
	  .arg = "FORMAT",
	  .help = "table or json" },
};

static const struct cli_column columns[] = {
	{ "REPOSITORY", "Repository" }, { "TAG", "Tag" },   { "IMAGE ID", "ID" },
	{ "CREATED", "CreatedSince" },  { "SIZE", "Size" },
};
static const struct cli_column columns_digests[] = {
	{ "REPOSITORY", "Repository" }, { "TAG", "Tag" },
	{ "DIGEST", "Digest" },         { "IMAGE ID", "ID" },
	{ "CREATED", "CreatedSince" },  { "SIZE", "Size" },
};

static char *short_id(const char *id, bool no_trunc)
{
	const char *hex = str_after(id, "sha256:");

	if (no_trunc || !hex)
		return xstrdup(id);
	return xstrndup(hex, 12);
}

static void add_row(struct cli_list *list, const struct images_options *o,
		    const struct image_row *row, const char *name)
{
	cleanup_reference struct reference ref = { 0 };
	cleanup_free char *repository = NULL;
	cleanup_free char *id = short_id(row->id, o->no_trunc);
	cleanup_free char *created = cli_ago(row->created_ns);
	cleanup_free char *size = cli_size(row->size);
	const char *tag = "<none>", *cells[6];
	size_t n = 0;

	if (name && reference_parse(name, &ref, NULL) == 0) {
		repository = reference_familiar_repository(&ref);
		tag = ref.tag ? ref.tag : tag;
	}
	cells[n++] = repository ? repository : "<none>";
	cells[n++] = tag;
	if (o->digests)
		cells[n++] = row->manifest;
	cells[n++] = id;
	cells[n++] = created;
	cells[n++] = size;
	cli_list_row(list, cells);
}

static void add_rows(struct cli_list *list, const struct images_options *o,
		     const struct image_row *row)
{
	size_t i;

	if (!strv_len(row->names))
		add_row(list, o, row, NULL);
	for (i = 0; row->names && row->names[i]; i++)
		add_row(list, o, row, row->names[i]);
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct images_options *o = options;
	cleanup_image_rows struct image_rows rows = { 0 };
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_buf struct buf ids = BUF_INIT;
	struct cli_list *list;
	size_t i;
	int r;

	r = o->digests
		? cli_list_new(o->format, columns_digests, ARRAY_SIZE(columns_digests), &list, err)
		: cli_list_new(o->format, columns, ARRAY_SIZE(columns), &list, err);
	if (r < 0)
		return r;
	r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = images_list(&eng, args[0], &rows, err);
	for (i = 0; r == 0 && i < rows.n; i++) {
		cleanup_free char *id = short_id(rows.items[i].id, o->no_trunc);

		if (o->quiet)
			buf_addf(&ids, "%s\n", id);
		else
			add_rows(list, o, &rows.items[i]);
	}
	if (r == 0)
		r = o->quiet ? cli_print(&ids, err) : cli_list_print(list, err);
	cli_list_free(list);
	return r;
}

const struct cmd cmd_images = {
	.name = "images",
	.args = "[OPTIONS] [REPOSITORY[:TAG]]",
	.summary = "List images",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct images_options),
	.max_args = 1,
	.run = run,
};
