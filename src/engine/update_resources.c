/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of `inro update`, with docker's rules: 0 and absent leave a limit as it is. */
#include "engine/update.h"

#include "base/str.h"
#include "engine/spec.h"

#define CPU_PERIOD_DEFAULT_US 100000
#define MEMORY_MIN            (UINT64_C(6) << 20)
#define CPUS_MAX_NANO         (UINT64_C(1000000) * 1000000000)
#define BLKIO_WEIGHT_MIN      10
#define BLKIO_WEIGHT_MAX      1000
#define SWAPPINESS_MAX        100

static bool has(const struct opt_u64 *v)
{
	return v->set && v->value;
}

static int parse_bytes(const struct opt_u64 *v, const char *option, struct opt_i64 *ret,
		       struct err *err)
{
	if (!has(v))
		return 0;
	if (v->value > INT64_MAX / 2)
		return err_fail(err, ERR_USAGE, "%s: out of range", option);
	*ret = (struct opt_i64){ true, (int64_t)v->value };
	return 0;
}

static int parse_swap(const char *text, struct opt_i64 *ret, struct err *err)
{
	uint64_t v = 0;

	if (str_eq(text, "-1")) {
		*ret = (struct opt_i64){ true, -1 };
		return 0;
	}
	if (!text)
		return 0;
	if (str_parse_bytes(text, &v) < 0 || v > INT64_MAX)
		return err_fail(err, ERR_USAGE, "--memory-swap: invalid size: %s", text);
	if (v)
		*ret = (struct opt_i64){ true, (int64_t)v };
	return 0;
}

static int parse_memory(const struct update_options *o, struct spec_resources *res, struct err *err)
{
	struct spec_memory m = { .swappiness = o->memory_swappiness };
	int r = parse_bytes(&o->memory, "--memory", &m.limit, err);

	if (r == 0)
		r = parse_bytes(&o->memory_reservation, "--memory-reservation", &m.reservation,
				err);
	if (r == 0)
		r = parse_swap(o->memory_swap, &m.swap, err);
	if (r < 0)
		return r;
	if (m.limit.set && o->memory.value < MEMORY_MIN)
		return err_fail(err, ERR_USAGE, "minimum memory limit allowed is 6MB");
	if (m.swappiness.set && m.swappiness.value > SWAPPINESS_MAX)
		return err_fail(err, ERR_USAGE, "--memory-swappiness: expected 0 to %d",
				SWAPPINESS_MAX);
	if (!m.limit.set && !m.reservation.set && !m.swap.set && !m.swappiness.set)
		return 0;
	res->memory = xmalloc(sizeof(m));
	*res->memory = m;
	return 0;
}

static int parse_cpus(const char *text, struct spec_cpu *cpu, struct err *err)
{
	uint64_t nano;

	if (str_parse_nano(text, &nano) < 0 || nano > CPUS_MAX_NANO)
		return err_fail(err, ERR_USAGE, "--cpus: expected a number like 1.5, got %s", text);
	if (!nano)
		return 0;
	if (nano < 10000000)
		return err_fail(err, ERR_USAGE, "--cpus: at least 0.01");
	cpu->period = (struct opt_u64){ true, CPU_PERIOD_DEFAULT_US };
	cpu->quota =
	    (struct opt_i64){ true, (int64_t)(nano / (1000000000 / CPU_PERIOD_DEFAULT_US)) };
	return 0;
}

static int parse_cpu(const struct update_options *o, struct spec_resources *res, struct err *err)
{
	struct spec_cpu cpu = { 0 };
	int r = 0;

	if (o->cpus && (o->cpu_period.set || o->cpu_quota.set))
		return err_fail(err, ERR_USAGE,
				"conflicting options: --cpus and --cpu-period or --cpu-quota");
	if (o->cpus)
		r = parse_cpus(o->cpus, &cpu, err);
	if (r < 0)
		return r;
	if (has(&o->cpu_period))
		cpu.period = o->cpu_period;
	if (o->cpu_quota.set && o->cpu_quota.value)
		cpu.quota = o->cpu_quota;
	if (has(&o->cpu_shares))
		cpu.shares = o->cpu_shares;
	if (has(&o->cpu_rt_period))
		cpu.realtime_period = o->cpu_rt_period;
	if (o->cpu_rt_runtime.set)
		cpu.realtime_runtime = o->cpu_rt_runtime;
	if (o->cpuset_cpus && o->cpuset_cpus[0])
		cpu.cpus = xstrdup(o->cpuset_cpus);
	if (o->cpuset_mems && o->cpuset_mems[0])
		cpu.mems = xstrdup(o->cpuset_mems);
	if (!cpu.period.set && !cpu.quota.set && !cpu.shares.set && !cpu.realtime_period.set &&
	    !cpu.realtime_runtime.set && !cpu.cpus && !cpu.mems)
		return 0;
	res->cpu = xmalloc(sizeof(cpu));
	*res->cpu = cpu;
	return 0;
}

static int parse_others(const struct update_options *o, struct spec_resources *res, struct err *err)
{
	if (o->pids_limit.set) {
		res->pids = xcalloc(1, sizeof(*res->pids));
		res->pids->limit =
		    o->pids_limit.value > 0 ? o->pids_limit : (struct opt_i64){ true, -1 };
	}
	if (!has(&o->blkio_weight))
		return 0;
	if (o->blkio_weight.value < BLKIO_WEIGHT_MIN || o->blkio_weight.value > BLKIO_WEIGHT_MAX)
		return err_fail(err, ERR_USAGE, "range of blkio weight is from %d to %d",
				BLKIO_WEIGHT_MIN, BLKIO_WEIGHT_MAX);
	res->block_io = xcalloc(1, sizeof(*res->block_io));
	res->block_io->weight = (struct opt_u32){ true, (uint32_t)o->blkio_weight.value };
	return 0;
}

