/* SPDX-License-Identifier: Apache-2.0 */
/* linux.seccomp: from the text to the rules that the compiler gets, and through it. */
#include <linux/filter.h>

#include "oci/spec.h"
#include "runtime/seccomp_policy.h"
#include "sys/seccomp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void compile(const struct seccomp_policy *policy)
{
	cleanup_buf struct buf bpf = BUF_INIT;
	struct err err = ERR_INIT;

	if (seccomp_compile(policy, &bpf, &err) < 0) {
		if (!err.msg[0])
			abort();
		return;
	}
	if (bpf.len == 0 || bpf.len % sizeof(struct sock_filter) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seccomp_policy_holder holder;
	struct spec_seccomp s = { 0 };
	struct err err = ERR_INIT;
	unsigned int flags = 0;
	int r;

	if (json_parse(&spec_seccomp_desc, &s, (const char *)data, size, "seccomp", &err) < 0)
		return 0;
	r = seccomp_policy_make(&s, &holder, &err);
	if (r < 0 && !err.msg[0])
		abort();
	if (r >= 0 && seccomp_flags_make(&s, &flags, &err) >= 0)
		compile(&holder.policy);
	seccomp_policy_done(&holder);
	json_free(&spec_seccomp_desc, &s);
	return 0;
}
