/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits as properties of a unit (systemd.resource-control(5)): what systemd manages itself it sets
 * again whenever it reads its configuration. The same properties as runc. All limits are written to
 * cgroupfs behind that, where those without a property take effect.
 */
#include <inttypes.h>

#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "runtime/cgroup_priv.h"
#include "runtime/systemd.h"

#define CPUSET_BITS_MAX 8192
#define PERIOD_DEFAULT  100000
#define USEC_PER_SEC    1000000
#define QUOTA_STEP      10000 /* of a second: one percent */

struct list {
	struct unit_properties *props;
	bool v2;
	struct err *err;
};

static void add_u64(const struct list *l, const char *name, uint64_t value)
{
	unit_properties_add(l->props, name, dbus_number('t', value), true);
}

/* --- cpusets --- */

static int cpuset_range(const char *text, unsigned char *mask, size_t *top)
{
	cleanup_free char *copy = xstrdup(text);
	char *dash = strchr(copy, '-');
	uint32_t first, last;

	if (dash)
		*dash++ = '\0';
	if (str_parse_u32(copy, &first) < 0 || str_parse_u32(dash ? dash : copy, &last) < 0 ||
	    first > last || last >= CPUSET_BITS_MAX)
		return -EINVAL;
	for (uint32_t i = first; i <= last; i++)
		mask[i / 8] |= (unsigned char)(1 << (i % 8));
	if (last / 8 + 1 > *top)
		*top = last / 8 + 1;
	return 0;
}

int unit_cpuset_mask(const char *text, struct dbus_value *ret)
{
	cleanup_strv char **ranges = strv_split(text, ',');
	unsigned char mask[CPUSET_BITS_MAX / 8] = { 0 };
	size_t top = 0;

	for (char **r = ranges; *r; r++) {
		char *s = *r + strspn(*r, " \n");
		s[strcspn(s, " \n")] = '\0';
		if (*s && cpuset_range(s, mask, &top) < 0)
			return -EINVAL;
	}
	if (top == 0)
		return -EINVAL;
	*ret = dbus_array("y");
	for (size_t i = 0; i < top; i++)
		dbus_value_add(ret, dbus_number('y', mask[i]));
	return 0;
}

static int add_cpuset(const struct list *l, const char *property, const char *member,
		      const char *text)
{
	struct dbus_value mask;

	if (!text || !*text)
		return 0;
	if (unit_cpuset_mask(text, &mask) < 0) {
		cleanup_free char *shown = str_escape(text);
		return err_fail(l->err, ERR_INVALID,
				"linux.resources.%s: expected numbers below %d like \"0-3,5\", got "
				"\"%.200s\"",
				member, CPUSET_BITS_MAX, shown);
	}
	unit_properties_add(l->props, property, mask, true);
	return 0;
}

/* --- cpu --- */

int64_t unit_quota_round(int64_t quota, uint64_t period)
{
	uint64_t per_sec;

	if (period == 0)
		period = PERIOD_DEFAULT;
	if (quota <= 0 || (uint64_t)quota > UINT64_MAX / USEC_PER_SEC ||
	    period > UINT64_MAX / UINT32_MAX)
		return quota;
	per_sec = (uint64_t)quota * USEC_PER_SEC / period;
	if (per_sec % QUOTA_STEP == 0)
		return quota;
	per_sec = (per_sec / QUOTA_STEP + 1) * QUOTA_STEP;
	if (per_sec > UINT64_MAX / period)
		return quota;
	return (int64_t)(per_sec * period / USEC_PER_SEC);
}

static void add_quota(const struct list *l, int64_t quota, uint64_t period)
{
	if (period)
		add_u64(l, "CPUQuotaPeriodUSec", period);
	if (quota == 0 && period == 0)
		return;
	if (quota <= 0) {
		add_u64(l, "CPUQuotaPerSecUSec", UINT64_MAX);
		return;
	}
	if (period == 0)
		period = PERIOD_DEFAULT;
	uint64_t rounded = (uint64_t)unit_quota_round(quota, period);
	if (rounded > UINT64_MAX / USEC_PER_SEC)
		return;
	/* Up again: the division may have come to just below the whole percent. */
	uint64_t per_sec = rounded * USEC_PER_SEC / period;
	per_sec = (per_sec + QUOTA_STEP - 1) / QUOTA_STEP * QUOTA_STEP;
	add_u64(l, "CPUQuotaPerSecUSec", per_sec);
}

