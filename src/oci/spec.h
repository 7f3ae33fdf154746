/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OCI runtime specification's config.json as structs (runtime-spec 1.3, config.md and
 * config-linux.md), with the descriptor table that parses, validates, writes and frees it. Pure: no
 * I/O, no look at the machine. Strings are as given; enums are resolved to the kernel's values by
 * the layers that use them. Lifetime: spec_parse() -> spec_free(); everything in it is heap memory.
 */
#pragma once

#include "base/json.h"

enum spec_ns {
	NS_PID,
	NS_NETWORK,
	NS_MOUNT,
	NS_IPC,
	NS_UTS,
	NS_USER,
	NS_CGROUP,
	NS_TIME,
	NS_COUNT
};
extern const char *const spec_ns_names[]; /* "pid", "network", "mount" ..., NULL-terminated */

struct spec_id_map {
	uint32_t container_id, host_id, size;
};
struct spec_namespace {
	int type; /* enum spec_ns */
	char *path;
};
struct spec_time_offset {
	int64_t secs;
	uint32_t nanosecs;
};
struct spec_time_offsets {
	struct spec_time_offset *monotonic, *boottime;
};

struct spec_root {
	char *path;
	bool readonly;
};

typedef JSON_LIST(struct spec_id_map) spec_id_maps;

struct spec_mount {
	char *destination, *type, *source;
	char **options;
	spec_id_maps uid_mappings, gid_mappings;
};

struct spec_box {
	uint32_t height, width;
};
struct spec_rlimit {
	char *type;
	uint64_t hard, soft;
};
struct spec_caps {
	char **bounding, **effective, **inheritable, **permitted, **ambient;
};
struct spec_user {
	uint32_t uid, gid;
	struct opt_u32 umask;
	struct json_u32s additional_gids;
	char *username;
};
struct spec_scheduler {
	char *policy;
	int32_t nice, priority;
	char **flags;
	uint64_t runtime, deadline, period;
};
struct spec_io_priority {
	char *io_class;
	int32_t priority;
};
struct spec_exec_cpu_affinity {
	char *initial, *final;
};
struct spec_process {
	bool terminal;
	struct spec_box *console_size;
	char *cwd;
	char **env, **args;
	char *command_line;
	JSON_LIST(struct spec_rlimit) rlimits;
	struct spec_caps *capabilities;
	bool no_new_privileges;
	char *apparmor_profile, *selinux_label;
	struct opt_i32 oom_score_adj;
	struct spec_scheduler *scheduler;
	struct spec_io_priority *io_priority;
	struct spec_exec_cpu_affinity *exec_cpu_affinity;
	struct spec_user user;
};

struct spec_hook {
	char *path;
	char **args, **env;
	struct opt_i32 timeout;
};
typedef JSON_LIST(struct spec_hook) spec_hook_list;
struct spec_hooks {
	spec_hook_list prestart, create_runtime, create_container, start_container, poststart,
	    poststop;
};

struct spec_device {
	char *path, *type; /* c b u p */
	struct opt_i64 major, minor;
	struct opt_u32 file_mode, uid, gid;
};
struct spec_device_rule {
	bool allow;
	char *type;                  /* a c b; NULL: a */
	struct opt_i64 major, minor; /* absent: any */
	char *access;                /* r w m */
};
struct spec_memory {
	struct opt_i64 limit, reservation, swap, kernel, kernel_tcp;
	struct opt_u64 swappiness;
	struct opt_bool disable_oom_killer, use_hierarchy, check_before_update;
};
struct spec_cpu {
	struct opt_u64 shares, period, burst, realtime_period;
	struct opt_i64 quota, realtime_runtime, idle;
	char *cpus, *mems;
};
struct spec_pids {
	struct opt_i64 limit;
};
struct spec_weight_device {
	int64_t major, minor;
	struct opt_u32 weight, leaf_weight;
};
struct spec_throttle_device {
	int64_t major, minor;
	uint64_t rate;
};
typedef JSON_LIST(struct spec_throttle_device) spec_throttle_list;
struct spec_block_io {
	struct opt_u32 weight, leaf_weight;
	JSON_LIST(struct spec_weight_device) weight_device;
	spec_throttle_list read_bps, write_bps, read_iops, write_iops;
};
struct spec_hugepage_limit {
	char *page_size;
	uint64_t limit;
};
struct spec_net_priority {
	char *name;
	uint32_t priority;
};
struct spec_network {
	struct opt_u32 class_id;
	JSON_LIST(struct spec_net_priority) priorities;
};
struct spec_rdma {
	char *device;
	struct opt_u32 hca_handles, hca_objects;
};
struct spec_resources {
	JSON_LIST(struct spec_device_rule) devices;
	struct spec_memory *memory;
	struct spec_cpu *cpu;
	struct spec_pids *pids;
	struct spec_block_io *block_io;
	JSON_LIST(struct spec_hugepage_limit) hugepage_limits;
	struct spec_network *network;
	JSON_LIST(struct spec_rdma) rdma; /* JSON_OBJ_MAP */
	struct json_map unified;
};

