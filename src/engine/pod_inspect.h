/* SPDX-License-Identifier: Apache-2.0 */
/* What `pod inspect` and `pod ps --format json` tell, in podman's members. */
#pragma once

#include "engine/pods_query.h"

struct inspect_pod_container {
	char *id, *name, *state;
};
/* What members share, which podman's infra container has for them: here of each pod. */
struct inspect_infra_config {
	struct json_map port_bindings;
	bool host_network, no_manage_resolv, no_manage_hosts;
	char *static_ip, *static_mac;
	char **dns_server, **dns_search, **dns_option, **host_add, **networks;
	struct json_map network_options;
	char *pid_ns, *userns, *uts_ns;
};
struct pod_inspect {
	char *id, *name, *created;
	char **create_command;
	char *exit_policy, *state, *hostname;
	struct json_map labels;
	bool create_cgroup;
	char *cgroup_parent, *cgroup_path;
	bool create_infra;
	char *infra_id;
	struct inspect_infra_config infra_config;
	char **shared_namespaces;
	char *restart_policy;
	uint32_t num_containers;
	JSON_LIST(struct inspect_pod_container) containers;
	struct opt_u64 cpu_period, cpu_shares, memory_limit, blkio_weight;
	struct opt_i64 cpu_quota, memory_swap;
	char *cpuset_cpus, *cpuset_mems;
	char **volumes, **volumes_from, **devices, **security_opts;
};
extern const struct json_desc pod_inspect_desc;
int pod_inspect(const struct engine *eng, const struct pod_view *v, struct pod_inspect *ret,
		struct err *err);
void pod_inspect_done(struct pod_inspect *pi);
#define cleanup_pod_inspect CLEANUP(pod_inspect_done)

struct listed_pod_container {
	char *id, *names, *status;
};
struct listed_pod {
	char *cgroup;
	JSON_LIST(struct listed_pod_container) containers;
	char *created, *id, *infra_id, *name, *namespaces;
	char **networks;
	char *status;
	struct json_map labels;
};
extern const struct json_desc listed_pod_desc;
void listed_pod_fill(const struct engine *eng, const struct pod_view *v, struct listed_pod *ret);
void listed_pod_done(struct listed_pod *lp);
#define cleanup_listed_pod CLEANUP(listed_pod_done)
