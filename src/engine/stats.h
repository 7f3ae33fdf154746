/* SPDX-License-Identifier: Apache-2.0 */
/* What a container uses: one look at the counters, and what two of them say of the time between. */
#pragma once

#include "engine/network_policy.h"

struct engine_stats {
	char *id, *name;
	bool running; /* else all is 0 */
	bool paused;
	int64_t started_ns, at_ns; /* at_ns: CLOCK_MONOTONIC */
	uint64_t cpu_ns, throttled_ns;
	/* Bytes. usage: without file pages that can be dropped at once, as docker counts; limit:
	 * the machine's memory where there is none; peak: 0 where the kernel doesn't say. */
	uint64_t mem_usage, mem_peak, mem_limit;
	uint64_t net_in, net_out;     /* of all interfaces but lo; 0 in the host's namespace */
	struct policy_packets policy; /* of --firewall and --egress */
	uint64_t block_in, block_out;
	uint64_t pids;
	bool has_pressure; /* hundredths of a percent of the last ten seconds; v2 only */
	uint32_t cpu_pressure, mem_pressure, io_pressure;
	/* Set by engine_stats_rate(): percent of one CPU. */
	double cpu_percent, throttled_percent;
};
void engine_stats_done(struct engine_stats *s);
#define cleanup_engine_stats CLEANUP(engine_stats_done)

/* Of one that does not run, or has just ended: id and name. ERR_UNSUPPORTED: it has no cgroup. *ret
 * is zeroed before. */
int engine_stats_read(struct engine *eng, const struct record *rec, struct engine_stats *ret,
		      struct err *err);
void engine_stats_rate(const struct engine_stats *before, struct engine_stats *s);

/* /proc/net/dev: adds up what came and went, but on lo. Pure. */
void stats_parse_net_dev(const char *text, uint64_t *ret_in, uint64_t *ret_out);
