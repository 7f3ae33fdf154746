/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pod_inspect.h"

#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "engine/inspect_internal.h"
#include "engine/pod_options.h"

#define CONTAINER(member, key)                                                                     \
	JSON_FIELD(struct inspect_pod_container, member, key, JSON_STR, .flags = JSON_KEEP)
static const struct json_field container_fields[] = {
	CONTAINER(id, "Id"),
	CONTAINER(name, "Name"),
	CONTAINER(state, "State"),
};
static const struct json_desc container_desc =
    JSON_DESC(struct inspect_pod_container, container_fields);

#define INFRA(member, key, kind)                                                                   \
	JSON_FIELD(struct inspect_infra_config, member, key, kind, .flags = JSON_KEEP)
static const struct json_field infra_fields[] = {
	INFRA(port_bindings, "PortBindings", JSON_RAW_MAP),
	INFRA(host_network, "HostNetwork", JSON_BOOL),
	INFRA(static_ip, "StaticIP", JSON_STR),
	INFRA(static_mac, "StaticMAC", JSON_STR),
	INFRA(no_manage_resolv, "NoManageResolvConf", JSON_BOOL),
	INFRA(dns_server, "DNSServer", JSON_STRV),
	INFRA(dns_search, "DNSSearch", JSON_STRV),
	INFRA(dns_option, "DNSOption", JSON_STRV),
	INFRA(no_manage_hosts, "NoManageHosts", JSON_BOOL),
	INFRA(host_add, "HostAdd", JSON_STRV),
	INFRA(networks, "Networks", JSON_STRV),
	INFRA(network_options, "NetworkOptions", JSON_MAP),
	INFRA(pid_ns, "pid_ns", JSON_STR),
	INFRA(userns, "userns", JSON_STR),
	INFRA(uts_ns, "uts_ns", JSON_STR),
};
static const struct json_desc infra_desc = JSON_DESC(struct inspect_infra_config, infra_fields);

#define FIELD(member, key, kind)                                                                   \
	JSON_FIELD(struct pod_inspect, member, key, kind, .flags = JSON_KEEP)
#define MAYBE(member, key, kind) JSON_FIELD(struct pod_inspect, member, key, kind)
static const struct json_field fields[] = {
	FIELD(id, "Id", JSON_STR),
	FIELD(name, "Name", JSON_STR),
	FIELD(created, "Created", JSON_STR),
	MAYBE(create_command, "CreateCommand", JSON_STRV),
	FIELD(exit_policy, "ExitPolicy", JSON_STR),
	FIELD(state, "State", JSON_STR),
	FIELD(hostname, "Hostname", JSON_STR),
	MAYBE(labels, "Labels", JSON_MAP),
	FIELD(create_cgroup, "CreateCgroup", JSON_BOOL),
	MAYBE(cgroup_parent, "CgroupParent", JSON_STR),
	MAYBE(cgroup_path, "CgroupPath", JSON_STR),
	FIELD(create_infra, "CreateInfra", JSON_BOOL),
	MAYBE(infra_id, "InfraContainerID", JSON_STR),
	JSON_FIELD(struct pod_inspect, infra_config, "InfraConfig", JSON_STRUCT, .flags = JSON_KEEP,
		   .desc = &infra_desc),
	FIELD(shared_namespaces, "SharedNamespaces", JSON_STRV),
	MAYBE(restart_policy, "RestartPolicy", JSON_STR),
	FIELD(num_containers, "NumContainers", JSON_U32),
	JSON_FIELD(struct pod_inspect, containers, "Containers", JSON_ARRAY, .flags = JSON_KEEP,
		   .desc = &container_desc),
	MAYBE(cpu_period, "cpu_period", JSON_OPT_U64),
	MAYBE(cpu_quota, "cpu_quota", JSON_OPT_I64),
	MAYBE(cpu_shares, "cpu_shares", JSON_OPT_U64),
	MAYBE(cpuset_cpus, "cpuset_cpus", JSON_STR),
	MAYBE(cpuset_mems, "cpuset_mems", JSON_STR),
	MAYBE(memory_limit, "memory_limit", JSON_OPT_U64),
	MAYBE(memory_swap, "memory_swap", JSON_OPT_I64),
	MAYBE(blkio_weight, "blkio_weight", JSON_OPT_U64),
	MAYBE(volumes, "volumes", JSON_STRV),
	MAYBE(volumes_from, "volumes_from", JSON_STRV),
	MAYBE(devices, "devices", JSON_STRV),
	MAYBE(security_opts, "security_opt", JSON_STRV),
};
const struct json_desc pod_inspect_desc = JSON_DESC(struct pod_inspect, fields);

