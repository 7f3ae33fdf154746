/* SPDX-License-Identifier: Apache-2.0 */

#include "cli/cli.h"
#include "cli/format.h"
#include "engine/info.h"

struct info_options {
	char *format;
};

static const struct opt opts[] = {
	{ .name = "format",
	  .short_name = 'f',
	  .kind = OPT_STR,
	  OPT_FIELD(struct info_options, format),
	  .arg = "FORMAT",
	  .help = "json, or a Go template; text when not given" },
};

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct info_options *o = options;
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_buf struct buf out = BUF_INIT;
	struct engine_info info = { 0 };
	int r;

	r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = engine_info(&eng, &info, err);
	if (r < 0)
		return r;
	if (o->format)
		r = cli_format_object(o->format, &engine_info_desc, &info, &out, err);
	else
		engine_info_text(&info, &out);
	engine_info_done(&info);
	return r < 0 ? r : cli_print(&out, err);
}

const struct cmd cmd_info = {
	.name = "info",
	.args = "[OPTIONS]",
	.summary = "Show what this machine offers and where inro keeps its state",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct info_options),
	.run = run,
};
