/* SPDX-License-Identifier: Apache-2.0 */
/* Which devices a container may open and make: the rules of config.json, in v1's files or as v2's
 * program. */
#include <fcntl.h>
#include <inttypes.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "runtime/cgroup_priv.h"
#include "sys/bpf.h"

/* What runc allows behind the rules of config.json; engines rely on it. */
static const struct device_rule implied[] = {
	{ true, 'c', -1, -1, DEVICE_MKNOD }, /* making any node is no access */
	{ true, 'b', -1, -1, DEVICE_MKNOD }, /* */
	{ true, 'c', 1, 3, DEVICE_ALL },     /* null */
	{ true, 'c', 1, 5, DEVICE_ALL },     /* zero */
	{ true, 'c', 1, 7, DEVICE_ALL },     /* full */
	{ true, 'c', 1, 8, DEVICE_ALL },     /* random */
	{ true, 'c', 1, 9, DEVICE_ALL },     /* urandom */
	{ true, 'c', 5, 0, DEVICE_ALL },     /* tty */
	{ true, 'c', 5, 2, DEVICE_ALL },     /* ptmx */
	{ true, 'c', 136, -1, DEVICE_ALL },  /* pts */
	{ true, 'c', 10, 200, DEVICE_ALL },  /* net/tun */
};

/* --- the policy: pure --- */

static bool number_covers(int64_t wide, int64_t narrow)
{
	return wide == -1 || wide == narrow;
}

static bool rule_covers(const struct device_rule *wide, const struct device_rule *narrow)
{
	return wide->type == narrow->type && number_covers(wide->major, narrow->major) &&
	       number_covers(wide->minor, narrow->minor);
}

static bool number_meets(int64_t a, int64_t b)
{
	return a == -1 || b == -1 || a == b;
}

/* Whether there is a device and an access that both decide. */
static bool rule_meets(const struct device_rule *a, const struct device_rule *b)
{
	return a->type == b->type && (a->access & b->access) && number_meets(a->major, b->major) &&
	       number_meets(a->minor, b->minor);
}

/* Takes from the earlier rules what this one decides from now on. One of the same kind that says
 * more is left whole: to a container inside this one, v1 grants only what a single rule covers. */
static void drop_shadowed(struct device_policy *p, const struct device_rule *rule)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->n; i++) {
		struct device_rule *old = &p->rules[i];
		if (rule_covers(rule, old) &&
		    (old->allow != rule->allow || !(old->access & ~rule->access)))
			old->access &= ~rule->access;
		if (old->access)
			p->rules[kept++] = *old;
	}
	p->n = kept;
}

static bool has_effect(const struct device_policy *p, const struct device_rule *rule)
{
	if (rule->allow != p->allow)
		return true;
	for (size_t i = 0; i < p->n; i++)
		if (p->rules[i].allow != rule->allow && rule_meets(&p->rules[i], rule))
			return true;
	return false;
}

static int policy_add(struct device_policy *p, const struct device_rule *rule, struct err *err)
{
	drop_shadowed(p, rule);
	if (!rule->access || !has_effect(p, rule))
		return 0;
	if (p->n == DEVICE_RULES_MAX)
		return err_fail(err, ERR_LIMIT, "linux.resources.devices: more than %d rules",
				DEVICE_RULES_MAX);
	if (p->n == p->cap) {
		p->cap = p->cap ? 2 * p->cap : 32;
		p->rules = xrealloc(p->rules, p->cap * sizeof(*p->rules));
	}
	p->rules[p->n++] = *rule;
	return 0;
}

static unsigned int access_of(const char *text)
{
	unsigned int access = 0;

	for (; text && *text; text++)
		access |= *text == 'r' ? DEVICE_READ : *text == 'w' ? DEVICE_WRITE : DEVICE_MKNOD;
	return access;
}

static int add_spec_rule(struct device_policy *p, const struct spec_device_rule *spec, size_t i,
			 struct err *err)
{
	struct device_rule rule = {
		.allow = spec->allow,
		.type = spec->type && *spec->type ? spec->type[0] : 'a',
		.major = spec->major.set ? spec->major.value : -1,
		.minor = spec->minor.set ? spec->minor.value : -1,
		.access = access_of(spec->access),
	};

	if (rule.type == 'a') { /* as the kernel's v1: the numbers and the access don't count */
		p->allow = rule.allow;
		p->n = 0;
		return 0;
	}
	if (rule.major > UINT32_MAX || rule.minor > UINT32_MAX)
		return err_fail(err, ERR_INVALID,
				"linux.resources.devices[%zu]: expected device numbers below 2^32",
				i);
	if (!rule.access)
		return err_fail(err, ERR_INVALID,
				"linux.resources.devices[%zu].access: expected letters of \"rwm\"",
				i);
	return policy_add(p, &rule, err);
}

