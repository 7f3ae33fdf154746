/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/seccomp.h>

#include "sys/seccomp.h"
#include "sys/seccomp_table.h"

struct machine {
	const struct seccomp_call *call;
	uint32_t a;
};

/* False: it is not known. */
static bool load(struct machine *m, uint32_t offset)
{
	const uint32_t args = offsetof(struct seccomp_data, args);
	const bool little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;

	if (offset == offsetof(struct seccomp_data, nr))
		m->a = (uint32_t)m->call->nr;
	else if (offset == offsetof(struct seccomp_data, arch))
		m->a = seccomp_arches[0].audit;
	else if (m->call->first_known && offset == args + (little ? 0 : 4))
		m->a = (uint32_t)m->call->first;
	else if (m->call->first_known && offset == args + (little ? 4 : 0))
		m->a = (uint32_t)(m->call->first >> 32);
	else
		return false;
	return true;
}

/* How many instructions to skip; -1: not one that the compiler makes. */
static int64_t jump(const struct sock_filter *f, uint32_t a)
{
	bool yes;

	switch (f->code) {
	case BPF_JMP | BPF_JA:
		return f->k;
	case BPF_JMP | BPF_JEQ | BPF_K:
		yes = a == f->k;
		break;
	case BPF_JMP | BPF_JGT | BPF_K:
		yes = a > f->k;
		break;
	case BPF_JMP | BPF_JGE | BPF_K:
		yes = a >= f->k;
		break;
	default:
		return -1;
	}
	return yes ? f->jt : f->jf;
}

bool seccomp_answer(const void *bpf, size_t len, const struct seccomp_call *call, uint32_t *ret)
{
	const struct sock_filter *filter = bpf;
	const size_t n = len / sizeof(*filter);
	struct machine m = { .call = call };

	/* Jumps lead forward only, so this ends. */
	for (size_t i = 0; i < n; i++) {
		const struct sock_filter *f = &filter[i];
		int64_t skip = 0;

		if (f->code == (BPF_RET | BPF_K)) {
			*ret = f->k;
			return true;
		}
		if (f->code == (BPF_LD | BPF_W | BPF_ABS)) {
			if (!load(&m, f->k))
				return false;
		} else if (f->code == (BPF_ALU | BPF_AND | BPF_K)) {
			m.a &= f->k;
		} else {
			skip = jump(f, m.a);
		}
		if (skip < 0)
			return false;
		i += (size_t)skip;
	}
	return false;
}
