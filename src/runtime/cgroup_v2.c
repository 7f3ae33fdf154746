/* SPDX-License-Identifier: Apache-2.0 */
/* Limits in the files of cgroup v2 (kernel Documentation/admin-guide/cgroup-v2.rst). */
#include <inttypes.h>

#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "runtime/cgroup_priv.h"

static int format_weight(const struct spec_resources *res, const struct limit_row *row, char *out,
			 size_t size, struct err *err)
{
	if (!res->cpu || !res->cpu->shares.set || res->cpu->shares.value == 0)
		return 0;
	snprintf(out, size, "%" PRIu64, cgroup_weight_of_shares(res->cpu->shares.value));
	return 1;
}

static int format_cpu_max(const struct spec_resources *res, const struct limit_row *row, char *out,
			  size_t size, struct err *err)
{
	int64_t quota = res->cpu && res->cpu->quota.set ? res->cpu->quota.value : 0;
	uint64_t period = res->cpu && res->cpu->period.set ? res->cpu->period.value : 0;

	if (quota == 0 && period == 0)
		return 0;
	if (period == 0)
		period = 100000; /* the kernel's default */
	if (quota > 0)
		snprintf(out, size, "%" PRId64 " %" PRIu64, quota, period);
	else
		snprintf(out, size, "max %" PRIu64, period);
	return 1;
}

static int format_swap(const struct spec_resources *res, const struct limit_row *row, char *out,
		       size_t size, struct err *err)
{
	const struct spec_memory *m = res->memory;
	int64_t max = 0;

	if (!m)
		return 0;
	int r = cgroup_swap_max(m->limit.set ? m->limit.value : 0, m->swap.set ? m->swap.value : 0,
				&max);
	if (r < 0)
		return err_fail(err, ERR_INVALID,
				"linux.resources.memory.swap: it counts memory and swap together: "
				"expected memory.limit beside it, and not less than that");
	if (r > 0 && max < 0)
		snprintf(out, size, "max");
	else if (r > 0)
		snprintf(out, size, "%" PRId64, max);
	return r;
}

