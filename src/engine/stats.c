/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/stats.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>

#include "base/io.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "engine/live.h"
#include "runtime/cgroup_stats.h"

#define NET_BYTES_MAX  (4u << 20)
#define NET_COLUMN_IN  0
#define NET_COLUMN_OUT 8

void engine_stats_done(struct engine_stats *s)
{
	free(s->id);
	free(s->name);
	*s = (struct engine_stats){ 0 };
}

/* The number in column n of a line, from 0. */
static uint64_t net_column(const char *line, unsigned int n)
{
	cleanup_free char *word = NULL;
	uint64_t value;

	for (;; n--) {
		line += strspn(line, " ");
		if (!n)
			break;
		line += strcspn(line, " ");
	}
	word = xstrndup(line, strcspn(line, " "));
	return str_parse_u64(word, &value) == 0 ? value : 0;
}

void stats_parse_net_dev(const char *text, uint64_t *ret_in, uint64_t *ret_out)
{
	cleanup_strv char **lines = strv_split(text, '\n');

	*ret_in = *ret_out = 0;
	for (size_t i = 0; lines[i]; i++) {
		const char *name = lines[i] + strspn(lines[i], " ");
		const char *colon = strchr(name, ':');

		if (!colon || str_starts(name, "lo:"))
			continue;
		*ret_in += net_column(colon + 1, NET_COLUMN_IN);
		*ret_out += net_column(colon + 1, NET_COLUMN_OUT);
	}
}

static bool has_own_network(pid_t pid)
{
	struct stat own, st;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	return stat(path, &st) == 0 && stat("/proc/self/ns/net", &own) == 0 &&
	       st.st_ino != own.st_ino;
}

static void read_net(pid_t pid, struct engine_stats *s)
{
	cleanup_buf struct buf text = BUF_INIT;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/net/dev", pid);
	if (has_own_network(pid) && io_read_file(AT_FDCWD, path, &text, NET_BYTES_MAX, NULL) == 0)
		stats_parse_net_dev(buf_str(&text), &s->net_in, &s->net_out);
}

static uint64_t machine_memory(void)
{
	struct sysinfo info;

	return sysinfo(&info) < 0 ? 0 : (uint64_t)info.totalram * info.mem_unit;
}

static void take_memory(const struct stats_memory *m, struct engine_stats *s)
{
	const uint64_t *inactive = stats_pair_find(&m->raw, "total_inactive_file");
	uint64_t machine = machine_memory();

	if (!inactive)
		inactive = stats_pair_find(&m->raw, "inactive_file");
	s->mem_usage = m->usage.usage;
	if (inactive && *inactive < s->mem_usage)
		s->mem_usage -= *inactive;
	s->mem_peak = m->usage.max;
	s->mem_limit = m->usage.limit && m->usage.limit < machine ? m->usage.limit : machine;
}

static void take_block(const stats_devices *bytes, struct engine_stats *s)
{
	for (size_t i = 0; i < bytes->n; i++) {
		const struct stats_device *d = &bytes->items[i];

		if (strcasecmp(d->op, "read") == 0)
			s->block_in += d->value;
		else if (strcasecmp(d->op, "write") == 0)
			s->block_out += d->value;
	}
}

static void take(const struct cgroup_stats *cg, struct engine_stats *s)
{
	s->at_ns = time_monotonic_ns();
	s->running = true;
	s->cpu_ns = cg->cpu.usage;
	s->throttled_ns = cg->cpu.throttled_ns;
	take_memory(&cg->memory, s);
	take_block(&cg->blkio.service_bytes, s);
	s->pids = cg->pids.current;
	s->has_pressure = cg->cpu.pressure.set;
	s->cpu_pressure = cg->cpu.pressure.some.avg10;
	s->mem_pressure = cg->memory.pressure.some.avg10;
	s->io_pressure = cg->blkio.pressure.some.avg10;
}

static int read_running(struct engine *eng, const struct record *rec, struct engine_stats *s,
			struct err *err)
{
	struct cgroup_stats cg = { 0 };
	pid_t pid = 0;
	int r = container_usage(&eng->runtime, rec->id, &cg, &pid, err);

	if (r < 0)
		return r;
	take(&cg, s);
	cgroup_stats_done(&cg);
	if (pid) {
		read_net(pid, s);
		policy_packets(rec, pid, &s->policy);
	}
	return 0;
}

int engine_stats_read(struct engine *eng, const struct record *rec, struct engine_stats *ret,
		      struct err *err)
{
	struct engine_stats s = { .started_ns = rec->started_ns };
	struct err one = ERR_INIT;
	int r = rec->running ? read_running(eng, rec, &s, &one) : 0;

	/* Just starting, or just ended. */
	if (r < 0 && one.kind != ERR_NOT_FOUND && one.kind != ERR_CONFLICT) {
		if (err)
			*err = one;
		if (eng->rootless)
			err_hint(err, r, "an unprivileged user needs a delegated cgroup for this");
		return err_wrap(err, r, "container %s", rec->name);
	}
	s.paused = s.running && live_is_paused(eng, rec);
	s.id = xstrdup(rec->id);
	s.name = xstrdup(rec->name);
	*ret = s;
	return 0;
}

static double percent(uint64_t before, uint64_t now, int64_t ns)
{
	return now > before && ns > 0 ? 100.0 * (double)(now - before) / (double)ns : 0;
}

void engine_stats_rate(const struct engine_stats *before, struct engine_stats *s)
{
	int64_t ns = s->at_ns - before->at_ns;

	if (!before->running || !s->running)
		return;
	s->cpu_percent = percent(before->cpu_ns, s->cpu_ns, ns);
	s->throttled_percent = percent(before->throttled_ns, s->throttled_ns, ns);
}
