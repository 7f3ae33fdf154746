/* SPDX-License-Identifier: Apache-2.0 */
/* The statistics as runc's `events` prints them: the same names, and the same members left out when
 * they are zero. */
#include <inttypes.h>

#include "runtime/cgroup_stats.h"

/* An object under way: commas between its members. */
struct object {
	struct buf *out;
	bool any;
};

static void key(struct object *o, const char *name)
{
	if (o->any)
		buf_addc(o->out, ',');
	o->any = true;
	json_write_string(o->out, name);
	buf_addc(o->out, ':');
}

static struct object begin(struct object *parent, const char *name)
{
	key(parent, name);
	buf_addc(parent->out, '{');
	return (struct object){ .out = parent->out };
}

static void end(struct object *o)
{
	buf_addc(o->out, '}');
}

static void number(struct object *o, const char *name, uint64_t value)
{
	key(o, name);
	buf_addf(o->out, "%" PRIu64, value);
}

static void number_if(struct object *o, const char *name, uint64_t value)
{
	if (value)
		number(o, name, value);
}

static void numbers_if(struct object *o, const char *name, const stats_u64s *list)
{
	if (!list->n)
		return;
	key(o, name);
	for (size_t i = 0; i < list->n; i++)
		buf_addf(o->out, "%s%" PRIu64, i ? "," : "[", list->items[i]);
	buf_addc(o->out, ']');
}

static void small_numbers_if(struct object *o, const char *name, const stats_u16s *list)
{
	if (!list->n)
		return;
	key(o, name);
	for (size_t i = 0; i < list->n; i++)
		buf_addf(o->out, "%s%u", i ? "," : "[", list->items[i]);
	buf_addc(o->out, ']');
}

/* 125 is 1.25, 150 is 1.5, 100 is 1. */
static void hundredths(struct object *o, const char *name, uint32_t value)
{
	key(o, name);
	buf_addf(o->out, "%u", value / 100);
	if (value % 100)
		buf_addf(o->out, value % 10 ? ".%02u" : ".%u",
			 value % 10 ? value % 100 : value % 100 / 10);
}

static void pressure_line(struct object *o, const char *name, const struct stats_pressure_line *l)
{
	struct object line = begin(o, name);

	hundredths(&line, "avg10", l->avg10);
	hundredths(&line, "avg60", l->avg60);
	hundredths(&line, "avg300", l->avg300);
	number(&line, "total", l->total_us);
	end(&line);
}

static void pressure(struct object *o, const struct stats_pressure *p)
{
	struct object psi;

	if (!p->set)
		return;
	psi = begin(o, "psi");
	pressure_line(&psi, "some", &p->some);
	pressure_line(&psi, "full", &p->full);
	end(&psi);
}

static void write_cpu(struct object *data, const struct stats_cpu *cpu)
{
	struct object o = begin(data, "cpu"), usage = begin(&o, "usage"), throttling;

	number_if(&usage, "total", cpu->usage);
	numbers_if(&usage, "percpu", &cpu->percpu);
	numbers_if(&usage, "percpu_kernel", &cpu->percpu_kernel);
	numbers_if(&usage, "percpu_user", &cpu->percpu_user);
	number(&usage, "kernel", cpu->kernel);
	number(&usage, "user", cpu->user);
	end(&usage);
	throttling = begin(&o, "throttling");
	number_if(&throttling, "periods", cpu->periods);
	number_if(&throttling, "throttledPeriods", cpu->throttled_periods);
	number_if(&throttling, "throttledTime", cpu->throttled_ns);
	end(&throttling);
	pressure(&o, &cpu->pressure);
	end(&o);
}

