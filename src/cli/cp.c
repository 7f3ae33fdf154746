/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/cp.h"

#include <stdio.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/format.h"

struct cp_cli_options {
	struct cp_options cp;
	bool quiet;
};
#define CP_OPT(member) OPT_FIELD(struct cp_cli_options, cp.member)

static const struct opt opts[] = {
	{ .name = "archive",
	  .short_name = 'a',
	  .kind = OPT_FLAG,
	  CP_OPT(archive),
	  .help = "keep owners and access lists: the numbers of the source" },
	{ .name = "follow-link",
	  .short_name = 'L',
	  .kind = OPT_FLAG,
	  CP_OPT(follow),
	  .help = "copy what a symbolic link SRC leads to" },
	{ .name = "overwrite",
	  .kind = OPT_FLAG,
	  CP_OPT(overwrite),
	  .help = "let files take the place of directories, and directories that of files" },
	{ .name = "quiet",
	  .short_name = 'q',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct cp_cli_options, quiet),
	  .help = "on a terminal, don't say how much was copied" },
};

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct cp_cli_options *o = options;
	cleanup_engine struct engine eng = ENGINE_INIT;
	uint64_t bytes = 0;
	int r = cli_engine(globals, &eng, err);

	if (r == 0)
		r = engine_cp(&eng, args[0], args[1], &o->cp, &bytes, err);
	/* docker's exit status. */
	if (r < 0) {
		cli_report(err);
		return 1;
	}
	if (!o->quiet && isatty(STDOUT_FILENO)) {
		cleanup_free char *size = cli_size(bytes);

		fprintf(stderr, "Successfully copied %s to %s\n", size, args[1]);
	}
	return r;
}

const struct cmd cmd_cp = {
	.name = "cp",
	.args = "[OPTIONS] [CONTAINER:]SRC [CONTAINER:]DEST",
	.summary = "Copy files into and out of containers",
	.details =
	    "The container may run, be paused or not run; what is mounted in it from outside, "
	    "volumes say, is there in any case. From one container into another one, or into "
	    "itself, goes, too. "
	    "Directories are copied with all that is in them; SRC/. is what is in SRC. DEST as "
	    "`-` writes a tarball, SRC as `-` reads one.\n\n"
	    "Files get the container's root as their owner, or the caller; modes and times stay "
	    "as they are.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct cp_cli_options),
	.min_args = 2,
	.max_args = 2,
	.run = run,
};
