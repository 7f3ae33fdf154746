/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces, sysctls and limits. */
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/spec.h"

#define CPU_PERIOD_DEFAULT_US 100000
#define MEMORY_MIN            (UINT64_C(6) << 20)

static void ns_add(struct spec *spec, enum spec_ns type, const char *path)
{
	struct spec_namespace *ns = LIST_ADD(spec->linux_->namespaces);

	ns->type = type;
	ns->path = path ? xstrdup(path) : NULL;
}

static int gen_namespace(const struct spec_input *in, struct spec *spec, const char *option,
			 const char *value, enum spec_ns type, struct err *err)
{
	const char *path = in->joins ? in->joins->paths[type] : NULL;
	struct ns_word word;
	int r = ns_word_parse(option, value, &word, err);

	if (r < 0 || word.mode == NS_WORD_HOST)
		return r;
	if (word.mode != NS_WORD_OWN && !path)
		return err_fail(err, ERR_INVALID, "--%s %s: not known", option, value);
	ns_add(spec, type, word.mode == NS_WORD_OWN ? NULL : path);
	return 0;
}

static int gen_network(const struct spec_input *in, struct spec *spec, struct err *err)
{
	const char *mode = run_network_word(in->opts);
	struct ns_word word;

	if (in->bridged) {
		ns_add(spec, NS_NETWORK, NULL);
		return 0;
	}
	if (!str_eq(mode, "private") && ns_word_parse("network", mode, &word, NULL) == 0)
		return gen_namespace(in, spec, "network", mode, NS_NETWORK, err);
	return err_fail(err, ERR_INVALID, "--network %s: not known", mode);
}

static void maps_add(spec_id_maps *list, const struct idmap *map)
{
	size_t i;

	for (i = 0; i < map->n; i++) {
		struct spec_id_map *m = LIST_ADD(*list);

		m->container_id = map->ranges[i].inside;
		m->host_id = map->ranges[i].outside;
		m->size = map->ranges[i].count;
	}
}

