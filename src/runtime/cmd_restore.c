/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "base/log.h"
#include "runtime/cancel.h"
#include "runtime/cli.h"
#include "runtime/cli_criu.h"
#include "runtime/foreground.h"

struct restore_opts {
	struct criu_cli criu;
	char *bundle, *pid_file, *console_socket, *lsm_profile, *lsm_mount_context;
	bool detach, no_subreaper, no_pivot;
};

static int stay(const struct runtime *rt, const struct create_args *given,
		const struct criu_args *args, bool subreaper, struct err *err)
{
	struct create_args create = *given;
	struct err warning = ERR_INIT;
	struct foreground f;
	int r = foreground_begin(&f, subreaper, err);

	if (r >= 0 && !create.console_socket && create.spec->process &&
	    create.spec->process->terminal)
		create.console_fd_out = &f.master;
	/* Until then a signal is for this process, later ones are for the container's. */
	if (r >= 0)
		r = create.cancel_fd = cancel_begin(err);
	if (r >= 0)
		r = container_restore(rt, &create, args, &f.c, err);
	create.cancel_fd = fd_close(create.cancel_fd);
	if (r >= 0) {
		r = foreground_stay(&f);
		if (container_delete(rt, create.id, true, &warning) < 0)
			log_warn("deleting container %s: %s", create.id, warning.msg);
	}
	foreground_done(&f);
	return r;
}

static int run_restore(const void *globals, void *opts, char **argv, struct err *err)
{
	const struct restore_opts *o = opts;
	const struct runtime *rt = globals_runtime(globals);
	const char *bundle = o->bundle && *o->bundle ? o->bundle : ".";
	CLEANUP(spec_free) struct spec spec = { 0 };
	cleanup_buf struct buf text = BUF_INIT;
	struct container c = { .pidfd = -EBADF };
	struct create_args create = {
		.id = argv[0],
		.bundle = bundle,
		.spec = &spec,
		.pid_file = o->pid_file,
		.console_socket =
		    o->console_socket && *o->console_socket ? o->console_socket : NULL,
	};
	struct criu_args args;
	int r;

	criu_cli_args(&o->criu, &args);
	args.lsm_profile = o->lsm_profile;
	args.lsm_mount_context = o->lsm_mount_context;
	r = load_config(bundle, &spec, &text, err);
	if (r < 0)
		return r;
	create.spec_text = text.data;
	create.spec_len = text.len;
	if (!o->detach)
		return stay(rt, &create, &args, !o->no_subreaper, err);
	r = create.cancel_fd = cancel_begin(err);
	if (r >= 0)
		r = container_restore(rt, &create, &args, &c, err);
	fd_close(create.cancel_fd);
	fd_close(c.pidfd);
	return r < 0 ? r : 0;
}

static const struct opt opts[] = {
	{ .name = "bundle",
	  .short_name = 'b',
	  .kind = OPT_STR,
	  OPT_FIELD(struct restore_opts, bundle),
	  .arg = "DIR",
	  .help = "Directory with config.json (default: the current one)" },
	CRIU_CLI_OPTS(struct restore_opts, criu),
	{ .name = "console-socket",
	  .kind = OPT_STR,
	  OPT_FIELD(struct restore_opts, console_socket),
	  .arg = "PATH",
	  .help = "Unix socket that receives the terminal's master" },
	{ .name = "pid-file",
	  .kind = OPT_STR,
	  OPT_FIELD(struct restore_opts, pid_file),
	  .arg = "FILE",
	  .help = "Write the id of the container's first process to this file" },
	{ .name = "detach",
	  .short_name = 'd',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct restore_opts, detach),
	  .help = "Return when the container runs" },
	{ .name = "no-subreaper",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct restore_opts, no_subreaper),
	  .help = "Do not adopt processes that the container leaves" },
	{ .name = "no-pivot",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct restore_opts, no_pivot),
	  .help = "Without effect, as criu changes the root; for compatibility" },
	{ .name = "lsm-profile",
	  .kind = OPT_STR,
	  OPT_FIELD(struct restore_opts, lsm_profile),
	  .arg = "TYPE:NAME",
	  .help = "AppArmor profile or SELinux label instead of the one that was saved" },
	{ .name = "lsm-mount-context",
	  .kind = OPT_STR,
	  OPT_FIELD(struct restore_opts, lsm_mount_context),
	  .arg = "CONTEXT",
	  .help = "SELinux context of mounts instead of the one that was saved" },
};

const struct cmd cmd_restore = {
	.name = "restore",
	.args = "[OPTIONS] ID",
	.summary = "Create a container from what checkpoint has saved",
	.details =
	    "Executes criu(8). The container runs at once. Without --detach the runtime waits "
	    "for its end and deletes it, as with run.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct restore_opts),
	.min_args = 1,
	.max_args = 1,
	.run = run_restore,
	.flags = CMD_ONE_DASH, /* containerd's "-no-subreaper" */
};
