/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/seccomp.h"

#include <linux/seccomp.h>

#include "base/str.h"
#include "base/strv.h"
#include "sys/seccomp_internal.h"
#include "sys/seccomp_table.h"

#define NUMBER_SKIP UINT32_MAX /* -1: a tracer skips the call */
#define BAD_ARCH    SECCOMP_RET_KILL_THREAD

/* A clause that some call has, in the order of the policy. */
struct link {
	uint32_t clause;
	int32_t next; /* -1: last */
};
/* All rules on one call. */
struct slot {
	int32_t first, last; /* -1: none */
	bool fixed;          /* a rule without conditions decides */
	uint32_t action;
};

struct compiler {
	const struct seccomp_policy *policy;
	size_t *names; /* of all rules, one after the other; seccomp_n_names: unknown */
	struct seccomp_section section;
	/* of the architecture at work: */
	const struct seccomp_arch *arch;
	size_t arch_index;
	struct slot *slots; /* by rank */
	struct link *links;
	size_t n_links, cap_links;
};

/* Room for one more; lists double. */
#define GROW(list, n, cap)                                                                         \
	do {                                                                                       \
		if ((n) == (cap)) {                                                                \
			(cap) = (cap) ? 2 * (cap) : 64;                                            \
			(list) = xrealloc((list), (cap) * sizeof(*(list)));                        \
		}                                                                                  \
	} while (0)

static void section_reset(struct seccomp_section *s)
{
	for (size_t i = 0; i < s->n_blocks; i++)
		free(s->blocks[i].clauses);
	s->n_ranges = s->n_blocks = s->n_clauses = 0;
}

static void compiler_done(struct compiler *c)
{
	section_reset(&c->section);
	free(c->section.ranges);
	free(c->section.blocks);
	free(c->section.clauses);
	free(c->names);
	free(c->slots);
	free(c->links);
}

