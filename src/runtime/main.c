/* SPDX-License-Identifier: Apache-2.0 */
/* inro-runtime: an OCI runtime whose command line is runc's. */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "runtime/cli.h"
#include "runtime/selfexe.h"
#include "sys/idmap.h"
#include "sys/prctl.h"

static const char *const log_formats[] = { "text", "json", NULL };
static const char *const rootless_words[] = { "auto", "true", "false", NULL };

static const struct opt global_opts[] = {
	{ .name = "root",
	  .kind = OPT_STR,
	  OPT_FIELD(struct globals, root),
	  .arg = "DIR",
	  .help = "Directory for the state of containers (default: /run/inro/runtime, or below "
		  "$XDG_RUNTIME_DIR for an unprivileged user)" },
	{ .name = "log",
	  .kind = OPT_STR,
	  OPT_FIELD(struct globals, log),
	  .arg = "FILE",
	  .help = "Append errors and warnings to this file" },
	{ .name = "log-format",
	  .kind = OPT_STR,
	  OPT_FIELD(struct globals, log_format),
	  .arg = "FORMAT",
	  .help = "Format of the log",
	  .choices = log_formats },
	{ .name = "debug",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct globals, debug),
	  .help = "Log what is of interest for finding errors only" },
	{ .name = "systemd-cgroup",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct globals, systemd_cgroup),
	  .help = "Let systemd make the cgroups: linux.cgroupsPath is SLICE:PREFIX:NAME" },
	{ .name = "rootless",
	  .kind = OPT_STR,
	  OPT_FIELD(struct globals, rootless),
	  .arg = "WORD",
	  .help = "Whether to do without the rights of root where they are missing",
	  .choices = rootless_words },
};

static const struct cmd *const cmds[] = {
	&cmd_checkpoint, &cmd_create, &cmd_delete, &cmd_events, &cmd_exec,    &cmd_features,
	&cmd_kill,       &cmd_list,   &cmd_pause,  &cmd_ps,     &cmd_restore, &cmd_resume,
	&cmd_run,        &cmd_spec,   &cmd_start,  &cmd_state,  &cmd_update,  NULL,
};

/* Root of the initial user namespace, or of one that maps all ids. */
static bool has_full_root(void)
{
	CLEANUP(buf_done) struct buf map = BUF_INIT;
	struct idmap ids = { 0 };
	bool full;

	if (geteuid() != 0)
		return false;
	if (io_read_file(AT_FDCWD, "/proc/self/uid_map", &map, 65536, NULL) < 0)
		return true;
	full = idmap_parse_proc(buf_str(&map), map.len, &ids, NULL) >= 0 && idmap_is_full(&ids);
	idmap_done(&ids);
	return full;
}

/* Known to main() only: the parser of options moves the pointers. */
static char *own_args;
static size_t own_args_len;

static int set_up_log(struct globals *g, struct err *err)
{
	enum log_level level = g->debug ? LOG_DEBUG : LOG_INFO;
	enum log_format format = str_eq(g->log_format, "json") ? LOG_JSON
				 : g->log || g->log_format     ? LOG_TEXT
							       : LOG_PLAIN;

	g->log_fd = 2;
	if (g->log && g->log[0]) {
		g->log_fd =
		    open(g->log, O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY | O_CLOEXEC, 0644);
		if (g->log_fd < 0)
			return err_errno(err, errno, "opening log file %s", g->log);
	}
	log_setup("inro-runtime", g->log_fd, format, level);
	return 0;
}

static int set_up(void *globals, struct err *err)
{
	struct globals *g = globals;
	const char *run = getenv("XDG_RUNTIME_DIR");
	int r;

	r = set_up_log(g, err);
	if (r < 0)
		return r;
	if (!g->rootless || str_eq(g->rootless, "auto"))
		g->rt.rootless = !has_full_root();
	else
		g->rt.rootless = str_eq(g->rootless, "true");
	g->rt.systemd_cgroup = g->systemd_cgroup;
	g->rt.idle_close_fd = selfexe_mount_fd();
	g->rt.args = own_args;
	g->rt.args_len = own_args_len;
	if (!g->root && geteuid() == 0 && !g->rt.rootless)
		g->root = xstrdup("/run/inro/runtime");
	else if (!g->root && run && run[0])
		g->root = path_join(run, "inro/runtime");
	else if (!g->root)
		return err_fail(err, ERR_USAGE, "--root or $XDG_RUNTIME_DIR is needed");
	g->rt.root = g->root;
	return 0;
}

/* As runc: to the log, and to stderr as text when the log is elsewhere. */
int cli_report(const void *globals, const struct err *err)
{
	const struct globals *g = globals;

	log_error("%s", err->msg);
	if (g && g->log_fd > 2)
		dprintf(2, "inro-runtime: %s\n", err->msg);
	if (err->hint[0])
		dprintf(2, "hint: %s\n", err->hint);
	return 1;
}

const char *const cli_list_formats[] = { "table", "json", NULL };

int cli_print(const struct buf *text, const char *what, struct err *err)
{
	int r = io_write(1, buf_str(text), text->len);

	return r < 0 ? err_errno(err, -r, "writing %s", what) : 0;
}

static const struct program program = {
	.name = "inro-runtime",
	.summary = "Run containers from OCI bundles",
	.opts = global_opts,
	.n_opts = ARRAY_SIZE(global_opts),
	.opts_size = sizeof(struct globals),
	.cmds = cmds,
	.setup = set_up,
	.usage_status = 1,
	.version = "inro-runtime version " INRO_VERSION "\nspec: 1.3.0",
	.report = cli_report,
};

/* A word that only looks like the verb costs a needless exec and nothing else. */
static bool enters_container(char **argv)
{
	for (size_t i = 1; argv[i]; i++)
		if (str_eq(argv[i], "create") || str_eq(argv[i], "run") || str_eq(argv[i], "exec"))
			return true;
	return false;
}

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;

	fd_ensure_stdio();
	log_setup("inro-runtime", 2, LOG_PLAIN, LOG_INFO);
	if (enters_container(argv)) {
		if (selfexe_protect(argv, &err) < 0)
			return cli_report(NULL, &err);
		prctl_name("inro-runtime");
	}
	if (argc > 0) {
		own_args = argv[0];
		own_args_len = (size_t)(argv[argc - 1] - argv[0]) + strlen(argv[argc - 1]) + 1;
	}
	return program_main(&program, argc, argv);
}