#define ROW(o, m, n, c, f, fmt, ...)                                                               \
	{                                                                                          \
		.name = (n), .controller = (c), .file = (f), .format = (fmt),                      \
		.object = offsetof(struct spec_resources, o),                                      \
		.member = offsetof(struct spec_##o, m), ##__VA_ARGS__                              \
	}
static const struct limit_row rows[] = {
	ROW(memory, swap, "memory.swap", "memory", "memory.swap.max", format_swap,
	    .flags = LIMIT_MISSING_IS_OFF, .hint = "the kernel has no swap accounting"),
	ROW(memory, limit, "memory.limit", "memory", "memory.max", format_i64_max),
	ROW(memory, reservation, "memory.reservation", "memory", "memory.low", format_i64_max),
	ROW(memory, swappiness, "memory.swappiness", "memory", NULL, format_u64_any),
	ROW(memory, disable_oom_killer, "memory.disableOOMKiller", "memory", NULL, format_true),
	ROW(cpu, shares, "cpu.shares", "cpu", "cpu.weight", format_weight, .flags = LIMIT_RETRY),
	ROW(cpu, quota, "cpu.quota", "cpu", "cpu.max", format_cpu_max, .flags = LIMIT_RETRY),
	ROW(cpu, burst, "cpu.burst", "cpu", "cpu.max.burst", format_u64_any, .flags = LIMIT_RETRY,
	    .hint = "CPU bursts need kernel 5.14 or newer"),
	ROW(cpu, realtime_period, "cpu.realtimePeriod", "cpu", NULL, format_u64),
	ROW(cpu, realtime_runtime, "cpu.realtimeRuntime", "cpu", NULL, format_i64),
	ROW(cpu, idle, "cpu.idle", "cpu", "cpu.idle", format_i64_any,
	    .hint = "cpu.idle needs kernel 5.15 or newer"),
	ROW(cpu, cpus, "cpu.cpus", "cpuset", "cpuset.cpus", format_str),
	ROW(cpu, mems, "cpu.mems", "cpuset", "cpuset.mems", format_str),
	ROW(pids, limit, "pids.limit", "pids", "pids.max", format_pids),
	ROW(block_io, leaf_weight, "blockIO.leafWeight", "io", NULL, format_u32),
	ROW(network, class_id, "network.classID", "net_cls", NULL, format_u32),
};

/* On a hybrid machine only for controllers that are not on v1; what is nowhere was reported there.
 */
static struct cgroup_dir *find(struct cgroup *cg, const char *controller, bool *ret_skip,
			       struct err *err)
{
	struct cgroup_dir *dir = cgroup_dir_find(cg, NULL);

	if (cg->layout != CGROUP_V2 &&
	    cgroup_dir_find(cg, str_eq(controller, "io") ? "blkio" : controller)) {
		*ret_skip = true;
		return NULL;
	}
	return dir && cgroup_v2_has(dir, controller) ? dir : NULL;
}

static int io_row(struct cgroup *cg, const char *name, const char *file, const char *text,
		  struct err *err)
{
	const struct limit_row row = { .name = name, .controller = "io", .file = file };

	return limit_write(cg, &row, text, find, err);
}

/* Per-device weights have the default's file; bfq's takes the values of config.json as they are. */
static int apply_io_weights(struct cgroup *cg, const struct spec_block_io *io, struct err *err)
{
	const struct cgroup_dir *dir = cgroup_dir_find(cg, NULL);
	bool bfq = dir && cgroup_file_exists(dir, "io.bfq.weight");
	const char *file = bfq ? "io.bfq.weight" : "io.weight";
	char text[80];
	int r = 0;

	if (io->weight.set && io->weight.value) {
		uint64_t w = bfq ? io->weight.value : cgroup_io_weight(io->weight.value);
		snprintf(text, sizeof(text), "%" PRIu64, w);
		r = io_row(cg, "blockIO.weight", file, text, err);
	}
	for (size_t i = 0; r == 0 && i < io->weight_device.n; i++) {
		const struct spec_weight_device *d = &io->weight_device.items[i];
		if (d->leaf_weight.set && d->leaf_weight.value)
			return io_row(cg, "blockIO.weightDevice.leafWeight", NULL, "", err);
		/* 0 takes one back, which there is none to at first. */
		if (!d->weight.set || (!d->weight.value && !cg->journal))
			continue;
		uint64_t w = bfq ? d->weight.value : cgroup_io_weight(d->weight.value);
		if (d->weight.value)
			snprintf(text, sizeof(text), "%" PRId64 ":%" PRId64 " %" PRIu64, d->major,
				 d->minor, w);
		else
			snprintf(text, sizeof(text), "%" PRId64 ":%" PRId64 " default", d->major,
				 d->minor);
		r = io_row(cg, "blockIO.weightDevice", file, text, err);
	}
	return r;
}

static int apply_io_max(struct cgroup *cg, const struct spec_block_io *io, struct err *err)
{
	const struct {
		const char *name, *key;
		const spec_throttle_list *list;
	} kinds[] = {
		{ "blockIO.throttleReadBpsDevice", "rbps", &io->read_bps },
		{ "blockIO.throttleWriteBpsDevice", "wbps", &io->write_bps },
		{ "blockIO.throttleReadIOPSDevice", "riops", &io->read_iops },
		{ "blockIO.throttleWriteIOPSDevice", "wiops", &io->write_iops },
	};
	char text[80];

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		for (size_t i = 0; i < kinds[k].list->n; i++) {
			const struct spec_throttle_device *d = &kinds[k].list->items[i];
			/* As above; the device may be gone by now. */
			if (!d->rate && !cg->journal)
				continue;
			int n =
			    snprintf(text, sizeof(text), "%" PRId64 ":%" PRId64 " %s=", d->major,
				     d->minor, kinds[k].key);
			if (d->rate == 0) /* v1's way to take a limit back */
				snprintf(text + n, sizeof(text) - (size_t)n, "max");
			else
				snprintf(text + n, sizeof(text) - (size_t)n, "%" PRIu64, d->rate);
			int r = io_row(cg, kinds[k].name, "io.max", text, err);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int apply_hugepages(struct cgroup *cg, const struct spec_resources *res, struct err *err)
{
	for (size_t i = 0; i < res->hugepage_limits.n; i++) {
		const struct spec_hugepage_limit *h = &res->hugepage_limits.items[i];
		const struct cgroup_dir *dir = cgroup_dir_find(cg, NULL);
		cleanup_free char *usage = xasprintf("hugetlb.%s.max", h->page_size);
		cleanup_free char *rsvd = xasprintf("hugetlb.%s.rsvd.max", h->page_size);
		cleanup_free char *name = xasprintf("hugepageLimits[%zu]", i);
		struct limit_row row = { .name = name, .controller = "hugetlb", .file = usage };
		char text[32];

		snprintf(text, sizeof(text), "%" PRIu64, h->limit);
		int r = limit_write(cg, &row, text, find, err);
		row.file = rsvd;
		if (r == 0 && dir && cgroup_file_exists(dir, rsvd))
			r = limit_write(cg, &row, text, find, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* v2 would rather kill than refuse a limit below what is used already. */
static int check_usage(struct cgroup *cg, const struct spec_memory *m, struct err *err)
{
	const struct cgroup_dir *dir = cgroup_dir_find(cg, NULL);
	char text[32];
	uint64_t used;

	if (!m || !m->check_before_update.set || !m->check_before_update.value || !m->limit.set ||
	    m->limit.value <= 0 || !dir)
		return 0;
	if (cgroup_file_read(dir, "memory.current", text, sizeof(text)) < 0 ||
	    str_parse_u64(text, &used) < 0 || used <= (uint64_t)m->limit.value)
		return 0;
	return err_fail(err, ERR_CONFLICT,
			"setting memory.limit: %" PRId64 " is below the %" PRIu64
			" bytes in use (checkBeforeUpdate)",
			m->limit.value, used);
}

static int apply_unified_key(struct cgroup *cg, struct cgroup_dir *dir,
			     const struct json_pair *pair, struct err *err)
{
	const char *dot = strchr(pair->key, '.');

	if (strchr(pair->key, '/') || !dot || dot == pair->key)
		return err_fail(err, ERR_INVALID,
				"expected the name of a file of cgroup v2 (CONTROLLER.PARAMETER)");
	cleanup_free char *controller = xstrndup(pair->key, (size_t)(dot - pair->key));
	if (!str_eq(controller, "cgroup") && !cgroup_v2_has(dir, controller))
		return limit_no_controller(cg, controller, err);

	/* Files with one line per device take one line per write. */
	cleanup_strv char **lines = strv_split(pair->value, '\n');
	for (char **line = lines; *line; line++) {
		if (!**line && lines[1])
			continue;
		char *old = cgroup_journal_read(cg, dir, pair->key);
		int r = cgroup_file_write(dir, pair->key, *line, err);
		if (r < 0) {
			free(old);
			return r;
		}
		cgroup_journal_add(cg, dir, pair->key, *line, old);
	}
	return 0;
}

static int apply_unified(struct cgroup *cg, const struct json_map *unified, struct err *err)
{
	struct cgroup_dir *dir = cgroup_dir_find(cg, NULL);

	for (size_t i = 0; i < unified->n; i++) {
		const struct json_pair *pair = &unified->items[i];
		if (!dir && limit_leave_out(cg, pair->key))
			continue;
		int r = dir ? apply_unified_key(cg, dir, pair, err)
			    : limit_no_controller(cg, pair->key, err);
		if (r < 0)
			return err_wrap(err, r, "setting unified \"%s\"", pair->key);
	}
	return 0;
}

int cgroup_v2_apply(struct cgroup *cg, const struct spec_resources *res, struct err *err)
{
	if (cg->layout != CGROUP_V2 && !cgroup_dir_find(cg, NULL))
		return 0;
	if (cg->layout == CGROUP_V2)
		cgroup_kernel_memory_warn(res->memory);
	int r = check_usage(cg, res->memory, err);
	if (r == 0)
		r = limits_write(cg, res, rows, ARRAY_SIZE(rows), find, err);
	if (r == 0 && res->block_io)
		r = apply_io_weights(cg, res->block_io, err);
	if (r == 0 && res->block_io)
		r = apply_io_max(cg, res->block_io, err);
	if (r == 0)
		r = apply_hugepages(cg, res, err);
	if (r == 0 && cg->layout == CGROUP_V2 && res->network && res->network->priorities.n > 0 &&
	    !limit_leave_out(cg, "network.priorities"))
		r = err_wrap(err, limit_no_controller(cg, "net_prio", err),
			     "setting network.priorities");
	if (r == 0)
		r = cgroup_rdma_apply(cg, res, find, err);
	if (r == 0)
		r = apply_unified(cg, &res->unified, err);
	return r;
}
