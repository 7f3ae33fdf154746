/* SPDX-License-Identifier: Apache-2.0 */
/* Which counter is in which file. */
#include "runtime/cgroup_stats.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/str.h"
#include "base/strv.h"
#include "runtime/cgroup_priv.h"

#define FILE_BYTES_MAX (4u << 20)
#define NS_PER_TICK    10000000ULL /* USER_HZ is 100 for every program */

/* false: not there, or nothing to read for this user. */
static bool read_text(const struct cgroup_dir *dir, const char *file, struct buf *text)
{
	cleanup_fd int fd = dir ? cgroup_file_open(dir, file, O_RDONLY) : -ENOENT;

	buf_reset(text);
	return fd >= 0 && io_read_all(fd, text, FILE_BYTES_MAX) >= 0;
}

static bool read_value(const struct cgroup_dir *dir, const char *file, uint64_t *ret)
{
	char text[64];
	ssize_t n = dir ? cgroup_file_read(dir, file, text, sizeof(text)) : -ENOENT;

	return n > 0 && stats_parse_value(text, (size_t)n, ret) == 0;
}

static bool read_pairs(const struct cgroup_dir *dir, const char *file, stats_pairs *ret)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT;

	if (!read_text(dir, file, &text))
		return false;
	stats_parse_pairs(buf_str(&text), text.len, ret);
	return true;
}

static uint64_t pair_value(const stats_pairs *pairs, const char *key)
{
	const uint64_t *v = stats_pair_find(pairs, key);

	return v ? *v : 0;
}

/* --- single values --- */

struct value_row {
	const char *controller, *file;
	size_t offset;
	bool usage; /* cgroup_usage_read() has it, too */
};
#define VALUE(c, f, member)                                                                        \
	{                                                                                          \
		(c), (f), offsetof(struct cgroup_stats, member), false                             \
	}
#define USAGE(c, f, member)                                                                        \
	{                                                                                          \
		(c), (f), offsetof(struct cgroup_stats, member), true                              \
	}
#define AMOUNT(prefix, member)                                                                     \
	VALUE("memory", prefix ".usage_in_bytes", member.usage),                                   \
	    VALUE("memory", prefix ".max_usage_in_bytes", member.max),                             \
	    VALUE("memory", prefix ".failcnt", member.failcnt),                                    \
	    VALUE("memory", prefix ".limit_in_bytes", member.limit)

static const struct value_row v1_values[] = {
	USAGE("cpuacct", "cpuacct.usage", cpu.usage),
	VALUE("cpuset", "cpuset.cpu_exclusive", cpuset.cpu_exclusive),
	VALUE("cpuset", "cpuset.mem_exclusive", cpuset.mem_exclusive),
	VALUE("cpuset", "cpuset.mem_hardwall", cpuset.mem_hardwall),
	VALUE("cpuset", "cpuset.memory_migrate", cpuset.memory_migrate),
	VALUE("cpuset", "cpuset.memory_spread_page", cpuset.memory_spread_page),
	VALUE("cpuset", "cpuset.memory_spread_slab", cpuset.memory_spread_slab),
	VALUE("cpuset", "cpuset.memory_pressure", cpuset.memory_pressure),
	VALUE("cpuset", "cpuset.sched_load_balance", cpuset.sched_load_balance),
	USAGE("memory", "memory.usage_in_bytes", memory.usage.usage),
	USAGE("memory", "memory.max_usage_in_bytes", memory.usage.max),
	VALUE("memory", "memory.failcnt", memory.usage.failcnt),
	USAGE("memory", "memory.limit_in_bytes", memory.usage.limit),
	AMOUNT("memory.memsw", memory.swap),
	AMOUNT("memory.kmem", memory.kernel),
	AMOUNT("memory.kmem.tcp", memory.kernel_tcp),
	USAGE("pids", "pids.current", pids.current),
	VALUE("pids", "pids.max", pids.limit),
};

static const struct value_row v2_values[] = {
	USAGE("memory", "memory.current", memory.usage.usage),
	USAGE("memory", "memory.max", memory.usage.limit),
	USAGE("memory", "memory.peak", memory.usage.max), /* kernel >= 5.19 */
	VALUE("memory", "memory.swap.current", memory.swap.usage),
	VALUE("memory", "memory.swap.max", memory.swap.limit),
	USAGE("pids", "pids.current", pids.current),
	VALUE("pids", "pids.max", pids.limit),
};