int device_policy_build(const struct spec_resources *res, struct device_policy *ret,
			struct err *err)
{
	int r = 0;

	*ret = (struct device_policy){ .allow = false };
	for (size_t i = 0; r == 0 && res && i < res->devices.n; i++)
		r = add_spec_rule(ret, &res->devices.items[i], i, err);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(implied); i++)
		r = policy_add(ret, &implied[i], err);
	return r;
}

void device_policy_done(struct device_policy *policy)
{
	free(policy->rules);
	*policy = (struct device_policy){ .allow = false };
}

static bool is_implied(const struct device_rule *rule)
{
	for (size_t i = 0; i < ARRAY_SIZE(implied); i++)
		if (rule->allow && rule_covers(&implied[i], rule) &&
		    !(rule->access & ~implied[i].access))
			return true;
	return false;
}

static const char *number_text(int64_t n, char out[24])
{
	if (n < 0)
		return "*";
	snprintf(out, 24, "%" PRId64, n);
	return out;
}

static void rule_line(const struct device_rule *rule, char *out, size_t size)
{
	char major[24], minor[24];

	snprintf(out, size, "%c %s:%s %s%s%s", rule->type, number_text(rule->major, major),
		 number_text(rule->minor, minor), rule->access & DEVICE_READ ? "r" : "",
		 rule->access & DEVICE_WRITE ? "w" : "", rule->access & DEVICE_MKNOD ? "m" : "");
}

int device_policy_v1(const struct device_policy *policy,
		     int (*fn)(const struct device_rule *rule, bool allow, const char *line,
			       void *data),
		     void *data, struct err *err)
{
	char line[64];

	/* The kernel keeps one list of exceptions to "all" or "none". */
	for (size_t i = 0; i < policy->n; i++) {
		const struct device_rule *rule = &policy->rules[i];
		if (rule->allow != policy->allow)
			continue;
		rule_line(rule, line, sizeof(line));
		return err_fail(err, ERR_UNSUPPORTED,
				"linux.resources.devices: cgroup v1 can't %s \"%s\" within a wider "
				"rule before it",
				rule->allow ? "allow" : "deny", line);
	}
	int r = fn(NULL, policy->allow, "a", data);
	for (size_t i = 0; r == 0 && i < policy->n; i++) {
		rule_line(&policy->rules[i], line, sizeof(line));
		r = fn(&policy->rules[i], policy->rules[i].allow, line, data);
	}
	return r;
}

/* --- v1 --- */

struct v1_writer {
	const struct cgroup_dir *dir;
	int fds[2]; /* devices.deny, devices.allow: one write per line, but opened once */
	struct err *err;
};

static int v1_write(const struct device_rule *rule, bool allow, const char *line, void *data)
{
	struct v1_writer *w = data;
	const char *file = allow ? "devices.allow" : "devices.deny";
	int *fd = &w->fds[allow];

	if (*fd < 0)
		*fd = cgroup_file_open(w->dir, file, O_WRONLY);
	if (*fd < 0)
		return err_errno(w->err, -*fd, "opening %s of cgroup %s", file, w->dir->path);
	int r = cgroup_fd_write(*fd, w->dir, file, line, w->err);
	/* In a container whose own rules are narrower than what runc allows to everyone. */
	if (r == -EPERM && rule && is_implied(rule)) {
		log_debug("device rule \"%s\" is not allowed here", line);
		return 0;
	}
	return r;
}

static int apply_v1(const struct cgroup_dir *dir, const struct device_policy *policy, bool fresh,
		    struct err *err)
{
	struct v1_writer w = { .dir = dir, .fds = { -EBADF, -EBADF }, .err = err };
	/* A new cgroup has its parent's rules: nothing to add when all is allowed. */
	bool nothing = policy->allow && policy->n == 0 && fresh;
	int r = nothing ? 0 : device_policy_v1(policy, v1_write, &w, err);

	fd_close(w.fds[0]);
	fd_close(w.fds[1]);
	return r;
}

/* --- v2 --- */

static int apply_v2(const struct cgroup_dir *dir, const struct device_policy *policy, bool fresh,
		    struct err *err)
{
	if (policy->allow && policy->n == 0 && (fresh || bpf_device_count(dir->fd) == 0))
		return 0;
	cleanup_free struct bpf_insn *insns = NULL;
	size_t n = device_policy_bpf(policy, &insns);
	cleanup_fd int prog = bpf_device_load(insns, n, err);
	if (prog < 0)
		return prog;
	return fresh ? bpf_device_attach(dir->fd, prog, err)
		     : bpf_device_replace(dir->fd, prog, err);
}

