/* SPDX-License-Identifier: Apache-2.0 */
/* Device rules: what config.json's list means, as lines of v1 and as the program of v2, which runs
 * in a small interpreter here. */
#include "unit.h"

#include <linux/bpf.h>

#include "base/str.h"
#include "base/strv.h"
#include "runtime/cgroup_priv.h"

/* --- the reference: per device and kind of access, the last rule that matches decides --- */

struct query {
	char type;
	int64_t major, minor;
	unsigned int access; /* one or more kinds */
};

/* "+c 1:3 rw": allow. "-a": deny all. */
static struct spec_device_rule rule_of(const char *text)
{
	struct spec_device_rule rule = { .allow = text[0] == '+' };
	char type[2] = { text[1], '\0' }, major[16] = "*", minor[16] = "*", access[8] = "rwm";

	sscanf(text + 2, " %15[^:]:%15s %7s", major, minor, access);
	rule.type = xstrdup(type);
	rule.access = xstrdup(access);
	if (major[0] != '*')
		rule.major = (struct opt_i64){ true, strtol(major, NULL, 10) };
	if (minor[0] != '*')
		rule.minor = (struct opt_i64){ true, strtol(minor, NULL, 10) };
	return rule;
}

static struct spec_resources resources_of(const char *const *rules)
{
	struct spec_resources res = { 0 };

	for (; *rules; rules++) {
		res.devices.items =
		    xrealloc(res.devices.items, (res.devices.n + 1) * sizeof(*res.devices.items));
		res.devices.items[res.devices.n++] = rule_of(*rules);
	}
	return res;
}

static void resources_free(struct spec_resources *res)
{
	for (size_t i = 0; i < res->devices.n; i++) {
		free(res->devices.items[i].type);
		free(res->devices.items[i].access);
	}
	free(res->devices.items);
}

static bool rule_decides(const struct spec_device_rule *rule, const struct query *q,
			 unsigned int kind)
{
	if (rule->type[0] == 'a')
		return true;
	if (rule->type[0] != q->type || (rule->major.set && rule->major.value != q->major) ||
	    (rule->minor.set && rule->minor.value != q->minor))
		return false;
	return strchr(rule->access, kind == DEVICE_READ ? 'r' : kind == DEVICE_WRITE ? 'w' : 'm');
}

/* The devices that runc always allows. */
static bool implied(const struct query *q, unsigned int kind)
{
	static const int always[][2] = { { 1, 3 }, { 1, 5 }, { 1, 7 }, { 1, 8 },
					 { 1, 9 }, { 5, 0 }, { 5, 2 }, { 10, 200 } };

	if (kind == DEVICE_MKNOD)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(always); i++)
		if (q->type == 'c' && q->major == always[i][0] && q->minor == always[i][1])
			return true;
	return q->type == 'c' && q->major == 136;
}

static bool reference(const struct spec_resources *res, const struct query *q)
{
	for (unsigned int kind = 1; kind <= DEVICE_WRITE; kind <<= 1) {
		bool allow = false;
		if (!(q->access & kind))
			continue;
		for (size_t i = 0; i < res->devices.n; i++)
			if (rule_decides(&res->devices.items[i], q, kind))
				allow = res->devices.items[i].allow;
		if (!allow && !implied(q, kind))
			return false;
	}
	return true;
}

/* --- the interpreter --- */

static uint32_t alu(uint32_t a, const struct bpf_insn *insn, uint32_t b)
{
	switch (BPF_OP(insn->code)) {
	case BPF_MOV:
		return b;
	case BPF_AND:
		return a & b;
	case BPF_RSH:
		return a >> b;
	default:
		fail_msg("unexpected operation %#x", insn->code);
		return 0;
	}
}

static bool run(const struct bpf_insn *insns, size_t n, const struct query *q)
{
	struct bpf_cgroup_dev_ctx ctx = {
		.access_type =
		    q->access << 16 | (q->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR),
		.major = (uint32_t)q->major,
		.minor = (uint32_t)q->minor,
	};
	uint64_t r[11] = { 0 };

	for (size_t pc = 0; pc < n; pc++) {
		const struct bpf_insn *i = &insns[pc];
		uint64_t b = BPF_SRC(i->code) == BPF_X ? r[i->src_reg] : (uint64_t)(int64_t)i->imm;
		switch (BPF_CLASS(i->code)) {
		case BPF_LDX:
			assert_int_equal(i->code, BPF_LDX | BPF_W | BPF_MEM);
			assert_int_equal(i->src_reg, BPF_REG_1);
			assert_true(i->off >= 0 && (size_t)i->off + 4 <= sizeof(ctx));
			uint32_t word;
			memcpy(&word, (const char *)&ctx + i->off, sizeof(word));
			r[i->dst_reg] = word;
			break;
		case BPF_ALU:
			r[i->dst_reg] = alu((uint32_t)r[i->dst_reg], i, (uint32_t)b);
			break;
		case BPF_JMP:
			if (BPF_OP(i->code) == BPF_EXIT)
				return r[0];
			if ((BPF_OP(i->code) == BPF_JNE) ? r[i->dst_reg] != b : r[i->dst_reg] == b)
				pc += (size_t)i->off;
			break;
		default:
			fail_msg("unexpected instruction %#x", i->code);
		}
	}
	fail_msg("the program runs past its end");
	return false;
}