static void read_values(struct cgroup *cg, bool all, struct cgroup_stats *s)
{
	const struct cgroup_dir *v2 = cgroup_dir_find(cg, NULL);

	for (size_t i = 0; i < ARRAY_SIZE(v1_values); i++)
		if (all || v1_values[i].usage)
			read_value(cgroup_dir_find(cg, v1_values[i].controller), v1_values[i].file,
				   (uint64_t *)(void *)((char *)s + v1_values[i].offset));
	for (size_t i = 0; i < ARRAY_SIZE(v2_values); i++)
		if ((all || v2_values[i].usage) && !cgroup_dir_find(cg, v2_values[i].controller))
			read_value(v2, v2_values[i].file,
				   (uint64_t *)(void *)((char *)s + v2_values[i].offset));
}

/* --- CPU --- */

static void read_throttling_v1(struct cgroup *cg, struct stats_cpu *cpu)
{
	CLEANUP(stats_pairs_done) stats_pairs throttling = { 0 };

	read_pairs(cgroup_dir_find(cg, "cpu"), "cpu.stat", &throttling);
	cpu->periods = pair_value(&throttling, "nr_periods");
	cpu->throttled_periods = pair_value(&throttling, "nr_throttled");
	cpu->throttled_ns = pair_value(&throttling, "throttled_time");
}

static void read_cpu_v1(struct cgroup *cg, struct stats_cpu *cpu)
{
	const struct cgroup_dir *dir = cgroup_dir_find(cg, "cpuacct");
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	CLEANUP(stats_pairs_done) stats_pairs ticks = { 0 };

	read_pairs(dir, "cpuacct.stat", &ticks);
	cpu->user = pair_value(&ticks, "user") * NS_PER_TICK;
	cpu->kernel = pair_value(&ticks, "system") * NS_PER_TICK;
	if (read_text(dir, "cpuacct.usage_percpu", &text))
		stats_parse_numbers(buf_str(&text), text.len, &cpu->percpu);
	if (read_text(dir, "cpuacct.usage_all", &text))
		stats_parse_usage_all(buf_str(&text), text.len, &cpu->percpu_user,
				      &cpu->percpu_kernel);
}

/* cpu.stat is there without the controller too. */
static void read_cpu_v2(const struct cgroup_dir *v2, struct stats_cpu *cpu)
{
	CLEANUP(stats_pairs_done) stats_pairs pairs = { 0 };

	read_pairs(v2, "cpu.stat", &pairs);
	cpu->usage = pair_value(&pairs, "usage_usec") * 1000;
	cpu->user = pair_value(&pairs, "user_usec") * 1000;
	cpu->kernel = pair_value(&pairs, "system_usec") * 1000;
	cpu->periods = pair_value(&pairs, "nr_periods");
	cpu->throttled_periods = pair_value(&pairs, "nr_throttled");
	cpu->throttled_ns = pair_value(&pairs, "throttled_usec") * 1000;
}

static void read_cpuset(const struct cgroup_dir *dir, struct stats_cpuset *set)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	char level[32];

	if (read_text(dir, "cpuset.cpus", &text))
		stats_parse_list(buf_str(&text), text.len, &set->cpus);
	if (read_text(dir, "cpuset.mems", &text))
		stats_parse_list(buf_str(&text), text.len, &set->mems);
	if (dir &&
	    cgroup_file_read(dir, "cpuset.sched_relax_domain_level", level, sizeof(level)) > 0 &&
	    str_parse_i64(level, &set->sched_relax_domain_level) < 0)
		set->sched_relax_domain_level = 0;
}

/* --- memory --- */

static uint64_t sum_limits(uint64_t a, uint64_t b)
{
	return a == STATS_NO_LIMIT || b == STATS_NO_LIMIT ? STATS_NO_LIMIT : a + b;
}

static void read_memory(struct cgroup *cg, struct stats_memory *m)
{
	const struct cgroup_dir *dir = cgroup_dir_find(cg, "memory");
	const struct cgroup_dir *v2 = cgroup_dir_find(cg, NULL);

	read_pairs(dir ? dir : v2, "memory.stat", &m->raw);
	m->cache = pair_value(&m->raw, dir ? "cache" : "file");
	if (dir || !m->raw.n)
		return;
	m->swap.usage += m->usage.usage;
	m->swap.limit = sum_limits(m->swap.limit, m->usage.limit);
}

/* --- block devices --- */

