/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes: parsed or refused; what was parsed is written and reads back to the same text. */
#include "base/json.h"

struct node {
	char *key, *str, *raw;
	bool flag;
	struct opt_bool opt_flag;
	int64_t i64;
	uint64_t u64;
	struct opt_u32 u32;
	int word;
	char **list;
	struct json_map map;
	struct json_u32s numbers;
	struct node *child;
	JSON_LIST(struct node) items, named;
};

static const char *const words[] = { "one", "two", NULL };
static const struct json_desc node_desc;
static const struct json_field fields[] = {
	JSON_FIELD(struct node, str, "str", JSON_STR),
	JSON_FIELD(struct node, raw, "raw", JSON_RAW),
	JSON_FIELD(struct node, flag, "flag", JSON_BOOL),
	JSON_FIELD(struct node, opt_flag, "optFlag", JSON_OPT_BOOL),
	JSON_FIELD(struct node, i64, "i64", JSON_I64),
	JSON_FIELD(struct node, u64, "u64", JSON_U64),
	JSON_FIELD(struct node, u32, "u32", JSON_OPT_U32),
	JSON_FIELD(struct node, word, "word", JSON_ENUM, .names = words),
	JSON_FIELD(struct node, list, "list", JSON_STRV),
	JSON_FIELD(struct node, map, "map", JSON_MAP),
	JSON_FIELD(struct node, numbers, "numbers", JSON_U32S),
	JSON_FIELD(struct node, child, "child", JSON_OBJ, .desc = &node_desc),
	JSON_FIELD(struct node, items, "items", JSON_ARRAY, .desc = &node_desc),
	JSON_FIELD(struct node, named, "named", JSON_OBJ_MAP, .desc = &node_desc),
};
static const struct json_desc node_desc = JSON_DESC(struct node, fields);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_buf struct buf first = BUF_INIT, second = BUF_INIT;
	struct node node = { 0 };
	struct err err = ERR_INIT;

	if (json_parse(&node_desc, &node, (const char *)data, size, "input", &err) < 0)
		return 0;
	json_write(&node_desc, &node, JSON_PRETTY, &first);
	json_free(&node_desc, &node);
	if (json_parse(&node_desc, &node, first.data, first.len, "output", &err) < 0)
		abort();
	json_write(&node_desc, &node, JSON_PRETTY, &second);
	json_free(&node_desc, &node);
	if (strcmp(buf_str(&first), buf_str(&second)) != 0)
		abort();
	/* by lines it means the same, and has its lines already the second time */
	buf_reset(&first);
	buf_reset(&second);
	json_indent((const char *)data, size, &first);
	json_indent(first.data, first.len, &second);
	if (strcmp(buf_str(&first), buf_str(&second)) != 0 ||
	    json_parse(&node_desc, &node, first.data, first.len, "lines", &err) < 0)
		abort();
	json_free(&node_desc, &node);
	return 0;
}
