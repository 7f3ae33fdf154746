/* SPDX-License-Identifier: Apache-2.0 */
/* Our filters beside those that libseccomp makes of the same policies, fed as runc feeds it: both
 * must answer alike, on every architecture, for every number, around every operand. And both beside
 * the model, which the fuzzer trusts. */
#include "unit.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "base/strv.h"
#include "bpf.h"
#include "engine/seccomp_default.h"
#include "runtime/seccomp_policy.h"
#include "seccomp_model.h"

/* libseccomp 2.5 forgets parts of rules that others cover. The leak checker still sees ours. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libseccomp.so\n";
}

#define DENY   (SECCOMP_RET_ERRNO | EPERM)
#define ARCHES 16

struct oracle {
	struct buf bpf;
	uint32_t highest[ARCHES]; /* named, of each in seccomp_arches */
};

static uint32_t token_of(const struct seccomp_arch *arch)
{
	return strcmp(arch->word, "X32") == 0 ? SCMP_ARCH_X32 : arch->audit;
}

static bool names_number(const struct seccomp_policy *p, uint32_t token, uint32_t nr)
{
	char *name = seccomp_syscall_resolve_num_arch(token, (int)nr);
	bool found = false;

	for (size_t i = 0; name && i < p->n_rules; i++)
		found |= strv_has(p->rules[i].names, name);
	free(name);
	return found;
}

/* Without calls that are only there multiplexed: policies here name socketcall with these. */
static void find_highest(const struct seccomp_policy *p, struct oracle *o)
{
	for (size_t i = 0; i < seccomp_n_arches; i++) {
		const struct seccomp_arch *a = &seccomp_arches[i];
		o->highest[i] = UINT32_MAX;
		for (size_t k = 0; k < a->n_numbers; k++)
			if (a->numbers[k] < a->private &&
			    names_number(p, token_of(a), a->numbers[k]))
				o->highest[i] = a->numbers[k];
	}
}

/* 0, or what libseccomp has against it. */
static int oracle_name(scmp_filter_ctx ctx, const struct seccomp_rule *rule, const char *name)
{
	static const enum scmp_compare ops[] = {
		[SECCOMP_OP_NE] = SCMP_CMP_NE,
		[SECCOMP_OP_LT] = SCMP_CMP_LT,
		[SECCOMP_OP_LE] = SCMP_CMP_LE,
		[SECCOMP_OP_EQ] = SCMP_CMP_EQ,
		[SECCOMP_OP_GE] = SCMP_CMP_GE,
		[SECCOMP_OP_GT] = SCMP_CMP_GT,
		[SECCOMP_OP_MASKED_EQ] = SCMP_CMP_MASKED_EQ,
	};
	int nr = seccomp_syscall_resolve_name(name);
	struct scmp_arg_cmp args[SECCOMP_ARGS_MAX];
	unsigned int n = 0, seen = 0, repeat = 0;
	int r = 0;

	if (nr == __NR_SCMP_ERROR)
		return 0;
	for (size_t i = 0; i < rule->n_args; i++) {
		repeat |= seen & 1u << rule->args[i].index;
		seen |= 1u << rule->args[i].index;
	}
	for (size_t i = 0; i < rule->n_args; i++) {
		const struct seccomp_arg *a = &rule->args[i];
		args[n++] = SCMP_CMP64(a->index, ops[a->op], a->a, a->b);
		if (repeat) {
			r = seccomp_rule_add_array(ctx, rule->action, nr, n, args);
			n = 0;
		}
		if (r < 0)
			return r;
	}
	return repeat ? 0 : seccomp_rule_add_array(ctx, rule->action, nr, n, args);
}

static int oracle_rules(scmp_filter_ctx ctx, const struct seccomp_policy *p)
{
	int r = 0;

	for (size_t i = 0; i < p->n_rules; i++) {
		const struct seccomp_rule *rule = &p->rules[i];
		if (rule->action == p->default_action)
			continue;
		for (char *const *name = rule->names; r == 0 && *name; name++)
			r = oracle_name(ctx, rule, *name);
	}
	return r;
}

/* False: libseccomp, and with it runc, refuses the policy. */
static bool oracle_make(const struct seccomp_policy *p, struct oracle *o)
{
	scmp_filter_ctx ctx = seccomp_init(p->default_action);
	cleanup_fd int fd = memfd_create("oracle", MFD_CLOEXEC);
	off_t len;

	assert_non_null(ctx);
	for (size_t i = 1; i < seccomp_n_arches; i++)
		if (model_wanted(p, i))
			assert_int_equal(seccomp_arch_add(ctx, token_of(&seccomp_arches[i])), 0);
	if (oracle_rules(ctx, p) < 0) {
		seccomp_release(ctx);
		return false;
	}
	assert_int_equal(seccomp_export_bpf(ctx, fd), 0);
	seccomp_release(ctx);
	len = lseek(fd, 0, SEEK_END);
	buf_reserve(&o->bpf, (size_t)len);
	assert_int_equal(pread(fd, o->bpf.data, (size_t)len, 0), len);
	o->bpf.len = (size_t)len;
	find_highest(p, o);
	return true;
}

