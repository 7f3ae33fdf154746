/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a seccomp filter without loading it: the part of classic BPF that libseccomp generates. */
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>

#include "base/buf.h"

#define BAD_PROGRAM 0xdeadbeefU

static inline uint32_t bpf_jump(const struct sock_filter *i, uint32_t a)
{
	bool yes;

	switch (BPF_OP(i->code)) {
	case BPF_JA:
		return i->k;
	case BPF_JEQ:
		yes = a == i->k;
		break;
	case BPF_JGT:
		yes = a > i->k;
		break;
	case BPF_JGE:
		yes = a >= i->k;
		break;
	default:
		yes = (a & i->k) != 0;
		break;
	}
	return yes ? i->jt : i->jf;
}

static inline uint32_t bpf_run(const struct buf *b, const struct seccomp_data *data)
{
	const struct sock_filter *f = (const struct sock_filter *)(const void *)b->data;
	size_t n = b->len / sizeof(*f);
	uint32_t a = 0;

	for (size_t pc = 0; pc < n; pc++) {
		const struct sock_filter *i = &f[pc];
		switch (BPF_CLASS(i->code)) {
		case BPF_LD:
			memcpy(&a, (const char *)data + i->k, sizeof(a));
			break;
		case BPF_ALU:
			a &= i->k;
			break;
		case BPF_JMP:
			pc += bpf_jump(i, a);
			break;
		case BPF_RET:
			return i->k;
		default:
			return BAD_PROGRAM;
		}
	}
	return BAD_PROGRAM;
}