static void write_cpuset(struct object *data, const struct stats_cpuset *set)
{
	struct object o = begin(data, "cpuset");

	small_numbers_if(&o, "cpus", &set->cpus);
	number(&o, "cpu_exclusive", set->cpu_exclusive);
	small_numbers_if(&o, "mems", &set->mems);
	number(&o, "mem_hardwall", set->mem_hardwall);
	number(&o, "mem_exclusive", set->mem_exclusive);
	number(&o, "memory_migrate", set->memory_migrate);
	number(&o, "memory_spread_page", set->memory_spread_page);
	number(&o, "memory_spread_slab", set->memory_spread_slab);
	number(&o, "memory_pressure", set->memory_pressure);
	number(&o, "sched_load_balance", set->sched_load_balance);
	key(&o, "sched_relax_domain_level");
	buf_addf(o.out, "%" PRId64, set->sched_relax_domain_level);
	end(&o);
}

static void amount(struct object *o, const char *name, const struct stats_amount *a)
{
	struct object entry = begin(o, name);

	number(&entry, "limit", a->limit);
	number_if(&entry, "usage", a->usage);
	number_if(&entry, "max", a->max);
	number(&entry, "failcnt", a->failcnt);
	end(&entry);
}

static void write_memory(struct object *data, const struct stats_memory *m)
{
	struct object o = begin(data, "memory"), raw;

	number_if(&o, "cache", m->cache);
	amount(&o, "usage", &m->usage);
	amount(&o, "swap", &m->swap);
	amount(&o, "kernel", &m->kernel);
	amount(&o, "kernelTCP", &m->kernel_tcp);
	if (m->raw.n) {
		raw = begin(&o, "raw");
		for (size_t i = 0; i < m->raw.n; i++)
			number(&raw, m->raw.items[i].key, m->raw.items[i].value);
		end(&raw);
	}
	pressure(&o, &m->pressure);
	end(&o);
}

static void devices_if(struct object *o, const char *name, const stats_devices *list)
{
	if (!list->n)
		return;
	key(o, name);
	for (size_t i = 0; i < list->n; i++) {
		const struct stats_device *d = &list->items[i];
		struct object entry = { .out = o->out };

		buf_adds(o->out, i ? ",{" : "[{");
		number_if(&entry, "major", d->major);
		number_if(&entry, "minor", d->minor);
		if (d->op[0]) {
			key(&entry, "op");
			json_write_string(o->out, d->op);
		}
		number_if(&entry, "value", d->value);
		end(&entry);
	}
	buf_addc(o->out, ']');
}

static void write_blkio(struct object *data, const struct stats_blkio *io)
{
	struct object o = begin(data, "blkio");

	devices_if(&o, "ioServiceBytesRecursive", &io->service_bytes);
	devices_if(&o, "ioServicedRecursive", &io->serviced);
	devices_if(&o, "ioQueueRecursive", &io->queued);
	devices_if(&o, "ioServiceTimeRecursive", &io->service_time);
	devices_if(&o, "ioWaitTimeRecursive", &io->wait_time);
	devices_if(&o, "ioMergedRecursive", &io->merged);
	devices_if(&o, "ioTimeRecursive", &io->time);
	devices_if(&o, "sectorsRecursive", &io->sectors);
	pressure(&o, &io->pressure);
	end(&o);
}

void cgroup_stats_write(const struct cgroup_stats *s, struct buf *out)
{
	struct object data = { .out = out }, o;

	buf_addc(out, '{');
	write_cpu(&data, &s->cpu);
	write_cpuset(&data, &s->cpuset);
	write_memory(&data, &s->memory);
	o = begin(&data, "pids");
	number_if(&o, "current", s->pids.current);
	number_if(&o, "limit", s->pids.limit == STATS_NO_LIMIT ? 0 : s->pids.limit);
	end(&o);
	write_blkio(&data, &s->blkio);
	o = begin(&data, "hugetlb");
	for (size_t i = 0; i < s->hugetlb.n; i++) {
		struct object h = begin(&o, s->hugetlb.items[i].size);

		number_if(&h, "usage", s->hugetlb.items[i].usage);
		number_if(&h, "max", s->hugetlb.items[i].max);
		number(&h, "failcnt", s->hugetlb.items[i].failcnt);
		end(&h);
	}
	end(&o);
	o = begin(&data, "intel_rdt");
	end(&o);
	/* Interfaces are what engines make: a runtime by itself knows of none. */
	key(&data, "network_interfaces");
	buf_adds(out, "null");
	end(&data);
}