static uint32_t oracle_ask(const struct oracle *o, const struct seccomp_policy *p,
			   const struct seccomp_data *d)
{
	uint32_t answer = bpf_run(&o->bpf, d), nr = (uint32_t)d->nr;
	int arch = model_arch(p, d->arch, nr);

	/* The calls that are newer than the policy: what runc puts before libseccomp's filter. */
	if (arch >= 0 && nr > o->highest[arch] && nr < seccomp_arches[arch].private &&
	    (p->default_action & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO)
		return SECCOMP_RET_ERRNO | ENOSYS;
	return answer;
}

struct asker {
	const struct seccomp_policy *p;
	struct oracle o;
	struct buf ours;
	struct model model;
	unsigned long asked;
};

static void ask(struct asker *a, const struct seccomp_data *d)
{
	uint32_t ours = bpf_run(&a->ours, d), oracle = oracle_ask(&a->o, a->p, d);
	uint32_t model = model_answer(&a->model, d);

	a->asked++;
	if (ours != oracle || ours != model)
		fail_msg("arch %#x nr %#x args %#llx %#llx %#llx: %#x, libseccomp %#x, model %#x",
			 d->arch, (unsigned int)d->nr, d->args[0], d->args[1], d->args[2], ours,
			 oracle, model);
}

static void ask_values(struct asker *a, uint32_t audit, uint32_t nr, const uint64_t *values,
		       size_t n)
{
	struct seccomp_data d = { .arch = audit, .nr = (int)nr };

	for (size_t i = 0; i < n; i++)
		for (size_t k = i % 3; k < n; k += 3)
			for (int near = -1; near <= 1; near++) {
				d.args[0] = values[i] + near;
				d.args[1] = d.args[3] = values[k];
				d.args[2] = values[(i + k) % n] - near;
				ask(a, &d);
			}
}

/* The numbers of an architecture and behind, the odd ones, and values for these calls. */
static void ask_arch(struct asker *a, const struct seccomp_arch *arch, char *const *calls,
		     const uint64_t *values, size_t n)
{
	static const uint32_t odd[] = { 0x3fffffff, 0x40000000, 0x40000fff, 0x7fffffff,
					0x80000000, 0xc0000000, 0xfffffffe, UINT32_MAX,
					0xeffff,    0xf0000,    0xf0001,    0xf0005,
					0xf0006,    4000,       5000,       6000 };
	struct seccomp_data d = { .arch = arch->audit, .args = { 1, 2, 3, 4, 5, 6 } };

	for (uint32_t nr = arch->numbers[0]; nr < arch->numbers[0] + 560; nr++) {
		char *name = seccomp_syscall_resolve_num_arch(token_of(arch), (int)nr);
		d.nr = (int)nr;
		ask(a, &d);
		if (name && strv_has(calls, name))
			ask_values(a, d.arch, nr, values, n);
		free(name);
	}
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		d.nr = (int)odd[i];
		ask(a, &d);
	}
}

static void ask_all(struct asker *a, char *const *calls, const uint64_t *values, size_t n)
{
	for (size_t i = 0; i < seccomp_n_arches; i++)
		ask_arch(a, &seccomp_arches[i], calls, values, n);
	ask(a, &(struct seccomp_data){ .arch = AUDIT_ARCH_PARISC, .nr = 3 });
}

/* Returns how many answers were compared: none where libseccomp refuses the policy. */
static unsigned long check(const struct seccomp_policy *p, char *const *calls,
			   const uint64_t *values, size_t n)
{
	struct asker a = { .p = p, .ours = BUF_INIT, .o = { .bpf = BUF_INIT } };
	struct err err = ERR_INIT;

	assert_ok(seccomp_compile(p, &a.ours, &err));
	model_init(&a.model, p);
	if (oracle_make(p, &a.o))
		ask_all(&a, calls, values, n);
	model_done(&a.model);
	buf_done(&a.ours);
	buf_done(&a.o.bpf);
	return a.asked;
}

static const uint64_t values[] = {
	0, 1, 2, 9, 16, 38, 40, 0xffffffff, 0x100000000, 0x100000010, 0x7e020000, UINT64_MAX
};
static char *const conditional[] = { (char *)"socket",  (char *)"socketpair", (char *)"socketcall",
				     (char *)"clone",   (char *)"unshare",    (char *)"personality",
				     (char *)"ipc",     (char *)"semget",     (char *)"msgctl",
				     (char *)"accept4", (char *)"ioctl",      NULL };

/* Names that this libseccomp does not know would only be in ours. */
static void drop_unknown(struct spec_seccomp *s)
{
	for (size_t i = 0; i < s->syscalls.n; i++) {
		char **names = s->syscalls.items[i].names;
		size_t n = 0;
		for (size_t k = 0; names[k]; k++) {
			if (seccomp_syscall_resolve_name(names[k]) != __NR_SCMP_ERROR)
				names[n++] = names[k];
			else
				free(names[k]);
		}
		names[n] = NULL;
	}
}

