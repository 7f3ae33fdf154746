/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a container uses, read from the files of its cgroups: v1, hybrid and v2 in one struct, in
 * the units and with the meaning that runc's `events` gives them (kernel
 * Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst). What the kernel does not count is 0 or
 * empty. The parsers are pure and take what they understand: a line that a newer kernel adds is
 * skipped, not an error.
 */
#pragma once

#include "base/json.h"
#include "runtime/cgroup.h"

#define STATS_NO_LIMIT UINT64_MAX

typedef JSON_LIST(uint64_t) stats_u64s;
typedef JSON_LIST(uint16_t) stats_u16s;

struct stats_amount { /* bytes; failcnt: how often the limit was hit (v1) */
	uint64_t usage, max, failcnt, limit;
};
struct stats_pressure_line { /* hundredths of a percent of the time; microseconds */
	uint32_t avg10, avg60, avg300;
	uint64_t total_us;
};
struct stats_pressure { /* kernel >= 4.20, cgroup2 only */
	bool set;
	struct stats_pressure_line some, full;
};
struct stats_device { /* op: "Read", "Write", "Sync" ..., may be "" */
	uint64_t major, minor, value;
	char op[16];
};
typedef JSON_LIST(struct stats_device) stats_devices;
struct stats_pair {
	char *key;
	uint64_t value;
};
typedef JSON_LIST(struct stats_pair) stats_pairs;
struct stats_hugetlb { /* bytes */
	char *size;    /* "2MB" */
	uint64_t usage, max, failcnt;
};

struct stats_cpu { /* nanoseconds */
	uint64_t usage, user, kernel;
	stats_u64s percpu, percpu_user, percpu_kernel; /* v1 */
	uint64_t periods, throttled_periods, throttled_ns;
	struct stats_pressure pressure;
};
struct stats_cpuset { /* v1 */
	stats_u16s cpus, mems;
	uint64_t cpu_exclusive, mem_exclusive, mem_hardwall, memory_migrate, memory_spread_page,
	    memory_spread_slab, memory_pressure, sched_load_balance;
	int64_t sched_relax_domain_level;
};
struct stats_memory {
	uint64_t cache;
	struct stats_amount usage;
	struct stats_amount swap;               /* memory and swap together, on v2 too */
	struct stats_amount kernel, kernel_tcp; /* v1 */
	stats_pairs raw;                        /* memory.stat */
	struct stats_pressure pressure;
};
struct stats_blkio { /* bytes, counts, nanoseconds, sectors */
	stats_devices service_bytes, serviced, queued, service_time, wait_time, merged, time,
	    sectors;
	struct stats_pressure pressure;
};
struct cgroup_stats {
	struct stats_cpu cpu;
	struct stats_cpuset cpuset;
	struct stats_memory memory;
	struct {
		uint64_t current, limit;
	} pids;
	struct stats_blkio blkio;
	JSON_LIST(struct stats_hugetlb) hugetlb;
};

/* After cgroup_create or cgroup_open. ERR_UNSUPPORTED: there is no cgroup. *ret is overwritten; the
 * caller calls cgroup_stats_done() after success. */
int cgroup_stats_read(struct cgroup *cg, struct cgroup_stats *ret, struct err *err);
/* The same of a third of the files: CPU in all and throttled, memory without swap, block devices,
 * processes, pressure. For who looks at a thousand containers every second. */
int cgroup_usage_read(struct cgroup *cg, struct cgroup_stats *ret, struct err *err);
void cgroup_stats_done(struct cgroup_stats *s);
/* The object that runc's `events` has as "data". */
void cgroup_stats_write(const struct cgroup_stats *s, struct buf *out);

/* --- parsers; each adds to *ret, which the caller frees --- */

/* "key value" lines: memory.stat, cpu.stat, cpuacct.stat, *.events */
void stats_parse_pairs(const char *text, size_t len, stats_pairs *ret);
const uint64_t *stats_pair_find(const stats_pairs *pairs, const char *key); /* NULL: none */
void stats_pairs_done(stats_pairs *pairs);
/* A number or "max", STATS_NO_LIMIT. */
int stats_parse_value(const char *text, size_t len, uint64_t *ret) MUST_CHECK;
/* cpuacct.usage_percpu: numbers in one line. */
void stats_parse_numbers(const char *text, size_t len, stats_u64s *ret);
/* cpuacct.usage_all: a header, then "cpu user system" lines. */
void stats_parse_usage_all(const char *text, size_t len, stats_u64s *user, stats_u64s *kernel);
/* blkio.*: "8:0 Read 4096" and "8:0 4096" lines, "Total" without a device left out. */
void stats_parse_blkio(const char *text, size_t len, stats_devices *ret);
/* io.stat: "8:0 rbytes=1 wbytes=2 rios=3 wios=4 ..." lines. */
void stats_parse_io(const char *text, size_t len, stats_devices *bytes, stats_devices *count);
/* cpu.pressure: "some avg10=0.00 avg60=0.00 avg300=0.00 total=0" and "full" lines. */
void stats_parse_pressure(const char *text, size_t len, struct stats_pressure *ret);
/* cpuset.cpus: "0-3,7". -EINVAL, and nothing added, when it is no such list. */
int stats_parse_list(const char *text, size_t len, stats_u16s *ret);
