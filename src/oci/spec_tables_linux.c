/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.json's "linux" member as descriptor tables: resources, seccomp, namespaces, devices.
 */
#include "oci/spec_internal.h"

const char *const spec_ns_names[] = {
	[NS_PID] = "pid",       [NS_NETWORK] = "network", [NS_MOUNT] = "mount",
	[NS_IPC] = "ipc",       [NS_UTS] = "uts",         [NS_USER] = "user",
	[NS_CGROUP] = "cgroup", [NS_TIME] = "time",       [NS_COUNT] = NULL,
};

static const struct json_field device_rule_fields[] = {
	JSON_FIELD(struct spec_device_rule, allow, "allow", JSON_BOOL,
		   .flags = JSON_REQUIRED | JSON_KEEP),
	JSON_FIELD(struct spec_device_rule, type, "type", JSON_STR),
	JSON_FIELD(struct spec_device_rule, major, "major", JSON_OPT_I64),
	JSON_FIELD(struct spec_device_rule, minor, "minor", JSON_OPT_I64),
	JSON_FIELD(struct spec_device_rule, access, "access", JSON_STR),
};
static const struct json_desc spec_device_rule_desc =
    JSON_DESC(struct spec_device_rule, device_rule_fields, .check = spec_check_device_rule);

static const struct json_field memory_fields[] = {
	JSON_FIELD(struct spec_memory, limit, "limit", JSON_OPT_I64),
	JSON_FIELD(struct spec_memory, reservation, "reservation", JSON_OPT_I64),
	JSON_FIELD(struct spec_memory, swap, "swap", JSON_OPT_I64),
	JSON_FIELD(struct spec_memory, kernel, "kernel", JSON_OPT_I64),
	JSON_FIELD(struct spec_memory, kernel_tcp, "kernelTCP", JSON_OPT_I64),
	JSON_FIELD(struct spec_memory, swappiness, "swappiness", JSON_OPT_U64),
	JSON_FIELD(struct spec_memory, disable_oom_killer, "disableOOMKiller", JSON_OPT_BOOL),
	JSON_FIELD(struct spec_memory, use_hierarchy, "useHierarchy", JSON_OPT_BOOL),
	JSON_FIELD(struct spec_memory, check_before_update, "checkBeforeUpdate", JSON_OPT_BOOL),
};
static const struct json_desc spec_memory_desc =
    JSON_DESC(struct spec_memory, memory_fields, .check = spec_check_memory);

static const struct json_field cpu_fields[] = {
	JSON_FIELD(struct spec_cpu, shares, "shares", JSON_OPT_U64),
	JSON_FIELD(struct spec_cpu, quota, "quota", JSON_OPT_I64),
	JSON_FIELD(struct spec_cpu, burst, "burst", JSON_OPT_U64),
	JSON_FIELD(struct spec_cpu, period, "period", JSON_OPT_U64),
	JSON_FIELD(struct spec_cpu, realtime_runtime, "realtimeRuntime", JSON_OPT_I64),
	JSON_FIELD(struct spec_cpu, realtime_period, "realtimePeriod", JSON_OPT_U64),
	JSON_FIELD(struct spec_cpu, cpus, "cpus", JSON_STR),
	JSON_FIELD(struct spec_cpu, mems, "mems", JSON_STR),
	JSON_FIELD(struct spec_cpu, idle, "idle", JSON_OPT_I64),
};
static const struct json_desc spec_cpu_desc =
    JSON_DESC(struct spec_cpu, cpu_fields, .check = spec_check_cpu);

static const struct json_field pids_fields[] = {
	JSON_FIELD(struct spec_pids, limit, "limit", JSON_OPT_I64),
};
static const struct json_desc spec_pids_desc =
    JSON_DESC(struct spec_pids, pids_fields, .check = spec_check_pids);

static const struct json_field weight_device_fields[] = {
	JSON_FIELD(struct spec_weight_device, major, "major", JSON_I64,
		   .flags = JSON_REQUIRED | JSON_KEEP),
	JSON_FIELD(struct spec_weight_device, minor, "minor", JSON_I64,
		   .flags = JSON_REQUIRED | JSON_KEEP),
	JSON_FIELD(struct spec_weight_device, weight, "weight", JSON_OPT_U32),
	JSON_FIELD(struct spec_weight_device, leaf_weight, "leafWeight", JSON_OPT_U32),
};
static const struct json_desc spec_weight_device_desc =
    JSON_DESC(struct spec_weight_device, weight_device_fields, .check = spec_check_weight_device);

