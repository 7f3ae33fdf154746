/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "base/io.h"
#include "base/str.h"
#include "runtime/cli.h"

struct update_opts {
	char *resources, *cpuset_cpus, *cpuset_mems, *l3_cache_schema, *mem_bw_schema;
	struct opt_u64 blkio_weight, cpu_period, cpu_burst, cpu_share, cpu_rt_period;
	struct opt_i64 cpu_quota, cpu_rt_runtime, cpu_idle, pids_limit;
	struct opt_i64 memory, reservation, swap, kernel, kernel_tcp;
};

/* "512m", or -1 for no limit. */
static int parse_size(void *field, const char *value, struct err *err)
{
	struct opt_i64 *ret = field;
	uint64_t bytes;

	if (str_eq(value, "-1")) {
		*ret = (struct opt_i64){ .set = true, .value = -1 };
		return 0;
	}
	if (str_parse_bytes(value, &bytes) < 0 || bytes > INT64_MAX)
		return err_fail(err, ERR_USAGE,
				"expected a size like 512m or 2g, or -1, got \"%s\"", value);
	*ret = (struct opt_i64){ .set = true, .value = (int64_t)bytes };
	return 0;
}

static int read_resources(const char *file, struct buf *text, struct err *err)
{
	int r;

	if (!str_eq(file, "-"))
		return io_read_file(AT_FDCWD, file, text, SPEC_BYTES_MAX, err);
	r = io_read_all(0, text, SPEC_BYTES_MAX);
	return r < 0 ? err_errno(err, -r, "reading the resources from standard input") : 0;
}

/* The options as the document that --resources would be, so that the same checks apply. */
static void write_resources(const struct update_opts *o, struct buf *text)
{
	struct spec_memory memory = { .limit = o->memory,
				      .reservation = o->reservation,
				      .swap = o->swap,
				      .kernel = o->kernel,
				      .kernel_tcp = o->kernel_tcp };
	struct spec_cpu cpu = { .shares = o->cpu_share,
				.period = o->cpu_period,
				.quota = o->cpu_quota,
				.burst = o->cpu_burst,
				.realtime_period = o->cpu_rt_period,
				.realtime_runtime = o->cpu_rt_runtime,
				.idle = o->cpu_idle,
				.cpus = o->cpuset_cpus,
				.mems = o->cpuset_mems };
	struct spec_pids pids = { .limit = o->pids_limit };
	struct spec_block_io io = { .weight = { .set = o->blkio_weight.set,
						.value = (uint32_t)o->blkio_weight.value } };
	struct spec_resources res = {
		.memory = &memory, .cpu = &cpu, .pids = &pids, .block_io = &io
	};

	if (o->blkio_weight.value > UINT32_MAX)
		io.weight.value = UINT32_MAX;
	json_write(&spec_resources_desc, &res, 0, text);
}

static int run_update(const void *globals, void *opts, char **args, struct err *err)
{
	const struct update_opts *o = opts;
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	struct spec_resources res = { 0 };
	const char *what = o->resources ? o->resources : "options";
	const struct spec_intel_rdt rdt = { .l3_cache_schema = o->l3_cache_schema,
					    .mem_bw_schema = o->mem_bw_schema };
	bool has_rdt = o->l3_cache_schema || o->mem_bw_schema;
	int r = 0;

	if (o->resources)
		r = read_resources(o->resources, &text, err);
	else
		write_resources(o, &text);
	if (r >= 0)
		r = json_parse(&spec_resources_desc, &res, buf_str(&text), text.len,
			       str_eq(what, "-") ? "resources" : what, err);
	if (r < 0)
		return r;
	r = container_update(globals_runtime(globals), args[0], &res, has_rdt ? &rdt : NULL, err);
	json_free(&spec_resources_desc, &res);
	return r;
}

#define SIZE(option, member, text, ...)                                                            \
	{                                                                                          \
		.name = (option), .kind = OPT_FN, OPT_FIELD(struct update_opts, member),           \
		.arg = "SIZE", .parse = parse_size, .help = (text), ##__VA_ARGS__                  \
	}
#define VALUE(option, k, member, word, text)                                                       \
	{                                                                                          \
		.name = (option), .kind = (k), OPT_FIELD(struct update_opts, member),              \
		.arg = (word), .help = (text)                                                      \
	}

static const struct opt opts[] = {
	{ .name = "resources",
	  .short_name = 'r',
	  .kind = OPT_STR,
	  OPT_FIELD(struct update_opts, resources),
	  .arg = "FILE",
	  .help = "JSON file with the new limits, written as linux.resources of config.json; \"-\" "
		  "reads standard input. All other options are ignored" },
	VALUE("blkio-weight", OPT_U64, blkio_weight, "N", "Share of block I/O, from 10 to 1000"),
	VALUE("cpu-period", OPT_U64, cpu_period, "USEC", "Period of the CPU limit in microseconds"),
	VALUE("cpu-quota", OPT_I64, cpu_quota, "USEC",
	      "CPU time in each period in microseconds; -1: no limit"),
	VALUE("cpu-burst", OPT_U64, cpu_burst, "USEC",
	      "CPU time that may be saved up for later periods, in microseconds"),
	VALUE("cpu-share", OPT_U64, cpu_share, "N", "Share of CPU time relative to others"),
	VALUE("cpu-rt-period", OPT_U64, cpu_rt_period, "USEC",
	      "Period of the realtime limit in microseconds"),
	VALUE("cpu-rt-runtime", OPT_I64, cpu_rt_runtime, "USEC",
	      "Realtime CPU time in each period in microseconds"),
	VALUE("cpuset-cpus", OPT_STR, cpuset_cpus, "LIST", "CPUs to use, like 0-3,7"),
	VALUE("cpuset-mems", OPT_STR, cpuset_mems, "LIST", "Memory nodes to use"),
	VALUE("cpu-idle", OPT_I64, cpu_idle, "0|1",
	      "1: only CPU time that nothing else wants (SCHED_IDLE)"),
	SIZE("memory", memory, "Memory limit; -1: none"),
	SIZE("memory-reservation", reservation,
	     "Memory that reclaim leaves alone as long as it can"),
	SIZE("memory-swap", swap, "Limit of memory and swap together; -1: no limit of swap"),
	SIZE("kernel-memory", kernel, "Ignored: newer kernels have no such limit",
	     .flags = OPT_HIDDEN),
	SIZE("kernel-memory-tcp", kernel_tcp, "Ignored: newer kernels have no such limit",
	     .flags = OPT_HIDDEN),
	VALUE("pids-limit", OPT_I64, pids_limit, "N", "Most processes and threads; -1: no limit"),
	VALUE("l3-cache-schema", OPT_STR, l3_cache_schema, "SCHEMA", "Intel RDT/CAT schema"),
	VALUE("mem-bw-schema", OPT_STR, mem_bw_schema, "SCHEMA", "Intel RDT/MBA schema"),
};

const struct cmd cmd_update = {
	.name = "update",
	.args = "[OPTIONS] ID",
	.summary = "Change the resource limits of a container",
	.details = "Limits that no option names stay as they are. When one of the limits can't be "
		   "set, those that were set already are taken back.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct update_opts),
	.min_args = 1,
	.max_args = 1,
	.run = run_update,
};