static size_t find_name(const char *name)
{
	size_t from = 0, to = seccomp_n_names;

	while (from < to) {
		size_t middle = (from + to) / 2;
		int order = strcmp(seccomp_text + seccomp_names[middle].text, name);
		if (order == 0)
			return middle;
		if (order < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return seccomp_n_names;
}

static int rank_of(const struct compiler *c, size_t name)
{
	return name < seccomp_n_names ? seccomp_ranks[name * seccomp_n_arches + c->arch_index] : -1;
}

/* Of the call by which this architecture multiplexes the named one, or -1. */
static int mux_rank_of(const struct compiler *c, size_t name)
{
	uint8_t mux = name < seccomp_n_names ? seccomp_names[name].mux : 0;

	if (mux == 0)
		return -1;
	return mux & SECCOMP_MUX_IPC ? c->arch->ipc : c->arch->socketcall;
}

static void find_names(struct compiler *c)
{
	const struct seccomp_policy *p = c->policy;
	size_t n = 0;

	for (size_t i = 0; i < p->n_rules; i++)
		n += strv_len(p->rules[i].names);
	c->names = xcalloc(n + 1, sizeof(*c->names));
	n = 0;
	for (size_t i = 0; i < p->n_rules; i++)
		for (char *const *name = p->rules[i].names; name && *name; name++)
			c->names[n++] = find_name(*name);
}

static int check_rules(const struct seccomp_policy *p, struct err *err)
{
	for (size_t i = 0; i < p->n_rules; i++) {
		const struct seccomp_rule *rule = &p->rules[i];
		for (size_t k = 0; k < rule->n_args; k++)
			if (rule->args[k].index >= SECCOMP_ARGS_MAX ||
			    (unsigned int)rule->args[k].op >= SECCOMP_OPS)
				return err_fail(err, ERR_INVALID,
						"seccomp rule %zu for %s: argument index %u", i,
						rule->names && *rule->names ? *rule->names : "",
						rule->args[k].index);
	}
	return 0;
}

static bool args_repeat(const struct seccomp_rule *rule)
{
	unsigned int seen = 0;

	for (size_t i = 0; i < rule->n_args; i++) {
		if (seen & 1u << rule->args[i].index)
			return true;
		seen |= 1u << rule->args[i].index;
	}
	return false;
}

static struct seccomp_clause *new_clause(struct compiler *c, uint32_t action)
{
	struct seccomp_section *s = &c->section;

	GROW(s->clauses, s->n_clauses, s->cap_clauses);
	s->clauses[s->n_clauses] =
	    (struct seccomp_clause){ .action = action, .narrow = c->arch->narrow };
	return &s->clauses[s->n_clauses++];
}

/* Conditions of one rule are joined by "and". One index twice would never hold, or be a range: the
 * rule means "or" then, as runc and crun read it, and becomes several clauses. Returns how many. */
static size_t add_clauses(struct compiler *c, const struct seccomp_rule *rule)
{
	if (args_repeat(rule)) {
		for (size_t i = 0; i < rule->n_args; i++)
			seccomp_clause_add(new_clause(c, rule->action), &rule->args[i]);
		return rule->n_args;
	}
	struct seccomp_clause *clause = new_clause(c, rule->action);
	for (size_t i = 0; i < rule->n_args; i++)
		seccomp_clause_add(clause, &rule->args[i]);
	return 1;
}

/* The same for a call of socketcall(2) or ipc(2), whose number is the first argument. */
static size_t add_mux_clause(struct compiler *c, size_t clause, uint8_t mux)
{
	const struct seccomp_arg which = { .op = SECCOMP_OP_EQ,
					   .a = mux & ~(unsigned int)SECCOMP_MUX_IPC };
	size_t n = c->section.n_clauses;
	struct seccomp_clause *to = new_clause(c, c->section.clauses[clause].action);
	const struct seccomp_clause *from = &c->section.clauses[clause];

	seccomp_clause_add(to, &which);
	for (unsigned int i = 0; i < from->n; i++)
		if (from->conds[i].index != 0)
			seccomp_clause_add(to, &from->conds[i]);
	return n;
}

static void link_clause(struct compiler *c, int rank, size_t clause)
{
	struct slot *slot = &c->slots[rank];

	if (slot->fixed)
		return;
	if (c->section.clauses[clause].n == 0) {
		slot->fixed = true;
		slot->action = c->section.clauses[clause].action;
		return;
	}
	GROW(c->links, c->n_links, c->cap_links);
	c->links[c->n_links] = (struct link){ .clause = (uint32_t)clause, .next = -1 };
	if (slot->first < 0)
		slot->first = (int32_t)c->n_links;
	else
		c->links[slot->last].next = (int32_t)c->n_links;
	slot->last = (int32_t)c->n_links++;
}

static void add_name(struct compiler *c, size_t name, size_t clause, size_t n)
{
	int rank = rank_of(c, name);
	int mux_rank = mux_rank_of(c, name);

	for (size_t i = 0; i < n; i++) {
		if (mux_rank >= 0)
			link_clause(c, mux_rank,
				    add_mux_clause(c, clause + i, seccomp_names[name].mux));
		if (rank >= 0)
			link_clause(c, rank, clause + i);
	}
}

static void add_rules(struct compiler *c)
{
	const struct seccomp_policy *p = c->policy;
	const size_t *names = c->names;

	for (size_t i = 0; i < p->n_rules; i++) {
		size_t n_names = strv_len(p->rules[i].names);
		if (p->rules[i].action != p->default_action && n_names > 0) {
			size_t clause = c->section.n_clauses;
			size_t n = add_clauses(c, &p->rules[i]);
			for (size_t k = 0; k < n_names; k++)
				add_name(c, names[k], clause, n);
		}
		names += n_names;
	}
}

static bool wants_enosys(uint32_t default_action)
{
	return (default_action & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO &&
	       (default_action & SECCOMP_RET_DATA) != ENOSYS;
}

/* The number behind that of a rank, if it is higher and no private one. */
static uint32_t behind(const struct compiler *c, int rank, uint32_t first)
{
	uint32_t nr = rank < 0 ? 0 : c->arch->numbers[rank];

	return rank >= 0 && nr < c->arch->private && nr >= first ? nr + 1 : first;
}

/* From here on calls are newer than the policy: behind the highest number that any rule names,
 * whatever its action. NUMBER_SKIP: it does not matter. */
static uint32_t first_unnamed(const struct compiler *c)
{
	const struct seccomp_policy *p = c->policy;
	const size_t *name = c->names;
	uint32_t first = 0;

	if (!wants_enosys(p->default_action))
		return NUMBER_SKIP;
	for (size_t i = 0; i < p->n_rules; i++)
		for (size_t n = strv_len(p->rules[i].names); n > 0; n--, name++) {
			first = behind(c, rank_of(c, *name), first);
			first = behind(c, mux_rank_of(c, *name), first);
		}
	return first > 0 ? first : NUMBER_SKIP;
}

static void block_fill(const struct compiler *c, const struct slot *slot, struct seccomp_block *b)
{
	const struct seccomp_clause *clauses = c->section.clauses;

	for (int32_t l = slot->first; l >= 0; l = c->links[l].next) {
		uint32_t clause = c->links[l].clause;
		size_t i = b->n++;
		for (; i > 0; i--) {
			const struct seccomp_clause *before = &clauses[b->clauses[i - 1]];
			if (seccomp_clause_compare(&clauses[clause], before) <= 0)
				break;
			b->clauses[i] = b->clauses[i - 1];
		}
		b->clauses[i] = clause;
	}
}

/* The same rules on several calls become one block. */
static int add_block(struct compiler *c, const struct slot *slot)
{
	struct seccomp_section *s = &c->section;
	struct seccomp_block block = { 0 };
	size_t n = 0;

	for (int32_t l = slot->first; l >= 0; l = c->links[l].next)
		n++;
	block.clauses = xcalloc(n, sizeof(*block.clauses));
	block_fill(c, slot, &block);
	for (size_t i = 0; i < s->n_blocks; i++)
		if (s->blocks[i].n == n &&
		    memcmp(s->blocks[i].clauses, block.clauses, n * sizeof(*block.clauses)) == 0) {
			free(block.clauses);
			return (int)i;
		}
	GROW(s->blocks, s->n_blocks, s->cap_blocks);
	s->blocks[s->n_blocks] = block;
	return (int)s->n_blocks++;
}

static struct seccomp_answer fixed(uint32_t action)
{
	return (struct seccomp_answer){ .action = action, .block = -1 };
}

static void add_range(struct seccomp_section *s, uint32_t start, struct seccomp_answer answer)
{
	struct seccomp_range *last = s->n_ranges ? &s->ranges[s->n_ranges - 1] : NULL;

	if (last && last->start == start) {
		s->n_ranges--;
		last = s->n_ranges ? last - 1 : NULL;
	}
	if (last && last->answer.block == answer.block && last->answer.action == answer.action)
		return;
	GROW(s->ranges, s->n_ranges, s->cap_ranges);
	s->ranges[s->n_ranges++] = (struct seccomp_range){ .start = start, .answer = answer };
}

/* The ranges of the numbers of c->arch from base on. */
static void add_ranges(struct compiler *c, uint32_t base)
{
	const struct seccomp_arch *arch = c->arch;
	struct seccomp_section *s = &c->section;
	const struct seccomp_answer deny = fixed(s->default_action);
	const struct seccomp_answer newer = fixed(SECCOMP_RET_ERRNO | ENOSYS);
	uint32_t unnamed = first_unnamed(c);

	add_range(s, base, deny);
	for (size_t rank = 0; rank < arch->n_numbers; rank++) {
		const struct slot *slot = &c->slots[rank];
		uint32_t nr = arch->numbers[rank];
		/* behind the sequence */
		if (nr >= arch->private && unnamed < arch->private) {
			add_range(s, unnamed, newer);
			add_range(s, arch->private, deny);
			unnamed = NUMBER_SKIP;
		}
		if (!slot->fixed && slot->first < 0)
			continue;
		add_range(s, nr,
			  slot->fixed ? fixed(slot->action)
				      : (struct seccomp_answer){ 0, add_block(c, slot) });
		add_range(s, nr + 1, deny);
	}
	if (unnamed != NUMBER_SKIP)
		add_range(s, unnamed, newer);
}

static void add_arch(struct compiler *c, size_t index)
{
	const struct seccomp_arch *arch = &seccomp_arches[index];

	c->arch = arch;
	c->arch_index = index;
	c->n_links = 0;
	c->slots = xrealloc(c->slots, (arch->n_numbers + 1u) * sizeof(*c->slots));
	for (size_t i = 0; i < arch->n_numbers; i++)
		c->slots[i] = (struct slot){ .first = -1, .last = -1 };
	add_rules(c);
	add_ranges(c, arch->numbers[0] & SECCOMP_X32_BIT);
}

static bool is_x32(size_t index)
{
	return seccomp_arches[index].numbers[0] & SECCOMP_X32_BIT;
}

/* Whether the architecture belongs in the filter. */
static bool is_wanted(const struct seccomp_policy *p, size_t index)
{
	if (index == 0)
		return true;
	for (char *const *word = p->architectures; word && *word; word++) {
		const char *name = str_after(*word, "SCMP_ARCH_");
		if (name && str_eq(name, seccomp_arches[index].word))
			return true;
	}
	return false;
}

/* One AUDIT_ARCH: that of the architecture, and x32 beside x86-64. */
static void add_section(struct compiler *c, size_t index, struct buf *out)
{
	struct seccomp_section *s = &c->section;
	size_t x32 = seccomp_n_arches;

	for (size_t i = 0; i < seccomp_n_arches; i++)
		if (is_x32(i) && seccomp_arches[i].audit == seccomp_arches[index].audit)
			x32 = i;
	section_reset(s);
	s->audit = seccomp_arches[index].audit;
	s->default_action = c->policy->default_action;
	if (index != x32)
		add_arch(c, index);
	else
		add_range(s, 0, fixed(BAD_ARCH));
	if (x32 < seccomp_n_arches && is_wanted(c->policy, x32))
		add_arch(c, x32);
	else if (x32 < seccomp_n_arches)
		add_range(s, SECCOMP_X32_BIT, fixed(BAD_ARCH));
	add_range(s, NUMBER_SKIP, fixed(s->default_action));
	seccomp_bpf_section(out, s);
}

/* Whether an architecture with the same AUDIT_ARCH has its section already. */
static bool is_done(const struct seccomp_policy *p, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (is_wanted(p, i) && seccomp_arches[i].audit == seccomp_arches[index].audit)
			return true;
	return false;
}

int seccomp_compile(const struct seccomp_policy *policy, struct buf *out, struct err *err)
{
	CLEANUP(compiler_done) struct compiler c = { .policy = policy };
	int r = check_rules(policy, err);

	buf_reset(out);
	if (r < 0)
		return r;
	find_names(&c);
	seccomp_bpf_begin(out);
	for (size_t i = 0; i < seccomp_n_arches; i++)
		if (is_wanted(policy, i) && !is_done(policy, i))
			add_section(&c, i, out);
	seccomp_bpf_end(out, BAD_ARCH);
	if (out->len / sizeof(struct sock_filter) > BPF_MAXINSNS)
		return err_fail(err, ERR_LIMIT,
				"the seccomp filter has %zu instructions: the kernel takes %d",
				out->len / sizeof(struct sock_filter), BPF_MAXINSNS);
	return 0;
}