static void check_default(uint64_t caps, const char *more_arches)
{
	struct seccomp_policy_holder holder;
	struct err err = ERR_INIT;
	struct spec_seccomp s;

	assert_int_equal(seccomp_default(caps, &s), 0);
	drop_unknown(&s);
	if (more_arches) {
		char **words = strv_split(more_arches, ' ');
		for (char **word = words; *word; word++)
			strv_add(&s.architectures, *word);
		strv_free(words);
	}
	assert_ok(seccomp_policy_make(&s, &holder, &err));
	assert_true(check(&holder.policy, conditional, values, ARRAY_SIZE(values)) > 10000);
	seccomp_policy_done(&holder);
	json_free(&spec_seccomp_desc, &s);
}

static void test_default_profile(void **state)
{
	check_default(0, NULL);
	check_default(0xa80425fb, NULL); /* a container's usual capabilities */
	check_default(UINT64_MAX, NULL);
}

static void test_other_machines(void **state)
{
	check_default(0, "SCMP_ARCH_AARCH64 SCMP_ARCH_ARM SCMP_ARCH_RISCV64 SCMP_ARCH_PPC64LE");
	check_default(0, "SCMP_ARCH_MIPSEL SCMP_ARCH_MIPSEL64 SCMP_ARCH_MIPSEL64N32");
}

struct random {
	uint64_t state;
};

static unsigned int pick(struct random *r, unsigned int limit)
{
	r->state = r->state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned int)(r->state >> 33) % limit;
}

struct random_policy {
	struct seccomp_policy p;
	struct seccomp_rule rules[6];
	struct seccomp_arg args[6][4];
	char *names[6][4];
};

#define ALIKE    1 /* all conditions lead to one action: their order does not matter */
#define ONE_EACH 2 /* one condition in each rule, on the first argument */

static void make_random(struct random *r, struct random_policy *rp, int kind)
{
	static const uint32_t actions[] = { SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO | ENODEV,
					    SECCOMP_RET_LOG, SECCOMP_RET_TRACE | 3 };
	static char *arches[] = { (char *)"SCMP_ARCH_X86_64", (char *)"SCMP_ARCH_X86",
				  (char *)"SCMP_ARCH_X32", (char *)"SCMP_ARCH_AARCH64", NULL };

	*rp = (struct random_policy){ .p = { .default_action =
						 pick(r, 3) ? DENY : SECCOMP_RET_KILL_PROCESS,
					     .architectures = pick(r, 4) ? arches : NULL,
					     .rules = rp->rules,
					     .n_rules = 1 + pick(r, ARRAY_SIZE(rp->rules)) } };
	for (size_t i = 0; i < rp->p.n_rules; i++) {
		struct seccomp_rule *rule = &rp->rules[i];
		size_t n = 1 + pick(r, 3);
		for (size_t k = 0; k < n; k++)
			rp->names[i][k] = conditional[pick(r, kind & ONE_EACH ? 3 : 11)];
		rule->names = rp->names[i];
		rule->action = actions[kind & ALIKE ? 0 : pick(r, ARRAY_SIZE(actions))];
		rule->args = rp->args[i];
		rule->n_args = kind & ONE_EACH ? 1 : pick(r, 4);
		for (size_t k = 0; k < rule->n_args; k++) {
			struct seccomp_arg *a = &rp->args[i][k];
			a->index = kind & ONE_EACH ? 0 : pick(r, 4);
			a->op = (enum seccomp_op)pick(r, kind == ONE_EACH ? SECCOMP_OP_MASKED_EQ
									  : SECCOMP_OPS);
			a->a = values[pick(r, kind == ONE_EACH ? 8 : ARRAY_SIZE(values))];
			a->b =
			    a->op == SECCOMP_OP_MASKED_EQ ? values[pick(r, ARRAY_SIZE(values))] : 0;
		}
	}
}

static void check_random(int kind, unsigned int seed, unsigned int n)
{
	struct random r = { seed };
	unsigned int compared = 0;

	for (unsigned int i = 0; i < n; i++) {
		struct random_policy rp;
		make_random(&r, &rp, kind);
		compared += check(&rp.p, conditional, values, ARRAY_SIZE(values)) > 0;
	}
	/* What libseccomp refuses are conditions that are the same, with different actions. */
	assert_true(compared > n / 3);
}

static void test_random_alike(void **state)
{
	check_random(ALIKE, 1, 12);
}

/* Only small operands: libseccomp 2.5 mixes up the halves of larger ones. */
static void test_random_precedence(void **state)
{
	check_random(ONE_EACH, 2, 24);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default_profile),
		cmocka_unit_test(test_other_machines),
		cmocka_unit_test(test_random_alike),
		cmocka_unit_test(test_random_precedence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
