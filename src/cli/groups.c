/* SPDX-License-Identifier: Apache-2.0 */
/* The long forms: `inro image ls` is `inro images`. */
#include "cli/cli.h"

static const struct cmd_sub artifact_subs[] = {
	{ "add", &cmd_artifact_add, false },         { "extract", &cmd_artifact_extract, false },
	{ "inspect", &cmd_artifact_inspect, false }, { "ls", &cmd_artifact_ls, false },
	{ "list", &cmd_artifact_ls, true },          { "pull", &cmd_artifact_pull, false },
	{ "push", &cmd_artifact_push, false },       { "rm", &cmd_artifact_rm, false },
	{ "remove", &cmd_artifact_rm, true },        { 0 },
};

const struct cmd cmd_artifact = {
	.name = "artifact",
	.summary = "Look after artifacts: files of any kind in registries",
	.subs = artifact_subs,
};

static const struct cmd_sub image_subs[] = {
	{ "copy", &cmd_image_copy, false },
	{ "diff", &cmd_image_diff, false },
	{ "exists", &cmd_image_exists, false },
	{ "history", &cmd_history, false },
	{ "import", &cmd_import, false },
	{ "inspect", &cmd_image_inspect, false },
	{ "load", &cmd_load, false },
	{ "ls", &cmd_images, false },
	{ "list", &cmd_images, true },
	{ "mount", &cmd_image_mount, false },
	{ "prune", &cmd_image_prune, false },
	{ "pull", &cmd_pull, false },
	{ "push", &cmd_push, false },
	{ "rm", &cmd_rmi, false },
	{ "remove", &cmd_rmi, true },
	{ "save", &cmd_save, false },
	{ "search", &cmd_search, false },
	{ "tag", &cmd_tag, false },
	{ "tree", &cmd_image_tree, false },
	{ "trust", &cmd_image_trust, false },
	{ "unmount", &cmd_image_unmount, false },
	{ "umount", &cmd_image_unmount, true },
	{ "untag", &cmd_untag, false },
	{ 0 },
};

const struct cmd cmd_image = {
	.name = "image",
	.summary = "Look after images",
	.subs = image_subs,
};

static const struct cmd_sub container_subs[] = {
	{ "attach", &cmd_attach, false },
	{ "cleanup", &cmd_container_cleanup, false },
	{ "clone", &cmd_container_clone, false },
	{ "commit", &cmd_commit, false },
	{ "cp", &cmd_cp, false },
	{ "create", &cmd_create, false },
	{ "diff", &cmd_diff, false },
	{ "exec", &cmd_exec, false },
	{ "exists", &cmd_container_exists, false },
	{ "export", &cmd_export, false },
	{ "inspect", &cmd_container_inspect, false },
	{ "kill", &cmd_kill, false },
	{ "logs", &cmd_logs, false },
	{ "ls", &cmd_ps, false },
	{ "list", &cmd_ps, true },
	{ "pause", &cmd_pause, false },
	{ "port", &cmd_port, false },
	{ "prune", &cmd_container_prune, false },
	{ "ps", &cmd_ps, true },
	{ "rename", &cmd_rename, false },
	{ "restart", &cmd_restart, false },
	{ "rm", &cmd_rm, false },
	{ "remove", &cmd_rm, true },
	{ "run", &cmd_run, false },
	{ "start", &cmd_start, false },
	{ "stats", &cmd_stats, false },
	{ "stop", &cmd_stop, false },
	{ "top", &cmd_top, false },
	{ "unpause", &cmd_unpause, false },
	{ "update", &cmd_update, false },
	{ "wait", &cmd_wait, false },
	{ 0 },
};

const struct cmd cmd_container = {
	.name = "container",
	.summary = "Look after containers",
	.subs = container_subs,
};

static const struct cmd_sub generate_subs[] = {
	{ "systemd", &cmd_generate_systemd, false },
	{ 0 },
};

const struct cmd cmd_generate = {
	.name = "generate",
	.summary = "Make files for other programs of what is there",
	.subs = generate_subs,
};

static const struct cmd_sub healthcheck_subs[] = {
	{ "run", &cmd_healthcheck_run, false },
	{ 0 },
};

const struct cmd cmd_healthcheck = {
	.name = "healthcheck",
	.summary = "Look after containers' health checks",
	.subs = healthcheck_subs,
};

