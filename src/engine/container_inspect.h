/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `inspect` tells of a container: docker's members, and podman's beside them. What was asked
 * for comes from the options that were given (asked.h), what came of it from config.json and from
 * the record. Lists and maps that are empty are [] and {}, also where docker has null.
 */
#pragma once

#include "engine/record.h"
#include "oci/image.h"

struct inspect_state {
	char *status, *error, *started_at, *finished_at;
	bool running, paused, restarting, oom_killed, dead;
	int64_t pid, exit_code;
	struct health_state *health; /* NULL: no check */
	/* podman's */
	char *oci_version, *cgroup_path;
};
struct inspect_container_config {
	char *hostname, *domainname, *user, *image, *working_dir;
	bool attach_stdin, attach_stdout, attach_stderr, tty, open_stdin, stdin_once, args_escaped;
	struct json_map exposed_ports, volumes; /* values: {} */
	char **env, **cmd, **entrypoint, **on_build, **shell;
	struct json_map labels;
	char *stop_signal;
	struct opt_i64 stop_timeout;
	struct oci_healthcheck *healthcheck;
	/* podman's */
	struct oci_healthcheck *startup_healthcheck;
	char *health_on_failure, *umask, *timezone;
	bool passwd;
	struct json_map annotations;
	char **secrets;
};
struct inspect_restart_policy {
	char *name;
	int64_t maximum_retry_count;
};
struct inspect_log_config {
	char *type;
	struct json_map config;
};
struct inspect_ulimit {
	char *name;
	int64_t hard, soft; /* -1: unlimited */
};
struct inspect_device {
	char *host, *container, *access;
};
struct inspect_weight {
	char *path;
	uint64_t weight;
};
struct inspect_rate {
	char *path;
	uint64_t rate;
};
typedef JSON_LIST(struct inspect_rate) inspect_rates;
struct inspect_wanted_mount {
	char *type, *source, *target;
	bool readonly;
};
struct inspect_id_mappings {
	char **uids, **gids;
};
struct inspect_host_config {
	char **binds;
	char *cid_file;
	struct inspect_log_config log_config;
	char *network_mode;
	struct inspect_restart_policy restart_policy;
	bool auto_remove, privileged, read_only, publish_all;
	struct json_map port_bindings;
	char *volume_driver, *isolation, *cgroup; /* never set */
	char **volumes_from;
	struct json_u32s console_size;
	char **cap_add, **cap_drop;
	char *cgroupns_mode, *ipc_mode, *pid_mode, *uts_mode, *userns_mode;
	char **dns, **dns_options, **dns_search, **extra_hosts, **group_add, **links;
	int64_t oom_score_adj;
	char **security_opt;
	struct json_map tmpfs, sysctls, annotations;
	uint64_t shm_size;
	char *runtime;
	JSON_LIST(struct inspect_wanted_mount) mounts;
	struct opt_bool init;

	uint64_t cpu_shares, memory, nano_cpus, cpu_period, cpu_rt_period, blkio_weight;
	uint64_t kernel_memory, memory_reservation, windows; /* the last is always 0 */
	int64_t cpu_quota, cpu_rt_runtime, memory_swap;
	char *cgroup_parent, *cpuset_cpus, *cpuset_mems;
	JSON_LIST(struct inspect_weight) weight_devices;
	inspect_rates read_bps, write_bps, read_iops, write_iops;
	JSON_LIST(struct inspect_device) devices;
	char **device_rules, **device_requests;
	struct opt_i64 memory_swappiness, pids_limit;
	bool oom_kill_disable;
	JSON_LIST(struct inspect_ulimit) ulimits;
	char **masked_paths, **readonly_paths;
	/* podman's */
	char *cgroup_manager, *cgroup_mode, *cgroups;
	struct inspect_id_mappings *id_mappings;
};
struct inspect_mount {
	char *type, *name, *source, *destination, *driver, *mode;
	bool rw;
	char *propagation;
};
struct inspect_graph_data {
	char *lower_dir, *upper_dir, *work_dir;
};
struct inspect_graph {
	struct inspect_graph_data data;
	char *name;
};
struct inspect_endpoint {
	char *key;                               /* the network's name */
	char *ipam_config, *aliases, *dns_names; /* JSON */
	char *null;
	char *mac, *network_id, *endpoint_id;
	char *gateway, *ip_address, *ip6_gateway, *ip6_address;
	int64_t ip_prefix, ip6_prefix, gw_priority;
};
struct inspect_network {
	char *sandbox_key; /* of one that runs: its network namespace */
	char *null, *empty;
	int64_t zero;
	bool no;
	struct json_map ports; /* values: lists, or null */
	char *firewall;        /* network_policy.h; NULL: none was asked for */
	char *mac, *endpoint_id;
	char *gateway, *ip_address, *ip6_gateway, *ip6_address;
	int64_t ip_prefix, ip6_prefix;
	JSON_LIST(struct inspect_endpoint) networks;
};
struct container_inspect {
	char *id, *created, *path;
	char **args;
	struct inspect_state state;
	char *image, *resolv_conf_path, *hostname_path, *hosts_path, *log_path, *name, *driver,
	    *platform, *mount_label, *process_label, *app_armor_profile;
	int64_t restart_count;
	char **exec_ids;
	struct inspect_host_config host_config;
	struct inspect_graph graph;
	JSON_LIST(struct inspect_mount) mounts;
	struct inspect_container_config config;
	struct inspect_network network;
	struct opt_i64 size_rw, size_root_fs; /* with its size asked for */
	/* podman's */
	char *rootfs, *image_name, *image_digest, *oci_config_path, *bundle, *static_dir,
	    *oci_runtime, *pid_file, *monitor_pid_file, *empty, *pod;
	char *service; /* its name; "": it is no replica */
	char **bounding_caps, **effective_caps, **dependencies;
	bool is_infra, is_service;
};
extern const struct json_desc container_inspect_desc;

int container_inspect(struct engine *eng, const char *word, bool size,
		      struct container_inspect *ret, struct err *err);
void container_inspect_done(struct container_inspect *ci);
#define cleanup_container_inspect CLEANUP(container_inspect_done)
