/* SPDX-License-Identifier: Apache-2.0 */
/* The image documents' members as descriptor tables (see image.h). */
#include "oci/image_internal.h"

/* The values of such an object say nothing, whatever they hold. */
static const struct json_desc key_desc = { .size = sizeof(struct oci_key) };

static const struct json_field platform_fields[] = {
	JSON_FIELD(struct oci_platform, architecture, "architecture", JSON_STR,
		   .flags = JSON_REQUIRED),
	JSON_FIELD(struct oci_platform, os, "os", JSON_STR, .flags = JSON_REQUIRED),
	JSON_FIELD(struct oci_platform, os_version, "os.version", JSON_STR),
	JSON_FIELD(struct oci_platform, os_features, "os.features", JSON_STRV),
	JSON_FIELD(struct oci_platform, variant, "variant", JSON_STR),
	JSON_FIELD(struct oci_platform, features, "features", JSON_STRV),
};
static const struct json_desc platform_desc =
    JSON_DESC(struct oci_platform, platform_fields, .check = image_check_platform);

static const struct json_field descriptor_fields[] = {
	JSON_FIELD(struct oci_descriptor, media_type, "mediaType", JSON_STR,
		   .flags = JSON_REQUIRED | JSON_NOT_EMPTY),
	JSON_FIELD(struct oci_descriptor, digest, "digest", JSON_STR, .flags = JSON_REQUIRED),
	JSON_FIELD(struct oci_descriptor, size, "size", JSON_I64,
		   .flags = JSON_REQUIRED | JSON_KEEP),
	JSON_FIELD(struct oci_descriptor, urls, "urls", JSON_STRV),
	JSON_FIELD(struct oci_descriptor, annotations, "annotations", JSON_MAP),
	JSON_FIELD(struct oci_descriptor, data, "data", JSON_STR),
	JSON_FIELD(struct oci_descriptor, artifact_type, "artifactType", JSON_STR),
	JSON_FIELD(struct oci_descriptor, platform, "platform", JSON_OBJ, .desc = &platform_desc),
};
const struct json_desc oci_descriptor_desc =
    JSON_DESC(struct oci_descriptor, descriptor_fields, .check = image_check_descriptor);

static const struct json_field manifest_fields[] = {
	JSON_FIELD(struct oci_manifest, schema_version, "schemaVersion", JSON_I64,
		   .flags = JSON_REQUIRED),
	JSON_FIELD(struct oci_manifest, media_type, "mediaType", JSON_STR),
	JSON_FIELD(struct oci_manifest, artifact_type, "artifactType", JSON_STR),
	JSON_FIELD(struct oci_manifest, config, "config", JSON_OBJ, .desc = &oci_descriptor_desc,
		   .flags = JSON_REQUIRED),
	JSON_FIELD(struct oci_manifest, layers, "layers", JSON_ARRAY, .desc = &oci_descriptor_desc,
		   .flags = JSON_REQUIRED | JSON_KEEP),
	JSON_FIELD(struct oci_manifest, subject, "subject", JSON_OBJ, .desc = &oci_descriptor_desc),
	JSON_FIELD(struct oci_manifest, annotations, "annotations", JSON_MAP),
	JSON_FIELD(struct oci_manifest, not_manifests, "manifests", JSON_RAW),
};
const struct json_desc oci_manifest_desc =
    JSON_DESC(struct oci_manifest, manifest_fields, .check = image_check_manifest);

static const struct json_field index_fields[] = {
	JSON_FIELD(struct oci_index, schema_version, "schemaVersion", JSON_I64,
		   .flags = JSON_REQUIRED),
	JSON_FIELD(struct oci_index, media_type, "mediaType", JSON_STR),
	JSON_FIELD(struct oci_index, artifact_type, "artifactType", JSON_STR),
	JSON_FIELD(struct oci_index, manifests, "manifests", JSON_ARRAY,
		   .desc = &oci_descriptor_desc, .flags = JSON_REQUIRED | JSON_KEEP),
	JSON_FIELD(struct oci_index, subject, "subject", JSON_OBJ, .desc = &oci_descriptor_desc),
	JSON_FIELD(struct oci_index, annotations, "annotations", JSON_MAP),
	JSON_FIELD(struct oci_index, not_config, "config", JSON_RAW),
	JSON_FIELD(struct oci_index, not_layers, "layers", JSON_RAW),
};
const struct json_desc oci_index_desc =
    JSON_DESC(struct oci_index, index_fields, .check = image_check_index);

static const struct json_field healthcheck_fields[] = {
	JSON_FIELD(struct oci_healthcheck, test, "Test", JSON_STRV),
	JSON_FIELD(struct oci_healthcheck, interval, "Interval", JSON_I64),
	JSON_FIELD(struct oci_healthcheck, timeout, "Timeout", JSON_I64),
	JSON_FIELD(struct oci_healthcheck, start_period, "StartPeriod", JSON_I64),
	JSON_FIELD(struct oci_healthcheck, start_interval, "StartInterval", JSON_I64),
	JSON_FIELD(struct oci_healthcheck, retries, "Retries", JSON_I64),
};
const struct json_desc oci_healthcheck_desc =
    JSON_DESC(struct oci_healthcheck, healthcheck_fields, .check = image_check_healthcheck);

