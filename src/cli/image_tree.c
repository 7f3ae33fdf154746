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

static void write_tree(const struct image_row *row, const struct image_steps *steps,
		       const struct image_rows *all, struct buf *out)
{
	cleanup_free char *id = cli_short_id(row->id, false);
	cleanup_free char *size = cli_size(row->size);
	cleanup_free char *names = strv_join(row->names, " ");
	size_t left = strv_len(row->diff_ids);

	buf_addf(out, "Image ID: %s\nTags:     [%s]\nSize:     %s\n", id, names, size);
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

static int run_tree(const void *globals, void *options, char **args, struct err *err)
{
	cleanup_image_steps struct image_steps steps = { 0 };
	cleanup_image_rows struct image_rows all = { 0 };
	cleanup_image_row struct image_row row = { 0 };
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_buf struct buf out = BUF_INIT;
	int r = cli_engine(globals, &eng, err);

	if (r == 0)
		r = images_find_whole(&eng, args[0], &row, err);
	if (r == 0)
		r = image_history(&eng, args[0], &steps, err);
	if (r == 0)
		r = images_list(&eng, NULL, &all, err);
	if (r < 0)
		return r;
	write_tree(&row, &steps, &all, &out);
	return cli_print(&out, err);
}

const struct cmd cmd_image_tree = {
	.name = "tree",
	.args = "IMAGE",
	.summary = "Show the layers of an image, and which images end with them",
	.opts_size = 1,
	.min_args = 1,
	.max_args = 1,
	.run = run_tree,
};
