/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/path.h"
#include "runtime/cli.h"
#include "sys/cgroup.h"

struct spec_opts {
	char *bundle;
	bool rootless;
};

static bool has_cgroup2(void)
{
	CLEANUP(cgroup_system_done) struct cgroup_system cgroups = { 0 };

	return cgroup_system_read(&cgroups, NULL) >= 0 && cgroups.layout == CGROUP_V2;
}

static int run_spec(const void *globals, void *opts, char **args, struct err *err)
{
	const struct spec_opts *o = opts;
	const struct spec_example_args example = {
		.rootless = o->rootless,
		.uid = geteuid(),
		.gid = getegid(),
		.cgroup2 = has_cgroup2(),
	};
	cleanup_free char *path = path_join(o->bundle ? o->bundle : ".", "config.json");
	CLEANUP(spec_free) struct spec spec = { 0 };
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	cleanup_fd int fd = -EBADF;
	int r;

	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0 && errno == EEXIST)
		return err_fail(err, ERR_EXISTS, "file %s exists; remove it first", path);
	if (fd < 0)
		return err_errno(err, errno, "making %s", path);
	spec_example(&example, &spec);
	json_write(&spec_desc, &spec, JSON_PRETTY | JSON_NEWLINE, &text);
	r = io_write(fd, text.data, text.len);
	return r < 0 ? err_errno(err, -r, "writing %s", path) : 0;
}

static const struct opt opts[] = {
	{ .name = "bundle",
	  .short_name = 'b',
	  .kind = OPT_STR,
	  OPT_FIELD(struct spec_opts, bundle),
	  .arg = "DIR",
	  .help = "Directory to write config.json to (default: the current one)" },
	{ .name = "rootless",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct spec_opts, rootless),
	  .help = "A configuration that an unprivileged user can run" },
};

const struct cmd cmd_spec = {
	.name = "spec",
	.args = "[OPTIONS]",
	.summary = "Write an example config.json",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct spec_opts),
	.min_args = 0,
	.max_args = 0,
	.run = run_spec,
};
