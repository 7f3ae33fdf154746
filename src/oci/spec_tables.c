/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.json's members as descriptor tables: everything but the Linux part (spec_tables_linux.c).
 * JSON_KEEP stands where the specification's Go binding writes a zero value, too.
 */
#include "oci/spec_internal.h"

static const struct json_field id_map_fields[] = {
	JSON_FIELD(struct spec_id_map, container_id, "containerID", JSON_U32,
		   .flags = JSON_REQUIRED | JSON_KEEP),
	JSON_FIELD(struct spec_id_map, host_id, "hostID", JSON_U32,
		   .flags = JSON_REQUIRED | JSON_KEEP),
	JSON_FIELD(struct spec_id_map, size, "size", JSON_U32, .flags = JSON_REQUIRED | JSON_KEEP),
};
const struct json_desc spec_id_map_desc =
    JSON_DESC(struct spec_id_map, id_map_fields, .check = spec_check_id_map);

static const struct json_field root_fields[] = {
	JSON_FIELD(struct spec_root, path, "path", JSON_STR, .flags = JSON_REQUIRED | JSON_KEEP),
	JSON_FIELD(struct spec_root, readonly, "readonly", JSON_BOOL),
};
static const struct json_desc spec_root_desc =
    JSON_DESC(struct spec_root, root_fields, .check = spec_check_root);

static const struct json_field mount_fields[] = {
	JSON_FIELD(struct spec_mount, destination, "destination", JSON_STR,
		   .flags = JSON_REQUIRED | JSON_NOT_EMPTY),
	JSON_FIELD(struct spec_mount, type, "type", JSON_STR),
	JSON_FIELD(struct spec_mount, source, "source", JSON_STR),
	JSON_FIELD(struct spec_mount, options, "options", JSON_STRV),
	JSON_FIELD(struct spec_mount, uid_mappings, "uidMappings", JSON_ARRAY,
		   .desc = &spec_id_map_desc),
	JSON_FIELD(struct spec_mount, gid_mappings, "gidMappings", JSON_ARRAY,
		   .desc = &spec_id_map_desc),
};
static const struct json_desc spec_mount_desc =
    JSON_DESC(struct spec_mount, mount_fields, .check = spec_check_mount);

static const struct json_field box_fields[] = {
	JSON_FIELD(struct spec_box, height, "height", JSON_U32, .flags = JSON_REQUIRED | JSON_KEEP),
	JSON_FIELD(struct spec_box, width, "width", JSON_U32, .flags = JSON_REQUIRED | JSON_KEEP),
};
static const struct json_desc spec_box_desc =
    JSON_DESC(struct spec_box, box_fields, .check = spec_check_box);

static const struct json_field rlimit_fields[] = {
	JSON_FIELD(struct spec_rlimit, type, "type", JSON_STR, .flags = JSON_REQUIRED),
	JSON_FIELD(struct spec_rlimit, hard, "hard", JSON_U64, .flags = JSON_REQUIRED | JSON_KEEP),
	JSON_FIELD(struct spec_rlimit, soft, "soft", JSON_U64, .flags = JSON_REQUIRED | JSON_KEEP),
};
static const struct json_desc spec_rlimit_desc =
    JSON_DESC(struct spec_rlimit, rlimit_fields, .check = spec_check_rlimit);

static const struct json_field caps_fields[] = {
	JSON_FIELD(struct spec_caps, bounding, "bounding", JSON_STRV),
	JSON_FIELD(struct spec_caps, effective, "effective", JSON_STRV),
	JSON_FIELD(struct spec_caps, inheritable, "inheritable", JSON_STRV),
	JSON_FIELD(struct spec_caps, permitted, "permitted", JSON_STRV),
	JSON_FIELD(struct spec_caps, ambient, "ambient", JSON_STRV),
};
static const struct json_desc spec_caps_desc =
    JSON_DESC(struct spec_caps, caps_fields, .check = spec_check_caps);

static const struct json_field user_fields[] = {
	JSON_FIELD(struct spec_user, uid, "uid", JSON_U32, .flags = JSON_KEEP),
	JSON_FIELD(struct spec_user, gid, "gid", JSON_U32, .flags = JSON_KEEP),
	JSON_FIELD(struct spec_user, umask, "umask", JSON_OPT_U32),
	JSON_FIELD(struct spec_user, additional_gids, "additionalGids", JSON_U32S),
	JSON_FIELD(struct spec_user, username, "username", JSON_STR),
};
static const struct json_desc spec_user_desc =
    JSON_DESC(struct spec_user, user_fields, .check = spec_check_user);

static const struct json_field scheduler_fields[] = {
	JSON_FIELD(struct spec_scheduler, policy, "policy", JSON_STR, .flags = JSON_REQUIRED),
	JSON_FIELD(struct spec_scheduler, nice, "nice", JSON_I32),
	JSON_FIELD(struct spec_scheduler, priority, "priority", JSON_I32),
	JSON_FIELD(struct spec_scheduler, flags, "flags", JSON_STRV),
	JSON_FIELD(struct spec_scheduler, runtime, "runtime", JSON_U64),
	JSON_FIELD(struct spec_scheduler, deadline, "deadline", JSON_U64),
	JSON_FIELD(struct spec_scheduler, period, "period", JSON_U64),
};
static const struct json_desc spec_scheduler_desc =
    JSON_DESC(struct spec_scheduler, scheduler_fields, .check = spec_check_scheduler);

