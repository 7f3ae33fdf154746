/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/seccomp_internal.h"

static bool always_holds(const struct seccomp_arg *a, bool narrow)
{
	return a->op == SECCOMP_OP_MASKED_EQ && (narrow ? (uint32_t)a->a : a->a) == 0;
}

void seccomp_clause_add(struct seccomp_clause *clause, const struct seccomp_arg *a)
{
	unsigned int i = clause->n;

	if (always_holds(a, clause->narrow))
		return;
	for (; i > 0 && clause->conds[i - 1].index > a->index; i--)
		clause->conds[i] = clause->conds[i - 1];
	clause->conds[i] = *a;
	clause->n++;
}

static int op_class(enum seccomp_op op)
{
	static const int classes[] = {
		[SECCOMP_OP_EQ] = 3, [SECCOMP_OP_NE] = 3, [SECCOMP_OP_MASKED_EQ] = 3,
		[SECCOMP_OP_LE] = 2, [SECCOMP_OP_LT] = 2, [SECCOMP_OP_GE] = 1,
		[SECCOMP_OP_GT] = 1,
	};

	return classes[op];
}

static uint64_t operand(const struct seccomp_arg *a, bool narrow)
{
	uint64_t value = a->op == SECCOMP_OP_MASKED_EQ ? a->a & a->b : a->a;

	return narrow ? (uint32_t)value : value;
}

/* > 0: a is asked before b; 0: as the policy has them. */
static int compare_conds(const struct seccomp_arg *a, const struct seccomp_arg *b, bool narrow)
{
	uint64_t x = operand(a, narrow), y = operand(b, narrow);

	if (a->index != b->index)
		return a->index > b->index ? 1 : -1;
	if (op_class(a->op) != op_class(b->op))
		return op_class(a->op) - op_class(b->op);
	if (x == y)
		return 0;
	bool less = a->op == SECCOMP_OP_LT || a->op == SECCOMP_OP_LE;
	return (x > y) != less ? 1 : -1;
}

int seccomp_clause_compare(const struct seccomp_clause *a, const struct seccomp_clause *b)
{
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < a->n && i < b->n; i++)
		r = compare_conds(&a->conds[i], &b->conds[i], a->narrow);
	return r ? r : (int)a->n - (int)b->n;
}
