/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of config.json's "linux.resources" (runtime-spec config-linux.md, Control groups). */
#include <inttypes.h>

#include "base/str.h"
#include "oci/spec_internal.h"

int spec_check_device_rule(const void *object, struct err *err)
{
	static const char *const types[] = { "a", "b", "c", NULL };
	const struct spec_device_rule *rule = object;
	int r;

	r = rule->type && *rule->type ? spec_check_word(err, "type", rule->type, types) : 0;
	if (r < 0)
		return r;
	if (rule->access && strspn(rule->access, "rwm") != strlen(rule->access))
		return spec_fail_value(err, "access", rule->access, "letters of \"rwm\"");
	/* -1 is how older tools write "any" */
	return spec_check_device_number(err, rule->major.set ? rule->major.value : -1,
					rule->minor.set ? rule->minor.value : -1, -1);
}

static int check_opt_range(struct err *err, const char *member, const struct opt_i64 *v,
			   int64_t min, int64_t max)
{
	return v->set ? spec_check_range(err, member, v->value, min, max) : 0;
}

int spec_check_memory(const void *object, struct err *err)
{
	const struct spec_memory *m = object;
	const struct {
		const char *name;
		const struct opt_i64 *value;
	} amounts[] = {
		{ "limit", &m->limit },   { "reservation", &m->reservation }, { "swap", &m->swap },
		{ "kernel", &m->kernel }, { "kernelTCP", &m->kernel_tcp },
	};
	size_t i;
	int r;

	for (i = 0; i < ARRAY_SIZE(amounts); i++) {
		r = check_opt_range(err, amounts[i].name, amounts[i].value, -1, INT64_MAX);
		if (r < 0)
			return r;
	}
	/* "swap" is memory and swap together; 0 and -1 stand for unset and unlimited */
	if (m->limit.set && m->swap.set && m->swap.value > 0 && m->swap.value < m->limit.value)
		return json_fail(err, "swap", "expected at least limit (%" PRId64 "), got %" PRId64,
				 m->limit.value, m->swap.value);
	if (m->swappiness.set && m->swappiness.value > 100)
		return json_fail(err, "swappiness",
				 "expected an integer from 0 to 100, got %" PRIu64,
				 m->swappiness.value);
	return 0;
}

int spec_check_cpu(const void *object, struct err *err)
{
	const struct spec_cpu *cpu = object;
	int r;

	r = check_opt_range(err, "quota", &cpu->quota, -1, INT64_MAX);
	if (r < 0)
		return r;
	r = check_opt_range(err, "realtimeRuntime", &cpu->realtime_runtime, -1, INT64_MAX);
	if (r < 0)
		return r;
	r = check_opt_range(err, "idle", &cpu->idle, 0, 1);
	if (r < 0)
		return r;
	if (cpu->burst.set && cpu->quota.set && cpu->quota.value > 0 &&
	    cpu->burst.value > (uint64_t)cpu->quota.value)
		return json_fail(err, "burst", "expected at most quota (%" PRId64 "), got %" PRIu64,
				 cpu->quota.value, cpu->burst.value);
	r = cpu->cpus ? spec_check_cpu_list(err, "cpus", cpu->cpus) : 0;
	if (r < 0)
		return r;
	return cpu->mems ? spec_check_cpu_list(err, "mems", cpu->mems) : 0;
}

int spec_check_pids(const void *object, struct err *err)
{
	const struct spec_pids *pids = object;

	return check_opt_range(err, "limit", &pids->limit, -1, INT64_MAX);
}

static int check_weight(struct err *err, const char *member, const struct opt_u32 *weight)
{
	if (!weight->set || weight->value == 0 || (weight->value >= 10 && weight->value <= 1000))
		return 0;
	return json_fail(err, member, "expected an integer from 10 to 1000, got %u", weight->value);
}

int spec_check_weight_device(const void *object, struct err *err)
{
	const struct spec_weight_device *d = object;
	int r;

	r = spec_check_device_number(err, d->major, d->minor, 0);
	if (r < 0)
		return r;
	if (!d->weight.set && !d->leaf_weight.set)
		return json_fail(err, "", "expected weight or leafWeight");
	r = check_weight(err, "weight", &d->weight);
	if (r < 0)
		return r;
	return check_weight(err, "leafWeight", &d->leaf_weight);
}

int spec_check_throttle_device(const void *object, struct err *err)
{
	const struct spec_throttle_device *d = object;

	return spec_check_device_number(err, d->major, d->minor, 0);
}

int spec_check_block_io(const void *object, struct err *err)
{
	const struct spec_block_io *io = object;
	int r;

	r = check_weight(err, "weight", &io->weight);
	if (r < 0)
		return r;
	return check_weight(err, "leafWeight", &io->leaf_weight);
}

/* It becomes part of a file name: hugetlb.<size>.limit_in_bytes */
int spec_check_hugepage_limit(const void *object, struct err *err)
{
	static const char *const units[] = { "KB", "MB", "GB", NULL };
	const struct spec_hugepage_limit *h = object;
	size_t digits = strspn(h->page_size, "0123456789");

	if (digits == 0 || digits > 10 || h->page_size[0] == '0' ||
	    !spec_word_in(h->page_size + digits, units))
		return spec_fail_value(err, "pageSize", h->page_size,
				       "a size like 64KB, 2MB or 1GB");
	return 0;
}

int spec_check_net_priority(const void *object, struct err *err)
{
	const struct spec_net_priority *p = object;

	return spec_check_ifname(err, "name", p->name);
}

int spec_check_rdma(const void *object, struct err *err)
{
	const struct spec_rdma *rdma = object;

	if (!rdma->hca_handles.set && !rdma->hca_objects.set)
		return json_fail(err, "", "expected hcaHandles or hcaObjects");
	return 0;
}

/* A line "device hca_handle=n" is written to rdma.max: the name may not break it. */
static bool rdma_name_valid(const char *name)
{
	const char *p;

	for (p = name; *p; p++)
		if (*p <= ' ' || *p == 0x7f || *p == '=' || *p == '/')
			return false;
	return *name != '\0';
}

/* The key names a file of the cgroup's own directory, so it may not lead anywhere else, and is for
 * limits: processes of others that were moved in would die with the container. */
static bool unified_key_valid(const char *key)
{
	static const char ok[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";

	if (strcmp(key, "cgroup.procs") == 0 || strcmp(key, "cgroup.threads") == 0)
		return false;
	return *key && *key != '.' && strchr(key, '.') && strspn(key, ok) == strlen(key);
}

int spec_check_resources(const void *object, struct err *err)
{
	const struct spec_resources *res = object;
	size_t i;

	for (i = 0; i < res->rdma.n; i++)
		if (!rdma_name_valid(res->rdma.items[i].device))
			return spec_fail_value(err, "rdma", res->rdma.items[i].device,
					       "the name of an RDMA device");
	for (i = 0; i < res->unified.n; i++)
		if (!unified_key_valid(res->unified.items[i].key))
			return spec_fail_value(err, "unified", res->unified.items[i].key,
					       "the name of a cgroup file like memory.high");
	return 0;
}