static const struct json_field throttle_device_fields[] = {
	JSON_FIELD(struct spec_throttle_device, major, "major", JSON_I64,
		   .flags = JSON_REQUIRED | JSON_KEEP),
	JSON_FIELD(struct spec_throttle_device, minor, "minor", JSON_I64,
		   .flags = JSON_REQUIRED | JSON_KEEP),
	JSON_FIELD(struct spec_throttle_device, rate, "rate", JSON_U64,
		   .flags = JSON_REQUIRED | JSON_KEEP),
};
static const struct json_desc spec_throttle_device_desc = JSON_DESC(
    struct spec_throttle_device, throttle_device_fields, .check = spec_check_throttle_device);

static const struct json_field block_io_fields[] = {
	JSON_FIELD(struct spec_block_io, weight, "weight", JSON_OPT_U32),
	JSON_FIELD(struct spec_block_io, leaf_weight, "leafWeight", JSON_OPT_U32),
	JSON_FIELD(struct spec_block_io, weight_device, "weightDevice", JSON_ARRAY,
		   .desc = &spec_weight_device_desc),
	JSON_FIELD(struct spec_block_io, read_bps, "throttleReadBpsDevice", JSON_ARRAY,
		   .desc = &spec_throttle_device_desc),
	JSON_FIELD(struct spec_block_io, write_bps, "throttleWriteBpsDevice", JSON_ARRAY,
		   .desc = &spec_throttle_device_desc),
	JSON_FIELD(struct spec_block_io, read_iops, "throttleReadIOPSDevice", JSON_ARRAY,
		   .desc = &spec_throttle_device_desc),
	JSON_FIELD(struct spec_block_io, write_iops, "throttleWriteIOPSDevice", JSON_ARRAY,
		   .desc = &spec_throttle_device_desc),
};
static const struct json_desc spec_block_io_desc =
    JSON_DESC(struct spec_block_io, block_io_fields, .check = spec_check_block_io);

static const struct json_field hugepage_limit_fields[] = {
	JSON_FIELD(struct spec_hugepage_limit, page_size, "pageSize", JSON_STR,
		   .flags = JSON_REQUIRED),
	JSON_FIELD(struct spec_hugepage_limit, limit, "limit", JSON_U64,
		   .flags = JSON_REQUIRED | JSON_KEEP),
};
static const struct json_desc spec_hugepage_limit_desc = JSON_DESC(
    struct spec_hugepage_limit, hugepage_limit_fields, .check = spec_check_hugepage_limit);

static const struct json_field net_priority_fields[] = {
	JSON_FIELD(struct spec_net_priority, name, "name", JSON_STR, .flags = JSON_REQUIRED),
	JSON_FIELD(struct spec_net_priority, priority, "priority", JSON_U32,
		   .flags = JSON_REQUIRED | JSON_KEEP),
};
static const struct json_desc spec_net_priority_desc =
    JSON_DESC(struct spec_net_priority, net_priority_fields, .check = spec_check_net_priority);

static const struct json_field network_fields[] = {
	JSON_FIELD(struct spec_network, class_id, "classID", JSON_OPT_U32),
	JSON_FIELD(struct spec_network, priorities, "priorities", JSON_ARRAY,
		   .desc = &spec_net_priority_desc),
};
static const struct json_desc spec_network_desc = JSON_DESC(struct spec_network, network_fields);

static const struct json_field rdma_fields[] = {
	JSON_FIELD(struct spec_rdma, hca_handles, "hcaHandles", JSON_OPT_U32),
	JSON_FIELD(struct spec_rdma, hca_objects, "hcaObjects", JSON_OPT_U32),
};
static const struct json_desc spec_rdma_desc =
    JSON_DESC(struct spec_rdma, rdma_fields, .check = spec_check_rdma);

static const struct json_field resources_fields[] = {
	JSON_FIELD(struct spec_resources, devices, "devices", JSON_ARRAY,
		   .desc = &spec_device_rule_desc),
	JSON_FIELD(struct spec_resources, memory, "memory", JSON_OBJ, .desc = &spec_memory_desc),
	JSON_FIELD(struct spec_resources, cpu, "cpu", JSON_OBJ, .desc = &spec_cpu_desc),
	JSON_FIELD(struct spec_resources, pids, "pids", JSON_OBJ, .desc = &spec_pids_desc),
	JSON_FIELD(struct spec_resources, block_io, "blockIO", JSON_OBJ,
		   .desc = &spec_block_io_desc),
	JSON_FIELD(struct spec_resources, hugepage_limits, "hugepageLimits", JSON_ARRAY,
		   .desc = &spec_hugepage_limit_desc),
	JSON_FIELD(struct spec_resources, network, "network", JSON_OBJ, .desc = &spec_network_desc),
	JSON_FIELD(struct spec_resources, rdma, "rdma", JSON_OBJ_MAP, .desc = &spec_rdma_desc),
	JSON_FIELD(struct spec_resources, unified, "unified", JSON_MAP),
};
const struct json_desc spec_resources_desc =
    JSON_DESC(struct spec_resources, resources_fields, .check = spec_check_resources);

