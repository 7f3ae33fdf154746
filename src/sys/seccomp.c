/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/seccomp.h"

#include <ctype.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"

#define ARCHES_MAX    32
#define ARGS_MAX      6
#define BPF_BYTES_MAX (BPF_MAXINSNS * sizeof(struct sock_filter))
#define MANY_SYSCALLS 32          /* from here on a binary tree beats a list */
#define X32_SYSCALL   0x40000000U /* numbers of x32 have this bit, under x86-64's AUDIT_ARCH */
#define ENOSYS_HEAD   5           /* instructions per architecture of the ENOSYS stub */

struct compiler {
	scmp_filter_ctx ctx;
	const struct seccomp_policy *policy;
	uint32_t arches[ARCHES_MAX];
	size_t n_arches;
};

static void compiler_done(struct compiler *c)
{
	if (c->ctx)
		seccomp_release(c->ctx);
}

/* "SCMP_ARCH_X86_64" -> libseccomp's token; 0: this libseccomp does not know it. */
static uint32_t arch_token(const char *word)
{
	const char *name = str_after(word, "SCMP_ARCH_");
	char lower[32];
	size_t n = 0;

	for (; name && name[n] && n < sizeof(lower) - 1; n++)
		lower[n] = (char)tolower((unsigned char)name[n]);
	lower[n] = '\0';
	return n ? seccomp_arch_resolve_name(lower) : 0;
}

static int add_arches(struct compiler *c, struct err *err)
{
	c->arches[c->n_arches++] = seccomp_arch_native();
	for (char *const *word = c->policy->architectures; word && *word; word++) {
		uint32_t token = arch_token(*word);
		/* An architecture that can't be named can't be let in: its calls kill. */
		if (token == 0 || c->n_arches == ARCHES_MAX)
			continue;
		int r = seccomp_arch_add(c->ctx, token);
		if (r == 0)
			c->arches[c->n_arches++] = token;
		else if (r == -EDOM)
			continue; /* of the other byte order: this kernel knows none of its calls */
		else if (r != -EEXIST)
			return err_errno(err, -r, "adding seccomp architecture %s", *word);
	}
	return 0;
}

static int add_syscall(struct compiler *c, const char *name, uint32_t action,
		       const struct scmp_arg_cmp *args, unsigned int n, struct err *err)
{
	int nr = seccomp_syscall_resolve_name(name);

	if (nr == __NR_SCMP_ERROR)
		return 0;
	/* Not the "exact" variant, which takes one architecture only. */
	int r = seccomp_rule_add_array(c->ctx, action, nr, n, args);
	if (r < 0 && r != -EEXIST)
		return err_errno(err, -r, "adding seccomp rule for %s", name);
	return 0;
}

static bool args_repeat(const struct seccomp_rule *rule)
{
	for (size_t i = 0; i < rule->n_args; i++)
		for (size_t k = i + 1; k < rule->n_args; k++)
			if (rule->args[i].index == rule->args[k].index)
				return true;
	return false;
}

/* Conditions of one rule are joined by "and", but libseccomp takes one for each argument only: with
 * more the rule means "or", as runc and crun read it, and becomes several. */
static int add_name(struct compiler *c, const struct seccomp_rule *rule, const char *name,
		    struct err *err)
{
	struct scmp_arg_cmp args[ARGS_MAX];
	bool alone = args_repeat(rule);
	unsigned int n = 0;

	for (size_t i = 0; i < rule->n_args; i++) {
		const struct seccomp_arg *a = &rule->args[i];
		if (a->index >= ARGS_MAX)
			return err_fail(err, ERR_INVALID, "seccomp rule for %s: argument index %u",
					name, a->index);
		args[n++] = SCMP_CMP64(a->index, (enum scmp_compare)a->op, a->a, a->b);
		if (!alone)
			continue;
		int r = add_syscall(c, name, rule->action, args, 1, err);
		if (r < 0)
			return r;
		n = 0;
	}
	return alone ? 0 : add_syscall(c, name, rule->action, args, n, err);
}

