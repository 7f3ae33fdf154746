/* SPDX-License-Identifier: Apache-2.0 */
/* HostConfig of `inspect`: what was asked for, in docker's members. */
#include <strings.h>

#include "base/str.h"
#include "base/strv.h"
#include "engine/inspect_internal.h"
#include "engine/parse.h"
#include "engine/pods.h"
#include "engine/publish.h"
#include "engine/spec.h"
#include "net/netspec.h"

#define SHM_SIZE_DEFAULT (UINT64_C(64) << 20)

static char *copy(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

/* The other container's name may be another one's by now. */
static char *mode_of(const struct record *rec, const char *word, enum spec_ns type,
		     const char *nothing)
{
	const char *name = word ? str_after(word, "container:") : NULL;
	const char *id = json_map_get(&rec->options.joins, spec_ns_names[type]);

	if (name)
		return xasprintf("container:%s", id ? id : name);
	return xstrdup(word ? word : nothing);
}

static void fill_modes(const struct inspected *in, struct inspect_host_config *ret)
{
	const struct run_options *o = &in->asked.options;
	const struct record *rec = &in->rec;
	const char *network = run_network_word(o);
	cleanup_pod struct pod pod = { 0 };
	struct netspec spec = { 0 };

	/* Which it shares with the others. */
	if (publish_owner(rec) != rec->id && pod_find(in->eng, rec->pod, &pod, NULL) == 0)
		network = run_network_word(&pod.options.member);
	if (!network || str_eq(network, "private"))
		network = "none";
	else if (netspec_parse(network, &spec, NULL) == 0 && spec.kind == NETSPEC_NETWORK)
		network = spec.target;
	ret->network_mode = mode_of(rec, network, NS_NETWORK, "");
	netspec_done(&spec);
	ret->ipc_mode = mode_of(rec, o->ipc, NS_IPC, "private");
	ret->pid_mode = mode_of(rec, o->pid, NS_PID, "");
	ret->uts_mode = mode_of(rec, o->uts, NS_UTS, "");
	ret->userns_mode = mode_of(rec, o->userns, NS_USER, "");
	ret->cgroupns_mode = mode_of(rec, o->cgroupns, NS_CGROUP, "private");
	ret->cgroup_mode = xstrdup(ret->cgroupns_mode);
}

static void fill_log(const struct record_options *o, struct inspect_log_config *ret)
{
	int driver = o->log_driver < 0 ? LOGLINE_CRI : o->log_driver;
	cleanup_free char *size = xasprintf("%llu", (unsigned long long)o->log_max_size);
	cleanup_free char *files = xasprintf("%u", o->log_max_files);

	ret->type = xstrdup(log_driver_names[driver]);
	if ((driver == LOGLINE_CRI || driver == LOGLINE_JSON) && o->log_max_files) {
		json_map_set(&ret->config, "max-file", files);
		json_map_set(&ret->config, "max-size", o->log_max_size == INT64_MAX ? "-1" : size);
	}
	if (o->log_tag)
		json_map_set(&ret->config, "tag", o->log_tag);
	if (o->log_drop)
		json_map_set(&ret->config, "mode", "non-blocking");
}

static void fill_restart(const struct record_options *o, struct inspect_restart_policy *ret)
{
	ret->name =
	    xstrdup(restart_policy_names[o->restart > RESTART_NO ? o->restart : RESTART_NO]);
	ret->maximum_retry_count = o->restart_max;
}

static char **cap_words(char *const *words)
{
	char **names = NULL;

	for (; words && *words; words++)
		strv_take(&names,
			  strcasecmp(*words, "all") == 0 ? xstrdup("ALL") : cap_word(*words));
	return names;
}

/* "A:B" of -v, but no volume that has no name. */
static void fill_mounts(const struct run_options *o, struct inspect_host_config *ret)
{
	for (char **v = o->volume; v && *v; v++)
		if (strchr(*v, ':'))
			strv_add(&ret->binds, *v);
	for (char **m = o->mount; m && *m; m++) {
		cleanup_mount_request struct mount_request q = { 0 };
		struct inspect_wanted_mount *to;

		if (mount_parse(*m, &q, NULL) < 0)
			continue;
		to = LIST_ADD(ret->mounts);
		to->type = xstrdup(mount_kind_names[q.kind]);
		to->source = take_ptr(q.source);
		to->target = take_ptr(q.target);
		to->readonly = q.readonly;
	}
	for (char **t = o->tmpfs; t && *t; t++) {
		size_t n = strcspn(*t, ":");
		cleanup_free char *target = xstrndup(*t, n);

		json_map_set(&ret->tmpfs, target, (*t)[n] ? *t + n + 1 : "");
	}
	ret->volumes_from = strv_copy(o->volumes_from);
}

static void fill_process(const struct run_options *o, struct inspect_host_config *ret)
{
	ret->privileged = o->privileged;
	ret->read_only = o->read_only;
	ret->cap_add = cap_words(o->cap_add);
	ret->cap_drop = cap_words(o->cap_drop);
	ret->security_opt = strv_copy(o->security_opt);
	ret->group_add = strv_copy(o->group_add);
	ret->oom_score_adj = o->oom_score_adj.value;
	ret->init = (struct opt_bool){ o->init, o->init };
	for (char **w = o->ulimit; w && *w; w++) {
		struct inspect_ulimit *to;
		struct spec_rlimit limit;

		if (str_eq(*w, "host") || ulimit_parse(*w, &limit, NULL) < 0)
			continue;
		free(limit.type);
		to = LIST_ADD(ret->ulimits);
		to->name = xstrndup(*w, strcspn(*w, "="));
		to->soft = (int64_t)limit.soft;
		to->hard = (int64_t)limit.hard;
	}
	for (char **w = o->sysctl; w && *w; w++) {
		size_t n = strcspn(*w, "=");
		cleanup_free char *key = xstrndup(*w, n);

		json_map_set(&ret->sysctls, key, (*w)[n] ? *w + n + 1 : "");
	}
}

static void fill_network(const struct run_options *o, struct inspect_host_config *ret)
{
	ret->dns = strv_copy(o->dns);
	ret->dns_options = strv_copy(o->dns_option);
	ret->dns_search = strv_copy(o->dns_search);
	ret->extra_hosts = strv_copy(o->add_host);
}

static void fill_memory(const struct inspected *in, struct inspect_host_config *ret)
{
	const struct run_options *o = &in->asked.options;
	const struct spec_resources *res = in->spec.linux_ ? in->spec.linux_->resources : NULL;
	uint64_t swap = 0;

	ret->memory = o->memory.value;
	ret->memory_reservation = o->memory_reservation.value;
	ret->memory_swappiness = o->memory_swappiness;
	ret->oom_kill_disable = o->oom_kill_disable;
	ret->shm_size = o->shm_size.set ? o->shm_size.value : SHM_SIZE_DEFAULT;
	/* docker's, too: what came of it when nothing was said */
	if (str_eq(o->memory_swap, "-1"))
		ret->memory_swap = -1;
	else if (o->memory_swap && str_parse_bytes(o->memory_swap, &swap) == 0 && swap)
		ret->memory_swap = (int64_t)swap;
	else if (res && res->memory)
		ret->memory_swap = res->memory->swap.value;
}

static void fill_cpu(const struct run_options *o, struct inspect_host_config *ret)
{
	if (o->cpus && str_parse_nano(o->cpus, &ret->nano_cpus) < 0)
		ret->nano_cpus = 0;
	ret->cpu_shares = o->cpu_shares.value;
	ret->cpu_period = o->cpu_period.value;
	ret->cpu_quota = o->cpu_quota.value;
	ret->cpu_rt_period = o->cpu_rt_period.value;
	ret->cpu_rt_runtime = o->cpu_rt_runtime.value;
	ret->cpuset_cpus = copy(o->cpuset_cpus);
	ret->cpuset_mems = copy(o->cpuset_mems);
	ret->pids_limit = o->pids_limit;
	ret->cgroup_parent = copy(o->cgroup_parent);
}

static void add_rates(char *const *words, bool bytes, inspect_rates *to)
{
	for (; words && *words; words++) {
		struct inspect_rate rate = { 0 };

		if (device_number_parse("", *words, bytes, &rate.path, &rate.rate, NULL) == 0)
			*LIST_ADD(*to) = rate;
	}
}

static void fill_devices(const struct run_options *o, struct inspect_host_config *ret)
{
	ret->blkio_weight = o->blkio_weight.value;
	for (char **w = o->blkio_weight_device; w && *w; w++) {
		struct inspect_weight weight = { 0 };

		if (device_number_parse("", *w, false, &weight.path, &weight.weight, NULL) == 0)
			*LIST_ADD(ret->weight_devices) = weight;
	}
	add_rates(o->device_read_bps, true, &ret->read_bps);
	add_rates(o->device_write_bps, true, &ret->write_bps);
	add_rates(o->device_read_iops, false, &ret->read_iops);
	add_rates(o->device_write_iops, false, &ret->write_iops);
	for (char **w = o->device; w && *w; w++) {
		cleanup_device_request struct device_request q = { 0 };
		struct inspect_device *to;

		if (device_parse(*w, &q, NULL) < 0)
			continue;
		to = LIST_ADD(ret->devices);
		to->host = take_ptr(q.host);
		to->container = take_ptr(q.container);
		to->access = take_ptr(q.access);
	}
	ret->device_rules = strv_copy(o->device_cgroup_rule);
}

static char **id_words(const spec_id_maps *maps)
{
	char **words = NULL;

	for (size_t i = 0; i < maps->n; i++)
		strv_addf(&words, "%u:%u:%u", maps->items[i].container_id, maps->items[i].host_id,
			  maps->items[i].size);
	return words;
}

static void fill_spec(const struct inspected *in, struct inspect_host_config *ret)
{
	const struct spec_linux *l = in->spec.linux_;

	if (!l)
		return;
	ret->masked_paths = strv_copy(l->masked_paths);
	ret->readonly_paths = strv_copy(l->readonly_paths);
	if (!l->uid_mappings.n)
		return;
	ret->id_mappings = xcalloc(1, sizeof(*ret->id_mappings));
	ret->id_mappings->uids = id_words(&l->uid_mappings);
	ret->id_mappings->gids = id_words(&l->gid_mappings);
}

void inspect_host_fill(const struct inspected *in, struct inspect_host_config *ret)
{
	const struct run_options *o = &in->asked.options;

	ret->auto_remove = in->rec.auto_remove;
	ret->cid_file = copy(o->cidfile);
	ret->runtime = xstrdup("inro-runtime");
	ret->cgroup_manager = xstrdup(in->eng->runtime.systemd_cgroup ? "systemd" : "cgroupfs");
	ret->cgroups = xstrdup(o->cgroups ? o->cgroups : "default");
	ret->console_size.items = xcalloc(2, sizeof(*ret->console_size.items));
	ret->console_size.n = 2;
	for (char **w = o->annotation; w && *w; w++)
		label_parse(*w, "annotation", &ret->annotations, NULL);
	fill_restart(&in->rec.options, &ret->restart_policy);
	fill_log(&in->rec.options, &ret->log_config);
	fill_modes(in, ret);
	fill_mounts(o, ret);
	fill_process(o, ret);
	fill_network(o, ret);
	fill_memory(in, ret);
	fill_cpu(o, ret);
	fill_devices(o, ret);
	fill_spec(in, ret);
}
