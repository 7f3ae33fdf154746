/* SPDX-License-Identifier: Apache-2.0 */
/* inro: the command line of the engine. */
#include <locale.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/refused.h"

static const char *const log_levels[] = { "debug", "info", "warn", "error", NULL };

static const struct opt global_opts[] = {
	{ .name = "root",
	  .kind = OPT_STR,
	  OPT_FIELD(struct globals, root),
	  .arg = "DIR",
	  .help = "directory of images, containers and the database (INRO_ROOT)" },
	{ .name = "runroot",
	  .kind = OPT_STR,
	  OPT_FIELD(struct globals, runroot),
	  .arg = "DIR",
	  .help = "directory of what does not outlive a reboot (INRO_RUNROOT)" },
	{ .name = "config",
	  .kind = OPT_STR,
	  OPT_FIELD(struct globals, config),
	  .arg = "FILE",
	  .help = "file of settings that is read instead of all others (INRO_CONFIG)" },
	{ .name = "debug",
	  .short_name = 'D',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct globals, debug),
	  .help = "show debug messages" },
	{ .name = "log-level",
	  .short_name = 'l',
	  .kind = OPT_STR,
	  OPT_FIELD(struct globals, log_level),
	  .arg = "LEVEL",
	  .help = "least severe messages that are shown",
	  .choices = log_levels },
};

static int setup(void *globals, struct err *err)
{
	struct globals *g = globals;
	enum log_level level = LOG_WARN;
	int i;

	for (i = 0; g->log_level && log_levels[i]; i++)
		if (str_eq(g->log_level, log_levels[i]))
			level = (enum log_level)i;
	if (level == LOG_DEBUG)
		g->debug = true;
	if (g->debug)
		level = LOG_DEBUG;
	log_setup("inro", STDERR_FILENO, LOG_PLAIN, level);
	return 0;
}

static int report(const void *globals, const struct err *err)
{
	cli_report(err);
	return err_exit_status(err);
}

static const struct cmd *const commands[] = {
	&cmd_run,         &cmd_create,   &cmd_start,       &cmd_attach,   &cmd_exec,
	&cmd_stop,        &cmd_restart,  &cmd_wait,        &cmd_kill,     &cmd_pause,
	&cmd_unpause,     &cmd_rename,   &cmd_logs,        &cmd_events,   &cmd_top,
	&cmd_stats,       &cmd_monitor,  &cmd_ps,          &cmd_rm,       &cmd_images,
	&cmd_import,      &cmd_load,     &cmd_save,        &cmd_cp,       &cmd_diff,
	&cmd_export,      &cmd_commit,   &cmd_rmi,         &cmd_tag,      &cmd_untag,
	&cmd_history,     &cmd_inspect,  &cmd_pull,        &cmd_push,     &cmd_search,
	&cmd_login,       &cmd_logout,   &cmd_info,        &cmd_config,   &cmd_why,
	&cmd_doctor,      &cmd_version,  &cmd_artifact,    &cmd_image,    &cmd_container,
	&cmd_auto_update, &cmd_generate, &cmd_healthcheck, &cmd_manifest, &cmd_network,
	&cmd_pod,         &cmd_secret,   &cmd_system,      &cmd_volume,   &cmd_unshare,
	&cmd_update,      &cmd_cleanup,  &cmd_health,      &cmd_trim,     &cmd_port,
	&cmd_scale,       &cmd_hold,     &cmd_repair,      NULL,
};

static const struct program program = {
	.name = "inro",
	.summary = "run containers and look after their images",
	.opts = global_opts,
	.n_opts = ARRAY_SIZE(global_opts),
	.opts_size = sizeof(struct globals),
	.cmds = commands,
	.refused = cmd_refusals,
	.setup = setup,
	.usage_status = 125,
	.version = "inro version " INRO_VERSION,
	.report = report,
};

int main(int argc, char **argv)
{
	if (fd_ensure_stdio() < 0)
		return 125;
	return program_main(&program, argc, argv);
}
