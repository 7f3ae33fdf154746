/* SPDX-License-Identifier: Apache-2.0 */
/* volume export, volume import. */
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "cli/export.h"
#include "engine/volume_tar.h"

static int run_export(const void *globals, void *options, char **args, struct err *err)
{
	return export_run("volume export", volume_export, globals, options, args[0], err);
}

const struct cmd cmd_volume_export = {
	.name = "export",
	.args = "[OPTIONS] VOLUME",
	.summary = "Export a volume's files as a tarball",
	.details = "Containers may use it meanwhile: stop them where all of it is to be of one "
		   "moment.",
	.opts = export_opts,
	.n_opts = ARRAY_SIZE(export_opts),
	.opts_size = sizeof(struct export_options),
	.min_args = 1,
	.max_args = 1,
	.run = run_export,
};

static int run_import(const void *globals, void *options, char **args, struct err *err)
{
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_fd int fd =
	    str_eq(args[1], "-") ? fd_dup(STDIN_FILENO, 3) : open(args[1], O_RDONLY | O_CLOEXEC);
	int r = fd < 0 ? err_errno(err, errno, "opening %s", args[1]) : 0;

	if (r == 0)
		r = cli_engine(globals, &eng, err);
	return r < 0 ? r : volume_import(&eng, args[0], fd, err);
}

const struct cmd cmd_volume_import = {
	.name = "import",
	.args = "VOLUME FILE|-",
	.summary = "Put the files of a tarball into a volume",
	.details = "The tarball may be compressed with gzip, zstd or xz. What has its names in the "
		   "volume is replaced, all else stays.",
	.min_args = 2,
	.max_args = 2,
	.run = run_import,
};
