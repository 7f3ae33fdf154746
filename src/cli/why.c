/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/why.h"

#include "base/str.h"
#include "cli/cli.h"
#include "cli/format.h"

struct why_options {
	char *format;
};

static const struct opt opts[] = {
	{ .name = "format",
	  .short_name = 'f',
	  .kind = OPT_STR,
	  OPT_FIELD(struct why_options, format),
	  .arg = "FORMAT",
	  .help = "json, or a Go template; text when not given" },
};

static void write_text(const struct why *w, struct buf *out)
{
	buf_addf(out, "%s\n", w->summary);
	for (size_t i = 0; w->reasons && w->reasons[i]; i++)
		buf_addf(out, "  %s\n", w->reasons[i]);
	if (w->log)
		buf_adds(out, "  the last lines of its log:\n");
	for (size_t i = 0; w->log && w->log[i]; i++)
		buf_addf(out, "    | %s\n", w->log[i]);
	for (size_t i = 0; w->cures && w->cures[i]; i++)
		buf_addf(out, "  -> %s\n", w->cures[i]);
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct why_options *o = options;
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_buf struct buf out = BUF_INIT;
	cleanup_why struct why w = { 0 };
	int r = cli_engine(globals, &eng, err);

	if (r == 0)
		r = engine_why(&eng, args[0], &w, err);
	if (r == 0 && o->format)
		r = cli_format_object(o->format, &why_desc, &w, &out, err);
	else if (r == 0)
		write_text(&w, &out);
	return r < 0 ? r : cli_print(&out, err);
}

const struct cmd cmd_why = {
	.name = "why",
	.args = "[OPTIONS] CONTAINER",
	.summary = "Say why a container does not run, or is not healthy",
	.details = "How it ended, or what kept it from starting; whether memory ran out; what the "
		   "last health probe said; whether and when it is started again; the last lines "
		   "that it printed; and commands that may help.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct why_options),
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
