/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a user asks of a new container, word for word as given: the command line's option table and
 * the API fill it, the parsers of this directory give it meaning. Zeroed means nothing was asked.
 */
#pragma once

#include "base/json.h"

struct pull_events;
struct service_part;

struct run_options {
	/* the client */
	bool rm, interactive, tty, detach, quiet;
	char **attach;              /* "stdin", "stdout", "stderr"; NULL: all that there is */
	char *sig_proxy;            /* "true", "false" */
	bool disable_content_trust; /* without effect */
	char *systemd;              /* "false" */
	char *detach_keys;
	char *cidfile, *pidfile, *conmon_pidfile;
	char *sdnotify;
	char **requires;
	bool replace;   /* what has the name goes */
	char *pull;     /* "always", "missing" (NULL), "never" */
	char *platform; /* of an image that is pulled */
	/* What the user sees of a pull; NULL: nothing. */
	const struct pull_events *pull_events;
	void (*on_missing)(const char *word); /* before it */
	char *runtime;

	/* the record */
	char *name;
	struct opt_u64 replicas; /* of a service of that name (services.h) */
	bool sticky;
	const struct service_part *part; /* the one of them that it is; nobody can ask for it */
	char *pod, *pod_id_file;
	bool infra; /* it holds the pod's namespaces (infra.h), which nobody can ask for */
	char **label, **label_file, **annotation;

	/* the process */
	char **env, **env_file, **env_merge, **unsetenv;
	bool env_host, http_proxy, unsetenv_all;
	char *workdir, *user, *entrypoint;
	char *passwd; /* "true", "false" */
	char *passwd_entry, *group_entry;
	char **hostuser;
	char **group_add;
	char *umask;
	struct opt_i64 oom_score_adj;
	char *stop_signal;
	struct opt_i64 stop_timeout; /* seconds; -1: none */
	char *restart;
	char *log_driver, **log_opt;
	/* health checks (engine/health.h) */
	char *health_cmd, *health_tcp, *health_http, *health_file;
	char *health_interval, *health_timeout, *health_start_period, *health_start_interval;
	char *health_on_failure;
	struct opt_i64 health_retries;
	char *health_startup_cmd, *health_startup_interval, *health_startup_timeout;
	struct opt_i64 health_startup_retries, health_startup_success;
	bool no_healthcheck;
	bool init;
	char *init_path;
	char **ulimit;
	char *personality;

	/* privileges */
	bool privileged;
	char **cap_add, **cap_drop, **security_opt;

	/* files */
	char *image_volume;
	char **volume, **mount, **tmpfs, **volumes_from, **device, **gpus, **secret;
	bool read_only, read_only_tmpfs;
	bool rootfs; /* the first argument is a directory, no image */
	char *tz;
	struct opt_u64 shm_size;

	/* namespaces */
	char *hostname, *domainname;
	char **network;
	char *pid, *ipc, *uts, *cgroupns, *userns;
	char **uidmap, **gidmap;
	char *subuidname, *subgidname;
	char **time_offset;
	char **sysctl;
	char **publish, **expose;
	bool publish_all;
	char **firewall, **egress;
	char *ip, *ip6, *mac_address;
	char **link_local_ip, **network_alias;
	char **add_host, **dns, **dns_search, **dns_option;
	char *hosts_file;
	bool no_hosts, no_hostname;

	/* limits */
	struct opt_u64 memory, memory_reservation;
	char *memory_swap; /* bytes or -1 */
	char *cpus;
	struct opt_u64 cpu_shares, cpu_period;
	struct opt_i64 cpu_quota, pids_limit;
	char *cpuset_cpus, *cpuset_mems;
	char *cgroup_parent;
	struct opt_i64 memory_swappiness; /* -1: none */
	bool oom_kill_disable;
	char *kernel_memory;
	struct opt_u64 blkio_weight, cpu_rt_period;
	struct opt_i64 cpu_rt_runtime;
	char **blkio_weight_device, **device_read_bps, **device_write_bps, **device_read_iops,
	    **device_write_iops;
	char **device_cgroup_rule, **cgroup_conf;
	char *cgroups, *rdt_class;
};

/* Is the client joined to this stream, as far as --attach goes? */
bool run_attaches(const struct run_options *o, const char *stream);

/* The first word of --network, which says what kind of network it has; NULL: none was given. */
const char *run_network_word(const struct run_options *o);

/* All that says what the container is like, for asked.h: an option without a field here is
 * forgotten when the container has been made. */
extern const struct json_desc run_options_desc;
