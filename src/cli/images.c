/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "base/strv.h"
#include "cli/cli.h"
#include "cli/format.h"
#include "engine/images_query.h"
#include "oci/reference.h"

struct images_options {
	bool all, quiet, no_trunc, digests, noheading;
	char **filters;
	char *format, *sort;
};

static const char *const sort_words[] = { "created", "id", "repository", "size", "tag", NULL };

static const struct opt opts[] = {
	{ .name = "all",
	  .short_name = 'a',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct images_options, all),
	  .help = "show all images (there are no hidden ones)" },
	{ .name = "digests",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct images_options, digests),
	  .help = "show the digests of the manifests" },
	{ .name = "filter",
	  .short_name = 'f',
	  .kind = OPT_STRV,
	  OPT_FIELD(struct images_options, filters),
	  .arg = "KEY=VALUE",
	  .help = "show only images that meet the condition" },
	{ .name = "format",
	  .kind = OPT_STR,
	  OPT_FIELD(struct images_options, format),
	  .arg = "FORMAT",
	  .help = CLI_FORMAT_HELP },
	{ .name = "no-trunc",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct images_options, no_trunc),
	  .help = "do not shorten ids" },
	{ .name = "noheading",
	  .short_name = 'n',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct images_options, noheading),
	  .help = "leave the heading of the table out" },
	{ .name = "quiet",
	  .short_name = 'q',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct images_options, quiet),
	  .help = "show ids only" },
	{ .name = "sort",
	  .kind = OPT_STR,
	  OPT_FIELD(struct images_options, sort),
	  .arg = "KEY",
	  .help = "what to sort by",
	  .choices = sort_words },
	OPT_REFUSE("history", "the names that an image had before are not kept"),
	OPT_REFUSE("tree", "`inro manifest inspect LIST` shows the images of a list"),
};

/* An image under one of its names. */
struct row {
	const struct image_row *image;
	const char *name;       /* or digest at a registry, NULL: none */
	char *repository, *tag; /* NULL: none */
	struct engine *eng;
	bool whole; /* ids */
};

#define ROW(r) ((const struct row *)(r))

static char *or_none(const char *s)
{
	return xstrdup(s ? s : "<none>");
}
static char *row_id(const void *r)
{
	return cli_short_id(ROW(r)->image->id, ROW(r)->whole);
}
static char *row_repository(const void *r)
{
	return or_none(ROW(r)->repository);
}
static char *row_tag(const void *r)
{
	return or_none(ROW(r)->tag);
}
/* An image may have a manifest of its own under each name. */
static char *row_digest(const void *r)
{
	cleanup_image_row struct image_row found = { 0 };

	if (ROW(r)->name && images_find(ROW(r)->eng, ROW(r)->name, &found, NULL) == 0)
		return or_none(found.manifest);
	return or_none(ROW(r)->image->manifest);
}
static char *row_ago(const void *r)
{
	return cli_ago(ROW(r)->image->created_ns);
}
static char *row_time(const void *r)
{
	return cli_time(ROW(r)->image->created_ns);
}
static char *row_size(const void *r)
{
	return cli_size(ROW(r)->image->size);
}
static char *row_unknown(const void *r)
{
	return xstrdup("N/A");
}
static char *row_names(const void *r)
{
	return ROW(r)->image->names ? strv_join(ROW(r)->image->names, ",") : xstrdup("");
}

static void read_labels(const void *r, struct json_map *ret)
{
	struct err err = ERR_INIT;

	/* an image whose configuration is lost is listed all the same */
	if (images_labels(ROW(r)->eng, ROW(r)->image, ret, &err) < 0)
		cli_report(&err);
}
static void labels_done(struct json_map *labels)
{
	for (size_t i = 0; i < labels->n; i++) {
		free(labels->items[i].key);
		free(labels->items[i].value);
	}
	free(labels->items);
}
static char *row_labels(const void *r)
{
	struct json_map labels = { .n = 0 };
	char *text;

	read_labels(r, &labels);
	text = cli_labels(&labels);
	labels_done(&labels);
	return text;
}
static char *row_label(const void *r)
{
	struct json_map labels = { .n = 0 };
	char *text;

	read_labels(r, &labels);
	text = cli_labels_json(&labels);
	labels_done(&labels);
	return text;
}

static const struct cli_field fields[] = {
	{ "Containers", "CONTAINERS", row_unknown, 0 },
	{ "CreatedAt", "CREATED AT", row_time, 0 },
	{ "CreatedSince", "CREATED", row_ago, 0 },
	{ "Digest", "DIGEST", row_digest, 0 },
	{ "ID", "IMAGE ID", row_id, 0 },
	{ "Repository", "REPOSITORY", row_repository, 0 },
	{ "SharedSize", "SHARED SIZE", row_unknown, 0 },
	{ "Size", "SIZE", row_size, 0 },
	{ "Tag", "TAG", row_tag, 0 },
	{ "UniqueSize", "UNIQUE SIZE", row_unknown, 0 },
	{ "VirtualSize", "SIZE", row_size, 0 },
	{ "Created", "CREATED", row_ago, CLI_ALIAS },
	{ "CreatedTime", "CREATED AT", row_time, CLI_ALIAS },
	{ "Id", "IMAGE ID", row_id, CLI_ALIAS },
	{ "Label", NULL, row_label, CLI_VALUE | CLI_COSTLY },
	{ "Labels", "LABELS", row_labels, CLI_COSTLY },
	{ "Names", "NAMES", row_names, CLI_ALIAS },
};

