/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls of the architectures that this machine can run. seccomp_gen.c writes the tables
 * when inro is built, from what libseccomp knows then and a list of newer calls.
 */
#pragma once

#include "base/util.h"

#define SECCOMP_X32_BIT 0x40000000U /* numbers of x32 have this bit, under x86-64's AUDIT_ARCH */
#define SECCOMP_MUX_IPC 0x40        /* bit of seccomp_name.mux */

struct seccomp_arch {
	const char *word; /* as in SCMP_ARCH_<word> */
	uint32_t audit;   /* AUDIT_ARCH_* */
	bool narrow;      /* arguments have 32 bits */
	uint32_t private; /* from here on numbers are the architecture's own, outside the sequence
			   */
	const uint32_t *numbers; /* of all calls, ascending: a call's place in it is its rank */
	uint16_t n_numbers;
	int16_t socketcall, ipc; /* ranks, -1 where calls are not multiplexed */
};
struct seccomp_name {
	uint16_t text; /* offset into seccomp_text */
	uint8_t mux;   /* number within socketcall(2), or SECCOMP_MUX_IPC | within ipc(2), or 0 */
};

extern const struct seccomp_arch seccomp_arches[]; /* the first is the native one */
extern const size_t seccomp_n_arches;
extern const struct seccomp_name seccomp_names[]; /* ascending by strcmp() */
extern const size_t seccomp_n_names;
extern const char seccomp_text[];
/* [name * seccomp_n_arches + architecture], -1: it has no such call */
extern const int16_t seccomp_ranks[];
