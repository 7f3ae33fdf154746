/* SPDX-License-Identifier: Apache-2.0 */
/* What a policy answers, straight from the rules that sys/seccomp.h states: for each call all rules
 * are looked at, nothing is reduced or compiled. */
#pragma once

#include <errno.h>
#include <linux/seccomp.h>

#include "base/str.h"
#include "sys/seccomp.h"
#include "sys/seccomp_table.h"

struct model {
	const struct seccomp_policy *policy;
	size_t *names; /* of all rules, in seccomp_names; seccomp_n_names: unknown */
};

static inline void model_init(struct model *m, const struct seccomp_policy *p)
{
	size_t n = 0;

	m->policy = p;
	m->names = NULL;
	for (size_t i = 0; i < p->n_rules; i++)
		for (char *const *name = p->rules[i].names; name && *name; name++) {
			size_t k = 0;
			while (k < seccomp_n_names &&
			       strcmp(seccomp_text + seccomp_names[k].text, *name) != 0)
				k++;
			m->names = xrealloc(m->names, (n + 1) * sizeof(*m->names));
			m->names[n++] = k;
		}
}

static inline void model_done(struct model *m)
{
	free(m->names);
}

struct model_clause {
	uint32_t action;
	bool narrow;
	unsigned int n;
	struct seccomp_arg conds[SECCOMP_ARGS_MAX + 1];
};

static inline bool model_wanted(const struct seccomp_policy *p, size_t arch)
{
	for (char *const *word = p->architectures; word && *word; word++)
		if (strcmp(*word + strlen("SCMP_ARCH_"), seccomp_arches[arch].word) == 0)
			return true;
	return arch == 0;
}

/* -1: calls of it kill; -2: the number -1 of an architecture that is known. */
static inline int model_arch(const struct seccomp_policy *p, uint32_t audit, uint32_t nr)
{
	int found = -1;

	for (size_t i = 0; i < seccomp_n_arches; i++) {
		bool x32 = strcmp(seccomp_arches[i].word, "X32") == 0;
		bool x86_64 = strcmp(seccomp_arches[i].word, "X86_64") == 0;
		if (seccomp_arches[i].audit != audit || !model_wanted(p, i))
			continue;
		if (nr == UINT32_MAX)
			return -2;
		if ((x32 && nr < 0x40000000) || (x86_64 && nr >= 0x40000000))
			continue;
		found = (int)i;
	}
	return found;
}

static inline bool model_cond(const struct seccomp_arg *a, bool narrow, uint64_t arg)
{
	uint64_t value = a->a, second = a->b;

	if (narrow) {
		arg = (uint32_t)arg;
		value = (uint32_t)value;
		second = (uint32_t)second;
	}
	switch (a->op) {
	case SECCOMP_OP_NE:
		return arg != value;
	case SECCOMP_OP_LT:
		return arg < value;
	case SECCOMP_OP_LE:
		return arg <= value;
	case SECCOMP_OP_EQ:
		return arg == value;
	case SECCOMP_OP_GE:
		return arg >= value;
	case SECCOMP_OP_GT:
		return arg > value;
	default:
		return (arg & value) == (second & value);
	}
}

/* Whether a goes before b, when both hold. */
static inline bool model_before(const struct model_clause *a, const struct model_clause *b)
{
	static const char *const order = "\1\2\2\1\3\3\1"; /* by enum seccomp_op */
	const uint64_t all = a->narrow ? UINT32_MAX : UINT64_MAX;

	for (unsigned int i = 0; i < a->n && i < b->n; i++) {
		const struct seccomp_arg *x = &a->conds[i], *y = &b->conds[i];
		uint64_t u = (x->op == SECCOMP_OP_MASKED_EQ ? x->a & x->b : x->a) & all;
		uint64_t v = (y->op == SECCOMP_OP_MASKED_EQ ? y->a & y->b : y->a) & all;
		if (x->index != y->index)
			return x->index > y->index;
		if (order[x->op] != order[y->op])
			return order[x->op] < order[y->op];
		if (u != v)
			return order[x->op] == 2 ? u < v : u > v;
	}
	return a->n > b->n;
}

