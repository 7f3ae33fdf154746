/* SPDX-License-Identifier: Apache-2.0 */
/* config.json: whatever is accepted can be written, and reads back as the same document. */
#include "oci/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_buf struct buf once = BUF_INIT, twice = BUF_INIT;
	struct spec spec = { 0 };
	struct err err = ERR_INIT;

	if (spec_parse((const char *)data, size, &spec, &err) < 0) {
		if (!err.msg[0] || spec.root)
			abort();
		return 0;
	}
	json_write(&spec_desc, &spec, 0, &once);
	spec_free(&spec);
	if (spec_parse(once.data, once.len, &spec, &err) < 0)
		abort();
	json_write(&spec_desc, &spec, 0, &twice);
	spec_free(&spec);
	if (strcmp(buf_str(&once), buf_str(&twice)) != 0)
		abort();
	return 0;
}
