/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "base/fd.h"
#include "base/str.h"
#include "runtime/cancel.h"
#include "runtime/checkpoint.h"
#include "runtime/cli.h"
#include "runtime/cli_criu.h"

struct checkpoint_opts {
	struct criu_cli criu;
	char *parent_path, *page_server;
	int status_fd;
	bool leave_running, tcp_skip_in_flight, pre_dump, link_remap;
};

/* "HOST:PORT", "[IPV6]:PORT". */
static int parse_page_server(char *text, struct criu_args *args, struct err *err)
{
	char *colon = text ? strrchr(text, ':') : NULL;
	char *host = text;

	if (!text)
		return 0;
	if (colon && host[0] == '[' && colon > host && colon[-1] == ']') {
		host++;
		colon[-1] = '\0';
	} else if (colon && memchr(host, ':', (size_t)(colon - host))) {
		colon = NULL;
	}
	if (!colon || str_parse_int(colon + 1, &args->page_server_port) < 0 ||
	    args->page_server_port < 1 || args->page_server_port > 65535)
		return err_fail(err, ERR_USAGE, "--page-server: expected ADDRESS:PORT, got \"%s\"",
				text);
	*colon = '\0';
	if (!*host)
		return err_fail(err, ERR_USAGE, "--page-server: an address is needed");
	args->page_server_address = host;
	return 0;
}

static int check_status_fd(int fd, struct err *err)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return err_errno(err, errno, "--status-fd: file descriptor %d", fd);
	if ((flags & O_ACCMODE) == O_RDONLY)
		return err_fail(err, ERR_USAGE, "--status-fd: file descriptor %d is not writable",
				fd);
	return 0;
}

static int run_checkpoint(const void *globals, void *opts, char **argv, struct err *err)
{
	struct checkpoint_opts *o = opts;
	cleanup_fd int cancel_fd = -EBADF;
	struct criu_args args;
	int r;

	criu_cli_args(&o->criu, &args);
	args.parent_path = o->parent_path;
	args.leave_running = o->leave_running;
	args.tcp_skip_in_flight = o->tcp_skip_in_flight;
	args.pre_dump = o->pre_dump;
	args.link_remap = o->link_remap;
	r = parse_page_server(o->page_server, &args, err);
	/* 0 is what an option that was not given is; nobody is told on standard input. */
	if (r >= 0 && o->status_fd > 0) {
		args.status_fd = o->status_fd;
		r = check_status_fd(o->status_fd, err);
	}
	if (r >= 0)
		r = args.cancel_fd = cancel_fd = cancel_begin(err);
	return r < 0 ? r : container_checkpoint(globals_runtime(globals), argv[0], &args, err);
}

static const struct opt opts[] = {
	CRIU_CLI_OPTS(struct checkpoint_opts, criu),
	{ .name = "parent-path",
	  .kind = OPT_STR,
	  OPT_FIELD(struct checkpoint_opts, parent_path),
	  .arg = "DIR",
	  .help = "Images of an earlier --pre-dump, relative to --image-path: only memory that has "
		  "changed since is saved" },
	{ .name = "leave-running",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct checkpoint_opts, leave_running),
	  .help = "Let the container go on afterwards" },
	{ .name = "tcp-skip-in-flight",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct checkpoint_opts, tcp_skip_in_flight),
	  .help = "Leave out TCP connections that are not established yet" },
	{ .name = "status-fd",
	  .kind = OPT_INT,
	  OPT_FIELD(struct checkpoint_opts, status_fd),
	  .arg = "FD",
	  .help = "Write a zero byte to this file descriptor when --lazy-pages can be fetched" },
	{ .name = "page-server",
	  .kind = OPT_STR,
	  OPT_FIELD(struct checkpoint_opts, page_server),
	  .arg = "ADDRESS:PORT",
	  .help = "Send memory to criu's page server there instead of writing it to files" },
	{ .name = "pre-dump",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct checkpoint_opts, pre_dump),
	  .help = "Save memory only and let the container go on, for a later --parent-path" },
	{ .name = "link-remap",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct checkpoint_opts, link_remap),
	  .help = "Link files that are open but were removed back into the file system" },
};

const struct cmd cmd_checkpoint = {
	.name = "checkpoint",
	.args = "[OPTIONS] ID",
	.summary = "Save the processes of a running container to files",
	.details = "Executes criu(8). Without --leave-running and --pre-dump the container is "
		   "stopped and deleted then.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct checkpoint_opts),
	.min_args = 1,
	.max_args = 1,
	.run = run_checkpoint,
	.flags = CMD_ONE_DASH, /* containerd's "-no-subreaper" */
};