static int gen_time(const struct spec_input *in, struct spec *spec, struct err *err)
{
	char **words = in->opts->time_offset;
	size_t i;
	int r;

	if (!words)
		return 0;
	ns_add(spec, NS_TIME, NULL);
	spec->linux_->time_offsets = xcalloc(1, sizeof(*spec->linux_->time_offsets));
	for (i = 0; words[i]; i++) {
		r = time_offset_parse(words[i], spec->linux_->time_offsets, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int gen_sysctl(const struct spec_input *in, struct spec *spec, struct err *err)
{
	char **words = in->opts->sysctl;
	struct json_map *map = &spec->linux_->sysctl;
	size_t i;

	/* docker's: with a network of its own the container may use ports below 1024 and ping. */
	if (spec_ns_own(spec, NS_NETWORK) && !in->opts->privileged) {
		json_map_set(map, "net.ipv4.ip_unprivileged_port_start", "0");
		if (!in->gids)
			json_map_set(map, "net.ipv4.ping_group_range", "0 2147483647");
	}
	for (i = 0; words && words[i]; i++) {
		const char *eq = strchr(words[i], '=');
		cleanup_free char *key = eq ? xstrndup(words[i], (size_t)(eq - words[i])) : NULL;

		if (!eq || !key[0])
			return err_fail(err, ERR_USAGE, "invalid sysctl \"%s\": expected key=value",
					words[i]);
		json_map_set(map, key, eq + 1);
	}
	return 0;
}

int spec_gen_namespaces(const struct spec_input *in, struct spec *spec, struct err *err)
{
	const struct run_options *o = in->opts;
	const struct {
		const char *option, *value;
		enum spec_ns type;
	} table[] = {
		{ "pid", o->pid, NS_PID },
		{ "ipc", o->ipc, NS_IPC },
		{ "uts", o->uts, NS_UTS },
		{ "cgroupns", o->cgroupns, NS_CGROUP },
	};
	size_t i;
	int r = 0;

	ns_add(spec, NS_MOUNT, NULL);
	for (i = 0; r == 0 && i < ARRAY_SIZE(table); i++)
		r = gen_namespace(in, spec, table[i].option, table[i].value, table[i].type, err);
	if (r == 0)
		r = gen_network(in, spec, err);
	if (r == 0)
		r = gen_time(in, spec, err);
	if (r == 0)
		r = gen_sysctl(in, spec, err);
	if (r < 0 || !in->uids)
		return r;
	ns_add(spec, NS_USER, in->joins ? in->joins->paths[NS_USER] : NULL);
	maps_add(&spec->linux_->uid_mappings, in->uids);
	maps_add(&spec->linux_->gid_mappings, in->gids);
	return 0;
}

static int gen_memory(const struct spec_input *in, struct spec_resources *res, struct err *err)
{
	const struct run_options *o = in->opts;
	struct spec_memory *m;
	int64_t swap = 0;

	if (!o->memory.set && !o->memory_reservation.set && !o->memory_swap)
		return 0;
	m = res->memory = xcalloc(1, sizeof(*m));
	if (o->memory.set && o->memory.value) {
		if (o->memory.value < MEMORY_MIN)
			return err_fail(err, ERR_USAGE, "minimum memory limit allowed is 6MB");
		if (o->memory.value > INT64_MAX / 2)
			return err_fail(err, ERR_USAGE, "--memory: out of range");
		m->limit = (struct opt_i64){ true, (int64_t)o->memory.value };
	}
	if (o->memory_reservation.set && o->memory_reservation.value) {
		if (m->limit.set && o->memory_reservation.value > o->memory.value)
			return err_fail(
			    err, ERR_USAGE,
			    "minimum memory limit can not be less than memory reservation "
			    "limit, see usage");
		m->reservation = (struct opt_i64){ true, (int64_t)o->memory_reservation.value };
	}
	if (str_eq(o->memory_swap, "-1")) {
		swap = -1;
	} else if (o->memory_swap) {
		uint64_t v;

		if (str_parse_bytes(o->memory_swap, &v) < 0 || v > INT64_MAX)
			return err_fail(err, ERR_USAGE, "--memory-swap: invalid size: %s",
					o->memory_swap);
		swap = (int64_t)v;
	}
	if (swap > 0 && !m->limit.set)
		return err_fail(err, ERR_USAGE,
				"you should always set the memory limit when using the memory swap "
				"limit, see usage");
	if (swap > 0 && swap < m->limit.value)
		return err_fail(err, ERR_USAGE,
				"minimum memory swap limit should be larger than memory limit, see "
				"usage");
	/* docker's default: as much swap as memory. */
	if (!swap && m->limit.set && in->swap_limits)
		swap = 2 * m->limit.value;
	if (swap)
		m->swap = (struct opt_i64){ true, swap };
	return 0;
}

static int gen_cpu(const struct run_options *o, struct spec_resources *res, struct err *err)
{
	struct spec_cpu cpu = { 0 };
	uint64_t nano;

	if (o->cpus && (o->cpu_period.set || o->cpu_quota.set))
		return err_fail(err, ERR_USAGE,
				"conflicting options: --cpus and --cpu-period or --cpu-quota");
	if (o->cpus) {
		if (str_parse_nano(o->cpus, &nano) < 0 || nano > UINT64_C(1000000) * 1000000000)
			return err_fail(err, ERR_USAGE,
					"--cpus: expected a number like 1.5, got %s", o->cpus);
		if (nano) {
			if (nano < 10000000)
				return err_fail(err, ERR_USAGE, "--cpus: at least 0.01");
			cpu.period = (struct opt_u64){ true, CPU_PERIOD_DEFAULT_US };
			cpu.quota = (struct opt_i64){
				true, (int64_t)(nano / (1000000000 / CPU_PERIOD_DEFAULT_US))
			};
		}
	}
	if (o->cpu_period.set)
		cpu.period = o->cpu_period;
	if (o->cpu_quota.set)
		cpu.quota = o->cpu_quota;
	if (o->cpu_shares.set && o->cpu_shares.value)
		cpu.shares = o->cpu_shares;
	if (o->cpuset_cpus && o->cpuset_cpus[0])
		cpu.cpus = xstrdup(o->cpuset_cpus);
	if (o->cpuset_mems && o->cpuset_mems[0])
		cpu.mems = xstrdup(o->cpuset_mems);
	if (!cpu.period.set && !cpu.quota.set && !cpu.shares.set && !cpu.cpus && !cpu.mems)
		return 0;
	res->cpu = xmalloc(sizeof(cpu));
	*res->cpu = cpu;
	return 0;
}

static void rule_add(struct spec_resources *res, bool allow, const char *type, int64_t major,
		     int64_t minor, const char *access)
{
	struct spec_device_rule *rule = LIST_ADD(res->devices);

	rule->allow = allow;
	rule->type = type ? xstrdup(type) : NULL;
	rule->major = (struct opt_i64){ major >= 0, major >= 0 ? major : 0 };
	rule->minor = (struct opt_i64){ minor >= 0, minor >= 0 ? minor : 0 };
	rule->access = xstrdup(access);
}

/* Nothing but the harmless ones, the container's own terminals, and what was asked for. Nodes may
 * be made of any kind, as docker lets CAP_MKNOD do, but not opened. */
static void gen_device_rules(const struct spec_input *in, struct spec_resources *res)
{
	static const struct {
		int major, minor;
	} allowed[] = { { 1, 3 }, { 1, 5 }, { 1, 7 }, { 1, 8 },   { 1, 9 },
			{ 5, 0 }, { 5, 1 }, { 5, 2 }, { 136, -1 } };
	size_t i;

	if (in->opts->privileged) {
		rule_add(res, true, NULL, -1, -1, "rwm");
		return;
	}
	rule_add(res, false, NULL, -1, -1, "rwm");
	rule_add(res, true, "c", -1, -1, "m");
	rule_add(res, true, "b", -1, -1, "m");
	for (i = 0; i < ARRAY_SIZE(allowed); i++)
		rule_add(res, true, "c", allowed[i].major, allowed[i].minor, "rwm");
	for (i = 0; i < in->n_devices; i++)
		rule_add(res, true, in->devices[i].device.type, in->devices[i].device.major.value,
			 in->devices[i].device.minor.value, in->devices[i].access);
}

int spec_gen_resources(const struct spec_input *in, struct spec_linux *l, struct err *err)
{
	const struct run_options *o = in->opts;
	struct spec_resources *res = xcalloc(1, sizeof(*res));
	int r;

	l->resources = res;
	if (str_eq(o->cgroups, "split")) /* beside that of its monitor: cgroup_split() */
		l->cgroups_path = xstrdup(in->id);
	else if (o->cgroup_parent)
		l->cgroups_path = path_join(o->cgroup_parent, in->id);
	else /* an unprivileged user's is beside the own cgroup, where it may have been delegated */
		l->cgroups_path = path_join(in->rootless ? "inro" : "/inro", in->id);
	/* An unprivileged user has no device controller, and cannot make nodes to begin with. */
	if (!in->rootless)
		gen_device_rules(in, res);
	if (o->pids_limit.set && o->pids_limit.value > 0) {
		res->pids = xcalloc(1, sizeof(*res->pids));
		res->pids->limit = o->pids_limit;
	}
	r = gen_memory(in, res, err);
	return r < 0 ? r : gen_cpu(o, res, err);
}
