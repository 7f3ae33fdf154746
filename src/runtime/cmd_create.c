/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "runtime/cancel.h"
#include "runtime/cli.h"
#include "runtime/notify.h"

const struct opt create_opt_table[] = {
	{ .name = "bundle",
	  .short_name = 'b',
	  .kind = OPT_STR,
	  OPT_FIELD(struct create_opts, bundle),
	  .arg = "DIR",
	  .help = "Directory with config.json (default: the current one)" },
	{ .name = "pid-file",
	  .kind = OPT_STR,
	  OPT_FIELD(struct create_opts, pid_file),
	  .arg = "FILE",
	  .help = "Write the id of the container's first process to this file" },
	{ .name = "console-socket",
	  .kind = OPT_STR,
	  OPT_FIELD(struct create_opts, console_socket),
	  .arg = "PATH",
	  .help = "Unix socket that receives the terminal's master" },
	{ .name = "preserve-fds",
	  .kind = OPT_INT,
	  OPT_FIELD(struct create_opts, preserve_fds),
	  .arg = "N",
	  .help = "Pass N file descriptors from 3 on to the container" },
	{ .name = "no-pivot",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct create_opts, no_pivot),
	  .help = "Change the root by chroot instead of pivot_root, for a root on initramfs" },
	{ .name = "no-new-keyring",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct create_opts, no_new_keyring),
	  .help = "Let the container keep the caller's session keyring" },
	/* run only, from here on */
	{ .name = "detach",
	  .short_name = 'd',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct create_opts, detach),
	  .help = "Return when the container runs" },
	{ .name = "no-subreaper",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct create_opts, no_subreaper),
	  .help = "Do not adopt processes that the container leaves" },
	{ .name = "keep",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct create_opts, keep),
	  .help = "Do not delete the container when it has ended" },
};
_Static_assert(ARRAY_SIZE(create_opt_table) == RUN_OPTS, "as cli.h says");

int load_config(const char *bundle, struct spec *ret, struct buf *ret_text, struct err *err)
{
	cleanup_free char *path = path_join(bundle, "config.json");
	int r = io_read_file(AT_FDCWD, path, ret_text, SPEC_BYTES_MAX, err);

	return r < 0 ? r : spec_parse(buf_str(ret_text), ret_text->len, ret, err);
}

#define PRESERVE_MAX 65536

/* sd_listen_fds(3): the variables are for the process that they name. What others were given and
 * have passed on says nothing about our descriptors. */
static int listen_fds(void)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	int for_pid, n;

	if (!pid || str_parse_int(pid, &for_pid) < 0 || for_pid != getpid())
		return 0;
	return count && str_parse_int(count, &n) == 0 && n > 0 && n <= PRESERVE_MAX ? n : 0;
}

/* systemd's socket activation: its fds go on to the container with their variables. */
static int add_listen_fds(char ***env)
{
	static const char *const names[] = { "LISTEN_FDS", "LISTEN_FDNAMES" };
	int n = listen_fds();

	if (n == 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *value = getenv(names[i]);
		cleanup_free char *line = value ? xasprintf("%s=%s", names[i], value) : NULL;

		if (line)
			strv_env_set(env, line);
	}
	strv_env_set(env, "LISTEN_PID=1");
	return n;
}

/* All that the runtime has opened by now, its log say, is CLOEXEC: never to be passed. */
static bool fd_is_callers(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	return flags >= 0 && !(flags & FD_CLOEXEC);
}

int passed_fds(int preserve, char ***env, struct err *err)
{
	if (preserve < 0 || preserve > PRESERVE_MAX)
		return err_fail(err, ERR_USAGE,
				"--preserve-fds: expected a number from 0 to 65536");
	preserve += add_listen_fds(env);
	for (int fd = 3; fd < 3 + preserve; fd++)
		if (!fd_is_callers(fd))
			return err_fail(err, ERR_USAGE,
					"--preserve-fds: file descriptor %d is not open", fd);
	return preserve;
}

int fill_create_args(const struct create_opts *o, const char *id, struct spec *spec,
		     const struct buf *text, struct create_args *args, struct err *err)
{
	cleanup_strv char **none = NULL;

	*args = (struct create_args){
		.id = id,
		.bundle = o->bundle ? o->bundle : ".",
		.spec = spec,
		.spec_text = text->data,
		.spec_len = text->len,
		.pid_file = o->pid_file,
		.console_socket = o->console_socket,
		.stdio = { -EBADF, -EBADF, -EBADF },
		.no_pivot = o->no_pivot,
		.no_new_keyring = o->no_new_keyring,
	};
	args->preserve_fds =
	    passed_fds(o->preserve_fds, spec->process ? &spec->process->env : &none, err);
	if (args->preserve_fds < 0)
		return args->preserve_fds;
	if (o->console_socket && spec->process && !spec->process->terminal)
		return err_fail(err, ERR_USAGE,
				"--console-socket is given, but process.terminal is not true");
	return 0;
}

const char *cli_notify_host(void)
{
	const char *host = getenv(NOTIFY_ENV);
	struct sockaddr_un addr;

	if (!host || !host[0])
		return NULL;
	if (notify_address(host, &addr) >= 0)
		return host;
	log_warn("leaving " NOTIFY_ENV " alone, which is not the address of a Unix socket: %s",
		 host);
	return NULL;
}

void add_notify_socket(struct spec *spec, struct create_args *args)
{
	args->notify_host = cli_notify_host();
	if (!args->notify_host || !spec->process)
		return;
	/* An engine that has made a socket for the container listens to it. */
	if (strv_env_get(spec->process->env, NOTIFY_ENV))
		args->notify_host = NULL;
	else
		strv_env_set(&spec->process->env, NOTIFY_ENV "=" NOTIFY_DIR "/" NOTIFY_FILE);
}

static int run_create(const void *globals, void *opts, char **args, struct err *err)
{
	const struct create_opts *o = opts;
	CLEANUP(spec_free) struct spec spec = { 0 };
	cleanup_buf struct buf text = BUF_INIT;
	struct container c = { .pidfd = -EBADF };
	struct create_args create;
	int r;

	r = load_config(o->bundle ? o->bundle : ".", &spec, &text, err);
	if (r >= 0)
		r = fill_create_args(o, args[0], &spec, &text, &create, err);
	if (r >= 0)
		add_notify_socket(&spec, &create);
	if (r >= 0)
		r = create.cancel_fd = cancel_begin(err);
	if (r >= 0)
		r = container_create(globals_runtime(globals), &create, &c, err);
	fd_close(c.pidfd);
	return r < 0 ? r : 0;
}

const struct cmd cmd_create = {
	.name = "create",
	.args = "[OPTIONS] ID",
	.summary = "Create a container, which waits to be started",
	.opts = create_opt_table,
	.n_opts = CREATE_OPTS,
	.opts_size = sizeof(struct create_opts),
	.min_args = 1,
	.max_args = 1,
	.run = run_create,
};
