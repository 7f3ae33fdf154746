/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/seccomp_policy.h"

#include <linux/seccomp.h>

#include "base/str.h"
#include "base/strv.h"
#include "sys/uapi.h"

struct word {
	const char *name;
	uint32_t value;
};

static const struct word actions[] = {
	{ "SCMP_ACT_ALLOW", SECCOMP_RET_ALLOW },
	{ "SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO },
	{ "SCMP_ACT_KILL", SECCOMP_RET_KILL_THREAD },
	{ "SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS },
	{ "SCMP_ACT_KILL_THREAD", SECCOMP_RET_KILL_THREAD },
	{ "SCMP_ACT_LOG", SECCOMP_RET_LOG },
	{ "SCMP_ACT_NOTIFY", SECCOMP_RET_USER_NOTIF },
	{ "SCMP_ACT_TRACE", SECCOMP_RET_TRACE },
	{ "SCMP_ACT_TRAP", SECCOMP_RET_TRAP },
};
static const struct word ops[] = {
	{ "SCMP_CMP_EQ", SECCOMP_OP_EQ }, { "SCMP_CMP_GE", SECCOMP_OP_GE },
	{ "SCMP_CMP_GT", SECCOMP_OP_GT }, { "SCMP_CMP_LE", SECCOMP_OP_LE },
	{ "SCMP_CMP_LT", SECCOMP_OP_LT }, { "SCMP_CMP_MASKED_EQ", SECCOMP_OP_MASKED_EQ },
	{ "SCMP_CMP_NE", SECCOMP_OP_NE },
};
static const struct word flags[] = {
	{ "SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG },
	{ "SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW },
	{ "SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC },
	{ "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV },
};

#define WORD_FN(fn, table)                                                                         \
	const char *fn(size_t i)                                                                   \
	{                                                                                          \
		return i < ARRAY_SIZE(table) ? table[i].name : NULL;                               \
	}
WORD_FN(seccomp_action_word, actions)
WORD_FN(seccomp_op_word, ops)
WORD_FN(seccomp_flag_word, flags)

static int find(const struct word *words, size_t n, const char *name, const char *where,
		uint32_t *ret, struct err *err)
{
	for (size_t i = 0; name && i < n; i++) {
		if (str_eq(words[i].name, name)) {
			*ret = words[i].value;
			return 0;
		}
	}
	return err_fail(err, ERR_INVALID, "linux.seccomp.%s: unknown word \"%s\"", where,
			name ? name : "");
}

static int find_action(const char *name, const struct opt_u32 *errno_ret, const char *where,
		       uint32_t *ret, struct err *err)
{
	int r = find(actions, ARRAY_SIZE(actions), name, where, ret, err);

	if (r < 0)
		return r;
	/* EPERM unless told, also for TRACE, as libseccomp's other users have it. */
	if (*ret == SECCOMP_RET_ERRNO || *ret == SECCOMP_RET_TRACE)
		*ret |= (errno_ret->set ? errno_ret->value : EPERM) & SECCOMP_RET_DATA;
	return 0;
}

static bool is_notify(uint32_t action)
{
	return (action & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_USER_NOTIF;
}

static int make_args(const struct spec_seccomp_rule *from, struct seccomp_arg *to, struct err *err)
{
	for (size_t i = 0; i < from->args.n; i++) {
		const struct spec_seccomp_arg *a = &from->args.items[i];
		uint32_t op = 0;
		int r = find(ops, ARRAY_SIZE(ops), a->op, "syscalls.args.op", &op, err);

		if (r < 0)
			return r;
		to[i] = (struct seccomp_arg){ .index = a->index,
					      .op = (enum seccomp_op)op,
					      .a = a->value,
					      .b = a->value_two };
	}
	return 0;
}

static int make_rule(const struct spec_seccomp_rule *from, struct seccomp_arg *args,
		     struct seccomp_rule *to, struct err *err)
{
	int r = find_action(from->action, &from->errno_ret, "syscalls.action", &to->action, err);

	if (r < 0)
		return r;
	if (is_notify(to->action) && strv_has(from->names, "write"))
		return err_fail(err, ERR_INVALID,
				"linux.seccomp.syscalls: SCMP_ACT_NOTIFY can't be used for write, "
				"which hands the notify fd out");
	to->names = from->names;
	to->args = args;
	to->n_args = from->args.n;
	return make_args(from, args, err);
}

int seccomp_policy_make(const struct spec_seccomp *s, struct seccomp_policy_holder *ret,
			struct err *err)
{
	size_t n_args = 0;
	int r;

	*ret = (struct seccomp_policy_holder){ 0 };
	r = find_action(s->default_action, &s->default_errno_ret, "defaultAction",
			&ret->policy.default_action, err);
	if (r < 0)
		return r;
	if (is_notify(ret->policy.default_action))
		return err_fail(
		    err, ERR_INVALID,
		    "linux.seccomp.defaultAction: SCMP_ACT_NOTIFY can't be the default");
	for (size_t i = 0; i < s->syscalls.n; i++)
		n_args += s->syscalls.items[i].args.n;
	ret->rules = xcalloc(s->syscalls.n + 1, sizeof(*ret->rules));
	ret->args = xcalloc(n_args + 1, sizeof(*ret->args));
	n_args = 0;
	for (size_t i = 0; i < s->syscalls.n; i++) {
		r = make_rule(&s->syscalls.items[i], ret->args + n_args, &ret->rules[i], err);
		if (r < 0)
			return r;
		n_args += s->syscalls.items[i].args.n;
	}
	ret->policy.architectures = s->architectures;
	ret->policy.rules = ret->rules;
	ret->policy.n_rules = s->syscalls.n;
	return 0;
}

void seccomp_policy_done(struct seccomp_policy_holder *holder)
{
	free(holder->rules);
	free(holder->args);
	*holder = (struct seccomp_policy_holder){ 0 };
}

static bool has_notify(const struct spec_seccomp *s)
{
	for (size_t i = 0; i < s->syscalls.n; i++)
		if (str_eq(s->syscalls.items[i].action, "SCMP_ACT_NOTIFY"))
			return true;
	return false;
}

int seccomp_flags_make(const struct spec_seccomp *s, unsigned int *ret, struct err *err)
{
	unsigned int value = 0;

	for (size_t i = 0; s->flags && s->flags[i]; i++) {
		uint32_t flag = 0;
		int r = find(flags, ARRAY_SIZE(flags), s->flags[i], "flags", &flag, err);

		if (r < 0)
			return r;
		value |= flag;
	}
	/* One thread has nothing to synchronize, and the kernel refuses both together. */
	value &= ~(unsigned int)SECCOMP_FILTER_FLAG_TSYNC;
	if (has_notify(s)) {
		if (!s->listener_path)
			return err_fail(err, ERR_INVALID,
					"linux.seccomp.listenerPath: needed for SCMP_ACT_NOTIFY");
		value |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
	} else {
		value &= ~(unsigned int)SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	}
	*ret = value;
	return 0;
}

int seccomp_prepare(const struct spec_seccomp *s, struct buf *bpf, unsigned int *ret_flags,
		    struct err *err)
{
	struct seccomp_policy_holder holder;
	int r = seccomp_flags_make(s, ret_flags, err);

	if (r < 0)
		return r;
	r = seccomp_policy_make(s, &holder, err);
	if (r == 0)
		r = seccomp_compile(&holder.policy, bpf, err);
	seccomp_policy_done(&holder);
	return r < 0 ? err_wrap(err, r, "compiling linux.seccomp") : 0;
}

bool seccomp_flag_supported(const char *word)
{
	uint32_t flag = 0;

	if (find(flags, ARRAY_SIZE(flags), word, "flags", &flag, NULL) < 0)
		return false;
	/* It is about the listener, so the kernel takes it together with one only. */
	if (flag == SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
		flag |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
	return seccomp_flags_available(flag);
}
