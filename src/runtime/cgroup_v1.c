/* SPDX-License-Identifier: Apache-2.0 */
/* Limits in the files of cgroup v1 (kernel Documentation/admin-guide/cgroup-v1). */
#include <inttypes.h>

#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "runtime/cgroup_priv.h"

#define ROW(o, m, n, c, f, fmt, ...)                                                               \
	{                                                                                          \
		.name = (n), .controller = (c), .file = (f), .format = (fmt),                      \
		.object = offsetof(struct spec_resources, o),                                      \
		.member = offsetof(struct spec_##o, m), ##__VA_ARGS__                              \
	}

#define SWAP_HINT   "the kernel counts swap only when booted with swapaccount=1"
#define WEIGHT_HINT "I/O weights on cgroup v1 need a kernel with the bfq scheduler's cgroup support"
#define RT_HINT     "realtime limits need a kernel with CONFIG_RT_GROUP_SCHED"
#define BURST_HINT  "CPU bursts need kernel 5.14 or newer"

/* Unlimited memory means unlimited memory+swap, which may not be less, unless told otherwise. */
static int format_memsw(const struct spec_resources *res, const struct limit_row *row, char *out,
			size_t size, struct err *err)
{
	const struct spec_memory *m = res->memory;
	int r = format_i64(res, row, out, size, err);

	if (r != 0 || !m || !m->limit.set || m->limit.value != -1)
		return r;
	snprintf(out, size, "-1");
	return 1;
}

/* The kernel would take any value and clamp it silently. */
static int format_shares(const struct spec_resources *res, const struct limit_row *row, char *out,
			 size_t size, struct err *err)
{
	const struct spec_cpu *cpu = res->cpu;

	if (!cpu || !cpu->shares.set || cpu->shares.value == 0)
		return 0;
	if (cpu->shares.value < 2 || cpu->shares.value > 262144)
		return err_fail(err, ERR_INVALID,
				"linux.resources.cpu.shares: expected 2 to 262144, got %" PRIu64,
				cpu->shares.value);
	return format_u64(res, row, out, size, err);
}

static const struct limit_row rows[] = {
	/* Either may have to come first: the kernel keeps limit <= memsw at every moment. */
	ROW(memory, limit, "memory.limit", "memory", "memory.limit_in_bytes", format_i64,
	    .flags = LIMIT_RETRY),
	ROW(memory, swap, "memory.swap", "memory", "memory.memsw.limit_in_bytes", format_memsw,
	    .flags = LIMIT_RETRY, .hint = SWAP_HINT),
	ROW(memory, reservation, "memory.reservation", "memory", "memory.soft_limit_in_bytes",
	    format_i64),
	ROW(memory, swappiness, "memory.swappiness", "memory", "memory.swappiness", format_u64_any),
	ROW(memory, disable_oom_killer, "memory.disableOOMKiller", "memory", "memory.oom_control",
	    format_true),
	ROW(cpu, shares, "cpu.shares", "cpu", "cpu.shares", format_shares, .flags = LIMIT_RETRY),
	ROW(cpu, period, "cpu.period", "cpu", "cpu.cfs_period_us", format_u64,
	    .flags = LIMIT_RETRY),
	ROW(cpu, quota, "cpu.quota", "cpu", "cpu.cfs_quota_us", format_i64, .flags = LIMIT_RETRY),
	ROW(cpu, burst, "cpu.burst", "cpu", "cpu.cfs_burst_us", format_u64_any,
	    .flags = LIMIT_RETRY, .hint = BURST_HINT),
	ROW(cpu, realtime_period, "cpu.realtimePeriod", "cpu", "cpu.rt_period_us", format_u64,
	    .flags = LIMIT_RETRY, .hint = RT_HINT),
	ROW(cpu, realtime_runtime, "cpu.realtimeRuntime", "cpu", "cpu.rt_runtime_us", format_i64,
	    .flags = LIMIT_RETRY, .hint = RT_HINT),
	ROW(cpu, idle, "cpu.idle", "cpu", "cpu.idle", format_i64_any,
	    .hint = "cpu.idle needs kernel 5.15 or newer"),
	ROW(cpu, cpus, "cpu.cpus", "cpuset", "cpuset.cpus", format_str),
	ROW(cpu, mems, "cpu.mems", "cpuset", "cpuset.mems", format_str),
	ROW(pids, limit, "pids.limit", "pids", "pids.max", format_pids),
	ROW(block_io, weight, "blockIO.weight", "blkio", "blkio.weight", format_u32,
	    .alt = "blkio.bfq.weight", .hint = WEIGHT_HINT),
	ROW(block_io, leaf_weight, "blockIO.leafWeight", "blkio", "blkio.leaf_weight", format_u32,
	    .hint = "leaf weights went away with the cfq scheduler in kernel 5.0"),
	ROW(network, class_id, "network.classID", "net_cls", "net_cls.classid", format_u32),
};

/* A controller that v1 does not have mounted may be in the cgroup2 of a hybrid machine. */
static struct cgroup_dir *find(struct cgroup *cg, const char *controller, bool *ret_skip,
			       struct err *err)
{
	struct cgroup_dir *dir = cgroup_dir_find(cg, controller), *v2;

	if (dir)
		return dir;
	v2 = cgroup_dir_find(cg, NULL);
	*ret_skip = v2 && cgroup_v2_has(v2, str_eq(controller, "blkio") ? "io" : controller);
	return NULL;
}

static const struct limit_row throttle_rows[] = {
	{ .name = "blockIO.throttleReadBpsDevice", .file = "blkio.throttle.read_bps_device" },
	{ .name = "blockIO.throttleWriteBpsDevice", .file = "blkio.throttle.write_bps_device" },
	{ .name = "blockIO.throttleReadIOPSDevice", .file = "blkio.throttle.read_iops_device" },
	{ .name = "blockIO.throttleWriteIOPSDevice", .file = "blkio.throttle.write_iops_device" },
};

static int apply_throttle(struct cgroup *cg, const struct spec_block_io *io, struct err *err)
{
	const spec_throttle_list *const lists[] = { &io->read_bps, &io->write_bps, &io->read_iops,
						    &io->write_iops };
	char text[80];

	for (size_t k = 0; k < ARRAY_SIZE(lists); k++) {
		struct limit_row row = throttle_rows[k];
		row.controller = "blkio";
		for (size_t i = 0; i < lists[k]->n; i++) {
			const struct spec_throttle_device *d = &lists[k]->items[i];
			/* As below; the device may be gone by now. */
			if (!d->rate && !cg->journal)
				continue;
			snprintf(text, sizeof(text), "%" PRId64 ":%" PRId64 " %" PRIu64, d->major,
				 d->minor, d->rate);
			int r = limit_write(cg, &row, text, find, err);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int apply_weight_devices(struct cgroup *cg, const struct spec_block_io *io, struct err *err)
{
	static const struct limit_row weight = { .name = "blockIO.weightDevice",
						 .controller = "blkio",
						 .file = "blkio.weight_device",
						 .alt = "blkio.bfq.weight_device",
						 .hint = WEIGHT_HINT };
	static const struct limit_row leaf = { .name = "blockIO.weightDevice",
					       .controller = "blkio",
					       .file = "blkio.leaf_weight_device" };
	char text[80];

	for (size_t i = 0; i < io->weight_device.n; i++) {
		const struct spec_weight_device *d = &io->weight_device.items[i];
		const struct opt_u32 *const values[] = { &d->weight, &d->leaf_weight };
		for (size_t k = 0; k < ARRAY_SIZE(values); k++) {
			/* 0 takes one back, which there is none to at first. */
			if (!values[k]->set || (values[k]->value == 0 && (k || !cg->journal)))
				continue;
			snprintf(text, sizeof(text), "%" PRId64 ":%" PRId64 " %" PRIu32, d->major,
				 d->minor, values[k]->value);
			int r = limit_write(cg, k == 0 ? &weight : &leaf, text, find, err);
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
		cleanup_free char *usage = xasprintf("hugetlb.%s.limit_in_bytes", h->page_size);
		cleanup_free char *rsvd = xasprintf("hugetlb.%s.rsvd.limit_in_bytes", h->page_size);
		cleanup_free char *name = xasprintf("hugepageLimits[%zu]", i);
		struct limit_row row = { .name = name, .controller = "hugetlb", .file = usage };
		char text[32];

		snprintf(text, sizeof(text), "%" PRIu64, h->limit);
		int r = limit_write(cg, &row, text, find, err);
		if (r < 0)
			return r;
		const struct cgroup_dir *dir = cgroup_dir_find(cg, "hugetlb");
		/* reservations are counted since kernel 5.7 */
		if (dir && cgroup_file_exists(dir, rsvd)) {
			row.file = rsvd;
			r = limit_write(cg, &row, text, find, err);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int apply_net_prio(struct cgroup *cg, const struct spec_network *net, struct err *err)
{
	static const struct limit_row row = { .name = "network.priorities",
					      .controller = "net_prio",
					      .file = "net_prio.ifpriomap" };

	for (size_t i = 0; i < net->priorities.n; i++) {
		const struct spec_net_priority *p = &net->priorities.items[i];
		cleanup_free char *text = xasprintf("%s %" PRIu32, p->name, p->priority);
		int r = limit_write(cg, &row, text, find, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int cgroup_rdma_apply(struct cgroup *cg, const struct spec_resources *res, limit_find_fn finder,
		      struct err *err)
{
	static const struct limit_row row = { .name = "rdma",
					      .controller = "rdma",
					      .file = "rdma.max" };

	for (size_t i = 0; i < res->rdma.n; i++) {
		const struct spec_rdma *d = &res->rdma.items[i];
		cleanup_buf struct buf text = BUF_INIT;

		buf_adds(&text, d->device);
		if (d->hca_handles.set)
			buf_addf(&text, " hca_handle=%" PRIu32, d->hca_handles.value);
		if (d->hca_objects.set)
			buf_addf(&text, " hca_object=%" PRIu32, d->hca_objects.value);
		int r = limit_write(cg, &row, buf_str(&text), finder, err);
		if (r < 0)
			return r;
	}
	return 0;
}

void cgroup_kernel_memory_warn(const struct spec_memory *m)
{
	if (m && ((m->kernel.set && m->kernel.value != 0) ||
		  (m->kernel_tcp.set && m->kernel_tcp.value != 0)))
		log_warn("linux.resources.memory.kernel and kernelTCP are ignored: newer kernels "
			 "have no such limits");
}

/* The kernel's reasons for refusing memory limits. */
static int hint_memory(struct cgroup *cg, const struct spec_memory *m, int r, struct err *err)
{
	const struct cgroup_dir *dir = cgroup_dir_find(cg, "memory");
	char used[32];

	if (!m || !dir)
		return r;
	if (r == -EBUSY && m->limit.set &&
	    cgroup_file_read(dir, "memory.usage_in_bytes", used, sizeof(used)) > 0)
		return err_hint(err, r, "%s bytes are in use, and could not all be reclaimed",
				used);
	if (r == -EINVAL && m->limit.set && m->limit.value > 0 && !m->swap.set)
		return err_hint(err, r,
				"the limit of memory and swap together (memory.swap) may "
				"not be less: set both");
	return r;
}

int cgroup_v1_apply(struct cgroup *cg, const struct spec_resources *res, struct err *err)
{
	bool left_out = cg->layout == CGROUP_NONE || cg->n == 0;
	for (size_t i = 0; i < res->unified.n && left_out; i++)
		left_out = limit_leave_out(cg, res->unified.items[i].key);
	if (res->unified.n > 0 && !left_out && cg->layout == CGROUP_NONE)
		return limit_no_controller(cg, res->unified.items[0].key, err);
	if (res->unified.n > 0 && !left_out) {
		int r = err_fail(err, ERR_UNSUPPORTED,
				 "linux.resources.unified is for cgroup v2, and this machine has "
				 "its controllers on v1");
		return err_hint(err, r, "use the members memory, cpu, pids ... instead");
	}
	cgroup_kernel_memory_warn(res->memory);
	int r = limits_write(cg, res, rows, ARRAY_SIZE(rows), find, err);
	if (r < 0)
		return hint_memory(cg, res->memory, r, err);
	if (r == 0 && res->block_io)
		r = apply_weight_devices(cg, res->block_io, err);
	if (r == 0 && res->block_io)
		r = apply_throttle(cg, res->block_io, err);
	if (r == 0)
		r = apply_hugepages(cg, res, err);
	if (r == 0 && res->network)
		r = apply_net_prio(cg, res->network, err);
	if (r == 0)
		r = cgroup_rdma_apply(cg, res, find, err);
	return r;
}

/* --- cpuset --- */

#define MASK_MAX 16384

/* Fills file from the parent when it is empty; the parent first, up to the root, which never is. */
static int cpuset_fill(const char *path, const char *file, struct err *err)
{
	const struct cgroup_dir dir = { .fd = -EBADF, .path = (char *)(uintptr_t)path };
	char mask[MASK_MAX];
	ssize_t n = cgroup_file_read(&dir, file, mask, sizeof(mask));

	if (n > 0)
		return 0;
	if (n < 0)
		return err_errno(err, (int)-n, "reading %s of cgroup %s", file, path);
	cleanup_free char *parent = xstrdup(path);
	char *slash = strrchr(parent, '/');
	if (!slash || slash == parent)
		return err_fail(err, ERR_SYSTEM, "%s is empty in every cgroup above", file);
	*slash = '\0';
	int r = cpuset_fill(parent, file, err);
	if (r < 0)
		return r;

	const struct cgroup_dir above = { .fd = -EBADF, .path = parent };
	n = cgroup_file_read(&above, file, mask, sizeof(mask));
	if (n < 0)
		return err_errno(err, (int)-n, "reading %s of cgroup %s", file, parent);
	return cgroup_file_write(&dir, file, mask, err);
}

/* cgroup.clone_children makes the kernel fill what is made below: in parents of our own it saves
 * every later container the reading and writing. */
static void cpuset_parents_init(const struct cgroup_dir *dir)
{
	cleanup_free char *path = xstrdup(dir->path);

	for (int n = dir->n_created; n > 1; n--) {
		*strrchr(path, '/') = '\0';
		const struct cgroup_dir parent = { .fd = -EBADF, .path = path };
		cgroup_file_write(&parent, "cgroup.clone_children", "1", NULL);
	}
}

int cgroup_v1_cpuset_init(const struct cgroup_dir *dir, struct err *err)
{
	char mask[MASK_MAX];

	/* cgroup.clone_children copies both or none. */
	if (dir->n_created == 1 && cgroup_file_read(dir, "cpuset.mems", mask, sizeof(mask)) > 0)
		return 0;
	int r = cpuset_fill(dir->path, "cpuset.mems", err);
	if (r == 0)
		r = cpuset_fill(dir->path, "cpuset.cpus", err);
	if (r == 0)
		cpuset_parents_init(dir);
	return r;
}
