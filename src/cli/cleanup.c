/* SPDX-License-Identifier: Apache-2.0 */
/* The clean-up role: what inro-monitor becomes when nobody else sees to its container's end. */
#include "engine/cleanup.h"

#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"
#include "cli/cli.h"

struct cleanup_options {
	char *lock, *control, *clients, *restart;
	struct opt_u64 backoff;
};

static const char *const restart_choices[] = { "yes", "no", NULL };

static const struct opt opts[] = {
	{ .name = "backoff",
	  .kind = OPT_U64,
	  OPT_FIELD(struct cleanup_options, backoff),
	  .arg = "MS",
	  .help = "what was waited before the last restart" },
	{ .name = "clients",
	  .kind = OPT_STR,
	  OPT_FIELD(struct cleanup_options, clients),
	  .arg = "FDS",
	  .help = "sockets of those who wait for the end" },
	{ .name = "control",
	  .kind = OPT_STR,
	  OPT_FIELD(struct cleanup_options, control),
	  .arg = "FD",
	  .help = "the control socket" },
	{ .name = "lock",
	  .kind = OPT_STR,
	  OPT_FIELD(struct cleanup_options, lock),
	  .arg = "FD",
	  .help = "the container's lock" },
	{ .name = "restart",
	  .kind = OPT_STR,
	  OPT_FIELD(struct cleanup_options, restart),
	  .arg = "yes|no",
	  .choices = restart_choices,
	  .help = "whether the container may be started again" },
};

/* One that was inherited: its number, closed on exec again. */
static int inherited(const char *word, int *ret, struct err *err)
{
	int fd;

	if (str_parse_int(word, &fd) < 0 || fd <= STDERR_FILENO || fd_set_cloexec(fd, true) < 0)
		return err_fail(err, ERR_USAGE, "invalid fd: %s", word);
	*ret = fd;
	return 0;
}

static int take_clients(const char *list, struct cleanup *c, struct err *err)
{
	cleanup_strv char **words = list && list[0] ? strv_split(list, ',') : NULL;
	size_t n = strv_len(words);
	int r = 0;

	c->clients = xcalloc(n + 1, sizeof(int));
	for (; r == 0 && c->n_clients < n; c->n_clients++)
		r = inherited(words[c->n_clients], &c->clients[c->n_clients], err);
	return r;
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct cleanup_options *o = options;
	struct cleanup c = {
		.id = args[0],
		.lock = -EBADF,
		.control = -EBADF,
		.backoff_ms = (uint32_t)o->backoff.value,
		.stopped = str_eq(o->restart, "no"),
	};
	cleanup_engine struct engine eng = ENGINE_INIT;
	int r;

	if (str_parse_int(args[1], &c.status) < 0 || c.status < 0 || c.status > 255)
		return err_fail(err, ERR_USAGE, "invalid exit status: %s", args[1]);
	r = o->lock ? inherited(o->lock, &c.lock, err) : 0;
	if (r == 0 && o->control)
		r = inherited(o->control, &c.control, err);
	if (r == 0)
		r = take_clients(o->clients, &c, err);
	if (r == 0)
		r = cli_engine(globals, &eng, err);
	return r < 0 ? r : engine_cleanup(&eng, &c, err);
}

const struct cmd cmd_cleanup = {
	.name = "__cleanup",
	.args = "[OPTIONS] CONTAINER STATUS",
	.summary = "Record or remove a container that has ended, or start it again",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct cleanup_options),
	.min_args = 2,
	.max_args = 2,
	.run = run,
	.flags = CMD_HIDDEN,
};