static int add_cpu(const struct list *l, const struct spec_cpu *cpu)
{
	bool idle = cpu->idle.set && cpu->idle.value == 1;
	int r;

	/* systemd >= 252 takes weight 0 for idle. Older ones refuse it; cpu.idle is written anyway.
	 */
	if (cpu->shares.set && cpu->shares.value && !(idle && l->v2)) {
		if (l->v2)
			add_u64(l, "CPUWeight", cgroup_weight_of_shares(cpu->shares.value));
		else
			add_u64(l, "CPUShares", cpu->shares.value);
	} else if (idle && l->v2) {
		add_u64(l, "CPUWeight", 0);
	}
	add_quota(l, cpu->quota.set ? cpu->quota.value : 0,
		  cpu->period.set ? cpu->period.value : 0);
	r = add_cpuset(l, "AllowedCPUs", "cpu.cpus", cpu->cpus);
	return r < 0 ? r : add_cpuset(l, "AllowedMemoryNodes", "cpu.mems", cpu->mems);
}

/* --- memory --- */

static int add_memory(const struct list *l, const struct spec_memory *m)
{
	int64_t limit = m->limit.set ? m->limit.value : 0, swap;

	if (limit) /* -1 is systemd's infinity */
		add_u64(l, l->v2 ? "MemoryMax" : "MemoryLimit", (uint64_t)limit);
	if (!l->v2)
		return 0;
	if (m->reservation.set && m->reservation.value)
		add_u64(l, "MemoryLow", (uint64_t)m->reservation.value);
	int r = cgroup_swap_max(limit, m->swap.set ? m->swap.value : 0, &swap);
	if (r > 0)
		add_u64(l, "MemorySwapMax", (uint64_t)swap);
	return 0; /* what contradicts itself is reported where cgroupfs is written */
}

/* --- unified --- */

static int unified_number(const struct list *l, const struct json_pair *pair, const char *text,
			  uint64_t *ret)
{
	if (str_eq(text, "max")) {
		*ret = UINT64_MAX;
		return 0;
	}
	if (str_parse_u64(text, ret) == 0)
		return 0;
	cleanup_free char *shown = str_escape(pair->value);
	return err_fail(l->err, ERR_INVALID,
			"linux.resources.unified: \"%s\": expected a number or \"max\", got "
			"\"%.200s\"",
			pair->key, shown);
}

/* "max 100000", "50000" */
static int unified_cpu_max(const struct list *l, const struct json_pair *pair, char *text)
{
	char *space = strchr(text, ' ');
	uint64_t quota, period = PERIOD_DEFAULT;
	int r;

	if (space)
		*space++ = '\0';
	r = unified_number(l, pair, text, &quota);
	if (r == 0 && space)
		r = unified_number(l, pair, space + strspn(space, " "), &period);
	if (r == 0)
		add_quota(l, quota > INT64_MAX ? -1 : (int64_t)quota, period);
	return r;
}

static int unified_cpuset(const struct list *l, const struct json_pair *pair, char *text)
{
	cleanup_free char *member = xasprintf("unified: \"%s\"", pair->key);

	return add_cpuset(l, str_ends(pair->key, "cpus") ? "AllowedCPUs" : "AllowedMemoryNodes",
			  member, text);
}

static int unified_pids(const struct list *l, const struct json_pair *pair, char *text)
{
	uint64_t n;
	int r = unified_number(l, pair, text, &n);

	if (r == 0)
		add_u64(l, "TasksMax", n ? n : 1);
	return r;
}

static int unified_idle(const struct list *l, const struct json_pair *pair, char *text)
{
	if (str_eq(text, "1"))
		add_u64(l, "CPUWeight", 0);
	return 0;
}

static const struct {
	const char *key, *property; /* a number, or: */
	int (*fn)(const struct list *l, const struct json_pair *pair, char *text);
} unified_keys[] = {
	{ "cpu.idle", NULL, unified_idle },
	{ "cpu.max", NULL, unified_cpu_max },
	{ "cpu.weight", "CPUWeight", NULL },
	{ "cpuset.cpus", NULL, unified_cpuset },
	{ "cpuset.mems", NULL, unified_cpuset },
	{ "memory.high", "MemoryHigh", NULL },
	{ "memory.low", "MemoryLow", NULL },
	{ "memory.max", "MemoryMax", NULL },
	{ "memory.min", "MemoryMin", NULL },
	{ "memory.swap.max", "MemorySwapMax", NULL },
	{ "memory.zswap.max", "MemoryZSwapMax", NULL },
	{ "pids.max", NULL, unified_pids },
};

