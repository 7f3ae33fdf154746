/* SPDX-License-Identifier: Apache-2.0 */
/* state.json, and the hooks in it: what is accepted can be written, and reads back the same. */
#include "runtime/hooks.h"
#include "runtime/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_hooks(const char *text)
{
	CLEANUP(hooks_saved_done) struct hooks_saved hooks = { 0 };
	struct err err = ERR_INIT;

	if (hooks_load(text, &hooks, &err) < 0 && !err.msg[0])
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_buf struct buf once = BUF_INIT, twice = BUF_INIT;
	cleanup_state struct state st = { 0 };
	struct err err = ERR_INIT;

	if (state_parse((const char *)data, size, &st, &err) < 0) {
		if (!err.msg[0] || st.pub.id)
			abort();
		return 0;
	}
	if (!container_id_valid(st.pub.id) || st.pub.pid < 0 || st.pub.pid == 1)
		abort();
	check_hooks(st.hooks);
	state_format(&st, &once);
	state_done(&st);
	if (state_parse(buf_str(&once), once.len, &st, &err) < 0)
		abort();
	state_format(&st, &twice);
	if (strcmp(buf_str(&once), buf_str(&twice)) != 0)
		abort();
	return 0;
}
