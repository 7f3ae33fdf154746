/* SPDX-License-Identifier: Apache-2.0 */
/* tag, untag. */
#include "base/strv.h"
#include "cli/cli.h"
#include "engine/images.h"

static int run_tag(const void *globals, void *options, char **args, struct err *err)
{
	cleanup_engine struct engine eng = ENGINE_INIT;
	int r = cli_engine(globals, &eng, err);

	for (size_t i = 1; r == 0 && args[i]; i++)
		r = images_tag(&eng, args[0], args[i], err);
	return r;
}

static int run_untag(const void *globals, void *options, char **args, struct err *err)
{
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_strv char **lines = NULL;
	cleanup_buf struct buf out = BUF_INIT;
	int r = cli_engine(globals, &eng, err);

	if (r == 0)
		r = images_untag(&eng, args[0], args[1] ? args + 1 : NULL, &lines, err);
	for (size_t i = 0; r == 0 && lines && lines[i]; i++)
		buf_addf(&out, "%s\n", lines[i]);
	return r < 0 ? r : cli_print(&out, err);
}

const struct cmd cmd_tag = {
	.name = "tag",
	.args = "IMAGE NAME[:TAG] [NAME[:TAG]...]",
	.summary = "Give an image one more name",
	.opts_size = 1,
	.min_args = 2,
	.max_args = -1,
	.run = run_tag,
};

const struct cmd cmd_untag = {
	.name = "untag",
	.args = "IMAGE [NAME[:TAG]...]",
	.summary = "Take names from an image",
	.details = "Without a NAME all of them. The image stays; without a name it is one of those "
		   "that `inro image prune` removes.",
	.opts_size = 1,
	.min_args = 1,
	.max_args = -1,
	.run = run_untag,
};
