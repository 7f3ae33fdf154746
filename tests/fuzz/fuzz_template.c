/* SPDX-License-Identifier: Apache-2.0 */
/* A template up to a NUL, then the document that it is for. */
#include "base/template.h"
#include "base/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct item {
	char *name;
	struct json_map labels;
	char **tags;
};
static const struct json_field fields[] = {
	JSON_FIELD(struct item, name, "Name", JSON_STR),
	JSON_FIELD(struct item, labels, "Labels", JSON_MAP),
	JSON_FIELD(struct item, tags, "Tags", JSON_STRV),
};
static const struct json_desc desc = JSON_DESC(struct item, fields);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *nul = size ? memchr(data, '\0', size) : NULL;
	const char *json = nul ? nul + 1 : "{}";
	struct template_data d = {
		.json = json,
		.len = nul ? size - (size_t)(json - (const char *)data) : 2,
	};
	cleanup_free char *text = xstrndup((const char *)data, size);
	cleanup_template struct template *t = NULL;
	struct err err = ERR_INIT;

	if (template_parse(text, TEMPLATE_ESCAPES, &t, &err) < 0)
		return 0;
	for (int i = 0; i < 3; i++) {
		cleanup_buf struct buf out = BUF_INIT;

		d.desc = i == 1 ? &desc : NULL;
		d.fields = d.mask = i == 2;
		if (template_execute(t, &d, &out, &err) < 0)
			continue;
	}
	return 0;
}
