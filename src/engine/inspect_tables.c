/* SPDX-License-Identifier: Apache-2.0 */
/* The names of what `inspect` tells of a container, in docker's order. */
#include "engine/container_inspect.h"

#define FIELD(T, member, key, kind, ...)                                                           \
	JSON_FIELD(struct T, member, key, kind, .flags = JSON_KEEP, ##__VA_ARGS__)
/* null where it has no elements. */
#define LIST(T, member, key)                                                                       \
	JSON_FIELD(struct T, member, key, JSON_RAW, .flags = JSON_KEEP | JSON_NIL_LIST)
/* Left out where there is nothing. */
#define MAY(T, member, key, kind, ...) JSON_FIELD(struct T, member, key, kind, ##__VA_ARGS__)

static const struct json_field state_fields[] = {
	FIELD(inspect_state, status, "Status", JSON_STR),
	FIELD(inspect_state, running, "Running", JSON_BOOL),
	FIELD(inspect_state, paused, "Paused", JSON_BOOL),
	FIELD(inspect_state, restarting, "Restarting", JSON_BOOL),
	FIELD(inspect_state, oom_killed, "OOMKilled", JSON_BOOL),
	FIELD(inspect_state, dead, "Dead", JSON_BOOL),
	FIELD(inspect_state, pid, "Pid", JSON_I64),
	FIELD(inspect_state, exit_code, "ExitCode", JSON_I64),
	FIELD(inspect_state, error, "Error", JSON_STR),
	FIELD(inspect_state, started_at, "StartedAt", JSON_STR),
	FIELD(inspect_state, finished_at, "FinishedAt", JSON_STR),
	MAY(inspect_state, health, "Health", JSON_OBJ, .desc = &health_shown_desc),
	FIELD(inspect_state, oci_version, "OciVersion", JSON_STR),
	FIELD(inspect_state, cgroup_path, "CgroupPath", JSON_STR),
};
static const struct json_desc state_desc = JSON_DESC(struct inspect_state, state_fields);

#define CONFIG(member, key, kind, ...)                                                             \
	FIELD(inspect_container_config, member, key, kind, ##__VA_ARGS__)
#define CONFIG_MAY(member, key, kind, ...)                                                         \
	MAY(inspect_container_config, member, key, kind, ##__VA_ARGS__)
static const struct json_field config_fields[] = {
	CONFIG(hostname, "Hostname", JSON_STR),
	CONFIG(domainname, "Domainname", JSON_STR),
	CONFIG(user, "User", JSON_STR),
	CONFIG(attach_stdin, "AttachStdin", JSON_BOOL),
	CONFIG(attach_stdout, "AttachStdout", JSON_BOOL),
	CONFIG(attach_stderr, "AttachStderr", JSON_BOOL),
	CONFIG_MAY(exposed_ports, "ExposedPorts", JSON_RAW_MAP),
	CONFIG(tty, "Tty", JSON_BOOL),
	CONFIG(open_stdin, "OpenStdin", JSON_BOOL),
	CONFIG(stdin_once, "StdinOnce", JSON_BOOL),
	CONFIG(env, "Env", JSON_STRV),
	CONFIG(cmd, "Cmd", JSON_STRV),
	CONFIG_MAY(healthcheck, "Healthcheck", JSON_OBJ, .desc = &oci_healthcheck_desc),
	CONFIG_MAY(args_escaped, "ArgsEscaped", JSON_BOOL),
	CONFIG(image, "Image", JSON_STR),
	CONFIG(volumes, "Volumes", JSON_RAW_MAP),
	CONFIG(working_dir, "WorkingDir", JSON_STR),
	CONFIG(entrypoint, "Entrypoint", JSON_STRV),
	CONFIG(on_build, "OnBuild", JSON_STRV),
	CONFIG(labels, "Labels", JSON_MAP),
	CONFIG_MAY(stop_signal, "StopSignal", JSON_STR),
	CONFIG_MAY(stop_timeout, "StopTimeout", JSON_OPT_I64),
	CONFIG_MAY(shell, "Shell", JSON_STRV),
	CONFIG_MAY(startup_healthcheck, "StartupHealthCheck", JSON_OBJ,
		   .desc = &oci_healthcheck_desc),
	CONFIG_MAY(health_on_failure, "HealthcheckOnFailureAction", JSON_STR),
	CONFIG_MAY(annotations, "Annotations", JSON_MAP),
	CONFIG_MAY(secrets, "Secrets", JSON_STRV),
	CONFIG_MAY(timezone, "Timezone", JSON_STR),
	CONFIG(umask, "Umask", JSON_STR),
	CONFIG(passwd, "Passwd", JSON_BOOL),
};
static const struct json_desc config_desc =
    JSON_DESC(struct inspect_container_config, config_fields);

static const struct json_field restart_fields[] = {
	FIELD(inspect_restart_policy, name, "Name", JSON_STR),
	FIELD(inspect_restart_policy, maximum_retry_count, "MaximumRetryCount", JSON_I64),
};
static const struct json_desc restart_desc =
    JSON_DESC(struct inspect_restart_policy, restart_fields);
static const struct json_field log_fields[] = {
	FIELD(inspect_log_config, type, "Type", JSON_STR),
	FIELD(inspect_log_config, config, "Config", JSON_MAP),
};
static const struct json_desc log_desc = JSON_DESC(struct inspect_log_config, log_fields);
static const struct json_field ulimit_fields[] = {
	FIELD(inspect_ulimit, name, "Name", JSON_STR),
	FIELD(inspect_ulimit, hard, "Hard", JSON_I64),
	FIELD(inspect_ulimit, soft, "Soft", JSON_I64),
};
static const struct json_desc ulimit_desc = JSON_DESC(struct inspect_ulimit, ulimit_fields);
static const struct json_field device_fields[] = {
	FIELD(inspect_device, host, "PathOnHost", JSON_STR),
	FIELD(inspect_device, container, "PathInContainer", JSON_STR),
	FIELD(inspect_device, access, "CgroupPermissions", JSON_STR),
};
static const struct json_desc device_desc = JSON_DESC(struct inspect_device, device_fields);
static const struct json_field weight_fields[] = {
	FIELD(inspect_weight, path, "Path", JSON_STR),
	FIELD(inspect_weight, weight, "Weight", JSON_U64),
};
static const struct json_desc weight_desc = JSON_DESC(struct inspect_weight, weight_fields);
static const struct json_field rate_fields[] = {
	FIELD(inspect_rate, path, "Path", JSON_STR),
	FIELD(inspect_rate, rate, "Rate", JSON_U64),
};
static const struct json_desc rate_desc = JSON_DESC(struct inspect_rate, rate_fields);
static const struct json_field wanted_fields[] = {
	FIELD(inspect_wanted_mount, type, "Type", JSON_STR),
	MAY(inspect_wanted_mount, source, "Source", JSON_STR),
	FIELD(inspect_wanted_mount, target, "Target", JSON_STR),
	MAY(inspect_wanted_mount, readonly, "ReadOnly", JSON_BOOL),
};
static const struct json_desc wanted_desc = JSON_DESC(struct inspect_wanted_mount, wanted_fields);
static const struct json_field id_fields[] = {
	FIELD(inspect_id_mappings, uids, "UidMap", JSON_STRV),
	FIELD(inspect_id_mappings, gids, "GidMap", JSON_STRV),
};
static const struct json_desc id_desc = JSON_DESC(struct inspect_id_mappings, id_fields);

#define HOST(member, key, kind, ...)     FIELD(inspect_host_config, member, key, kind, ##__VA_ARGS__)
#define HOST_MAY(member, key, kind, ...) MAY(inspect_host_config, member, key, kind, ##__VA_ARGS__)
static const struct json_field host_fields[] = {
	HOST(binds, "Binds", JSON_STRV),
	HOST(cid_file, "ContainerIDFile", JSON_STR),
	HOST(log_config, "LogConfig", JSON_STRUCT, .desc = &log_desc),
	HOST(network_mode, "NetworkMode", JSON_STR),
	HOST(port_bindings, "PortBindings", JSON_RAW_MAP),
	HOST(restart_policy, "RestartPolicy", JSON_STRUCT, .desc = &restart_desc),
	HOST(auto_remove, "AutoRemove", JSON_BOOL),
	HOST(volume_driver, "VolumeDriver", JSON_STR),
	HOST(volumes_from, "VolumesFrom", JSON_STRV),
	HOST(console_size, "ConsoleSize", JSON_U32S),
	HOST_MAY(annotations, "Annotations", JSON_MAP),
	HOST(cap_add, "CapAdd", JSON_STRV),
	HOST(cap_drop, "CapDrop", JSON_STRV),
	HOST(cgroupns_mode, "CgroupnsMode", JSON_STR),
	HOST(dns, "Dns", JSON_STRV),
	HOST(dns_options, "DnsOptions", JSON_STRV),
	HOST(dns_search, "DnsSearch", JSON_STRV),
	HOST(extra_hosts, "ExtraHosts", JSON_STRV),
	HOST(group_add, "GroupAdd", JSON_STRV),
	HOST(ipc_mode, "IpcMode", JSON_STR),
	HOST(cgroup, "Cgroup", JSON_STR),
	HOST(links, "Links", JSON_STRV),
	HOST(oom_score_adj, "OomScoreAdj", JSON_I64),
	HOST(pid_mode, "PidMode", JSON_STR),
	HOST(privileged, "Privileged", JSON_BOOL),
	HOST(publish_all, "PublishAllPorts", JSON_BOOL),
	HOST(read_only, "ReadonlyRootfs", JSON_BOOL),
	HOST(security_opt, "SecurityOpt", JSON_STRV),
	HOST_MAY(tmpfs, "Tmpfs", JSON_MAP),
	HOST(uts_mode, "UTSMode", JSON_STR),
	HOST(userns_mode, "UsernsMode", JSON_STR),
	HOST(shm_size, "ShmSize", JSON_U64),
	HOST_MAY(sysctls, "Sysctls", JSON_MAP),
	HOST(runtime, "Runtime", JSON_STR),
	HOST(isolation, "Isolation", JSON_STR),
	HOST(cpu_shares, "CpuShares", JSON_U64),
	HOST(memory, "Memory", JSON_U64),
	HOST(nano_cpus, "NanoCpus", JSON_U64),
	HOST(cgroup_parent, "CgroupParent", JSON_STR),
	HOST(blkio_weight, "BlkioWeight", JSON_U64),
	HOST(weight_devices, "BlkioWeightDevice", JSON_ARRAY, .desc = &weight_desc),
	HOST(read_bps, "BlkioDeviceReadBps", JSON_ARRAY, .desc = &rate_desc),
	HOST(write_bps, "BlkioDeviceWriteBps", JSON_ARRAY, .desc = &rate_desc),
	HOST(read_iops, "BlkioDeviceReadIOps", JSON_ARRAY, .desc = &rate_desc),
	HOST(write_iops, "BlkioDeviceWriteIOps", JSON_ARRAY, .desc = &rate_desc),
	HOST(cpu_period, "CpuPeriod", JSON_U64),
	HOST(cpu_quota, "CpuQuota", JSON_I64),
	HOST(cpu_rt_period, "CpuRealtimePeriod", JSON_U64),
	HOST(cpu_rt_runtime, "CpuRealtimeRuntime", JSON_I64),
	HOST(cpuset_cpus, "CpusetCpus", JSON_STR),
	HOST(cpuset_mems, "CpusetMems", JSON_STR),
	HOST(devices, "Devices", JSON_ARRAY, .desc = &device_desc),
	HOST(device_rules, "DeviceCgroupRules", JSON_STRV),
	HOST(device_requests, "DeviceRequests", JSON_STRV),
	HOST(kernel_memory, "KernelMemory", JSON_U64),
	HOST(windows, "KernelMemoryTCP", JSON_U64),
	HOST(memory_reservation, "MemoryReservation", JSON_U64),
	HOST(memory_swap, "MemorySwap", JSON_I64),
	HOST(memory_swappiness, "MemorySwappiness", JSON_OPT_I64),
	HOST(oom_kill_disable, "OomKillDisable", JSON_BOOL),
	HOST(pids_limit, "PidsLimit", JSON_OPT_I64),
	HOST(ulimits, "Ulimits", JSON_ARRAY, .desc = &ulimit_desc),
	HOST(windows, "CpuCount", JSON_U64),
	HOST(windows, "CpuPercent", JSON_U64),
	HOST(windows, "IOMaximumIOps", JSON_U64),
	HOST(windows, "IOMaximumBandwidth", JSON_U64),
	HOST_MAY(mounts, "Mounts", JSON_ARRAY, .desc = &wanted_desc),
	HOST(masked_paths, "MaskedPaths", JSON_STRV),
	HOST(readonly_paths, "ReadonlyPaths", JSON_STRV),
	HOST_MAY(init, "Init", JSON_OPT_BOOL),
	HOST(cgroup_manager, "CgroupManager", JSON_STR),
	HOST(cgroup_mode, "CgroupMode", JSON_STR),
	HOST(cgroups, "Cgroups", JSON_STR),
	HOST_MAY(id_mappings, "IDMappings", JSON_OBJ, .desc = &id_desc),
};
static const struct json_desc host_desc = JSON_DESC(struct inspect_host_config, host_fields);

static const struct json_field mount_fields[] = {
	FIELD(inspect_mount, type, "Type", JSON_STR),
	MAY(inspect_mount, name, "Name", JSON_STR),
	FIELD(inspect_mount, source, "Source", JSON_STR),
	FIELD(inspect_mount, destination, "Destination", JSON_STR),
	MAY(inspect_mount, driver, "Driver", JSON_STR),
	FIELD(inspect_mount, mode, "Mode", JSON_STR),
	FIELD(inspect_mount, rw, "RW", JSON_BOOL),
	FIELD(inspect_mount, propagation, "Propagation", JSON_STR),
};
static const struct json_desc mount_desc = JSON_DESC(struct inspect_mount, mount_fields);

static const struct json_field graph_data_fields[] = {
	FIELD(inspect_graph_data, lower_dir, "LowerDir", JSON_STR),
	FIELD(inspect_graph_data, upper_dir, "UpperDir", JSON_STR),
	FIELD(inspect_graph_data, work_dir, "WorkDir", JSON_STR),
};
static const struct json_desc graph_data_desc =
    JSON_DESC(struct inspect_graph_data, graph_data_fields);
static const struct json_field graph_fields[] = {
	FIELD(inspect_graph, data, "Data", JSON_STRUCT, .desc = &graph_data_desc),
	FIELD(inspect_graph, name, "Name", JSON_STR),
};
static const struct json_desc graph_desc = JSON_DESC(struct inspect_graph, graph_fields);

#define ENDPOINT(member, key, kind) FIELD(inspect_endpoint, member, key, kind)
static const struct json_field endpoint_fields[] = {
	ENDPOINT(ipam_config, "IPAMConfig", JSON_RAW),
	LIST(inspect_endpoint, null, "Links"),
	LIST(inspect_endpoint, aliases, "Aliases"),
	ENDPOINT(mac, "MacAddress", JSON_STR),
	ENDPOINT(null, "DriverOpts", JSON_RAW),
	ENDPOINT(gw_priority, "GwPriority", JSON_I64),
	ENDPOINT(network_id, "NetworkID", JSON_STR),
	ENDPOINT(endpoint_id, "EndpointID", JSON_STR),
	ENDPOINT(gateway, "Gateway", JSON_STR),
	ENDPOINT(ip_address, "IPAddress", JSON_STR),
	ENDPOINT(ip_prefix, "IPPrefixLen", JSON_I64),
	ENDPOINT(ip6_gateway, "IPv6Gateway", JSON_STR),
	ENDPOINT(ip6_address, "GlobalIPv6Address", JSON_STR),
	ENDPOINT(ip6_prefix, "GlobalIPv6PrefixLen", JSON_I64),
	LIST(inspect_endpoint, dns_names, "DNSNames"),
};
static const struct json_desc endpoint_desc = JSON_DESC(struct inspect_endpoint, endpoint_fields);

#define NETWORK(member, key, kind, ...) FIELD(inspect_network, member, key, kind, ##__VA_ARGS__)
static const struct json_field network_fields[] = {
	NETWORK(empty, "Bridge", JSON_STR),
	NETWORK(empty, "SandboxID", JSON_STR),
	NETWORK(sandbox_key, "SandboxKey", JSON_STR),
	NETWORK(ports, "Ports", JSON_RAW_MAP),
	NETWORK(no, "HairpinMode", JSON_BOOL),
	NETWORK(empty, "LinkLocalIPv6Address", JSON_STR),
	NETWORK(zero, "LinkLocalIPv6PrefixLen", JSON_I64),
	LIST(inspect_network, null, "SecondaryIPAddresses"),
	LIST(inspect_network, null, "SecondaryIPv6Addresses"),
	NETWORK(endpoint_id, "EndpointID", JSON_STR),
	NETWORK(gateway, "Gateway", JSON_STR),
	NETWORK(ip6_address, "GlobalIPv6Address", JSON_STR),
	NETWORK(ip6_prefix, "GlobalIPv6PrefixLen", JSON_I64),
	NETWORK(ip_address, "IPAddress", JSON_STR),
	NETWORK(ip_prefix, "IPPrefixLen", JSON_I64),
	NETWORK(ip6_gateway, "IPv6Gateway", JSON_STR),
	NETWORK(mac, "MacAddress", JSON_STR),
	NETWORK(networks, "Networks", JSON_OBJ_MAP, .desc = &endpoint_desc),
	MAY(inspect_network, firewall, "Firewall", JSON_RAW),
};
static const struct json_desc network_desc = JSON_DESC(struct inspect_network, network_fields);

#define TOP(member, key, kind, ...)     FIELD(container_inspect, member, key, kind, ##__VA_ARGS__)
#define TOP_MAY(member, key, kind, ...) MAY(container_inspect, member, key, kind, ##__VA_ARGS__)
static const struct json_field inspect_fields[] = {
	TOP(id, "Id", JSON_STR),
	TOP(created, "Created", JSON_STR),
	TOP(path, "Path", JSON_STR),
	TOP(args, "Args", JSON_STRV),
	TOP(state, "State", JSON_STRUCT, .desc = &state_desc),
	TOP(image, "Image", JSON_STR),
	TOP(resolv_conf_path, "ResolvConfPath", JSON_STR),
	TOP(hostname_path, "HostnamePath", JSON_STR),
	TOP(hosts_path, "HostsPath", JSON_STR),
	TOP(log_path, "LogPath", JSON_STR),
	TOP(name, "Name", JSON_STR),
	TOP(restart_count, "RestartCount", JSON_I64),
	TOP(driver, "Driver", JSON_STR),
	TOP(platform, "Platform", JSON_STR),
	TOP(mount_label, "MountLabel", JSON_STR),
	TOP(process_label, "ProcessLabel", JSON_STR),
	TOP(app_armor_profile, "AppArmorProfile", JSON_STR),
	TOP(exec_ids, "ExecIDs", JSON_STRV),
	TOP(host_config, "HostConfig", JSON_STRUCT, .desc = &host_desc),
	TOP(graph, "GraphDriver", JSON_STRUCT, .desc = &graph_desc),
	TOP_MAY(size_rw, "SizeRw", JSON_OPT_I64),
	TOP_MAY(size_root_fs, "SizeRootFs", JSON_OPT_I64),
	TOP(mounts, "Mounts", JSON_ARRAY, .desc = &mount_desc),
	TOP(config, "Config", JSON_STRUCT, .desc = &config_desc),
	TOP(network, "NetworkSettings", JSON_STRUCT, .desc = &network_desc),
	TOP(image_name, "ImageName", JSON_STR),
	TOP(image_digest, "ImageDigest", JSON_STR),
	TOP(oci_config_path, "OCIConfigPath", JSON_STR),
	TOP(oci_runtime, "OCIRuntime", JSON_STR),
	TOP(bundle, "Bundle", JSON_STR),
	TOP(static_dir, "StaticDir", JSON_STR),
	TOP(pid_file, "PidFile", JSON_STR),
	TOP(monitor_pid_file, "ConmonPidFile", JSON_STR),
	TOP(bounding_caps, "BoundingCaps", JSON_STRV),
	TOP(effective_caps, "EffectiveCaps", JSON_STRV),
	TOP(dependencies, "Dependencies", JSON_STRV),
	TOP(empty, "Namespace", JSON_STR),
	TOP(rootfs, "Rootfs", JSON_STR),
	TOP(pod, "Pod", JSON_STR),
	TOP(service, "Service", JSON_STR),
	TOP(is_infra, "IsInfra", JSON_BOOL),
	TOP(is_service, "IsService", JSON_BOOL),
};
const struct json_desc container_inspect_desc = JSON_DESC(struct container_inspect, inspect_fields);

void container_inspect_done(struct container_inspect *ci)
{
	json_free(&container_inspect_desc, ci);
}
