/* SPDX-License-Identifier: Apache-2.0 */
/* What criu writes: its responses, its log, and descriptors.json beside its images. */
#include "base/strv.h"
#include "runtime/checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_response(const uint8_t *data, size_t size)
{
	struct criu_resp resp;
	struct err err = ERR_INIT;

	if (criu_resp_decode(data, size, &resp, &err) < 0) {
		if (!err.msg[0])
			abort();
		return;
	}
	if (!resp.type || strnlen(resp.errmsg, sizeof(resp.errmsg)) == sizeof(resp.errmsg) ||
	    strnlen(resp.notify.script, CRIU_SCRIPT_MAX) == CRIU_SCRIPT_MAX)
		abort();
}

static void check_log(const uint8_t *data, size_t size)
{
	cleanup_buf struct buf out = BUF_INIT;

	criu_log_errors((const char *)data, size, &out);
	if (out.len > 1000)
		abort();
	for (size_t i = 0; i < out.len; i++)
		if ((unsigned char)out.data[i] < ' ')
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_strv char **links = NULL;
	struct err err = ERR_INIT;

	check_response(data, size);
	check_log(data, size);
	if (criu_descriptors_parse((const char *)data, size, &links, &err) < 0 && !err.msg[0])
		abort();
	return 0;
}