/* --- the kernel's v1 --- */

struct v1_state {
	bool allow;
	char **lines;
};

static int v1_collect(const struct device_rule *rule, bool allow, const char *line, void *data)
{
	char ***lines = data;

	strv_addf(lines, "%s %s", allow ? "allow" : "deny", line);
	return 0;
}

/* One list of exceptions to a default; all kinds asked for must be in one exception to "none", no
 * kind in any exception to "all" (security/device_cgroup.c). */
static bool v1_allows(char *const *lines, const struct query *q)
{
	bool all = str_eq(lines[0], "allow a");

	for (lines++; *lines; lines++) {
		char type, major[24], minor[24], access[8];
		unsigned int bits = 0;
		assert_int_equal(
		    sscanf(*lines, all ? "deny %c %23[^:]:%23s %7s" : "allow %c %23[^:]:%23s %7s",
			   &type, major, minor, access),
		    4);
		for (const char *a = access; *a; a++)
			bits |= *a == 'r' ? DEVICE_READ : *a == 'w' ? DEVICE_WRITE : DEVICE_MKNOD;
		if (type != q->type || (major[0] != '*' && strtol(major, NULL, 10) != q->major) ||
		    (minor[0] != '*' && strtol(minor, NULL, 10) != q->minor))
			continue;
		if (all ? q->access & bits : !(q->access & ~bits))
			return !all;
	}
	return all;
}

/* --- comparing them --- */

static void for_all_queries(void (*fn)(const struct query *q, void *data), void *data)
{
	static const int64_t majors[] = { 0, 1, 5, 8, 10, 136, 4095 };
	static const int64_t minors[] = { 0, 1, 2, 3, 8, 200, 1048575 };

	for (int t = 0; t < 2; t++)
		for (size_t i = 0; i < ARRAY_SIZE(majors); i++)
			for (size_t j = 0; j < ARRAY_SIZE(minors); j++)
				for (unsigned int access = 1; access <= DEVICE_ALL; access++) {
					struct query q = { "bc"[t], majors[i], minors[j], access };
					fn(&q, data);
				}
}

struct comparison {
	const struct spec_resources *res;
	const struct bpf_insn *insns;
	size_t n;
	char **v1;
};

static void compare(const struct query *q, void *data)
{
	const struct comparison *c = data;
	bool want = reference(c->res, q), bpf = run(c->insns, c->n, q);

	if (bpf != want)
		fail_msg("v2: %c %d:%d access %u: %d", q->type, (int)q->major, (int)q->minor,
			 q->access, bpf);
	/* v1 asks one exception at a time: several kinds may be allowed by several only */
	bool single = !(q->access & (q->access - 1));
	if (c->v1 && single && v1_allows(c->v1, q) != want)
		fail_msg("v1: %c %d:%d access %u: %d", q->type, (int)q->major, (int)q->minor,
			 q->access, !want);
}

static const char *const docker_rules[] = { "-a",         "+c 1:5 rwm",    "+c 1:3 rwm",
					    "+c 1:9 rwm", "+c 1:8 rwm",    "+c 5:0 rwm",
					    "+c 5:1 rwm", "-c 10:229 rwm", NULL };

static void test_programs_and_lines_mean_the_rules(void **state)
{
	static const char *const none[] = { NULL };
	static const char *const privileged[] = { "+a", NULL };
	static const char *const parts[] = { "-a", "+b 8:0 r", "+b 8:0 w", "+b 8:* m", NULL };
	static const char *const taken_back[] = { "-a",        "+b 8:1 rw", "+c *:* rwm",
						  "-c *:* rw", "-b 8:1 w",  NULL };
	static const char *const deny_some[] = { "+a", "-b *:* rw", "-c 10:200 w", "-c 8:1 r",
						 NULL };
	static const char *const later_all[] = { "+b 8:0 rwm", "-a", "+c 8:8 r", "-c 5:* rwm",
						 NULL };
	static const char *const *const lists[] = { none,       docker_rules, privileged, parts,
						    taken_back, deny_some,    later_all };

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		struct spec_resources res = resources_of(lists[i]);
		struct device_policy policy;
		struct bpf_insn *insns;
		struct comparison c = { .res = &res };
		struct err err = ERR_INIT;

		assert_int_equal(device_policy_build(&res, &policy, &err), 0);
		c.n = device_policy_bpf(&policy, &insns);
		c.insns = insns;
		if (device_policy_v1(&policy, v1_collect, &c.v1, &err) < 0)
			fail_msg("list %zu: %s", i, err.msg);
		for_all_queries(compare, &c);
		strv_free(c.v1);
		free(insns);
		device_policy_done(&policy);
		resources_free(&res);
	}
}

