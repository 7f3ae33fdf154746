/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "runtime/cancel.h"
#include "runtime/cli.h"

static int run_run(const void *globals, void *opts, char **args, struct err *err)
{
	const struct create_opts *o = opts;
	const struct runtime *rt = globals_runtime(globals);
	CLEANUP(spec_free) struct spec spec = { 0 };
	cleanup_buf struct buf text = BUF_INIT;
	struct container c = { .pidfd = -EBADF };
	struct create_args create;
	int r;

	r = load_config(o->bundle ? o->bundle : ".", &spec, &text, err);
	if (r >= 0)
		r = fill_create_args(o, args[0], &spec, &text, &create, err);
	if (r < 0)
		return r;
	add_notify_socket(&spec, &create);
	create.start = true;
	if (!o->detach)
		return run_foreground(rt, &create, !o->no_subreaper, o->keep, err);
	r = create.cancel_fd = cancel_begin(err);
	if (r >= 0)
		r = container_create(rt, &create, &c, err);
	fd_close(c.pidfd);
	return r < 0 ? r : 0;
}

const struct cmd cmd_run = {
	.name = "run",
	.args = "[OPTIONS] ID",
	.summary = "Create and start a container, wait for its end and delete it",
	.details =
	    "The exit status is the container's, 128 and the number of the signal that ended "
	    "it, or 1 when it could not be run.",
	.opts = create_opt_table,
	.n_opts = RUN_OPTS,
	.opts_size = sizeof(struct create_opts),
	.min_args = 1,
	.max_args = 1,
	.run = run_run,
};