static const struct json_field io_priority_fields[] = {
	JSON_FIELD(struct spec_io_priority, io_class, "class", JSON_STR, .flags = JSON_REQUIRED),
	JSON_FIELD(struct spec_io_priority, priority, "priority", JSON_I32,
		   .flags = JSON_REQUIRED | JSON_KEEP),
};
static const struct json_desc spec_io_priority_desc =
    JSON_DESC(struct spec_io_priority, io_priority_fields, .check = spec_check_io_priority);

static const struct json_field affinity_fields[] = {
	JSON_FIELD(struct spec_exec_cpu_affinity, initial, "initial", JSON_STR),
	JSON_FIELD(struct spec_exec_cpu_affinity, final, "final", JSON_STR),
};
static const struct json_desc spec_affinity_desc =
    JSON_DESC(struct spec_exec_cpu_affinity, affinity_fields, .check = spec_check_cpu_affinity);

static const struct json_field process_fields[] = {
	JSON_FIELD(struct spec_process, terminal, "terminal", JSON_BOOL),
	JSON_FIELD(struct spec_process, console_size, "consoleSize", JSON_OBJ,
		   .desc = &spec_box_desc),
	JSON_FIELD(struct spec_process, user, "user", JSON_STRUCT, .desc = &spec_user_desc,
		   .flags = JSON_KEEP),
	JSON_FIELD(struct spec_process, args, "args", JSON_STRV),
	JSON_FIELD(struct spec_process, command_line, "commandLine", JSON_STR),
	JSON_FIELD(struct spec_process, env, "env", JSON_STRV),
	JSON_FIELD(struct spec_process, cwd, "cwd", JSON_STR, .flags = JSON_REQUIRED),
	JSON_FIELD(struct spec_process, capabilities, "capabilities", JSON_OBJ,
		   .desc = &spec_caps_desc),
	JSON_FIELD(struct spec_process, rlimits, "rlimits", JSON_ARRAY, .desc = &spec_rlimit_desc),
	JSON_FIELD(struct spec_process, no_new_privileges, "noNewPrivileges", JSON_BOOL),
	JSON_FIELD(struct spec_process, apparmor_profile, "apparmorProfile", JSON_STR),
	JSON_FIELD(struct spec_process, oom_score_adj, "oomScoreAdj", JSON_OPT_I32),
	JSON_FIELD(struct spec_process, scheduler, "scheduler", JSON_OBJ,
		   .desc = &spec_scheduler_desc),
	JSON_FIELD(struct spec_process, selinux_label, "selinuxLabel", JSON_STR),
	JSON_FIELD(struct spec_process, io_priority, "ioPriority", JSON_OBJ,
		   .desc = &spec_io_priority_desc),
	JSON_FIELD(struct spec_process, exec_cpu_affinity, "execCPUAffinity", JSON_OBJ,
		   .desc = &spec_affinity_desc),
};
const struct json_desc spec_process_desc =
    JSON_DESC(struct spec_process, process_fields, .check = spec_check_process);

static const struct json_field hook_fields[] = {
	JSON_FIELD(struct spec_hook, path, "path", JSON_STR, .flags = JSON_REQUIRED),
	JSON_FIELD(struct spec_hook, args, "args", JSON_STRV),
	JSON_FIELD(struct spec_hook, env, "env", JSON_STRV),
	JSON_FIELD(struct spec_hook, timeout, "timeout", JSON_OPT_I32),
};
static const struct json_desc spec_hook_desc =
    JSON_DESC(struct spec_hook, hook_fields, .check = spec_check_hook);

static const struct json_field hooks_fields[] = {
	JSON_FIELD(struct spec_hooks, prestart, "prestart", JSON_ARRAY, .desc = &spec_hook_desc),
	JSON_FIELD(struct spec_hooks, create_runtime, "createRuntime", JSON_ARRAY,
		   .desc = &spec_hook_desc),
	JSON_FIELD(struct spec_hooks, create_container, "createContainer", JSON_ARRAY,
		   .desc = &spec_hook_desc),
	JSON_FIELD(struct spec_hooks, start_container, "startContainer", JSON_ARRAY,
		   .desc = &spec_hook_desc),
	JSON_FIELD(struct spec_hooks, poststart, "poststart", JSON_ARRAY, .desc = &spec_hook_desc),
	JSON_FIELD(struct spec_hooks, poststop, "poststop", JSON_ARRAY, .desc = &spec_hook_desc),
};
const struct json_desc spec_hooks_desc = JSON_DESC(struct spec_hooks, hooks_fields);

const char *spec_hook_word(size_t i)
{
	return i < ARRAY_SIZE(hooks_fields) ? hooks_fields[i].name : NULL;
}

static const struct json_field spec_fields[] = {
	JSON_FIELD(struct spec, oci_version, "ociVersion", JSON_STR, .flags = JSON_REQUIRED),
	JSON_FIELD(struct spec, process, "process", JSON_OBJ, .desc = &spec_process_desc),
	JSON_FIELD(struct spec, root, "root", JSON_OBJ, .desc = &spec_root_desc,
		   .flags = JSON_REQUIRED),
	JSON_FIELD(struct spec, hostname, "hostname", JSON_STR),
	JSON_FIELD(struct spec, domainname, "domainname", JSON_STR),
	JSON_FIELD(struct spec, mounts, "mounts", JSON_ARRAY, .desc = &spec_mount_desc),
	JSON_FIELD(struct spec, hooks, "hooks", JSON_OBJ, .desc = &spec_hooks_desc),
	JSON_FIELD(struct spec, annotations, "annotations", JSON_MAP),
	JSON_FIELD(struct spec, linux_, "linux", JSON_OBJ, .desc = &spec_linux_desc),
};
const struct json_desc spec_desc = JSON_DESC(struct spec, spec_fields, .check = spec_check_spec);