static int add_rules(struct compiler *c, struct err *err)
{
	size_t total = 0;

	for (size_t i = 0; i < c->policy->n_rules; i++) {
		const struct seccomp_rule *rule = &c->policy->rules[i];
		total += strv_len(rule->names);
		/* libseccomp refuses rules that say what happens anyway. */
		if (rule->action == c->policy->default_action)
			continue;
		for (char *const *name = rule->names; name && *name; name++) {
			int r = add_name(c, rule, *name, err);
			if (r < 0)
				return err_wrap(err, r, "seccomp rule %zu", i);
		}
	}
	if (total >= MANY_SYSCALLS) /* best effort: libseccomp 2.5 */
		seccomp_attr_set(c->ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	return 0;
}

/* The highest number that any rule names on this architecture, whatever its action. */
static uint32_t highest_named(const struct seccomp_policy *p, uint32_t arch)
{
	int highest = -1;

	for (size_t i = 0; i < p->n_rules; i++)
		for (char *const *name = p->rules[i].names; name && *name; name++) {
			int nr = seccomp_syscall_resolve_name_arch(arch, *name);
			if (nr > highest && (uint32_t)nr < X32_SYSCALL)
				highest = nr;
		}
	return highest < 0 ? X32_SYSCALL - 1 : (uint32_t)highest;
}

static bool wants_enosys(uint32_t default_action)
{
	return (default_action & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO &&
	       (default_action & SECCOMP_RET_DATA) != ENOSYS;
}

/* See seccomp_compile(). In front of the filter, for each architecture, falling through to it:
 *	if (arch == A && nr > highest && nr < X32_SYSCALL) return ERRNO(ENOSYS);
 * Nothing else than what the kernel's cache of always-allowed calls (5.11) can follow. */
static void add_enosys_stub(const struct compiler *c, struct buf *out)
{
	const struct sock_filter load_arch =
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));

	for (size_t i = 0; i < c->n_arches; i++) {
		if (c->arches[i] == SCMP_ARCH_X32)
			continue;
		const struct sock_filter head[ENOSYS_HEAD] = {
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, c->arches[i], 0, ENOSYS_HEAD - 1),
			BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
			BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_SYSCALL, 2, 0),
			BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, highest_named(c->policy, c->arches[i]),
				 0, 1),
			BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		};
		buf_add(out, &load_arch, sizeof(load_arch));
		buf_add(out, head, sizeof(head));
	}
}

static int export_bpf(const struct compiler *c, struct buf *out, struct err *err)
{
	cleanup_fd int fd = memfd_create("seccomp", MFD_CLOEXEC);

	if (fd < 0)
		return err_errno(err, errno, "making memory file for seccomp filter");
	int r = seccomp_export_bpf(c->ctx, fd);
	if (r < 0)
		return err_errno(err, -r, "generating seccomp filter");
	off_t len = lseek(fd, 0, SEEK_END);
	if (len <= 0 || (size_t)len > BPF_BYTES_MAX - out->len)
		return err_fail(err, ERR_LIMIT,
				"seccomp filter is too long: the kernel takes %d instructions",
				BPF_MAXINSNS);
	buf_reserve(out, (size_t)len);
	ssize_t n = pread(fd, out->data + out->len, (size_t)len, 0);
	if (n != len)
		return err_errno(err, n < 0 ? errno : EIO, "reading seccomp filter");
	out->len += (size_t)len;
	out->data[out->len] = '\0';
	return 0;
}

int seccomp_compile(const struct seccomp_policy *policy, struct buf *out, struct err *err)
{
	CLEANUP(compiler_done)
	struct compiler c = { .ctx = seccomp_init(policy->default_action), .policy = policy };

	buf_reset(out);
	if (!c.ctx)
		return err_fail(err, ERR_INVALID, "invalid default action %#x of seccomp filter",
				policy->default_action);
	int r = add_arches(&c, err);
	if (r == 0)
		r = add_rules(&c, err);
	if (r == 0 && wants_enosys(policy->default_action))
		add_enosys_stub(&c, out);
	return r < 0 ? r : export_bpf(&c, out, err);
}
