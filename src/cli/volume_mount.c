/* SPDX-License-Identifier: Apache-2.0 */
/* volume mount, unmount: where a volume's files are. */
#include "cli/cli.h"
#include "engine/volumes.h"

static int print_line(const char *word, struct err *err)
{
	cleanup_buf struct buf out = BUF_INIT;

	buf_addf(&out, "%s\n", word);
	return cli_print(&out, err);
}

static int run_mount(const void *globals, void *options, char **args, struct err *err)
{
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_volume struct volume v = { 0 };
	cleanup_free char *path = NULL;
	int r = cli_engine(globals, &eng, err);

	if (r == 0)
		r = volume_find(&eng, args[0], &v, err);
	if (r < 0)
		return r;
	path = volume_path(&eng, &v);
	if (path)
		return print_line(path, err);
	err_fail(err, ERR_UNSUPPORTED, "mounting volume %s: it is a tmpfs of each container's own",
		 v.name);
	return err_hint(err, -EOPNOTSUPP, "`inro exec` and `inro cp` reach what is in it");
}

const struct cmd cmd_volume_mount = {
	.name = "mount",
	.args = "VOLUME",
	.summary = "Print the directory of a volume's files",
	.details = "Nothing is mounted: the files are there all the time. Without root, those that "
		   "belong to other users of containers are to be had in *inro unshare*.",
	.min_args = 1,
	.max_args = 1,
	.run = run_mount,
};

static int run_unmount(const void *globals, void *options, char **args, struct err *err)
{
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_volume struct volume v = { 0 };
	int r = cli_engine(globals, &eng, err);

	if (r == 0)
		r = volume_find(&eng, args[0], &v, err);
	return r < 0 ? r : print_line(v.name, err);
}

const struct cmd cmd_volume_unmount = {
	.name = "unmount",
	.args = "VOLUME",
	.summary = "Print a volume's name, for podman's users",
	.details = "*inro volume mount* has mounted nothing.",
	.min_args = 1,
	.max_args = 1,
	.run = run_unmount,
};