static inline void model_add(struct model_clause *c, const struct seccomp_arg *a)
{
	uint64_t mask = c->narrow ? (uint32_t)a->a : a->a;
	unsigned int i = c->n;

	if (a->op == SECCOMP_OP_MASKED_EQ && mask == 0)
		return;
	for (; i > 0 && c->conds[i - 1].index > a->index; i--)
		c->conds[i] = c->conds[i - 1];
	c->conds[i] = *a;
	c->n++;
}

struct model_state {
	const struct seccomp_policy *policy;
	const struct seccomp_data *data;
	const struct seccomp_arch *arch;
	size_t arch_index;
	bool have_fixed, have;
	uint32_t fixed;
	struct model_clause best;
	uint32_t newest; /* highest number named, 0: see any_named */
	bool any_named;
};

/* One rule, for which from and to are its conditions, on a call that it names. */
static inline void model_try(struct model_state *m, uint32_t action, const struct seccomp_arg *from,
			     const struct seccomp_arg *to, int mux)
{
	struct model_clause c = { .action = action, .narrow = m->arch->narrow };
	const struct seccomp_arg which = { 0, SECCOMP_OP_EQ, (uint64_t)mux, 0 };

	if (mux)
		model_add(&c, &which);
	for (; from < to; from++)
		if (!mux || from->index != 0)
			model_add(&c, from);
	if (c.n == 0 && !m->have_fixed) {
		m->have_fixed = true;
		m->fixed = action;
	}
	for (unsigned int i = 0; i < c.n; i++)
		if (!model_cond(&c.conds[i], c.narrow, m->data->args[c.conds[i].index]))
			return;
	if (c.n > 0 && (!m->have || model_before(&c, &m->best))) {
		m->have = true;
		m->best = c;
	}
}

static inline void model_rule(struct model_state *m, const struct seccomp_rule *r, int mux)
{
	bool repeat = false;

	for (size_t i = 0; i < r->n_args; i++)
		for (size_t k = 0; k < i; k++)
			repeat |= r->args[i].index == r->args[k].index;
	if (r->action == m->policy->default_action)
		return;
	for (size_t i = 0; repeat && i < r->n_args; i++)
		model_try(m, r->action, r->args + i, r->args + i + 1, mux);
	if (!repeat)
		model_try(m, r->action, r->args, r->args + r->n_args, mux);
}

static inline void model_number(struct model_state *m, const struct seccomp_rule *r, int rank,
				int mux)
{
	uint32_t nr;

	if (rank < 0)
		return;
	nr = m->arch->numbers[rank];
	if (nr < m->arch->private) {
		m->newest = m->any_named && m->newest > nr ? m->newest : nr;
		m->any_named = true;
	}
	if (nr == (uint32_t)m->data->nr)
		model_rule(m, r, mux);
}

static inline void model_name(struct model_state *m, const struct seccomp_rule *r, size_t name)
{
	int mux;

	if (name == seccomp_n_names)
		return;
	mux = seccomp_names[name].mux;
	if (mux)
		model_number(m, r, mux & 0x40 ? m->arch->ipc : m->arch->socketcall, mux & ~0x40);
	model_number(m, r, seccomp_ranks[name * seccomp_n_arches + m->arch_index], 0);
}

static inline uint32_t model_answer(const struct model *model, const struct seccomp_data *d)
{
	const struct seccomp_policy *p = model->policy;
	const size_t *names = model->names;
	struct model_state m = { .policy = p, .data = d };
	uint32_t nr = (uint32_t)d->nr, action = p->default_action;
	int arch = model_arch(p, d->arch, nr);

	if (arch == -1)
		return SECCOMP_RET_KILL_THREAD;
	if (arch == -2)
		return action;
	m.arch = &seccomp_arches[arch];
	m.arch_index = (size_t)arch;
	for (size_t i = 0; i < p->n_rules; i++)
		for (char *const *name = p->rules[i].names; name && *name; name++)
			model_name(&m, &p->rules[i], *names++);
	if (m.have_fixed)
		return m.fixed;
	if (m.have)
		return m.best.action;
	if ((action & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO && m.any_named &&
	    nr > m.newest && nr < m.arch->private)
		return SECCOMP_RET_ERRNO | ENOSYS;
	return action;
}