static const struct json_field seccomp_arg_fields[] = {
	JSON_FIELD(struct spec_seccomp_arg, index, "index", JSON_U32,
		   .flags = JSON_REQUIRED | JSON_KEEP),
	JSON_FIELD(struct spec_seccomp_arg, value, "value", JSON_U64,
		   .flags = JSON_REQUIRED | JSON_KEEP),
	JSON_FIELD(struct spec_seccomp_arg, value_two, "valueTwo", JSON_U64),
	JSON_FIELD(struct spec_seccomp_arg, op, "op", JSON_STR, .flags = JSON_REQUIRED),
};
static const struct json_desc spec_seccomp_arg_desc =
    JSON_DESC(struct spec_seccomp_arg, seccomp_arg_fields, .check = spec_check_seccomp_arg);

static const struct json_field seccomp_rule_fields[] = {
	JSON_FIELD(struct spec_seccomp_rule, names, "names", JSON_STRV,
		   .flags = JSON_REQUIRED | JSON_NOT_EMPTY),
	JSON_FIELD(struct spec_seccomp_rule, action, "action", JSON_STR, .flags = JSON_REQUIRED),
	JSON_FIELD(struct spec_seccomp_rule, errno_ret, "errnoRet", JSON_OPT_U32),
	JSON_FIELD(struct spec_seccomp_rule, args, "args", JSON_ARRAY,
		   .desc = &spec_seccomp_arg_desc),
};
static const struct json_desc spec_seccomp_rule_desc =
    JSON_DESC(struct spec_seccomp_rule, seccomp_rule_fields, .check = spec_check_seccomp_rule);

static const struct json_field seccomp_fields[] = {
	JSON_FIELD(struct spec_seccomp, default_action, "defaultAction", JSON_STR,
		   .flags = JSON_REQUIRED),
	JSON_FIELD(struct spec_seccomp, default_errno_ret, "defaultErrnoRet", JSON_OPT_U32),
	JSON_FIELD(struct spec_seccomp, architectures, "architectures", JSON_STRV),
	JSON_FIELD(struct spec_seccomp, flags, "flags", JSON_STRV),
	JSON_FIELD(struct spec_seccomp, listener_path, "listenerPath", JSON_STR),
	JSON_FIELD(struct spec_seccomp, listener_metadata, "listenerMetadata", JSON_STR),
	JSON_FIELD(struct spec_seccomp, syscalls, "syscalls", JSON_ARRAY,
		   .desc = &spec_seccomp_rule_desc),
};
const struct json_desc spec_seccomp_desc =
    JSON_DESC(struct spec_seccomp, seccomp_fields, .check = spec_check_seccomp);

static const struct json_field namespace_fields[] = {
	JSON_FIELD(struct spec_namespace, type, "type", JSON_ENUM, .names = spec_ns_names,
		   .flags = JSON_REQUIRED),
	JSON_FIELD(struct spec_namespace, path, "path", JSON_STR),
};
static const struct json_desc spec_namespace_desc =
    JSON_DESC(struct spec_namespace, namespace_fields, .check = spec_check_namespace);

static const struct json_field device_fields[] = {
	JSON_FIELD(struct spec_device, path, "path", JSON_STR, .flags = JSON_REQUIRED),
	JSON_FIELD(struct spec_device, type, "type", JSON_STR, .flags = JSON_REQUIRED),
	JSON_FIELD(struct spec_device, major, "major", JSON_OPT_I64),
	JSON_FIELD(struct spec_device, minor, "minor", JSON_OPT_I64),
	JSON_FIELD(struct spec_device, file_mode, "fileMode", JSON_OPT_U32),
	JSON_FIELD(struct spec_device, uid, "uid", JSON_OPT_U32),
	JSON_FIELD(struct spec_device, gid, "gid", JSON_OPT_U32),
};
static const struct json_desc spec_device_desc =
    JSON_DESC(struct spec_device, device_fields, .check = spec_check_device);

static const struct json_field time_offset_fields[] = {
	JSON_FIELD(struct spec_time_offset, secs, "secs", JSON_I64),
	JSON_FIELD(struct spec_time_offset, nanosecs, "nanosecs", JSON_U32),
};
static const struct json_desc spec_time_offset_desc =
    JSON_DESC(struct spec_time_offset, time_offset_fields, .check = spec_check_time_offset);

static const struct json_field time_offsets_fields[] = {
	JSON_FIELD(struct spec_time_offsets, monotonic, "monotonic", JSON_OBJ,
		   .desc = &spec_time_offset_desc),
	JSON_FIELD(struct spec_time_offsets, boottime, "boottime", JSON_OBJ,
		   .desc = &spec_time_offset_desc),
};
static const struct json_desc spec_time_offsets_desc =
    JSON_DESC(struct spec_time_offsets, time_offsets_fields);

