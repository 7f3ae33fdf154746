/* SPDX-License-Identifier: Apache-2.0 */
/* policy.json: what was read is what is written, and every image finds requirements. */
#include "base/str.h"
#include "oci/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_all(const struct policy *policy)
{
	static const char *const names[] = { "debian", "reg.example:5000/team/app:1", "[::1]:443/x",
					     "a.b.c/d/e/f" };
	const char *scope;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup_reference struct reference ref = { NULL };

		if (reference_parse(names[i], &ref, NULL) < 0 ||
		    policy_find(policy, &ref, &scope)->n == 0 || !scope ||
		    policy_find_name(policy, ref.domain, &scope)->n == 0)
			abort();
		const struct policy_requirements *found = policy_find(policy, &ref, &scope);
		for (size_t k = 0; k < found->n; k++)
			policy_identity_fits(found->items[k].identity, &ref, names[i]);
	}
	if (policy_find_transport(policy, "docker-archive")->n == 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_policy struct policy policy = { { NULL } }, again = { { NULL } };
	cleanup_buf struct buf out = BUF_INIT, same = BUF_INIT;
	struct err err = ERR_INIT;

	if (policy_parse((const char *)data, size, "policy.json", &policy, &err) < 0) {
		if (!err.msg[0] || policy.by_default.n || policy.n)
			abort();
		return 0;
	}
	check_all(&policy);
	policy_write(&policy, &out);
	if (policy_parse(buf_str(&out), out.len, "policy.json", &again, &err) < 0)
		abort();
	policy_write(&again, &same);
	if (strcmp(buf_str(&out), buf_str(&same)) != 0)
		abort();
	return 0;
}