struct blkio_row {
	const char *file;
	size_t offset;
};
#define BLKIO(f, member)                                                                           \
	{                                                                                          \
		(f), offsetof(struct stats_blkio, member)                                          \
	}
/* What a kernel has depends on its I/O schedulers: the first set whose first file has content. */
static const struct blkio_row bfq_debug[] = {
	BLKIO("blkio.bfq.sectors_recursive", sectors),
	BLKIO("blkio.bfq.io_service_time_recursive", service_time),
	BLKIO("blkio.bfq.io_wait_time_recursive", wait_time),
	BLKIO("blkio.bfq.io_merged_recursive", merged),
	BLKIO("blkio.bfq.io_queued_recursive", queued),
	BLKIO("blkio.bfq.time_recursive", time),
	BLKIO("blkio.bfq.io_serviced_recursive", serviced),
	BLKIO("blkio.bfq.io_service_bytes_recursive", service_bytes),
};
static const struct blkio_row bfq[] = {
	BLKIO("blkio.bfq.io_serviced_recursive", serviced),
	BLKIO("blkio.bfq.io_service_bytes_recursive", service_bytes),
};
static const struct blkio_row cfq[] = {
	BLKIO("blkio.sectors_recursive", sectors),
	BLKIO("blkio.io_service_time_recursive", service_time),
	BLKIO("blkio.io_wait_time_recursive", wait_time),
	BLKIO("blkio.io_merged_recursive", merged),
	BLKIO("blkio.io_queued_recursive", queued),
	BLKIO("blkio.time_recursive", time),
	BLKIO("blkio.io_serviced_recursive", serviced),
	BLKIO("blkio.io_service_bytes_recursive", service_bytes),
};
static const struct blkio_row throttle_recursive[] = {
	BLKIO("blkio.throttle.io_serviced_recursive", serviced),
	BLKIO("blkio.throttle.io_service_bytes_recursive", service_bytes),
};
static const struct blkio_row throttle[] = {
	BLKIO("blkio.throttle.io_serviced", serviced),
	BLKIO("blkio.throttle.io_service_bytes", service_bytes),
};
static const struct {
	const struct blkio_row *rows;
	size_t n;
} blkio_sets[] = {
	{ bfq_debug, ARRAY_SIZE(bfq_debug) },
	{ bfq, ARRAY_SIZE(bfq) },
	{ cfq, ARRAY_SIZE(cfq) },
	{ throttle_recursive, ARRAY_SIZE(throttle_recursive) },
	{ throttle, ARRAY_SIZE(throttle) },
};

static void read_blkio_v1(const struct cgroup_dir *dir, struct stats_blkio *io)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(blkio_sets); i++) {
		bool any = false;

		for (size_t k = 0; k < blkio_sets[i].n; k++) {
			const struct blkio_row *row = &blkio_sets[i].rows[k];
			stats_devices *list = (void *)((char *)io + row->offset);

			if (k > 0 && !any)
				break;
			if (!read_text(dir, row->file, &text))
				continue;
			stats_parse_blkio(buf_str(&text), text.len, list);
			any = any || list->n > 0;
		}
		if (any)
			return;
	}
}

/* --- huge pages --- */

/* The size in "hugetlb.2MB.max", NULL for any other name. The caller frees. */
static char *hugetlb_size(const char *name, const char *suffix)
{
	const char *size = str_after(name, "hugetlb.");
	size_t len = size ? strcspn(size, ".") : 0;

	return len > 0 && str_eq(size + len, suffix) ? xstrndup(size, len) : NULL;
}

/* Reservations where the kernel counts them (>= 5.7), as runc. */
static void read_hugetlb(const struct cgroup_dir *dir, const char *size, struct stats_hugetlb *ret)
{
	static const char *const kinds[] = { ".rsvd", "" };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		CLEANUP(stats_pairs_done) stats_pairs events = { 0 };
		cleanup_free char *base = xasprintf("hugetlb.%s%s", size, kinds[i]);
		cleanup_free char *usage =
		    xasprintf("%s.%s", base, dir->v2 ? "current" : "usage_in_bytes");
		cleanup_free char *max = xasprintf("%s.max_usage_in_bytes", base);
		cleanup_free char *failcnt = xasprintf("%s.failcnt", base);
		cleanup_free char *events_file = xasprintf("hugetlb.%s.events", size);

		if (!read_value(dir, usage, &ret->usage))
			continue;
		read_value(dir, max, &ret->max);
		read_value(dir, failcnt, &ret->failcnt);
		if (dir->v2 && read_pairs(dir, events_file, &events))
			ret->failcnt = pair_value(&events, "max");
		return;
	}
}

