/* SPDX-License-Identifier: Apache-2.0 */
/* A policy made of the input is compiled; the kernel must take the program, and it must answer what
 * the policy says, for the calls named, their neighbours, and arguments around the conditions'. */
#include "../unit/bpf.h"
#include "../unit/seccomp_model.h"

#define RULES_MAX  12
#define NAMES_MAX  40
#define VALUES_MAX 8
#define ASKED_MAX  5

struct input {
	const uint8_t *data;
	size_t size;
};

struct policy {
	struct model model;
	struct seccomp_policy p;
	struct seccomp_rule rules[RULES_MAX];
	struct seccomp_arg args[RULES_MAX][8];
	char *names[RULES_MAX][NAMES_MAX + 1];
	char words[32][40];
	char *architectures[33];
	size_t first[RULES_MAX]; /* names from here on */
	uint64_t values[VALUES_MAX];
	size_t n_values;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned int take(struct input *in, unsigned int limit)
{
	unsigned int value = 0;

	if (in->size == 0)
		return 0;
	value = *in->data++;
	in->size--;
	if (limit > 256 && in->size > 0) {
		value = value << 8 | *in->data++;
		in->size--;
	}
	return value % limit;
}

static uint32_t take_action(struct input *in)
{
	static const uint32_t actions[] = {
		SECCOMP_RET_ALLOW,        SECCOMP_RET_ERRNO | EPERM, SECCOMP_RET_ERRNO | ENOSYS,
		SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_LOG,           SECCOMP_RET_TRACE | 7,
		SECCOMP_RET_USER_NOTIF,
	};

	return actions[take(in, ARRAY_SIZE(actions))];
}

static uint64_t take_value(struct input *in, struct policy *p)
{
	static const uint64_t some[] = { 0, 1, 5, 38, 0xffffffff, 0x100000000, UINT64_MAX };
	unsigned int which = take(in, ARRAY_SIZE(some) + 2);
	uint64_t value = 0;

	if (which < ARRAY_SIZE(some)) {
		value = some[which];
	} else {
		unsigned int n = which == ARRAY_SIZE(some) ? 1 : 8;
		for (unsigned int i = 0; i < n; i++)
			value = value << 8 | take(in, 256);
	}
	if (p->n_values < VALUES_MAX)
		p->values[p->n_values++] = value;
	return value;
}

static void take_rule(struct input *in, struct policy *p, size_t i)
{
	struct seccomp_rule *rule = &p->rules[i];
	size_t n = 1 + take(in, NAMES_MAX), name = take(in, 65536);

	p->first[i] = name;
	rule->action = take_action(in);
	/* A run of names: neighbours in the table, with some that are nowhere. */
	for (size_t k = 0; k < n; k++, name++) {
		size_t at = seccomp_names[name % seccomp_n_names].text;
		p->names[i][k] = name % 50 == 49 ? (char *)(uintptr_t) "no_such_call"
						 : (char *)(uintptr_t)(seccomp_text + at);
	}
	rule->names = p->names[i];
	rule->args = p->args[i];
	rule->n_args = take(in, 9);
	for (size_t k = 0; k < rule->n_args; k++) {
		struct seccomp_arg *a = &p->args[i][k];
		a->index = take(in, 6);
		a->op = (enum seccomp_op)take(in, SECCOMP_OPS);
		a->a = take_value(in, p);
		a->b = a->op == SECCOMP_OP_MASKED_EQ ? take_value(in, p) : 0;
	}
}

static void take_policy(struct input *in, struct policy *p)
{
	size_t n = 0;

	p->p.default_action = take_action(in);
	for (size_t i = 0; i < seccomp_n_arches && i < 32; i++) {
		if (take(in, 2) == 0)
			continue;
		snprintf(p->words[i], sizeof(p->words[i]), "SCMP_ARCH_%s", seccomp_arches[i].word);
		p->architectures[n++] = p->words[i];
	}
	p->p.architectures = p->architectures;
	p->p.rules = p->rules;
	p->p.n_rules = take(in, RULES_MAX + 1);
	for (size_t i = 0; i < p->p.n_rules; i++)
		take_rule(in, p, i);
}

/* What the kernel checks: every jump lands inside, the end is a return. */
static void check_program(const struct buf *b)
{
	const struct sock_filter *f = (const struct sock_filter *)(const void *)b->data;
	size_t n = b->len / sizeof(*f);

	if (n == 0 || n > BPF_MAXINSNS || BPF_CLASS(f[n - 1].code) != BPF_RET)
		abort();
	for (size_t i = 0; i < n; i++) {
		if (BPF_CLASS(f[i].code) != BPF_JMP)
			continue;
		if (BPF_OP(f[i].code) == BPF_JA ? f[i].k >= n - i - 1
						: i + 1 + f[i].jt >= n || i + 1 + f[i].jf >= n)
			abort();
	}
}

static void ask(const struct policy *p, const struct buf *b, struct seccomp_data *d)
{
	if (bpf_run(b, d) != model_answer(&p->model, d))
		abort();
}

static void ask_values(const struct policy *p, const struct buf *b, uint32_t audit, uint32_t nr)
{
	struct seccomp_data d = { .arch = audit, .nr = (int)nr };

	ask(p, b, &d);
	for (size_t i = 0; i < p->n_values; i++) {
		for (unsigned int k = 0; k < SECCOMP_ARGS_MAX; k++)
			d.args[k] = p->values[(i + k * (i % 3)) % p->n_values] + i % 5 - 2;
		ask(p, b, &d);
		for (unsigned int k = 0; k < SECCOMP_ARGS_MAX; k++)
			d.args[k] = p->values[i];
		ask(p, b, &d);
		for (unsigned int k = 0; k < SECCOMP_ARGS_MAX; k++)
			d.args[k] ^= 1ULL << 32;
		ask(p, b, &d);
	}
}

static void ask_rule(const struct policy *p, const struct buf *b, size_t arch, size_t rule)
{
	const struct seccomp_arch *a = &seccomp_arches[arch];

	for (size_t i = p->first[rule]; i < p->first[rule] + ASKED_MAX; i++) {
		int rank = seccomp_ranks[i % seccomp_n_names * seccomp_n_arches + arch];
		if (rank < 0)
			continue;
		uint32_t nr = a->numbers[rank];
		ask_values(p, b, a->audit, nr);
		ask(p, b, &(struct seccomp_data){ .arch = a->audit, .nr = (int)nr - 1 });
		ask(p, b, &(struct seccomp_data){ .arch = a->audit, .nr = (int)nr + 1 });
	}
}

static void ask_arch(const struct policy *p, const struct buf *b, size_t arch)
{
	static const uint32_t odd[] = { 0,          1023,       0xf0000,    0x3fffffff,
					0x40000000, 0x400003ff, 0x7fffffff, UINT32_MAX };
	const struct seccomp_arch *a = &seccomp_arches[arch];

	for (size_t i = 0; i < ARRAY_SIZE(odd); i++)
		ask(p, b, &(struct seccomp_data){ .arch = a->audit, .nr = (int)odd[i] });
	if (a->socketcall >= 0)
		ask_values(p, b, a->audit, a->numbers[a->socketcall]);
	if (a->ipc >= 0)
		ask_values(p, b, a->audit, a->numbers[a->ipc]);
	for (size_t i = 0; i < p->p.n_rules; i++)
		ask_rule(p, b, arch, i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct policy p = { .n_values = 0 };
	cleanup_buf struct buf b = BUF_INIT;
	struct err err = ERR_INIT;
	/* Three are enough at once, and which changes with the input. */
	size_t first = take(&in, (unsigned int)seccomp_n_arches);

	take_policy(&in, &p);
	if (seccomp_compile(&p.p, &b, &err) < 0) {
		if (err.kind != ERR_LIMIT)
			abort();
		return 0;
	}
	check_program(&b);
	model_init(&p.model, &p.p);
	for (size_t i = 0; i < 3; i++)
		ask_arch(&p, &b, (first + i) % seccomp_n_arches);
	model_done(&p.model);
	return 0;
}