struct spec_seccomp_arg {
	uint32_t index;
	uint64_t value, value_two;
	char *op;
};
struct spec_seccomp_rule {
	char **names;
	char *action;
	struct opt_u32 errno_ret;
	JSON_LIST(struct spec_seccomp_arg) args;
};
struct spec_seccomp {
	char *default_action;
	struct opt_u32 default_errno_ret;
	char **architectures, **flags;
	char *listener_path, *listener_metadata;
	JSON_LIST(struct spec_seccomp_rule) syscalls;
};

struct spec_intel_rdt {
	char *clos_id, *l3_cache_schema, *mem_bw_schema;
	char **schemata;
	bool enable_monitoring, enable_cmt, enable_mbm;
};
struct spec_personality {
	char *domain;
	char **flags;
};
struct spec_net_device {
	char *host_name, *name;
};
struct spec_memory_policy {
	char *mode, *nodes;
	char **flags;
};

struct spec_linux {
	spec_id_maps uid_mappings, gid_mappings;
	struct json_map sysctl;
	struct spec_resources *resources;
	char *cgroups_path;
	JSON_LIST(struct spec_namespace) namespaces;
	JSON_LIST(struct spec_device) devices;
	struct spec_seccomp *seccomp;
	char *rootfs_propagation;
	char **masked_paths, **readonly_paths;
	char *mount_label;
	struct spec_intel_rdt *intel_rdt;
	struct spec_personality *personality;
	struct spec_time_offsets *time_offsets;
	struct spec_memory_policy *memory_policy;
	JSON_LIST(struct spec_net_device) net_devices; /* JSON_OBJ_MAP */
};

struct spec {
	char *oci_version;
	struct spec_process *process;
	struct spec_root *root;
	char *hostname, *domainname;
	JSON_LIST(struct spec_mount) mounts;
	struct json_map annotations;
	struct spec_hooks *hooks;
	struct spec_linux *linux_; /* "linux" is a macro of the preprocessor */
};

/* The version of the specification that is implemented. */
#define SPEC_VERSION "1.3.0"
/* What documents say that any runtime shall take: crun 1.8 refuses those of 1.1 and newer. */
#define SPEC_VERSION_WRITTEN "1.0.2"
#define SPEC_BYTES_MAX       (16u << 20)

/* What `features` lists: names of hooks (i counts from 0, NULL at the end), architectures. */
const char *spec_hook_word(size_t i);
extern const char *const spec_seccomp_archs[]; /* NULL-terminated */

extern const struct json_desc spec_desc;
extern const struct json_desc spec_process_desc;   /* exec --process */
extern const struct json_desc spec_resources_desc; /* update -r */
extern const struct json_desc spec_intel_rdt_desc; /* of devices' specifications, too */
extern const struct json_desc spec_seccomp_desc;   /* --security-opt seccomp=FILE after expansion */

/* Parses and validates all that the specification asks and that needs no machine: required members,
 * enums, ranges, absolute paths, no "..", duplicate namespaces, mappings without overlap,
 * capability and rlimit names, seccomp words. Errors name the JSON path and what was expected. 0 or
 * -errno. */
int spec_parse(const char *text, size_t len, struct spec *ret, struct err *err);
void spec_free(struct spec *spec);

/* The namespace of this type, or NULL when the container shares the runtime's. */
const struct spec_namespace *spec_namespace_find(const struct spec *spec, enum spec_ns type);

/* The path below /proc/sys that a sysctl's name stands for: "net.ipv4.ip_forward" and
 * "net/ipv4/ip_forward" are "net/ipv4/ip_forward"; in the dotted form '/' is a literal dot
 * (eth0/1). No component is empty, "." or "..". NULL for a malformed name; the caller frees. */
char *spec_sysctl_path(const char *key) MUST_CHECK;

struct spec_example_args {
	bool rootless;     /* a user namespace with these ids as root's, no network of its own */
	uint32_t uid, gid; /* rootless only */
	bool cgroup2;      /* the machine has cgroup v2: with a cgroup namespace */
};
/* The example configuration that `inro-runtime spec` writes (the same defaults as runc's), into
 * *ret. */
void spec_example(const struct spec_example_args *args, struct spec *ret);
