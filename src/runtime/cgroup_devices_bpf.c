/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device policy as a BPF_PROG_TYPE_CGROUP_DEVICE program. Its context is struct
 * bpf_cgroup_dev_ctx; it returns 1 to allow. Rules are tried from the last to the first. A rule for
 * some kinds of access decides those; the others go on to the rules before it.
 */
#include <linux/bpf.h>

#include "runtime/cgroup_priv.h"

/* type, major, minor, access (3), result (2) */
#define INSNS_PER_RULE 8
#define INSNS_FIXED    8

#define LOAD(dst, off)     ((struct bpf_insn){ BPF_LDX | BPF_W | BPF_MEM, dst, BPF_REG_1, off, 0 })
#define ALU(op, dst, imm)  ((struct bpf_insn){ BPF_ALU | (op) | BPF_K, dst, 0, 0, imm })
#define MOVE(dst, src)     ((struct bpf_insn){ BPF_ALU | BPF_MOV | BPF_X, dst, src, 0, 0 })
#define JUMP(op, dst, imm) ((struct bpf_insn){ BPF_JMP | (op) | BPF_K, dst, 0, 0, imm })
#define EXIT               ((struct bpf_insn){ BPF_JMP | BPF_EXIT, 0, 0, 0, 0 })

enum {
	TYPE = BPF_REG_2,
	ACCESS = BPF_REG_3,
	MAJOR = BPF_REG_4,
	MINOR = BPF_REG_5,
	TMP = BPF_REG_6
};

struct program {
	struct bpf_insn *insns;
	size_t n;
};

static void add(struct program *p, struct bpf_insn insn)
{
	p->insns[p->n++] = insn;
}

static void add_result(struct program *p, bool allow)
{
	add(p, ALU(BPF_MOV, BPF_REG_0, allow));
	add(p, EXIT);
}

static void add_rule(struct program *p, const struct device_rule *rule)
{
	size_t start = p->n;

	/* Offset 0 stands for "to the next rule" until that is known. */
	add(p, JUMP(BPF_JNE, TYPE, rule->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR));
	if (rule->major >= 0)
		add(p, JUMP(BPF_JNE, MAJOR, (int32_t)(uint32_t)rule->major));
	if (rule->minor >= 0)
		add(p, JUMP(BPF_JNE, MINOR, (int32_t)(uint32_t)rule->minor));
	if (rule->access != DEVICE_ALL && rule->allow) {
		/* what is allowed needs no further answer; all of it answered: done */
		add(p, ALU(BPF_AND, ACCESS, (int32_t)~rule->access));
		add(p, JUMP(BPF_JNE, ACCESS, 0));
	} else if (rule->access != DEVICE_ALL) {
		add(p, MOVE(TMP, ACCESS));
		add(p, ALU(BPF_AND, TMP, (int32_t)rule->access));
		add(p, JUMP(BPF_JEQ, TMP, 0));
	}
	size_t next = p->n + 2;
	for (size_t i = start; i < p->n; i++)
		if (BPF_CLASS(p->insns[i].code) == BPF_JMP)
			p->insns[i].off = (int16_t)(next - i - 1);
	add_result(p, rule->allow);
}

size_t device_policy_bpf(const struct device_policy *policy, struct bpf_insn **ret)
{
	struct program p = {
		xcalloc(policy->n * INSNS_PER_RULE + INSNS_FIXED, sizeof(struct bpf_insn)), 0
	};

	add(&p, LOAD(TYPE, offsetof(struct bpf_cgroup_dev_ctx, access_type)));
	add(&p, MOVE(ACCESS, TYPE));
	add(&p, ALU(BPF_AND, TYPE, 0xffff));
	add(&p, ALU(BPF_RSH, ACCESS, 16));
	add(&p, LOAD(MAJOR, offsetof(struct bpf_cgroup_dev_ctx, major)));
	add(&p, LOAD(MINOR, offsetof(struct bpf_cgroup_dev_ctx, minor)));
	for (size_t i = policy->n; i > 0; i--)
		add_rule(&p, &policy->rules[i - 1]);
	add_result(&p, policy->allow);
	*ret = p.insns;
	return p.n;
}
