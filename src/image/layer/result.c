/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/result.h"

static const struct json_field split_entry_fields[] = {
	JSON_FIELD(struct split_entry, name, "name", JSON_STR, .flags = JSON_REQUIRED),
	JSON_FIELD(struct split_entry, digest, "digest", JSON_STR),
	JSON_FIELD(struct split_entry, symlink, "symlink", JSON_STR),
	JSON_FIELD(struct split_entry, hardlink, "hardlink", JSON_STR),
	JSON_FIELD(struct split_entry, size, "size", JSON_U64),
};
static const struct json_desc split_entry_desc = JSON_DESC(struct split_entry, split_entry_fields);

static const struct json_field split_result_fields[] = {
	JSON_FIELD(struct split_result, entries, "entries", JSON_ARRAY, .desc = &split_entry_desc),
};
const struct json_desc split_result_desc = JSON_DESC(struct split_result, split_result_fields);

static const struct json_field apply_result_fields[] = {
	JSON_FIELD(struct apply_result, diff_id, "diffId", JSON_STR),
	JSON_FIELD(struct apply_result, digest, "digest", JSON_STR),
	JSON_FIELD(struct apply_result, size, "size", JSON_U64),
	JSON_FIELD(struct apply_result, tar_size, "tarSize", JSON_U64),
	JSON_FIELD(struct apply_result, input_size, "inputSize", JSON_U64),
	JSON_FIELD(struct apply_result, entries, "entries", JSON_U64),
	JSON_FIELD(struct apply_result, implied, "implied", JSON_STRV),
	JSON_FIELD(struct apply_result, whiteouts, "whiteouts", JSON_STRV),
	JSON_FIELD(struct apply_result, opaque, "opaque", JSON_BOOL),
};
const struct json_desc apply_result_desc = JSON_DESC(struct apply_result, apply_result_fields);

static const struct json_field convert_result_fields[] = {
	JSON_FIELD(struct convert_result, digest, "digest", JSON_STR, .flags = JSON_REQUIRED),
	JSON_FIELD(struct convert_result, size, "size", JSON_U64),
};
const struct json_desc convert_result_desc =
    JSON_DESC(struct convert_result, convert_result_fields);

static const struct json_field verify_item_fields[] = {
	JSON_FIELD(struct verify_item, payload, "payload", JSON_STR, .flags = JSON_REQUIRED),
	JSON_FIELD(struct verify_item, signature, "signature", JSON_STR, .flags = JSON_REQUIRED),
};
static const struct json_desc verify_item_desc = JSON_DESC(struct verify_item, verify_item_fields);

static const struct json_field verify_request_fields[] = {
	JSON_FIELD(struct verify_request, keys, "keys", JSON_STRV, .flags = JSON_REQUIRED),
	JSON_FIELD(struct verify_request, items, "items", JSON_ARRAY, .desc = &verify_item_desc),
};
const struct json_desc verify_request_desc =
    JSON_DESC(struct verify_request, verify_request_fields);

static const struct json_field verify_result_fields[] = {
	JSON_FIELD(struct verify_result, keys, "keys", JSON_U32S),
};
const struct json_desc verify_result_desc = JSON_DESC(struct verify_result, verify_result_fields);
