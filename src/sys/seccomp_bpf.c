/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A section looks like this:
 *	if (A != audit) goto next section;
 *	A = nr;
 *	binary tree of "A >= start", whose leaves return, or jump to a block
 *	blocks
 * Up to the leaves it uses only what the kernel's cache of always-allowed calls (5.11) can follow.
 */
#include <linux/seccomp.h>

#include "sys/seccomp_internal.h"

#define JUMP_MAX 255 /* of a conditional jump: what is further away is reached by "ja" */
/* A jump to the clause's end, while that is unknown: clauses are shorter. */
#define FAIL 255
/* Conditions of five instructions, and "return". */
#define CLAUSE_MAX (SECCOMP_ARGS_MAX * 5 + 1)

#define LD(off)      ((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, off))
#define AND(k)       ((struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, k))
#define RET(k)       ((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, k))
#define JA(k)        ((struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, k))
#define JEQ(k, t, f) ((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, k, t, f))
#define JGT(k, t, f) ((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, k, t, f))
#define JGE(k, t, f) ((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, k, t, f))

#define LITTLE_ENDIAN_HERE (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)

struct code {
	struct sock_filter f[CLAUSE_MAX];
	size_t n;
};

static size_t length(const struct buf *out)
{
	return out->len / sizeof(struct sock_filter);
}

static void emit(struct buf *out, struct sock_filter f)
{
	buf_add(out, &f, sizeof(f));
}

static void add(struct code *c, struct sock_filter f)
{
	c->f[c->n++] = f;
}

static uint32_t low_offset(unsigned int index)
{
	return (uint32_t)(offsetof(struct seccomp_data, args) + index * 8 +
			  (LITTLE_ENDIAN_HERE ? 0 : 4));
}

static uint32_t high_offset(unsigned int index)
{
	return (uint32_t)(offsetof(struct seccomp_data, args) + index * 8 +
			  (LITTLE_ENDIAN_HERE ? 4 : 0));
}

/* The lower halves; the upper ones are equal or don't count. Goes on behind it, or fails. */
static void add_low(struct code *c, const struct seccomp_arg *a)
{
	uint32_t k = (uint32_t)a->a;

	add(c, LD(low_offset(a->index)));
	switch (a->op) {
	case SECCOMP_OP_EQ:
		add(c, JEQ(k, 0, FAIL));
		break;
	case SECCOMP_OP_NE:
		add(c, JEQ(k, FAIL, 0));
		break;
	case SECCOMP_OP_GT:
		add(c, JGT(k, 0, FAIL));
		break;
	case SECCOMP_OP_GE:
		add(c, JGE(k, 0, FAIL));
		break;
	case SECCOMP_OP_LE:
		add(c, JGT(k, FAIL, 0));
		break;
	default: /* SECCOMP_OP_LT */
		add(c, JGE(k, FAIL, 0));
		break;
	}
}

/* The upper halves: decides, or leaves it to the lower ones (two instructions) by falling through.
 */
static void add_high(struct code *c, const struct seccomp_arg *a)
{
	uint32_t k = (uint32_t)(a->a >> 32);

	add(c, LD(high_offset(a->index)));
	switch (a->op) {
	case SECCOMP_OP_EQ:
		add(c, JEQ(k, 0, FAIL));
		break;
	case SECCOMP_OP_NE:
		add(c, JEQ(k, 0, 2));
		break;
	case SECCOMP_OP_GT:
	case SECCOMP_OP_GE:
		add(c, JGT(k, 3, 0));
		add(c, JEQ(k, 0, FAIL));
		break;
	default: /* SECCOMP_OP_LT, SECCOMP_OP_LE */
		add(c, JGT(k, FAIL, 0));
		add(c, JEQ(k, 0, 2));
		break;
	}
}

static void add_masked_half(struct code *c, uint32_t offset, uint32_t mask, uint32_t value)
{
	if (mask == 0)
		return;
	add(c, LD(offset));
	if (mask != UINT32_MAX)
		add(c, AND(mask));
	add(c, JEQ(value & mask, 0, FAIL));
}