static const struct json_field config_fields[] = {
	JSON_FIELD(struct oci_config, user, "User", JSON_STR),
	JSON_FIELD(struct oci_config, exposed_ports, "ExposedPorts", JSON_OBJ_MAP,
		   .desc = &key_desc),
	JSON_FIELD(struct oci_config, env, "Env", JSON_STRV),
	JSON_FIELD(struct oci_config, entrypoint, "Entrypoint", JSON_STRV),
	JSON_FIELD(struct oci_config, cmd, "Cmd", JSON_STRV),
	JSON_FIELD(struct oci_config, volumes, "Volumes", JSON_OBJ_MAP, .desc = &key_desc),
	JSON_FIELD(struct oci_config, working_dir, "WorkingDir", JSON_STR),
	JSON_FIELD(struct oci_config, labels, "Labels", JSON_MAP),
	JSON_FIELD(struct oci_config, stop_signal, "StopSignal", JSON_STR),
	JSON_FIELD(struct oci_config, healthcheck, "Healthcheck", JSON_OBJ,
		   .desc = &oci_healthcheck_desc),
	JSON_FIELD(struct oci_config, args_escaped, "ArgsEscaped", JSON_BOOL),
	JSON_FIELD(struct oci_config, shell, "Shell", JSON_STRV),
	JSON_FIELD(struct oci_config, on_build, "OnBuild", JSON_STRV),
};
const struct json_desc oci_config_desc =
    JSON_DESC(struct oci_config, config_fields, .check = image_check_config);

static const struct json_field history_fields[] = {
	JSON_FIELD(struct oci_history, created, "created", JSON_STR),
	JSON_FIELD(struct oci_history, created_by, "created_by", JSON_STR),
	JSON_FIELD(struct oci_history, author, "author", JSON_STR),
	JSON_FIELD(struct oci_history, comment, "comment", JSON_STR),
	JSON_FIELD(struct oci_history, empty_layer, "empty_layer", JSON_BOOL),
};
const struct json_desc oci_history_desc = JSON_DESC(struct oci_history, history_fields);

static const struct json_field rootfs_fields[] = {
	JSON_FIELD(struct oci_rootfs, type, "type", JSON_STR, .flags = JSON_REQUIRED),
	JSON_FIELD(struct oci_rootfs, diff_ids, "diff_ids", JSON_STRV, .flags = JSON_KEEP),
};
static const struct json_desc rootfs_desc =
    JSON_DESC(struct oci_rootfs, rootfs_fields, .check = image_check_rootfs);

static const struct json_field image_config_fields[] = {
	JSON_FIELD(struct oci_image_config, created, "created", JSON_STR),
	JSON_FIELD(struct oci_image_config, author, "author", JSON_STR),
	JSON_FIELD(struct oci_image_config, architecture, "architecture", JSON_STR,
		   .flags = JSON_REQUIRED | JSON_KEEP),
	JSON_FIELD(struct oci_image_config, variant, "variant", JSON_STR),
	JSON_FIELD(struct oci_image_config, os, "os", JSON_STR, .flags = JSON_REQUIRED | JSON_KEEP),
	JSON_FIELD(struct oci_image_config, os_version, "os.version", JSON_STR),
	JSON_FIELD(struct oci_image_config, os_features, "os.features", JSON_STRV),
	JSON_FIELD(struct oci_image_config, config, "config", JSON_OBJ, .desc = &oci_config_desc),
	JSON_FIELD(struct oci_image_config, rootfs, "rootfs", JSON_OBJ, .desc = &rootfs_desc,
		   .flags = JSON_REQUIRED),
	JSON_FIELD(struct oci_image_config, history, "history", JSON_ARRAY,
		   .desc = &oci_history_desc),
};
const struct json_desc oci_image_config_desc =
    JSON_DESC(struct oci_image_config, image_config_fields, .check = image_check_image_config);

static const struct json_field archive_entry_fields[] = {
	JSON_FIELD(struct docker_archive_entry, config, "Config", JSON_STR, .flags = JSON_REQUIRED),
	JSON_FIELD(struct docker_archive_entry, repo_tags, "RepoTags", JSON_STRV),
	JSON_FIELD(struct docker_archive_entry, layers, "Layers", JSON_STRV, .flags = JSON_KEEP),
};
static const struct json_desc archive_entry_desc = JSON_DESC(
    struct docker_archive_entry, archive_entry_fields, .check = image_check_archive_entry);

static const struct json_field archive_fields[] = {
	JSON_FIELD(struct docker_archive, entries, NULL, JSON_ARRAY, .desc = &archive_entry_desc,
		   .flags = JSON_REQUIRED),
};
const struct json_desc docker_archive_desc =
    JSON_DESC(struct docker_archive, archive_fields, .check = image_check_archive);