void pod_inspect_done(struct pod_inspect *pi)
{
	json_free(&pod_inspect_desc, pi);
}

static char *copy(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

static void fill_limits(const struct spec_resources *res, struct pod_inspect *pi)
{
	if (res->cpu) {
		pi->cpu_period = res->cpu->period;
		pi->cpu_quota = res->cpu->quota;
		pi->cpu_shares = res->cpu->shares;
		pi->cpuset_cpus = copy(res->cpu->cpus);
		pi->cpuset_mems = copy(res->cpu->mems);
	}
	if (!res->memory)
		return;
	if (res->memory->limit.set)
		pi->memory_limit = (struct opt_u64){ true, (uint64_t)res->memory->limit.value };
	pi->memory_swap = res->memory->swap;
}

static char *word_or(const char *s, const char *otherwise)
{
	return xstrdup(s ? s : otherwise);
}

static void fill_infra(const struct pod_view *v, struct inspect_infra_config *ic)
{
	const struct run_options *m = &v->pod.options.member;

	inspect_wanted_ports(v->pod.options.publish, &ic->port_bindings);
	ic->host_network = str_eq(run_network_word(m), "host");
	ic->static_ip = word_or(m->ip ? m->ip : m->ip6, "");
	ic->static_mac = word_or(m->mac_address, "");
	ic->no_manage_hosts = m->no_hosts;
	ic->dns_server = strv_copy(m->dns);
	ic->dns_search = strv_copy(m->dns_search);
	ic->dns_option = strv_copy(m->dns_option);
	ic->host_add = strv_copy(m->add_host);
	ic->networks = strv_copy(v->networks);
	ic->pid_ns = word_or(m->pid, "private");
	ic->userns = word_or(m->userns, "host");
	ic->uts_ns = word_or(m->uts, "private");
}

static void fill(const struct engine *eng, const struct pod_view *v, struct pod_inspect *pi)
{
	const struct pod_options *o = &v->pod.options;
	const struct run_options *m = &o->member;
	char created[TIME_RFC3339_MAX];

	time_rfc3339(v->pod.created_ns, created);
	pi->id = xstrdup(v->pod.id);
	pi->name = xstrdup(v->pod.name);
	pi->created = xstrdup(created);
	pi->create_command = strv_copy(o->create_command);
	pi->exit_policy = xstrdup(o->exit_policy == POD_EXIT_STOP ? "stop" : "continue");
	pi->state = xstrdup(v->state);
	if (pod_shares(&v->pod, "uts"))
		pi->hostname = xstrdup(m->hostname ? m->hostname : v->pod.name);
	else
		pi->hostname = xstrdup("");
	for (size_t i = 0; i < o->labels.n; i++)
		json_map_set(&pi->labels, o->labels.items[i].key, o->labels.items[i].value);
	pi->create_cgroup = !o->no_parent;
	if (!o->no_parent) {
		pi->cgroup_path = pod_cgroup_path(eng, &v->pod);
		pi->cgroup_parent = pod_cgroup_parent(eng, &v->pod);
	}
	for (size_t i = 0; o->share && o->share[i]; i++)
		strv_add(&pi->shared_namespaces,
			 str_eq(o->share[i], "network") ? "net" : o->share[i]);
	pi->create_infra = v->infra != NULL;
	pi->infra_id = v->infra ? xstrdup(v->infra->id) : NULL;
	fill_infra(v, &pi->infra_config);
	pi->restart_policy = copy(m->restart);
	pi->blkio_weight = m->blkio_weight;
	pi->volumes = strv_copy(m->volume);
	pi->volumes_from = strv_copy(m->volumes_from);
	pi->devices = strv_copy(m->device);
	pi->security_opts = strv_copy(m->security_opt);
}

int pod_inspect(const struct engine *eng, const struct pod_view *v, struct pod_inspect *ret,
		struct err *err)
{
	struct spec_resources res = { 0 };
	int r = pod_limits(&v->pod.options, &res, err);

	if (r < 0)
		return r;
	*ret = (struct pod_inspect){ 0 };
	fill(eng, v, ret);
	fill_limits(&res, ret);
	json_free(&spec_resources_desc, &res);
	ret->num_containers = (uint32_t)v->n;
	ret->containers.items = xcalloc(v->n + 1, sizeof(*ret->containers.items));
	for (size_t i = 0; i < v->n; i++)
		ret->containers.items[ret->containers.n++] = (struct inspect_pod_container){
			.id = xstrdup(v->members[i]->id),
			.name = xstrdup(v->members[i]->name),
			.state = xstrdup(record_state(v->members[i])),
		};
	return 0;
}

/* ---- in a list ---- */

#define LISTED_CONTAINER(member, key)                                                              \
	JSON_FIELD(struct listed_pod_container, member, key, JSON_STR, .flags = JSON_KEEP)
static const struct json_field listed_container_fields[] = {
	LISTED_CONTAINER(id, "Id"),
	LISTED_CONTAINER(names, "Names"),
	LISTED_CONTAINER(status, "Status"),
};
static const struct json_desc listed_container_desc =
    JSON_DESC(struct listed_pod_container, listed_container_fields);

#define LISTED(member, key, kind)                                                                  \
	JSON_FIELD(struct listed_pod, member, key, kind, .flags = JSON_KEEP)
static const struct json_field listed_fields[] = {
	LISTED(cgroup, "Cgroup", JSON_STR),
	JSON_FIELD(struct listed_pod, containers, "Containers", JSON_ARRAY, .flags = JSON_KEEP,
		   .desc = &listed_container_desc),
	LISTED(created, "Created", JSON_STR),
	LISTED(id, "Id", JSON_STR),
	LISTED(infra_id, "InfraId", JSON_STR),
	LISTED(name, "Name", JSON_STR),
	LISTED(namespaces, "Namespace", JSON_STR),
	LISTED(networks, "Networks", JSON_STRV),
	LISTED(status, "Status", JSON_STR),
	LISTED(labels, "Labels", JSON_MAP),
};
const struct json_desc listed_pod_desc = JSON_DESC(struct listed_pod, listed_fields);

void listed_pod_done(struct listed_pod *lp)
{
	json_free(&listed_pod_desc, lp);
}

void listed_pod_fill(const struct engine *eng, const struct pod_view *v, struct listed_pod *ret)
{
	const struct json_map *labels = &v->pod.options.labels;
	char created[TIME_RFC3339_MAX];

	time_rfc3339(v->pod.created_ns, created);
	*ret = (struct listed_pod){
		.cgroup = pod_cgroup_parent(eng, &v->pod),
		.created = xstrdup(created),
		.id = xstrdup(v->pod.id),
		.infra_id = xstrdup(v->infra ? v->infra->id : ""),
		.name = xstrdup(v->pod.name),
		.namespaces = pod_share_words(&v->pod),
		.networks = strv_copy(v->networks),
		.status = xstrdup(v->state),
	};
	for (size_t i = 0; i < labels->n; i++)
		json_map_set(&ret->labels, labels->items[i].key, labels->items[i].value);
	ret->containers.items = xcalloc(v->n + 1, sizeof(*ret->containers.items));
	for (size_t i = 0; i < v->n; i++)
		ret->containers.items[ret->containers.n++] = (struct listed_pod_container){
			.id = xstrdup(v->members[i]->id),
			.names = xstrdup(v->members[i]->name),
			.status = xstrdup(record_state(v->members[i])),
		};
}