static void add_condition(struct code *c, const struct seccomp_arg *a, bool narrow)
{
	if (a->op == SECCOMP_OP_MASKED_EQ) {
		if (!narrow)
			add_masked_half(c, high_offset(a->index), (uint32_t)(a->a >> 32),
					(uint32_t)(a->b >> 32));
		add_masked_half(c, low_offset(a->index), (uint32_t)a->a, (uint32_t)a->b);
		return;
	}
	if (!narrow)
		add_high(c, a);
	add_low(c, a);
}

/* Returns the action, or goes on behind it. */
static void emit_clause(struct buf *out, const struct seccomp_clause *clause)
{
	struct code c = { .n = 0 };

	for (unsigned int i = 0; i < clause->n; i++)
		add_condition(&c, &clause->conds[i], clause->narrow);
	add(&c, RET(clause->action));
	for (size_t i = 0; i < c.n; i++) {
		struct sock_filter *f = &c.f[i];
		uint8_t end = (uint8_t)(c.n - i - 1);
		if (BPF_CLASS(f->code) != BPF_JMP)
			continue;
		f->jt = f->jt == FAIL ? end : f->jt;
		f->jf = f->jf == FAIL ? end : f->jf;
	}
	buf_add(out, c.f, c.n * sizeof(c.f[0]));
}

/* Appends the blocks; starts gets where each begins. */
static void emit_blocks(struct buf *out, const struct seccomp_section *s, size_t *starts)
{
	for (size_t b = 0; b < s->n_blocks; b++) {
		starts[b] = length(out);
		for (size_t i = 0; i < s->blocks[b].n; i++)
			emit_clause(out, &s->clauses[s->blocks[b].clauses[i]]);
		emit(out, RET(s->default_action));
	}
}

/* A leaf is one instruction. */
static size_t tree_size(size_t n)
{
	if (n == 1)
		return 1;
	size_t left = tree_size(n / 2);
	return 1 + (left > JUMP_MAX) + left + tree_size(n - n / 2);
}

struct tree {
	struct buf *out;
	size_t end;           /* where the blocks begin */
	const size_t *starts; /* of each block, from there */
};

static void emit_tree(const struct tree *t, const struct seccomp_range *ranges, size_t n)
{
	const struct seccomp_answer *answer = &ranges->answer;

	if (n == 1 && answer->block < 0) {
		emit(t->out, RET(answer->action));
		return;
	}
	if (n == 1) {
		size_t behind = length(t->out) + 1;
		emit(t->out, JA((uint32_t)(t->end - behind + t->starts[answer->block])));
		return;
	}
	size_t left = tree_size(n / 2);
	uint32_t start = ranges[n / 2].start;
	if (left <= JUMP_MAX) {
		emit(t->out, JGE(start, (uint8_t)left, 0));
	} else {
		emit(t->out, JGE(start, 0, 1));
		emit(t->out, JA((uint32_t)left));
	}
	emit_tree(t, ranges, n / 2);
	emit_tree(t, ranges + n / 2, n - n / 2);
}

void seccomp_bpf_begin(struct buf *out)
{
	emit(out, LD(offsetof(struct seccomp_data, arch)));
}

void seccomp_bpf_section(struct buf *out, const struct seccomp_section *s)
{
	CLEANUP(buf_done) struct buf blocks = BUF_INIT;
	cleanup_free size_t *starts = xcalloc(s->n_blocks + 1, sizeof(*starts));
	size_t size = tree_size(s->n_ranges);

	emit_blocks(&blocks, s, starts);
	emit(out, JEQ(s->audit, 1, 0));
	emit(out, JA((uint32_t)(1 + size + length(&blocks))));
	emit(out, LD(offsetof(struct seccomp_data, nr)));
	const struct tree tree = { .out = out, .end = length(out) + size, .starts = starts };
	emit_tree(&tree, s->ranges, s->n_ranges);
	buf_add(out, blocks.data, blocks.len);
}

void seccomp_bpf_end(struct buf *out, uint32_t bad_arch_action)
{
	emit(out, RET(bad_arch_action));
}
