/* SPDX-License-Identifier: Apache-2.0 */
/* Input: mountinfo text, a NUL byte, /proc/self/cgroup text. */
#include "base/buf.h"
#include "sys/cgroup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size ? memchr(data, '\0', size) : NULL;
	size_t mounts_len = nul ? (size_t)(nul - data) : size;
	size_t self_len = nul ? size - mounts_len - 1 : 0;
	const char *self = nul ? (const char *)nul + 1 : "";
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	struct cgroup_system sys;
	struct err err = ERR_INIT;

	buf_add(&text, self, self_len);
	if (cgroup_system_parse((const char *)data, mounts_len, self, self_len, &sys, &err) < 0 &&
	    (!err.msg[0] || sys.n > 0))
		abort();
	cgroup_system_done(&sys);
	cgroup_text_is_in(buf_str(&text), true, "/a");
	cgroup_text_is_in(buf_str(&text), false, "/a");
	return 0;
}
