/* SPDX-License-Identifier: Apache-2.0 */

#include "base/json.h"
#include "base/str.h"
#include "cli/cli.h"
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
	  .help = "json, or text when not given" },
};

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct info_options *o = options;
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_buf struct buf out = BUF_INIT;
	struct engine_info info = { 0 };
	int r;

	if (o->format && !str_eq(o->format, "json"))
		return err_fail(err, ERR_UNSUPPORTED,
				"--format \"%s\": templates are not implemented yet, only json",
				o->format);
	r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = engine_info(&eng, &info, err);
	if (r < 0)
		return r;
	if (o->format)
		engine_info_json(&info, &out);
	else
		engine_info_text(&info, &out);
	engine_info_done(&info);
	return cli_print(&out, err);
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