static const struct json_field intel_rdt_fields[] = {
	JSON_FIELD(struct spec_intel_rdt, clos_id, "closID", JSON_STR),
	JSON_FIELD(struct spec_intel_rdt, schemata, "schemata", JSON_STRV),
	JSON_FIELD(struct spec_intel_rdt, l3_cache_schema, "l3CacheSchema", JSON_STR),
	JSON_FIELD(struct spec_intel_rdt, mem_bw_schema, "memBwSchema", JSON_STR),
	JSON_FIELD(struct spec_intel_rdt, enable_monitoring, "enableMonitoring", JSON_BOOL),
	JSON_FIELD(struct spec_intel_rdt, enable_cmt, "enableCMT", JSON_BOOL),
	JSON_FIELD(struct spec_intel_rdt, enable_mbm, "enableMBM", JSON_BOOL),
};
const struct json_desc spec_intel_rdt_desc =
    JSON_DESC(struct spec_intel_rdt, intel_rdt_fields, .check = spec_check_intel_rdt);

static const struct json_field personality_fields[] = {
	JSON_FIELD(struct spec_personality, domain, "domain", JSON_STR, .flags = JSON_REQUIRED),
	JSON_FIELD(struct spec_personality, flags, "flags", JSON_STRV),
};
static const struct json_desc spec_personality_desc =
    JSON_DESC(struct spec_personality, personality_fields, .check = spec_check_personality);

static const struct json_field net_device_fields[] = {
	JSON_FIELD(struct spec_net_device, name, "name", JSON_STR),
};
static const struct json_desc spec_net_device_desc =
    JSON_DESC(struct spec_net_device, net_device_fields, .check = spec_check_net_device);

static const struct json_field memory_policy_fields[] = {
	JSON_FIELD(struct spec_memory_policy, mode, "mode", JSON_STR, .flags = JSON_REQUIRED),
	JSON_FIELD(struct spec_memory_policy, nodes, "nodes", JSON_STR),
	JSON_FIELD(struct spec_memory_policy, flags, "flags", JSON_STRV),
};
static const struct json_desc spec_memory_policy_desc =
    JSON_DESC(struct spec_memory_policy, memory_policy_fields, .check = spec_check_memory_policy);

static const struct json_field linux_fields[] = {
	JSON_FIELD(struct spec_linux, uid_mappings, "uidMappings", JSON_ARRAY,
		   .desc = &spec_id_map_desc),
	JSON_FIELD(struct spec_linux, gid_mappings, "gidMappings", JSON_ARRAY,
		   .desc = &spec_id_map_desc),
	JSON_FIELD(struct spec_linux, sysctl, "sysctl", JSON_MAP),
	JSON_FIELD(struct spec_linux, resources, "resources", JSON_OBJ,
		   .desc = &spec_resources_desc),
	JSON_FIELD(struct spec_linux, cgroups_path, "cgroupsPath", JSON_STR),
	JSON_FIELD(struct spec_linux, namespaces, "namespaces", JSON_ARRAY,
		   .desc = &spec_namespace_desc),
	JSON_FIELD(struct spec_linux, devices, "devices", JSON_ARRAY, .desc = &spec_device_desc),
	JSON_FIELD(struct spec_linux, net_devices, "netDevices", JSON_OBJ_MAP,
		   .desc = &spec_net_device_desc),
	JSON_FIELD(struct spec_linux, seccomp, "seccomp", JSON_OBJ, .desc = &spec_seccomp_desc),
	JSON_FIELD(struct spec_linux, rootfs_propagation, "rootfsPropagation", JSON_STR),
	JSON_FIELD(struct spec_linux, masked_paths, "maskedPaths", JSON_STRV),
	JSON_FIELD(struct spec_linux, readonly_paths, "readonlyPaths", JSON_STRV),
	JSON_FIELD(struct spec_linux, mount_label, "mountLabel", JSON_STR),
	JSON_FIELD(struct spec_linux, intel_rdt, "intelRdt", JSON_OBJ,
		   .desc = &spec_intel_rdt_desc),
	JSON_FIELD(struct spec_linux, memory_policy, "memoryPolicy", JSON_OBJ,
		   .desc = &spec_memory_policy_desc),
	JSON_FIELD(struct spec_linux, personality, "personality", JSON_OBJ,
		   .desc = &spec_personality_desc),
	JSON_FIELD(struct spec_linux, time_offsets, "timeOffsets", JSON_OBJ,
		   .desc = &spec_time_offsets_desc),
};
const struct json_desc spec_linux_desc =
    JSON_DESC(struct spec_linux, linux_fields, .check = spec_check_linux);