/* Only v2 can do these. */
static void test_exceptions_of_exceptions(void **state)
{
	static const char *const hole[] = { "-a", "+b 8:* rwm", "-b 8:1 w", NULL };
	static const char *const crossed[] = { "+a", "-b 8:* rw", "+b *:0 r", "-b 8:0 m", NULL };
	static const char *const *const lists[] = { hole, crossed };

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		struct spec_resources res = resources_of(lists[i]);
		struct device_policy policy;
		struct bpf_insn *insns;
		struct comparison c = { .res = &res };
		struct err err = ERR_INIT;
		char **lines = NULL;

		assert_int_equal(device_policy_build(&res, &policy, &err), 0);
		c.n = device_policy_bpf(&policy, &insns);
		c.insns = insns;
		for_all_queries(compare, &c);
		assert_true(device_policy_v1(&policy, v1_collect, &lines, &err) < 0);
		assert_int_equal(err.kind, ERR_UNSUPPORTED);
		assert_non_null(strstr(err.msg, i == 0 ? "deny \"b 8:1 w\"" : "allow \"b *:0 r\""));
		assert_null(lines);
		free(insns);
		device_policy_done(&policy);
		resources_free(&res);
	}
}

/* Every line is a write to the kernel at each start. */
static void test_no_line_twice(void **state)
{
	struct spec_resources res = resources_of(docker_rules);
	struct device_policy policy;
	struct err err = ERR_INIT;
	char **lines = NULL;

	assert_int_equal(device_policy_build(&res, &policy, &err), 0);
	assert_int_equal(device_policy_v1(&policy, v1_collect, &lines, &err), 0);
	assert_int_equal(strv_len(lines), 1 + 1 + 11); /* all, 5:1, what runc allows */
	assert_string_equal(lines[0], "deny a");
	assert_true(strv_has(lines, "allow c 5:1 rwm"));
	assert_true(strv_has(lines, "allow c *:* m"));
	assert_true(strv_has(lines, "allow c 136:* rwm"));
	strv_free(lines);
	device_policy_done(&policy);
	resources_free(&res);
}

static void test_privileged_needs_nothing(void **state)
{
	static const char *const rules[] = { "-a", "+c 1:1 r", "+a", "+c 4:4 rwm", NULL };
	struct spec_resources res = resources_of(rules);
	struct device_policy policy;
	struct err err = ERR_INIT;

	assert_int_equal(device_policy_build(&res, &policy, &err), 0);
	assert_true(policy.allow);
	assert_int_equal(policy.n, 0);
	device_policy_done(&policy);
	resources_free(&res);
}

static void test_bad_rules(void **state)
{
	struct spec_device_rule rule = { .allow = true, .type = (char[]){ "c" } };
	struct spec_resources res = { .devices = { &rule, 1 } };
	struct device_policy policy;
	struct err err = ERR_INIT;

	assert_true(device_policy_build(&res, &policy, &err) < 0);
	assert_non_null(strstr(err.msg, "devices[0].access"));
	device_policy_done(&policy);

	rule.access = (char[]){ "r" };
	rule.major = (struct opt_i64){ true, 1LL << 32 };
	assert_true(device_policy_build(&res, &policy, &err) < 0);
	assert_non_null(strstr(err.msg, "2^32"));
	device_policy_done(&policy);

	res.devices.n = DEVICE_RULES_MAX + 1;
	res.devices.items = xcalloc(res.devices.n, sizeof(rule));
	for (size_t i = 0; i < res.devices.n; i++) {
		res.devices.items[i] = rule;
		res.devices.items[i].major.value = (int64_t)i;
	}
	assert_true(device_policy_build(&res, &policy, &err) < 0);
	assert_int_equal(err.kind, ERR_LIMIT);
	device_policy_done(&policy);
	free(res.devices.items);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_programs_and_lines_mean_the_rules),
		cmocka_unit_test(test_exceptions_of_exceptions),
		cmocka_unit_test(test_no_line_twice),
		cmocka_unit_test(test_privileged_needs_nothing),
		cmocka_unit_test(test_bad_rules),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
