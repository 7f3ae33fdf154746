/* SPDX-License-Identifier: Apache-2.0 */
/* The limits that few ask for. */
#include "base/str.h"
#include "engine/spec.h"

static struct spec_memory *memory_of(struct spec_resources *res)
{
	if (!res->memory)
		res->memory = xcalloc(1, sizeof(*res->memory));
	return res->memory;
}

static int gen_memory_ways(const struct run_options *o, struct spec_resources *res, struct err *err)
{
	const struct opt_i64 *swappiness = &o->memory_swappiness;

	if (o->kernel_memory)
		return err_hint(err,
				err_fail(err, ERR_UNSUPPORTED,
					 "--kernel-memory: the kernel has no such limit any more"),
				"--memory limits what the kernel keeps for the container, too");
	if (swappiness->set && (swappiness->value < -1 || swappiness->value > 100))
		return err_fail(err, ERR_USAGE,
				"Invalid value: %lld, valid memory swappiness range is 0-100",
				(long long)swappiness->value);
	if (swappiness->set && swappiness->value >= 0)
		memory_of(res)->swappiness = (struct opt_u64){ true, (uint64_t)swappiness->value };
	if (o->oom_kill_disable)
		memory_of(res)->disable_oom_killer = (struct opt_bool){ true, true };
	return 0;
}

static void gen_realtime(const struct run_options *o, struct spec_resources *res)
{
	if (!o->cpu_rt_period.value && !o->cpu_rt_runtime.value)
		return;
	if (!res->cpu)
		res->cpu = xcalloc(1, sizeof(*res->cpu));
	if (o->cpu_rt_period.value)
		res->cpu->realtime_period = o->cpu_rt_period;
	if (o->cpu_rt_runtime.value)
		res->cpu->realtime_runtime = o->cpu_rt_runtime;
}

static int gen_rules(const struct spec_input *in, struct spec_resources *res, struct err *err)
{
	char **words = in->opts->device_cgroup_rule;

	if (words && words[0] && in->rootless)
		return err_fail(err, ERR_UNSUPPORTED,
				"--device-cgroup-rule: only root can give devices");
	for (size_t i = 0; words && words[i]; i++) {
		struct spec_device_rule rule = { 0 };
		int r = device_rule_parse(words[i], &rule, err);

		if (r < 0)
			return r;
		*LIST_ADD(res->devices) = rule;
	}
	return 0;
}

static int gen_conf(const struct run_options *o, struct spec_resources *res, struct err *err)
{
	for (size_t i = 0; o->cgroup_conf && o->cgroup_conf[i]; i++) {
		const char *word = o->cgroup_conf[i];
		const char *eq = strchr(word, '=');
		cleanup_free char *key = eq ? xstrndup(word, (size_t)(eq - word)) : NULL;

		if (!eq || !key[0] || !eq[1])
			return err_fail(err, ERR_USAGE,
					"invalid cgroup configuration \"%s\": expected FILE=VALUE",
					word);
		json_map_set(&res->unified, key, eq + 1);
	}
	return 0;
}

static int check_cgroups(const struct run_options *o, struct err *err)
{
	if (!o->cgroups || str_eq(o->cgroups, "enabled") || str_eq(o->cgroups, "no-conmon"))
		return 0;
	if (str_eq(o->cgroups, "split") && o->cgroup_parent)
		return err_fail(err, ERR_USAGE,
				"conflicting options: --cgroups split, which has the caller's "
				"cgroup as its parent, and --cgroup-parent");
	if (str_eq(o->cgroups, "split"))
		return 0;
	if (str_eq(o->cgroups, "disabled"))
		return err_fail(err, ERR_UNSUPPORTED,
				"--cgroups %s: a container needs a cgroup of its own, by which it "
				"is stopped and counted",
				o->cgroups);
	return err_fail(err, ERR_USAGE,
			"--cgroups: expected enabled, no-conmon or split, got \"%s\"", o->cgroups);
}

int spec_gen_limits(struct spec_input *in, struct spec_linux *l, struct err *err)
{
	const struct run_options *o = in->opts;
	struct spec_resources *res = l->resources;
	int r = check_cgroups(o, err);

	if (r == 0)
		r = gen_memory_ways(o, res, err);
	if (r == 0)
		r = gen_rules(in, res, err);
	if (r == 0)
		r = gen_conf(o, res, err);
	if (r < 0)
		return r;
	gen_realtime(o, res);
	res->block_io = in->limits.block_io;
	in->limits.block_io = NULL;
	if (o->rdt_class) {
		l->intel_rdt = xcalloc(1, sizeof(*l->intel_rdt));
		l->intel_rdt->clos_id = xstrdup(o->rdt_class);
	}
	return 0;
}