static int add_unified(const struct list *l, const struct json_pair *pair)
{
	cleanup_free char *copy = xstrdup(pair->value);
	char *text = copy + strspn(copy, " \t\n");

	for (size_t end = strlen(text); end > 0 && strchr(" \t\n", text[end - 1]);)
		text[--end] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(unified_keys); i++) {
		uint64_t n = 0;

		if (!str_eq(pair->key, unified_keys[i].key))
			continue;
		if (unified_keys[i].fn)
			return unified_keys[i].fn(l, pair, text);
		int r = unified_number(l, pair, text, &n);
		if (r == 0)
			add_u64(l, unified_keys[i].property, n);
		return r;
	}
	return 0;
}

/* A scope's can't be changed later, so the unit has to be made with it (systemd >= 253). */
static void add_oom_group(const struct list *l, const struct json_map *unified)
{
	const char *text = json_map_get(unified, "memory.oom.group");

	if (text && (str_eq(text, "0") || str_eq(text, "1")))
		unit_properties_add(l->props, "OOMPolicy",
				    dbus_text('s', text[0] == '1' ? "kill" : "continue"), true);
}

/* --- devices: v1 --- */

/*
 * On v1 systemd writes devices.allow whenever it applies its configuration: it has to know the
 * rules. On v2 it leaves programs of others alone, and ours, attached to the same cgroup, says
 * exactly what config.json says.
 */
static int add_device(const struct device_rule *rule, bool allow, const char *line, void *data)
{
	struct dbus_value *list = data, pair = dbus_struct();
	const char *kind = rule && rule->type == 'b' ? "block" : "char";
	cleanup_free char *path = NULL;
	char access[4] = "";
	size_t n = 0;

	if (!rule || !allow)
		return 0;
	if (rule->major >= 0 && rule->minor >= 0)
		path = xasprintf("/dev/%s/%" PRId64 ":%" PRId64, kind, rule->major, rule->minor);
	else if (rule->minor >= 0)
		return 0; /* any major with this minor: systemd has no such rule */
	else if (rule->major >= 0)
		path = xasprintf("%s-%" PRId64, kind, rule->major);
	else
		path = xasprintf("%s-*", kind);
	for (const char *letter = "rwm"; *letter; letter++)
		if (strchr(strrchr(line, ' '), *letter))
			access[n++] = *letter;
	dbus_value_add(&pair, dbus_text('s', path));
	dbus_value_add(&pair, dbus_text('s', access));
	dbus_value_add(list, pair);
	return 0;
}

static int add_devices(const struct list *l, const struct spec_resources *res)
{
	struct dbus_value rules = dbus_array("(ss)");
	struct device_policy policy;
	int r = device_policy_build(res, &policy, l->err);

	if (r == 0)
		r = device_policy_v1(&policy, add_device, &rules, l->err);
	if (r == 0) {
		bool all = policy.allow;
		/* First nothing, then what is allowed: the property adds to what is there. */
		unit_properties_add(l->props, "DeviceAllow", dbus_array("(ss)"), false);
		unit_properties_add(l->props, "DevicePolicy",
				    dbus_text('s', all ? "auto" : "strict"), false);
		if (!all) {
			unit_properties_add(l->props, "DeviceAllow", rules, false);
			rules = dbus_array("(ss)");
		}
	}
	dbus_value_done(&rules);
	device_policy_done(&policy);
	return r;
}

int unit_properties_limits(const struct spec_resources *res, bool v2, bool create,
			   struct unit_properties *ret, struct err *err)
{
	const struct list l = { .props = ret, .v2 = v2, .err = err };
	int r = 0;

	if (!v2 && create)
		r = add_devices(&l, res);
	if (r < 0 || !res)
		return r;
	if (res->memory)
		r = add_memory(&l, res->memory);
	if (r == 0 && res->cpu)
		r = add_cpu(&l, res->cpu);
	if (r == 0 && res->pids && res->pids->limit.set) {
		int64_t limit = res->pids->limit.value;
		/* systemd takes no 0, which has the same effect as 1. */
		add_u64(&l, "TasksMax", limit < 0 ? UINT64_MAX : limit ? (uint64_t)limit : 1);
	}
	if (r == 0 && res->block_io && res->block_io->weight.set && res->block_io->weight.value) {
		uint32_t weight = res->block_io->weight.value;
		add_u64(&l, v2 ? "IOWeight" : "BlockIOWeight",
			v2 ? cgroup_io_weight(weight) : weight);
	}
	for (size_t i = 0; r == 0 && v2 && i < res->unified.n; i++)
		r = add_unified(&l, &res->unified.items[i]);
	if (r == 0 && v2 && create)
		add_oom_group(&l, &res->unified);
	return r;
}