int update_resources(const struct update_options *opts, struct spec_resources *ret, struct err *err)
{
	struct spec_resources res = { 0 };
	int r = parse_memory(opts, &res, err);

	if (r == 0)
		r = parse_cpu(opts, &res, err);
	if (r == 0)
		r = parse_others(opts, &res, err);
	if (r < 0) {
		json_free(&spec_resources_desc, &res);
		return r;
	}
	*ret = res;
	return res.memory || res.cpu || res.pids || res.block_io ? 0 : 1;
}

/* ---- with what there is ---- */

#define TAKE(to, from, member)                                                                     \
	do {                                                                                       \
		if ((from)->member.set)                                                            \
			(to)->member = (from)->member;                                             \
	} while (0)

static void take_str(char **to, const char *from)
{
	if (!from)
		return;
	free(*to);
	*to = xstrdup(from);
}

static int check_memory(const struct spec_memory *m, const struct spec_memory *delta,
			struct err *err)
{
	if (m->limit.value > 0 && m->reservation.value > m->limit.value)
		return err_fail(err, ERR_USAGE,
				"minimum memory limit can not be less than memory reservation "
				"limit, see usage");
	if (m->swap.value <= 0)
		return 0;
	if (m->limit.value <= 0)
		return err_fail(err, ERR_USAGE,
				"you should always set the memory limit when using the memory swap "
				"limit, see usage");
	if (m->swap.value >= m->limit.value)
		return 0;
	if (delta->swap.set)
		return err_fail(err, ERR_USAGE,
				"minimum memory swap limit should be larger than memory limit, see "
				"usage");
	return err_fail(err, ERR_USAGE,
			"memory limit should be smaller than already set memory swap limit, update "
			"the memory swap at the same time");
}

static int merge_memory(struct spec_resources *now, struct spec_memory *delta, bool swap_limits,
			struct err *err)
{
	struct spec_memory *m = now->memory;

	if (!m)
		m = now->memory = xcalloc(1, sizeof(*m));
	/* As run has it: as much swap as memory, where nothing else was said. */
	if (delta->limit.set && !delta->swap.set && !m->swap.set && swap_limits)
		delta->swap = (struct opt_i64){ true, 2 * delta->limit.value };
	TAKE(m, delta, limit);
	TAKE(m, delta, reservation);
	TAKE(m, delta, swap);
	TAKE(m, delta, swappiness);
	return check_memory(m, delta, err);
}

static void merge_cpu(struct spec_resources *now, const struct spec_cpu *delta)
{
	struct spec_cpu *cpu = now->cpu;

	if (!cpu)
		cpu = now->cpu = xcalloc(1, sizeof(*cpu));
	TAKE(cpu, delta, shares);
	TAKE(cpu, delta, period);
	TAKE(cpu, delta, quota);
	TAKE(cpu, delta, realtime_period);
	TAKE(cpu, delta, realtime_runtime);
	take_str(&cpu->cpus, delta->cpus);
	take_str(&cpu->mems, delta->mems);
}

static void merge_rates(spec_throttle_list *now, const spec_throttle_list *delta)
{
	for (size_t i = 0; i < delta->n; i++) {
		const struct spec_throttle_device *d = &delta->items[i];
		size_t at = 0;

		while (at < now->n &&
		       (now->items[at].major != d->major || now->items[at].minor != d->minor))
			at++;
		if (at == now->n)
			LIST_ADD(*now);
		now->items[at] = *d;
	}
}

static void merge_weight(struct spec_block_io *now, const struct spec_weight_device *d)
{
	size_t at = 0;

	while (at < now->weight_device.n && (now->weight_device.items[at].major != d->major ||
					     now->weight_device.items[at].minor != d->minor))
		at++;
	if (at == now->weight_device.n)
		*LIST_ADD(now->weight_device) = *d;
	else
		TAKE(&now->weight_device.items[at], d, weight);
}

static void merge_block_io(struct spec_block_io *now, const struct spec_block_io *delta)
{
	TAKE(now, delta, weight);
	for (size_t i = 0; i < delta->weight_device.n; i++)
		merge_weight(now, &delta->weight_device.items[i]);
	merge_rates(&now->read_bps, &delta->read_bps);
	merge_rates(&now->write_bps, &delta->write_bps);
	merge_rates(&now->read_iops, &delta->read_iops);
	merge_rates(&now->write_iops, &delta->write_iops);
}

int update_merge(struct spec_resources *now, struct spec_resources *delta, bool swap_limits,
		 struct err *err)
{
	if (delta->cpu)
		merge_cpu(now, delta->cpu);
	if (delta->pids) {
		if (!now->pids)
			now->pids = xcalloc(1, sizeof(*now->pids));
		now->pids->limit = delta->pids->limit;
	}
	if (delta->block_io) {
		if (!now->block_io)
			now->block_io = xcalloc(1, sizeof(*now->block_io));
		merge_block_io(now->block_io, delta->block_io);
	}
	return delta->memory ? merge_memory(now, delta->memory, swap_limits, err) : 0;
}
