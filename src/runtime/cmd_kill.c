/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <signal.h>

#include "base/str.h"
#include "runtime/cli.h"

struct kill_opts {
	bool all;
};

/* "9", "KILL", "SIGKILL", "kill", "RTMIN+3". */
static int parse_signal(const char *word, int *ret, struct err *err)
{
	char name[32];
	const char *plus;
	size_t i;
	int n = 0;

	if (str_parse_int(word, &n) == 0 && n >= 0 && n <= SIGRTMAX) {
		*ret = n;
		return 0;
	}
	for (i = 0; word[i] && i + 1 < sizeof(name); i++)
		name[i] = (char)toupper((unsigned char)word[i]);
	name[i] = '\0';
	word = str_starts(name, "SIG") ? name + 3 : name;
	for (n = 1; n < SIGSYS + 1; n++) {
		if (str_eq(sigabbrev_np(n), word)) {
			*ret = n;
			return 0;
		}
	}
	plus = str_after(word, "RTMIN+");
	if (plus && str_parse_int(plus, &n) == 0 && n >= 0 && SIGRTMIN + n <= SIGRTMAX) {
		*ret = SIGRTMIN + n;
		return 0;
	}
	return err_fail(err, ERR_USAGE, "unknown signal \"%s\"", name);
}

static int run_kill(const void *globals, void *opts, char **args, struct err *err)
{
	const struct kill_opts *o = opts;
	int signo = SIGTERM;
	int r = args[1] ? parse_signal(args[1], &signo, err) : 0;

	if (r < 0)
		return r;
	return container_kill(globals_runtime(globals), args[0], signo, o->all, err);
}

static const struct opt opts[] = {
	{ .name = "all",
	  .short_name = 'a',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct kill_opts, all),
	  .help = "Signal all processes of the container" },
};

const struct cmd cmd_kill = {
	.name = "kill",
	.args = "[OPTIONS] ID [SIGNAL]",
	.summary = "Send a signal (default: TERM) to the first process of a container",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct kill_opts),
	.min_args = 1,
	.max_args = 2,
	.run = run_kill,
};
