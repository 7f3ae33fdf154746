/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's formats of counters: every parser gets the input. Then the JSON of what they found
 * must be JSON. */
#include <stdlib.h>

#include "runtime/cgroup_stats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct json_desc any = { 0 };
	const char *text = (const char *)data;
	struct cgroup_stats s = { 0 };
	struct buf json = BUF_INIT;
	struct err err = ERR_INIT;
	char none;

	stats_parse_pairs(text, size, &s.memory.raw);
	if (stats_parse_value(text, size, &s.memory.usage.limit) < 0)
		s.memory.usage.limit = 0;
	stats_parse_numbers(text, size, &s.cpu.percpu);
	stats_parse_usage_all(text, size, &s.cpu.percpu_user, &s.cpu.percpu_kernel);
	stats_parse_blkio(text, size, &s.blkio.queued);
	stats_parse_io(text, size, &s.blkio.service_bytes, &s.blkio.serviced);
	stats_parse_pressure(text, size, &s.cpu.pressure);
	stats_parse_list(text, size, &s.cpuset.cpus);
	if (s.cpu.percpu_user.n != s.cpu.percpu_kernel.n)
		abort();
	for (size_t i = 0; i < s.blkio.queued.n; i++)
		if (!memchr(s.blkio.queued.items[i].op, 0, sizeof(s.blkio.queued.items[i].op)))
			abort();
	cgroup_stats_write(&s, &json);
	/* A key that comes twice is no duplicate that the kernel would write. */
	if (s.memory.raw.n < 2 && json_parse(&any, &none, json.data, json.len, "stats", &err) < 0 &&
	    err.kind != ERR_LIMIT)
		abort();
	buf_done(&json);
	cgroup_stats_done(&s);
	return 0;
}
