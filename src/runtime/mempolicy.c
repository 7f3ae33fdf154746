/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/mempolicy.h"

#include <linux/mempolicy.h>
#include <sys/syscall.h>

#include "base/str.h"
#include "base/strv.h"
#include "sys/uapi.h"

struct word {
	const char *name;
	int value;
};

static const struct word modes[] = {
	{ "MPOL_DEFAULT", MPOL_DEFAULT },
	{ "MPOL_BIND", MPOL_BIND },
	{ "MPOL_INTERLEAVE", MPOL_INTERLEAVE },
	{ "MPOL_WEIGHTED_INTERLEAVE", MPOL_WEIGHTED_INTERLEAVE_NR },
	{ "MPOL_PREFERRED", MPOL_PREFERRED },
	{ "MPOL_PREFERRED_MANY", MPOL_PREFERRED_MANY },
	{ "MPOL_LOCAL", MPOL_LOCAL },
};
static const struct word flags[] = {
	{ "MPOL_F_NUMA_BALANCING", MPOL_F_NUMA_BALANCING },
	{ "MPOL_F_RELATIVE_NODES", MPOL_F_RELATIVE_NODES },
	{ "MPOL_F_STATIC_NODES", MPOL_F_STATIC_NODES },
};

const char *memory_policy_mode_word(size_t i)
{
	return i < ARRAY_SIZE(modes) ? modes[i].name : NULL;
}

const char *memory_policy_flag_word(size_t i)
{
	return i < ARRAY_SIZE(flags) ? flags[i].name : NULL;
}

static int find(const struct word *words, size_t n, const char *name, const char *where,
		struct err *err)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(words[i].name, name))
			return words[i].value;
	return err_fail(err, ERR_INVALID, "linux.memoryPolicy.%s: unknown word \"%s\"", where,
			name ? name : "");
}

/* "3" or "0-3" */
static int add_range(struct memory_policy *policy, char *range, struct err *err)
{
	char *dash = strchr(range, '-');
	int first, last, r;

	if (dash)
		*dash = '\0';
	r = str_parse_int(range, &first);
	last = first;
	if (r >= 0 && dash)
		r = str_parse_int(dash + 1, &last);
	if (r < 0 || first < 0 || last < first || last >= MEMORY_NODES_MAX)
		return err_fail(err, ERR_INVALID,
				"linux.memoryPolicy.nodes: expected a list of numbers and ranges "
				"from 0 to %d like 0-3,7",
				MEMORY_NODES_MAX - 1);
	for (int node = first; node <= last; node++)
		policy->nodes[(size_t)node / MEMORY_NODE_BITS] |=
		    1UL << ((size_t)node % MEMORY_NODE_BITS);
	policy->have_nodes = true;
	return 0;
}

int memory_policy_parse(const struct spec_memory_policy *p, struct memory_policy *ret,
			struct err *err)
{
	cleanup_strv char **ranges = p->nodes && p->nodes[0] ? strv_split(p->nodes, ',') : NULL;
	struct memory_policy policy = { 0 };
	int r = find(modes, ARRAY_SIZE(modes), p->mode, "mode", err);

	if (r < 0)
		return r;
	policy.mode = r;
	for (size_t i = 0; p->flags && p->flags[i]; i++) {
		r = find(flags, ARRAY_SIZE(flags), p->flags[i], "flags", err);
		if (r < 0)
			return r;
		policy.mode |= r;
	}
	for (size_t i = 0; ranges && ranges[i]; i++) {
		r = add_range(&policy, ranges[i], err);
		if (r < 0)
			return r;
	}
	*ret = policy;
	return 0;
}

int memory_policy_set(const struct spec_memory_policy *p, struct err *err)
{
	struct memory_policy policy;
	int r = memory_policy_parse(p, &policy, err);

	if (r < 0)
		return r;
	/* The kernel looks at one bit less than it is told. */
	if (syscall(SYS_set_mempolicy, policy.mode, policy.have_nodes ? policy.nodes : NULL,
		    policy.have_nodes ? (unsigned long)MEMORY_NODES_MAX + 1 : 0UL) == 0)
		return 0;
	r = err_errno(err, errno, "setting linux.memoryPolicy");
	if (r == -EINVAL)
		err_hint(err, r,
			 "the machine may lack one of the nodes, the container's cpuset may leave "
			 "them out, or the kernel may not know the mode or its flags");
	return r;
}
