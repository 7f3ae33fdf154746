/* SPDX-License-Identifier: Apache-2.0 */
/* image exists, image tree. */
#include "base/str.h"
#include "base/strv.h"
#include "cli/cli.h"
#include "cli/format.h"
#include "engine/image_inspect.h"
#include "oci/reference.h"

static int run_exists(const void *globals, void *options, char **args, struct err *err)
{
	cleanup_image_row struct image_row row = { 0 };
	cleanup_engine struct engine eng = ENGINE_INIT;
	int r = cli_engine(globals, &eng, err);

	if (r == 0)
		r = images_find(&eng, args[0], &row, err);
	return cli_exists(r, err);
}

const struct cmd cmd_image_exists = {
	.name = "exists",
	.args = "IMAGE",
	.summary = "Tell by the exit status whether an image is here: 0, or 1 when it is not",
	.opts_size = 1,
	.min_args = 1,
	.max_args = 1,
	.run = run_exists,
};

struct tree_options {
	bool whatrequires;
};

static const struct opt tree_opts[] = {
	{ .name = "whatrequires",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct tree_options, whatrequires),
	  .help = "show what other images have on top of it" },
};

/* Names of the images that have this layer as their last. */
static void add_tops(const struct image_rows *all, const char *layer, struct buf *out)
{
	cleanup_strv char **names = NULL;

	for (size_t i = 0; i < all->n; i++) {
		const struct image_row *row = &all->items[i];
		size_t n = strv_len(row->diff_ids);

		if (n && str_eq(row->diff_ids[n - 1], layer))
			strv_extend(&names, row->names);
	}
	if (names) {
		cleanup_free char *joined = strv_join(names, ", ");

		buf_addf(out, " Top Layer of: [%s]", joined);
	}
}

static void write_header(const struct image_row *row, struct buf *out)
{
	cleanup_free char *id = cli_short_id(row->id, false);
	cleanup_free char *size = cli_size(row->size);
	cleanup_free char *names = strv_join(row->names, " ");

	buf_addf(out, "Image ID: %s\nTags:     [%s]\nSize:     %s\n", id, names, size);
}

static void write_tree(const struct image_row *row, const struct image_steps *steps,
		       const struct image_rows *all, struct buf *out)
{
	size_t left = strv_len(row->diff_ids);

	write_header(row, out);
	buf_adds(out, left ? "Image Layers\n" : "No Image Layers\n");
	/* steps are newest first, layers are shown from the lowest on */
	for (size_t i = steps->n; i-- > 0;) {
		const struct image_step *step = &steps->items[i];
		cleanup_free char *layer = step->layer ? cli_short_id(step->layer, false) : NULL;
		cleanup_free char *bytes = cli_size(step->size);

		if (!layer)
			continue;
		left -= left > 0;
		buf_addf(out, "%s ID: %s Size: %7s", left ? "├──" : "└──", layer, bytes);
		add_tops(all, step->layer, out);
		buf_addc(out, '\n');
	}
}

/* ---- what is built on it ---- */

/* Images that have the same layers up to some depth. */
struct family {
	const struct image_row **items;
	size_t n;
};

static bool is_below(const struct image_row *row, char *const *layers)
{
	size_t n = 0;

	while (layers && layers[n] && row->diff_ids && str_eq(layers[n], row->diff_ids[n]))
		n++;
	return !layers || !layers[n];
}

/* Of those that have this layer at that depth. */
static void write_layer(struct engine *eng, const struct family *f, size_t depth, bool last,
			const char *indent, struct buf *out)
{
	const char *diff_id = f->items[0]->diff_ids[depth];
	cleanup_free char *layer = cli_short_id(diff_id, false);
	cleanup_free char *size = cli_size(image_layer_size(eng, diff_id));
	cleanup_strv char **names = NULL;

	buf_addf(out, "%s%s ID: %s Size: %7s", indent, last ? "└──" : "├──", layer, size);
	for (size_t i = 0; i < f->n; i++)
		if (!f->items[i]->diff_ids[depth + 1])
			strv_extend(&names, f->items[i]->names);
	cleanup_free char *joined = names ? strv_join(names, ", ") : NULL;
	if (joined)
		buf_addf(out, " Top Layer of: [%s]", joined);
	buf_addc(out, '\n');
}

/* The next of the images that have the layer another one begins with here; those are taken out. */
static struct family split(struct family *from, size_t depth)
{
	struct family same = { .items = xcalloc(from->n, sizeof(void *)) };
	const char *layer = from->items[0]->diff_ids[depth];
	size_t k = 0;

	for (size_t i = 0; i < from->n; i++) {
		if (str_eq(from->items[i]->diff_ids[depth], layer))
			same.items[same.n++] = from->items[i];
		else
			from->items[k++] = from->items[i];
	}
	from->n = k;
	return same;
}

/* Takes the family's list over. */
static void write_family(struct engine *eng, struct family *f, size_t depth, const char *indent,
			 struct buf *out)
{
	size_t k = 0;

	for (size_t i = 0; i < f->n; i++)
		if (f->items[i]->diff_ids[depth])
			f->items[k++] = f->items[i];
	f->n = k;
	while (f->n) {
		struct family same = split(f, depth);
		bool last = f->n == 0;
		cleanup_free char *deeper = xasprintf("%s%s", indent, last ? "    " : "│   ");

		write_layer(eng, &same, depth, last, indent, out);
		write_family(eng, &same, depth + 1, deeper, out);
	}
	free(take_ptr(f->items));
}

static void write_required(struct engine *eng, const struct image_row *row,
			   const struct image_rows *all, struct buf *out)
{
	struct family f = { .items = xcalloc(all->n + 1, sizeof(void *)) };
	size_t n = strv_len(row->diff_ids);

	for (size_t i = 0; i < all->n; i++)
		if (strv_len(all->items[i].diff_ids) > 0 && is_below(&all->items[i], row->diff_ids))
			f.items[f.n++] = &all->items[i];
	write_header(row, out);
	buf_adds(out, f.n ? "Image Layers\n" : "No Image Layers\n");
	/* from the image's own topmost layer on */
	write_family(eng, &f, n ? n - 1 : 0, "", out);
}

static int run_tree(const void *globals, void *options, char **args, struct err *err)
{
	const struct tree_options *o = options;
	cleanup_image_steps struct image_steps steps = { 0 };
	cleanup_image_rows struct image_rows all = { 0 };
	cleanup_image_row struct image_row row = { 0 };
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_buf struct buf out = BUF_INIT;
	int r = cli_engine(globals, &eng, err);

	if (r == 0)
		r = images_find_whole(&eng, args[0], &row, err);
	if (r == 0)
		r = engine_store(&eng, err);
	if (r == 0)
		r = image_history(&eng, args[0], &steps, err);
	if (r == 0)
		r = images_list(&eng, NULL, &all, err);
	if (r < 0)
		return r;
	if (o->whatrequires)
		write_required(&eng, &row, &all, &out);
	else
		write_tree(&row, &steps, &all, &out);
	return cli_print(&out, err);
}

const struct cmd cmd_image_tree = {
	.name = "tree",
	.args = "[OPTIONS] IMAGE",
	.summary = "Show the layers of an image, and which images end with them",
	.opts = tree_opts,
	.n_opts = ARRAY_SIZE(tree_opts),
	.opts_size = sizeof(struct tree_options),
	.min_args = 1,
	.max_args = 1,
	.run = run_tree,
};