static const struct cli_table table = { fields, ARRAY_SIZE(fields),
					"Repository Tag ID CreatedSince Size" };
static const struct cli_table table_digests = { fields, ARRAY_SIZE(fields),
						"Repository Tag Digest ID CreatedSince Size" };

struct rows {
	struct row *items;
	size_t n;
};

static void rows_done(struct rows *rows)
{
	for (size_t i = 0; i < rows->n; i++) {
		free(rows->items[i].repository);
		free(rows->items[i].tag);
	}
	free(rows->items);
}

static void add_row(struct rows *rows, struct engine *eng, const struct image_row *image,
		    const char *name, bool whole)
{
	cleanup_reference struct reference ref = { 0 };
	struct row *row = &rows->items[rows->n++];

	*row = (struct row){ .image = image, .name = name, .eng = eng, .whole = whole };
	if (!name || reference_parse(name, &ref, NULL) < 0)
		return;
	row->repository = reference_familiar_repository(&ref);
	row->tag = ref.tag ? take_ptr(ref.tag) : NULL;
}

/* A row for each name; without one it is told by what a registry calls it, or not at all. */
static void make_rows(struct rows *rows, struct engine *eng, const struct image_rows *images,
		      bool whole)
{
	size_t n = 0;

	for (size_t i = 0; i < images->n; i++)
		n += strv_len(images->items[i].names) + 1;
	rows->items = xcalloc(n + 1, sizeof(*rows->items));
	for (size_t i = 0; i < images->n; i++) {
		const struct image_row *image = &images->items[i];

		if (!strv_len(image->names))
			add_row(rows, eng, image,
				image->repo_digests ? image->repo_digests[0] : NULL, whole);
		for (size_t j = 0; image->names && image->names[j]; j++)
			add_row(rows, eng, image, image->names[j], whole);
	}
}

static int by_word(const char *a, const char *b)
{
	return strcmp(a ? a : "<none>", b ? b : "<none>");
}
static int by_tag(const void *a, const void *b)
{
	return by_word(ROW(a)->tag, ROW(b)->tag);
}
static int by_repository(const void *a, const void *b)
{
	int order = by_word(ROW(a)->repository, ROW(b)->repository);

	return order ? order : by_tag(a, b);
}
static int by_id(const void *a, const void *b)
{
	return strcmp(ROW(a)->image->id, ROW(b)->image->id);
}
static int by_size(const void *a, const void *b)
{
	uint64_t x = ROW(a)->image->size, y = ROW(b)->image->size;

	return x < y ? -1 : x > y;
}

static void sort_rows(struct rows *rows, const char *word)
{
	static const struct {
		const char *word;
		int (*compare)(const void *a, const void *b);
	} orders[] = {
		{ "id", by_id },
		{ "repository", by_repository },
		{ "size", by_size },
		{ "tag", by_tag },
	};

	/* the newest come first as they are */
	for (size_t i = 0; word && i < ARRAY_SIZE(orders); i++)
		if (str_eq(word, orders[i].word))
			qsort(rows->items, rows->n, sizeof(*rows->items), orders[i].compare);
}

static int print_ids(const struct image_rows *images, bool whole, struct err *err)
{
	cleanup_buf struct buf out = BUF_INIT;

	for (size_t i = 0; i < images->n; i++) {
		cleanup_free char *id = cli_short_id(images->items[i].id, whole);

		buf_addf(&out, "%s\n", id);
	}
	return cli_print(&out, err);
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct images_options *o = options;
	const struct images_query query = { .filters = o->filters,
					    .name = args[0],
					    .ids_only = o->quiet && !o->sort };
	cleanup_image_rows struct image_rows images = { 0 };
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_cli_list struct cli_list *list = NULL;
	struct rows rows = { 0 };
	int r;

	r = cli_list_new(o->digests ? &table_digests : &table, o->format, !o->noheading, &list,
			 err);
	if (r == 0)
		r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = images_query(&eng, &query, &images, err);
	if (r < 0)
		return r;
	if (o->quiet && !o->sort)
		return print_ids(&images, o->no_trunc, err);
	make_rows(&rows, &eng, &images, o->no_trunc);
	sort_rows(&rows, o->sort);
	if (o->quiet) {
		cleanup_buf struct buf out = BUF_INIT;

		for (size_t i = 0; i < rows.n; i++) {
			cleanup_free char *id = row_id(&rows.items[i]);

			buf_addf(&out, "%s\n", id);
		}
		r = cli_print(&out, err);
	} else {
		for (size_t i = 0; i < rows.n && r == 0; i++)
			r = cli_list_row(list, &rows.items[i], err);
		if (r == 0)
			r = cli_list_print(list, err);
	}
	rows_done(&rows);
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
