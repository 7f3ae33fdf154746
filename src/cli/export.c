/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/export.h"

#include "cli/output.h"
#include "engine/diff.h"

const struct opt export_opts[1] = {
	{ .name = "output",
	  .short_name = 'o',
	  .kind = OPT_STR,
	  OPT_FIELD(struct export_options, output),
	  .arg = "FILE",
	  .help = "write to this file instead of standard output" },
};

int export_run(const char *verb, export_fn *fn, const void *globals, const void *options,
	       const char *name, struct err *err)
{
	const struct export_options *o = options;
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_output struct output out = OUTPUT_INIT;
	int64_t newest = -1;

	int r = output_epoch(&newest, err);
	if (r >= 0)
		r = output_open(o->output, verb, &out, err);
	if (r == 0)
		r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = fn(&eng, name, newest, out.fd, err);
	return r < 0 ? r : output_finish(&out, err);
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	return export_run("export", container_export, globals, options, args[0], err);
}

const struct cmd cmd_export = {
	.name = "export",
	.args = "[OPTIONS] CONTAINER",
	.summary = "Export a container's filesystem as a tarball",
	.details = "The image's files with the container's changes, running or not; not what is "
		   "mounted in it. `inro import` makes an image of it again.",
	.opts = export_opts,
	.n_opts = ARRAY_SIZE(export_opts),
	.opts_size = sizeof(struct export_options),
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
