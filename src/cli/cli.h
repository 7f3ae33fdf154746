/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands of inro share. One file per command; the tables are listed in main.c. */
#pragma once

#include "base/opt.h"
#include "engine/engine.h"

struct globals {
	char *root, *runroot, *config, *log_level;
	bool debug;
};

extern const struct cmd cmd_run, cmd_ps, cmd_rm, cmd_images, cmd_import, cmd_load, cmd_rmi,
    cmd_version, cmd_info, cmd_config, cmd_login, cmd_logout, cmd_pull, cmd_push, cmd_search,
    cmd_save, cmd_scale, cmd_diff, cmd_export, cmd_commit, cmd_cleanup, cmd_repair, cmd_trim,
    cmd_inspect, cmd_history, cmd_tag, cmd_untag, cmd_unshare, cmd_attach, cmd_create, cmd_exec,
    cmd_start, cmd_kill, cmd_pause, cmd_unpause, cmd_rename, cmd_top, cmd_stats, cmd_monitor,
    cmd_stop, cmd_restart, cmd_wait, cmd_logs, cmd_port, cmd_hold, cmd_update, cmd_health,
    cmd_doctor;
extern const struct cmd cmd_auto_update, cmd_events, cmd_why, cmd_cp;
/* In groups only. */
extern const struct cmd cmd_artifact_add, cmd_artifact_extract, cmd_artifact_inspect,
    cmd_artifact_ls, cmd_artifact_pull, cmd_artifact_push, cmd_artifact_rm;
extern const struct cmd cmd_image_copy, cmd_image_diff, cmd_image_exists, cmd_image_inspect,
    cmd_image_prune, cmd_image_tree, cmd_image_mount, cmd_image_trust, cmd_image_unmount,
    cmd_container_inspect, cmd_container_cleanup, cmd_container_clone, cmd_container_exists,
    cmd_container_prune, cmd_generate_systemd, cmd_system_check, cmd_system_df, cmd_system_migrate,
    cmd_system_prune, cmd_system_renumber, cmd_system_reset, cmd_manifest_add,
    cmd_manifest_annotate, cmd_manifest_create, cmd_manifest_exists, cmd_manifest_inspect,
    cmd_manifest_push, cmd_manifest_remove, cmd_manifest_rm, cmd_healthcheck_run, cmd_secret_create,
    cmd_secret_exists, cmd_secret_inspect, cmd_secret_ls, cmd_secret_rm;
extern const struct cmd cmd_volume_create, cmd_volume_exists, cmd_volume_export, cmd_volume_import,
    cmd_volume_inspect, cmd_volume_ls, cmd_volume_mount, cmd_volume_prune, cmd_volume_reload,
    cmd_volume_rm, cmd_volume_unmount;
extern const struct cmd cmd_network_connect, cmd_network_create, cmd_network_disconnect,
    cmd_network_exists, cmd_network_inspect, cmd_network_ls, cmd_network_prune, cmd_network_reload,
    cmd_network_rm, cmd_network_update;
extern const struct cmd cmd_pod_clone, cmd_pod_create, cmd_pod_exists, cmd_pod_inspect,
    cmd_pod_kill, cmd_pod_logs, cmd_pod_stats, cmd_pod_top, cmd_pod_pause, cmd_pod_prune,
    cmd_pod_ps, cmd_pod_restart, cmd_pod_rm, cmd_pod_start, cmd_pod_stop, cmd_pod_unpause;
/* groups.c: a new verb of images or containers belongs there as well. */
extern const struct cmd cmd_artifact, cmd_image, cmd_container, cmd_generate, cmd_healthcheck,
    cmd_manifest, cmd_network, cmd_pod, cmd_secret, cmd_system, cmd_volume;

/* engine_init() with the global options. */
int cli_engine(const void *globals, struct engine *ret, struct err *err);

static inline void cli_engine_cleanup_(struct engine *eng)
{
	engine_done(eng);
}
#define cleanup_engine CLEANUP(cli_engine_cleanup_)

/* Writes to stdout; a reader that went away is an error. */
int cli_print(const struct buf *out, struct err *err);
/* "inro: <message>" and the hint on stderr, for commands that go on after an error. */
void cli_report(const struct err *err);

/* Shows the warning and waits for an answer: y or Y is yes; nothing at all, as of /dev/null, is no.
 */
bool cli_confirmed(const char *warning);

/* What `exists` ends with when looking has come to r: 0, or 1 when it is not there. */
int cli_exists(int r, const struct err *err);

/* Does fn with each word; a failure is reported and the next word's turn comes. With force, what is
 * not there is as wished. Returns the exit status 0 or 1, or -errno when the engine can't be had.
 */
int cli_each(const void *globals, char **words, bool force,
	     int (*fn)(struct engine *eng, const char *word, bool force, struct err *err),
	     struct err *err);

/* `rm` with --all and --ignore. list: adds the ids of all to *ret. */
struct cli_rm {
	bool all, ignore;
};
extern const struct opt cli_rm_opts[2];
int cli_rm(const void *globals, const struct cli_rm *o, char **words,
	   int (*list)(struct engine *eng, char ***ret, struct err *err),
	   int (*fn)(struct engine *eng, const char *word, bool force, struct err *err),
	   struct err *err);