static int no_devices_cgroup(const struct cgroup *cg, const struct spec_resources *res,
			     const struct device_policy *policy, struct err *err)
{
	if (policy->allow && policy->n == 0)
		return 0;
	if (!res || res->devices.n == 0) {
		/* A user namespace has no device nodes but the few that are bound. */
		log_msg(cg->rootless ? LOG_DEBUG : LOG_WARN,
			"no cgroup to keep the container from devices");
		return 0;
	}
	int r = err_fail(err, ERR_UNSUPPORTED,
			 "linux.resources.devices: there is no cgroup that could apply the rules");
	return err_hint(err, r, "mount cgroup2 or the devices controller of cgroup v1");
}

static int policy_apply(struct cgroup *cg, const struct spec_resources *res,
			const struct device_policy *policy, struct err *err)
{
	const struct cgroup_dir *v1 = cgroup_dir_find(cg, "devices");
	const struct cgroup_dir *v2 = cgroup_dir_find(cg, NULL);

	/* What was there before, or is applied to again, may have other rules. */
	if (v1)
		return apply_v1(v1, policy, !cg->opened && v1->n_created > 0, err);
	if (v2)
		return apply_v2(v2, policy, !cg->opened && v2->n_created > 0, err);
	return no_devices_cgroup(cg, res, policy, err);
}

/* Writing all rules again would deny everything for a moment, and what is below this cgroup for
 * good. */
static int change_v1(const struct cgroup_dir *dir, const struct device_policy *policy,
		     const struct device_rule *rule, struct err *err)
{
	struct v1_writer w = { .dir = dir, .fds = { -EBADF, -EBADF }, .err = err };
	char line[64];
	int r;

	rule_line(rule, line, sizeof(line));
	r = v1_write(rule, rule->allow, line, &w);
	/* The kernel may have taken from others that are the same. */
	for (size_t i = 0; r == 0 && !rule->allow && i < policy->n; i++) {
		if (!policy->rules[i].allow || !rule_meets(&policy->rules[i], rule))
			continue;
		rule_line(&policy->rules[i], line, sizeof(line));
		r = v1_write(&policy->rules[i], true, line, &w);
	}
	fd_close(w.fds[0]);
	fd_close(w.fds[1]);
	return r;
}

static int rule_of(const struct spec_device_rule *spec, bool allow, struct device_rule *ret,
		   struct err *err)
{
	struct device_policy one = { .allow = !allow };
	struct spec_device_rule rule = *spec;
	int r;

	rule.allow = allow;
	r = add_spec_rule(&one, &rule, 0, err);
	if (r == 0 && one.n != 1)
		r = err_fail(err, ERR_INVALID, "expected a rule for one kind of device");
	if (r == 0)
		*ret = one.rules[0];
	device_policy_done(&one);
	return r;
}

static int change(struct cgroup *cg, struct device_policy *policy, const struct device_rule *rule,
		  struct err *err)
{
	const struct cgroup_dir *v1 = cgroup_dir_find(cg, "devices");
	const struct cgroup_dir *v2 = cgroup_dir_find(cg, NULL);
	int r = 0;

	if (policy->allow)
		return 0;
	if (v1)
		return change_v1(v1, policy, rule, err);
	if (rule->allow)
		r = policy_add(policy, rule, err);
	return r < 0 || !v2 ? r : apply_v2(v2, policy, false, err);
}

int cgroup_devices_change(struct cgroup *cg, const struct spec_resources *res,
			  const struct spec_device_rule *spec, bool allow, struct err *err)
{
	struct device_policy policy;
	struct device_rule rule;
	struct err own = ERR_INIT;
	int r = device_policy_build(res, &policy, &own);

	if (r == 0)
		r = rule_of(spec, allow, &rule, &own);
	if (r == 0 && cg->opened)
		r = cgroup_controllers_read(cg, &own);
	if (r == 0)
		r = change(cg, &policy, &rule, &own);
	device_policy_done(&policy);
	if (r < 0 && cg->rootless)
		return 0; /* as when it is created */
	if (r < 0 && err)
		*err = own;
	return r < 0 ? err_wrap(err, r, "changing device rules") : 0;
}

int cgroup_devices_apply(struct cgroup *cg, const struct spec_resources *res, struct err *err)
{
	struct device_policy policy;
	struct err own = ERR_INIT;

	if (cg->opened && (!res || res->devices.n == 0))
		return 0;
	int r = device_policy_build(res, &policy, err);
	if (r < 0) {
		device_policy_done(&policy);
		return r;
	}
	r = policy_apply(cg, res, &policy, &own);
	device_policy_done(&policy);
	if (r < 0 && cg->rootless) {
		/* As runc: in a user namespace nobody can make or open what the user could not. */
		log_debug("without device rules: %s", own.msg);
		return 0;
	}
	if (r < 0 && err)
		*err = own;
	return r < 0 ? err_wrap(err, r, "applying device rules") : 0;
}
