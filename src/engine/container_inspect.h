/* SPDX-License-Identifier: Apache-2.0 */
/* What `inspect` tells of a container: docker's members, and podman's beside them. */
#pragma once

#include "engine/record.h"
#include "oci/image.h"

struct inspect_state {
	char *status, *error, *started_at, *finished_at;
	bool running, paused, restarting, oom_killed, dead;
	int64_t pid, exit_code;
	struct health_state *health; /* NULL: no check */
};
struct inspect_container_config {
	char *hostname, *user, *image, *working_dir;
	bool tty, open_stdin;
	char **env, **cmd;
	struct json_map labels;
	char *stop_signal;
	struct opt_i64 stop_timeout;
	struct oci_healthcheck *healthcheck;
	/* podman's */
	struct oci_healthcheck *startup_healthcheck;
	char *health_on_failure;
};
struct inspect_restart_policy {
	char *name;
	int64_t maximum_retry_count;
};
struct inspect_log_config {
	char *type;
	struct json_map config;
};
struct inspect_host_config {
	struct inspect_log_config log_config;
	struct inspect_restart_policy restart_policy;
	bool auto_remove;
};
struct inspect_mount {
	char *type, *name, *source, *destination, *driver, *mode;
	bool rw;
	char *propagation;
};
struct container_inspect {
	char *id, *created, *path;
	char **args;
	struct inspect_state state;
	char *image, *log_path, *name, *driver, *platform, *app_armor_profile;
	int64_t restart_count;
	struct inspect_host_config host_config;
	JSON_LIST(struct inspect_mount) mounts;
	struct inspect_container_config config;
	struct opt_i64 size_rw; /* with its size asked for */
	/* podman's */
	char *image_name, *oci_config_path, *bundle;
};
extern const struct json_desc container_inspect_desc;

int container_inspect(struct engine *eng, const char *word, bool size,
		      struct container_inspect *ret, struct err *err);
void container_inspect_done(struct container_inspect *ci);
#define cleanup_container_inspect CLEANUP(container_inspect_done)