static const struct cmd_sub manifest_subs[] = {
	{ "add", &cmd_manifest_add, false },
	{ "annotate", &cmd_manifest_annotate, false },
	{ "create", &cmd_manifest_create, false },
	{ "exists", &cmd_manifest_exists, false },
	{ "inspect", &cmd_manifest_inspect, false },
	{ "push", &cmd_manifest_push, false },
	{ "remove", &cmd_manifest_remove, false },
	{ "rm", &cmd_manifest_rm, false },
	{ 0 },
};

const struct cmd cmd_manifest = {
	.name = "manifest",
	.summary = "Make and push lists of manifests, for images of several platforms",
	.subs = manifest_subs,
};

static const struct cmd_sub pod_subs[] = {
	{ "clone", &cmd_pod_clone, false },
	{ "create", &cmd_pod_create, false },
	{ "exists", &cmd_pod_exists, false },
	{ "inspect", &cmd_pod_inspect, false },
	{ "kill", &cmd_pod_kill, false },
	{ "logs", &cmd_pod_logs, false },
	{ "ls", &cmd_pod_ps, true },
	{ "list", &cmd_pod_ps, true },
	{ "stats", &cmd_pod_stats, false },
	{ "top", &cmd_pod_top, false },
	{ "pause", &cmd_pod_pause, false },
	{ "prune", &cmd_pod_prune, false },
	{ "ps", &cmd_pod_ps, false },
	{ "restart", &cmd_pod_restart, false },
	{ "rm", &cmd_pod_rm, false },
	{ "start", &cmd_pod_start, false },
	{ "stop", &cmd_pod_stop, false },
	{ "unpause", &cmd_pod_unpause, false },
	{ 0 },
};

const struct cmd cmd_pod = {
	.name = "pod",
	.summary = "Look after pods: containers that share namespaces and limits",
	.subs = pod_subs,
};

static const struct cmd_sub secret_subs[] = {
	{ "create", &cmd_secret_create, false },   { "exists", &cmd_secret_exists, false },
	{ "inspect", &cmd_secret_inspect, false }, { "ls", &cmd_secret_ls, false },
	{ "list", &cmd_secret_ls, true },          { "rm", &cmd_secret_rm, false },
	{ "remove", &cmd_secret_rm, true },        { 0 },
};

const struct cmd cmd_secret = {
	.name = "secret",
	.summary = "Look after secrets: files that containers get and no image has",
	.subs = secret_subs,
};

static const struct cmd_sub system_subs[] = {
	{ "check", &cmd_system_check, false }, { "config", &cmd_config, false },
	{ "df", &cmd_system_df, false },       { "events", &cmd_events, false },
	{ "info", &cmd_info, false },          { "migrate", &cmd_system_migrate, false },
	{ "prune", &cmd_system_prune, false }, { "renumber", &cmd_system_renumber, false },
	{ "reset", &cmd_system_reset, false }, { 0 },
};

const struct cmd cmd_system = {
	.name = "system",
	.summary = "Look after inro's own state",
	.subs = system_subs,
};

static const struct cmd_sub network_subs[] = {
	{ "connect", &cmd_network_connect, false },
	{ "create", &cmd_network_create, false },
	{ "disconnect", &cmd_network_disconnect, false },
	{ "exists", &cmd_network_exists, false },
	{ "inspect", &cmd_network_inspect, false },
	{ "ls", &cmd_network_ls, false },
	{ "list", &cmd_network_ls, true },
	{ "prune", &cmd_network_prune, false },
	{ "reload", &cmd_network_reload, false },
	{ "rm", &cmd_network_rm, false },
	{ "remove", &cmd_network_rm, true },
	{ "update", &cmd_network_update, false },
	{ 0 },
};

const struct cmd cmd_network = {
	.name = "network",
	.summary = "Look after networks: what containers are connected by",
	.subs = network_subs,
};

static const struct cmd_sub volume_subs[] = {
	{ "create", &cmd_volume_create, false },   { "exists", &cmd_volume_exists, false },
	{ "export", &cmd_volume_export, false },   { "import", &cmd_volume_import, false },
	{ "inspect", &cmd_volume_inspect, false }, { "ls", &cmd_volume_ls, false },
	{ "list", &cmd_volume_ls, true },          { "mount", &cmd_volume_mount, false },
	{ "prune", &cmd_volume_prune, false },     { "reload", &cmd_volume_reload, false },
	{ "rm", &cmd_volume_rm, false },           { "remove", &cmd_volume_rm, true },
	{ "unmount", &cmd_volume_unmount, false }, { 0 },
};

const struct cmd cmd_volume = {
	.name = "volume",
	.summary = "Look after volumes: directories that outlive containers",
	.subs = volume_subs,
};
