/* SPDX-License-Identifier: Apache-2.0 */
/* Changing the limits of a cgroup that is in use, whole or not at all. */
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "runtime/cgroup_priv.h"

#define OLD_TEXT_MAX 16384

/* --- what to write back --- */

struct cgroup_journal {
	struct written {
		const struct cgroup_dir *dir;
		char *file, *text;
	} * items;
	size_t n;
};

char *cgroup_journal_read(const struct cgroup *cg, const struct cgroup_dir *dir, const char *file)
{
	char text[OLD_TEXT_MAX];

	if (!cg->journal || cgroup_file_read(dir, file, text, sizeof(text)) < 0)
		return NULL;
	return xstrdup(text);
}

void cgroup_journal_add(struct cgroup *cg, const struct cgroup_dir *dir, const char *file,
			const char *text, char *old)
{
	struct cgroup_journal *j = cg->journal;
	char *undo = j && old ? cgroup_undo_text(file, old, text) : NULL;

	free(old);
	if (!undo)
		return;
	j->items = xrealloc(j->items, (j->n + 1) * sizeof(*j->items));
	j->items[j->n++] = (struct written){ .dir = dir, .file = xstrdup(file), .text = undo };
}

/* Files with a line for each key. What stands for "no limit" where a key has no line yet. */
static const struct {
	const char *file, *unset; /* NULL: every key has a line */
} keyed_files[] = {
	{ "io.max", "rbps=max wbps=max riops=max wiops=max" },
	{ "io.weight", "default" },
	{ "io.bfq.weight", "default" },
	{ "io.latency", "target=0" },
	{ "rdma.max", NULL },
	{ "misc.max", NULL },
	{ "net_prio.ifpriomap", NULL },
	{ "blkio.weight_device", "0" },
	{ "blkio.bfq.weight_device", "0" },
	{ "blkio.leaf_weight_device", "0" },
	{ "blkio.throttle.read_bps_device", "0" },
	{ "blkio.throttle.write_bps_device", "0" },
	{ "blkio.throttle.read_iops_device", "0" },
	{ "blkio.throttle.write_iops_device", "0" },
};

static char *undo_key(const char *old, const char *text, const char *unset)
{
	size_t len = strcspn(text, " ");

	/* io.weight takes "100" for "default 100" */
	if (!text[len] && !strchr(text, ':')) {
		text = "default";
		len = strlen(text);
	}
	for (const char *line = old; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, text, len) == 0 && line[len] == ' ')
			return xstrndup(line, strcspn(line, "\n"));
	}
	return unset ? xasprintf("%.*s %s", (int)len, text, unset) : NULL;
}

char *cgroup_undo_text(const char *file, const char *old, const char *text)
{
	const char *value;

	for (size_t i = 0; i < ARRAY_SIZE(keyed_files); i++)
		if (str_eq(keyed_files[i].file, file))
			return undo_key(old, text, keyed_files[i].unset);
	/* It is written as "1" and read as lines. */
	value = str_after(old, "oom_kill_disable ");
	if (str_eq(file, "memory.oom_control") && value)
		return xstrndup(value, strcspn(value, "\n"));
	/* cpuset.cpus of v2 may be empty, and an empty write never reaches the kernel. */
	return *old ? xstrdup(old) : xstrdup("\n");
}

/* Backwards, and again those that had to wait for another one: limit and limit with swap. */
static void take_back(struct cgroup_journal *j)
{
	for (int round = 0; round < 2; round++) {
		for (size_t i = j->n; i > 0; i--) {
			struct written *w = &j->items[i - 1];
			struct err err = ERR_INIT;

			if (!w->text)
				continue;
			if (cgroup_file_write(w->dir, w->file, w->text, &err) >= 0) {
				free(w->text);
				w->text = NULL;
			} else if (round > 0) {
				log_warn("taking back a limit: %s", err.msg);
			}
		}
	}
}

static void journal_done(struct cgroup_journal *j)
{
	for (size_t i = 0; i < j->n; i++) {
		free(j->items[i].file);
		free(j->items[i].text);
	}
	free(j->items);
}

/* --- halves --- */

/* cpu.max holds both: the one that is not asked for stays. */
static void complete_cpu(const struct cgroup_dir *v2, struct spec_cpu *cpu)
{
	bool has_quota = cpu->quota.set && cpu->quota.value != 0;
	bool has_period = cpu->period.set && cpu->period.value != 0;
	char text[64];
	int64_t quota;
	uint64_t period;

	if (has_quota == has_period || cgroup_file_read(v2, "cpu.max", text, sizeof(text)) < 0 ||
	    cgroup_cpu_max_parse(text, &quota, &period) < 0)
		return;
	if (has_quota)
		cpu->period = (struct opt_u64){ .set = true, .value = period };
	else
		cpu->quota = (struct opt_i64){ .set = true, .value = quota };
}

/* memory.swap.max is swap alone; what is asked for is the sum. */
static void complete_memory(const struct cgroup_dir *v2, struct spec_memory *m)
{
	bool has_limit = m->limit.set && m->limit.value != 0;
	char text[32];
	int64_t limit;

	if (has_limit || !m->swap.set || m->swap.value <= 0 ||
	    cgroup_file_read(v2, "memory.max", text, sizeof(text)) < 0 ||
	    str_parse_i64(text, &limit) < 0)
		return;
	m->limit = (struct opt_i64){ .set = true, .value = limit };
}

static int update(struct cgroup *cg, const struct spec_resources *resources, struct err *err)
{
	const struct cgroup_dir *v2 = cgroup_dir_find_const(cg, NULL);
	struct spec_resources res = *resources;
	struct cgroup_rounded space;
	struct spec_cpu cpu;
	struct spec_memory memory;
	int r;

	if (v2 && res.cpu && !cgroup_dir_find(cg, "cpu")) {
		cpu = *res.cpu;
		complete_cpu(v2, &cpu);
		res.cpu = &cpu;
	}
	if (v2 && res.memory && !cgroup_dir_find(cg, "memory")) {
		memory = *res.memory;
		complete_memory(v2, &memory);
		res.memory = &memory;
	}
	if (!cg->unit)
		return cgroup_limits_apply(cg, &res, err);
	/* The files first: what was written there can be taken back. */
	r = cgroup_limits_apply(cg, cgroup_unit_round(&res, &space), err);
	return r < 0 ? r : cgroup_unit_update(cg, &res, err);
}

int cgroup_update(struct cgroup *cg, const struct spec_resources *resources, struct err *err)
{
	struct cgroup_journal journal = { 0 };
	int r = cg->opened ? cgroup_controllers_read(cg, err) : 0;

	if (r < 0)
		return r;
	cg->journal = &journal;
	r = update(cg, resources, err);
	cg->journal = NULL;
	if (r < 0)
		take_back(&journal);
	journal_done(&journal);
	return r;
}
