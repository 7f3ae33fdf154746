/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <linux/mempolicy.h>

#include "runtime/mempolicy.h"

static void parse(const char *mode, const char *nodes, char **flags, struct memory_policy *ret)
{
	struct spec_memory_policy p = { (char *)(uintptr_t)mode, (char *)(uintptr_t)nodes, flags };
	struct err err = ERR_INIT;

	assert_int_equal(memory_policy_parse(&p, ret, &err), 0);
}

static void test_modes_and_flags(void **state)
{
	static char balancing[] = "MPOL_F_NUMA_BALANCING", fixed[] = "MPOL_F_STATIC_NODES";
	char *both[] = { balancing, fixed, NULL };
	struct memory_policy p;

	parse("MPOL_DEFAULT", NULL, NULL, &p);
	assert_int_equal(p.mode, MPOL_DEFAULT);
	assert_false(p.have_nodes);
	parse("MPOL_BIND", "0", both, &p);
	assert_int_equal(p.mode, MPOL_BIND | (1 << 13) | MPOL_F_STATIC_NODES);
	parse("MPOL_WEIGHTED_INTERLEAVE", "0", NULL, &p);
	assert_int_equal(p.mode, 6);
}

static void test_nodes(void **state)
{
	struct memory_policy p;

	parse("MPOL_BIND", "0-3,7,64,1023", NULL, &p);
	assert_true(p.have_nodes);
	assert_int_equal(p.nodes[0], 0x8f);
	assert_int_equal(p.nodes[64 / MEMORY_NODE_BITS] >> (64 % MEMORY_NODE_BITS), 1);
	assert_int_equal(p.nodes[ARRAY_SIZE(p.nodes) - 1], 1UL << (MEMORY_NODE_BITS - 1));
}

static void test_refused(void **state)
{
	static const struct {
		const char *mode, *nodes, *flag, *words;
	} bad[] = {
		{ "MPOL_bind", "0", NULL, "mode" },
		{ "MPOL_BIND", "0", "X", "flags" },
		{ "MPOL_BIND", "1024", NULL, "nodes" },
		{ "MPOL_BIND", "3-1", NULL, "nodes" },
		{ "MPOL_BIND", "-1", NULL, "nodes" },
		{ "MPOL_BIND", "1-", NULL, "nodes" },
		{ "MPOL_BIND", "1,,2", NULL, "nodes" },
		{ "MPOL_BIND", "0-2048", NULL, "nodes" },
		{ "MPOL_BIND", "4294967296", NULL, "nodes" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char *flags[] = { (char *)(uintptr_t)bad[i].flag, NULL };
		struct spec_memory_policy p = { (char *)(uintptr_t)bad[i].mode,
						(char *)(uintptr_t)bad[i].nodes, flags };
		struct memory_policy parsed;
		struct err err = ERR_INIT;

		assert_int_equal(memory_policy_parse(&p, &parsed, &err), -EINVAL);
		assert_non_null(strstr(err.msg, bad[i].words));
	}
}

/* What `features` says is recognized passes the check of config.json. */
static void test_words(void **state)
{
	for (size_t i = 0; memory_policy_mode_word(i); i++) {
		const char *mode = memory_policy_mode_word(i);
		bool none = !strcmp(mode, "MPOL_DEFAULT") || !strcmp(mode, "MPOL_LOCAL");
		struct spec spec = { 0 };
		struct err err = ERR_INIT;
		char text[400];

		snprintf(text, sizeof(text),
			 "{\"ociVersion\":\"1.3.0\",\"root\":{\"path\":\"r\"},\"linux\":{"
			 "\"memoryPolicy\":{\"mode\":\"%s\",\"nodes\":\"%s\",\"flags\":[\"%s\"]}}}",
			 mode, none ? "" : "0", memory_policy_flag_word(i % 3));
		if (spec_parse(text, strlen(text), &spec, &err) < 0)
			fail_msg("%s: %s", mode, err.msg);
		spec_free(&spec);
	}
	assert_string_equal(memory_policy_flag_word(2), "MPOL_F_STATIC_NODES");
	assert_null(memory_policy_flag_word(3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modes_and_flags),
		cmocka_unit_test(test_nodes),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