static void read_hugetlbs(struct cgroup *cg, struct cgroup_stats *s)
{
	const struct cgroup_dir *v1 = cgroup_dir_find(cg, "hugetlb");
	const struct cgroup_dir *dir = v1 ? v1 : cgroup_dir_find(cg, NULL);
	int fd = dir ? cgroup_file_open(dir, ".", O_RDONLY | O_DIRECTORY) : -ENOENT;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!d) {
		fd_close(fd);
		return;
	}
	while ((e = readdir(d))) {
		char *size = hugetlb_size(e->d_name, v1 ? ".usage_in_bytes" : ".current");

		if (!size)
			continue;
		s->hugetlb.items =
		    xrealloc(s->hugetlb.items, (s->hugetlb.n + 1) * sizeof(*s->hugetlb.items));
		s->hugetlb.items[s->hugetlb.n] = (struct stats_hugetlb){ .size = size };
		read_hugetlb(dir, size, &s->hugetlb.items[s->hugetlb.n++]);
	}
	closedir(d);
}

/* --- all --- */

static void read_pressure(const struct cgroup_dir *v2, const char *file, struct stats_pressure *ret)
{
	CLEANUP(buf_done) struct buf text = BUF_INIT;

	if (read_text(v2, file, &text))
		stats_parse_pressure(buf_str(&text), text.len, ret);
}

static int read_all(struct cgroup *cg, bool all, struct cgroup_stats *ret, struct err *err)
{
	struct cgroup_stats s = { .pids = { .limit = STATS_NO_LIMIT } };
	const struct cgroup_dir *v2 = cgroup_dir_find(cg, NULL);
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	int r;

	if (cg->n == 0)
		return err_fail(err, ERR_UNSUPPORTED,
				"the container has no cgroup of its own: nothing is counted");
	r = cg->opened ? cgroup_controllers_read(cg, err) : 0;
	if (r < 0)
		return r;
	read_values(cg, all, &s);
	if (!cgroup_dir_find(cg, "cpuacct"))
		read_cpu_v2(v2, &s.cpu);
	else
		read_throttling_v1(cg, &s.cpu);
	if (all && cgroup_dir_find(cg, "cpuacct"))
		read_cpu_v1(cg, &s.cpu);
	read_memory(cg, &s.memory);
	if (cgroup_dir_find(cg, "blkio"))
		read_blkio_v1(cgroup_dir_find(cg, "blkio"), &s.blkio);
	else if (read_text(v2, "io.stat", &text))
		stats_parse_io(buf_str(&text), text.len, &s.blkio.service_bytes, &s.blkio.serviced);
	read_pressure(v2, "cpu.pressure", &s.cpu.pressure);
	read_pressure(v2, "memory.pressure", &s.memory.pressure);
	read_pressure(v2, "io.pressure", &s.blkio.pressure);
	if (all) {
		read_cpuset(cgroup_dir_find(cg, "cpuset"), &s.cpuset);
		read_hugetlbs(cg, &s);
	}
	*ret = s;
	return 0;
}

int cgroup_stats_read(struct cgroup *cg, struct cgroup_stats *ret, struct err *err)
{
	return read_all(cg, true, ret, err);
}

int cgroup_usage_read(struct cgroup *cg, struct cgroup_stats *ret, struct err *err)
{
	return read_all(cg, false, ret, err);
}

void cgroup_stats_done(struct cgroup_stats *s)
{
	stats_devices *const devices[] = {
		&s->blkio.service_bytes, &s->blkio.serviced,  &s->blkio.queued,
		&s->blkio.service_time,  &s->blkio.wait_time, &s->blkio.merged,
		&s->blkio.time,          &s->blkio.sectors,
	};

	free(s->cpu.percpu.items);
	free(s->cpu.percpu_user.items);
	free(s->cpu.percpu_kernel.items);
	free(s->cpuset.cpus.items);
	free(s->cpuset.mems.items);
	stats_pairs_done(&s->memory.raw);
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
		free(devices[i]->items);
	for (size_t i = 0; i < s->hugetlb.n; i++)
		free(s->hugetlb.items[i].size);
	free(s->hugetlb.items);
	*s = (struct cgroup_stats){ 0 };
}
