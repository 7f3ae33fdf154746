/* SPDX-License-Identifier: Apache-2.0 */
/* Keeping image.max_size: what a command that has added images leaves running. */
#include "base/str.h"
#include "cli/cli.h"
#include "engine/images_trim.h"

static int run(const void *globals, void *options, char **args, struct err *err)
{
	cleanup_engine struct engine eng = ENGINE_INIT;
	int64_t before_ns;
	int r;

	if (str_parse_i64(args[0], &before_ns) < 0)
		return err_fail(err, ERR_USAGE, "invalid time: %s", args[0]);
	r = cli_engine(globals, &eng, err);
	return r < 0 ? r : images_trim_configured(&eng, before_ns, err);
}

const struct cmd cmd_trim = {
	.name = "__trim",
	.args = "NANOSECONDS",
	.summary = "Remove images that nobody has used since, to keep image.max_size",
	.min_args = 1,
	.max_args = 1,
	.run = run,
	.flags = CMD_HIDDEN,
};
