/* SPDX-License-Identifier: Apache-2.0 */
/* Between the two halves of the compiler: seccomp.c reduces a policy to ranges of system call
 * numbers with an answer each, seccomp_bpf.c writes them as BPF. */
#pragma once

#include "sys/seccomp.h"

/* One way for a rule to hold: all conditions do. */
struct seccomp_clause {
	uint32_t action;
	bool narrow;                                /* lower halves only */
	unsigned int n;                             /* 0: always */
	struct seccomp_arg conds[SECCOMP_ARGS_MAX]; /* by index, ascending */
};
/* Puts a condition in its place; drops one that always holds. */
void seccomp_clause_add(struct seccomp_clause *clause, const struct seccomp_arg *a);
/* > 0: a is asked before b (see seccomp_compile()); 0: as the policy has them. */
int seccomp_clause_compare(const struct seccomp_clause *a, const struct seccomp_clause *b);

/* Clauses that are asked one after the other, then the default action. */
struct seccomp_block {
	uint32_t *clauses; /* into the section's, owned */
	size_t n;
};
struct seccomp_answer {
	uint32_t action;
	int block; /* -1: action */
};
struct seccomp_range {
	uint32_t start; /* up to the next one's */
	struct seccomp_answer answer;
};
/* All of one AUDIT_ARCH. */
struct seccomp_section {
	uint32_t audit;
	uint32_t default_action;
	struct seccomp_range *ranges; /* the first starts at 0; n_ranges >= 1 */
	size_t n_ranges, cap_ranges;
	struct seccomp_block *blocks;
	size_t n_blocks, cap_blocks;
	struct seccomp_clause *clauses;
	size_t n_clauses, cap_clauses;
};

/* A filter is: seccomp_bpf_begin(), a section for each AUDIT_ARCH, seccomp_bpf_end(). */
void seccomp_bpf_begin(struct buf *out);
void seccomp_bpf_section(struct buf *out, const struct seccomp_section *s);
void seccomp_bpf_end(struct buf *out, uint32_t bad_arch_action);
