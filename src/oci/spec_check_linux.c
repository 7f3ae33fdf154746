/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of config.json's "linux" (runtime-spec config-linux.md), resources and seccomp apart. */
#include <inttypes.h>

#include "base/str.h"
#include "oci/spec_internal.h"

int spec_check_namespace(const void *object, struct err *err)
{
	const struct spec_namespace *ns = object;

	return ns->path && *ns->path ? spec_check_absolute(err, "path", ns->path) : 0;
}

int spec_check_device(const void *object, struct err *err)
{
	static const char *const types[] = { "c", "b", "u", "p", NULL };
	const struct spec_device *d = object;
	int r;

	r = spec_check_absolute(err, "path", d->path);
	if (r < 0)
		return r;
	r = spec_check_word(err, "type", d->type, types);
	if (r < 0)
		return r;
	if (*d->type != 'p') {
		if (!d->major.set || !d->minor.set)
			return json_fail(err, d->major.set ? "minor" : "major",
					 "expected a device number, it is missing");
		r = spec_check_device_number(err, d->major.value, d->minor.value, 0);
		if (r < 0)
			return r;
	}
	/* Some tools put the type's bits there, too: spec_parse() takes them off. */
	if (d->file_mode.set && d->file_mode.value > 0177777)
		return json_fail(err, "fileMode", "expected at most 4095 (octal 7777), got %u",
				 d->file_mode.value);
	r = d->uid.set ? spec_check_id(err, "uid", d->uid.value) : 0;
	if (r < 0)
		return r;
	return d->gid.set ? spec_check_id(err, "gid", d->gid.value) : 0;
}

int spec_check_time_offset(const void *object, struct err *err)
{
	const struct spec_time_offset *t = object;

	return spec_check_range(err, "nanosecs", t->nanosecs, 0, 999999999);
}

int spec_check_net_device(const void *object, struct err *err)
{
	const struct spec_net_device *d = object;
	const char *percent;

	if (!d->name || !*d->name)
		return 0;
	/* One "%d" makes it a template, in which the kernel puts a number. */
	percent = strchr(d->name, '%');
	if (percent && (percent[1] != 'd' || strchr(percent + 1, '%')))
		return spec_fail_value(err, "name", d->name, "at most one %, in \"%d\"");
	return spec_check_ifname(err, "name", d->name);
}

int spec_check_personality(const void *object, struct err *err)
{
	static const char *const domains[] = { "LINUX", "LINUX32", NULL };
	const struct spec_personality *p = object;

	if (p->flags && p->flags[0])
		return spec_fail_value(err, "flags[0]", p->flags[0], "no flags, none are defined");
	return spec_check_word(err, "domain", p->domain, domains);
}

static int check_schema(struct err *err, const char *member, const char *value, const char *prefix)
{
	if (!value || !*value)
		return 0;
	if (!str_starts(value, prefix) || strchr(value, '\n'))
		return json_fail(err, member, "expected one line that starts with \"%s\"", prefix);
	return 0;
}

int spec_check_intel_rdt(const void *object, struct err *err)
{
	const struct spec_intel_rdt *rdt = object;
	const char *id = rdt->clos_id;
	char member[64];
	size_t i;
	int r;

	/* A directory name below the resctrl mount; "/" alone is the default class. */
	if (id && strcmp(id, "/") != 0 &&
	    (strchr(id, '/') || strcmp(id, ".") == 0 || strcmp(id, "..") == 0))
		return spec_fail_value(err, "closID", id, "a name without slashes, or \"/\"");
	/* "L3:" and one line are what l3CacheSchema should have, not what it must have. */
	r = check_schema(err, "memBwSchema", rdt->mem_bw_schema, "MB:");
	if (r < 0)
		return r;
	for (i = 0; rdt->schemata && rdt->schemata[i]; i++) {
		snprintf(member, sizeof(member), "schemata[%zu]", i);
		r = check_schema(err, member, rdt->schemata[i], "");
		if (r < 0)
			return r;
	}
	return 0;
}

int spec_check_memory_policy(const void *object, struct err *err)
{
	static const char *const modes[] = {
		"MPOL_DEFAULT",    "MPOL_BIND",
		"MPOL_INTERLEAVE", "MPOL_WEIGHTED_INTERLEAVE",
		"MPOL_PREFERRED",  "MPOL_PREFERRED_MANY",
		"MPOL_LOCAL",      NULL,
	};
	static const char *const flags[] = { "MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES",
					     "MPOL_F_STATIC_NODES", NULL };
	static const char *const without_nodes[] = { "MPOL_DEFAULT", "MPOL_LOCAL", NULL };
	const struct spec_memory_policy *p = object;
	bool have_nodes = p->nodes && *p->nodes;
	int r;

	r = spec_check_word(err, "mode", p->mode, modes);
	if (r < 0)
		return r;
	r = spec_check_words(err, "flags", p->flags, flags);
	if (r < 0)
		return r;
	if (spec_word_in(p->mode, without_nodes) && have_nodes)
		return spec_fail_value(err, "nodes", p->nodes, "no nodes for this mode");
	/* set_mempolicy(2): only "preferred" may go without, it is "local" then */
	if (!spec_word_in(p->mode, without_nodes) && !have_nodes &&
	    strcmp(p->mode, "MPOL_PREFERRED") != 0)
		return json_fail(err, "nodes", "expected at least one node for %s", p->mode);
	return have_nodes ? spec_check_cpu_list(err, "nodes", p->nodes) : 0;
}

static const struct spec_namespace *find_namespace(const struct spec_linux *linux_,
						   enum spec_ns type)
{
	size_t i;

	for (i = 0; i < linux_->namespaces.n; i++)
		if (linux_->namespaces.items[i].type == (int)type)
			return &linux_->namespaces.items[i];
	return NULL;
}

static int check_namespaces_unique(const struct spec_linux *linux_, struct err *err)
{
	bool seen[NS_COUNT] = { false };
	char member[64];
	size_t i;

	for (i = 0; i < linux_->namespaces.n; i++) {
		int type = linux_->namespaces.items[i].type;

		if (type < 0 || type >= NS_COUNT || !seen[type]) {
			if (type >= 0 && type < NS_COUNT)
				seen[type] = true;
			continue;
		}
		snprintf(member, sizeof(member), "namespaces[%zu].type", i);
		return json_fail(err, member, "expected each namespace once, got %s again",
				 spec_ns_names[type]);
	}
	return 0;
}

static int check_mappings(const struct spec_linux *linux_, struct err *err)
{
	const struct spec_namespace *ns = find_namespace(linux_, NS_USER);
	bool mapped = linux_->uid_mappings.n || linux_->gid_mappings.n;
	int r;

	if (mapped && !ns)
		return json_fail(err, linux_->uid_mappings.n ? "uidMappings" : "gidMappings",
				 "expected a user namespace in linux.namespaces beside it");
	if (ns && !(ns->path && *ns->path)) {
		if (!linux_->uid_mappings.n)
			return json_fail(err, "uidMappings",
					 "expected a mapping for the new user namespace");
		if (!linux_->gid_mappings.n)
			return json_fail(err, "gidMappings",
					 "expected a mapping for the new user namespace");
	}
	r = spec_check_id_maps(err, "uidMappings", &linux_->uid_mappings);
	if (r < 0)
		return r;
	return spec_check_id_maps(err, "gidMappings", &linux_->gid_mappings);
}

static int check_time_offsets(const struct spec_linux *linux_, struct err *err)
{
	const struct spec_namespace *ns = find_namespace(linux_, NS_TIME);
	const struct spec_time_offsets *offsets = linux_->time_offsets;

	if (!offsets || (!offsets->monotonic && !offsets->boottime))
		return 0;
	if (!ns)
		return json_fail(err, "timeOffsets",
				 "expected a time namespace in linux.namespaces beside it");
	if (ns->path && *ns->path)
		return json_fail(err, "timeOffsets",
				 "expected none for a time namespace that is joined by its path");
	return 0;
}

/* What each sysctl belongs to. Any other is the whole machine's and no container's to write. */
static const struct {
	const char *name; /* ends in '.': all below it */
	enum spec_ns ns;
} sysctl_owners[] = {
	{ "net.", NS_NETWORK },
	{ "fs.mqueue.", NS_IPC },
	{ "kernel.auto_msgmni", NS_IPC },
	{ "kernel.msg_next_id", NS_IPC },
	{ "kernel.msgmax", NS_IPC },
	{ "kernel.msgmnb", NS_IPC },
	{ "kernel.msgmni", NS_IPC },
	{ "kernel.sem", NS_IPC },
	{ "kernel.sem_next_id", NS_IPC },
	{ "kernel.shm_next_id", NS_IPC },
	{ "kernel.shm_rmid_forced", NS_IPC },
	{ "kernel.shmall", NS_IPC },
	{ "kernel.shmmax", NS_IPC },
	{ "kernel.shmmni", NS_IPC },
	{ "kernel.domainname", NS_UTS },
	{ "kernel.hostname", NS_UTS },
	{ "user.max_", NS_USER },
};

/* path is the key in its "net/ipv4/ip_forward" form. The namespace, or NS_COUNT. */
static enum spec_ns sysctl_owner(const char *path)
{
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(sysctl_owners); i++) {
		const char *name = sysctl_owners[i].name;

		for (j = 0; name[j]; j++)
			if (path[j] != (name[j] == '.' ? '/' : name[j]))
				break;
		if (!name[j] && (!path[j] || name[j - 1] == '.' || name[j - 1] == '_'))
			return sysctl_owners[i].ns;
	}
	return NS_COUNT;
}

static int check_sysctl(const struct spec_linux *linux_, struct err *err)
{
	enum spec_ns owner;
	char *path;
	size_t i;

	for (i = 0; i < linux_->sysctl.n; i++) {
		const char *key = linux_->sysctl.items[i].key;

		path = spec_sysctl_path(key);
		if (!path)
			return spec_fail_value(err, "sysctl", key,
					       "a name like net.ipv4.ip_forward");
		owner = sysctl_owner(path);
		free(path);
		if (owner == NS_COUNT)
			return spec_fail_value(err, "sysctl", key, "a parameter of a namespace");
		if (!find_namespace(linux_, owner))
			return json_fail(err, "sysctl",
					 "expected a %s namespace in "
					 "linux.namespaces for %s",
					 spec_ns_names[owner], key);
	}
	return 0;
}

static int check_net_devices(const struct spec_linux *linux_, struct err *err)
{
	const struct spec_net_device *a, *b;
	size_t i, j;
	int r;

	if (linux_->net_devices.n && !find_namespace(linux_, NS_NETWORK))
		return json_fail(err, "netDevices",
				 "expected a network namespace in linux.namespaces beside it");
	for (i = 0; i < linux_->net_devices.n; i++) {
		a = &linux_->net_devices.items[i];
		r = spec_check_ifname(err, "netDevices", a->host_name);
		if (r < 0)
			return r;
		for (j = 0; j < i; j++) {
			b = &linux_->net_devices.items[j];
			if (a->name && strchr(a->name, '%'))
				continue;
			if (strcmp(a->name && *a->name ? a->name : a->host_name,
				   b->name && *b->name ? b->name : b->host_name) == 0)
				return spec_fail_value(err, "netDevices", a->host_name,
						       "a name of its own for each device");
		}
	}
	return 0;
}

static bool has_dotdot(const char *path)
{
	const char *p;

	for (p = strstr(path, ".."); p; p = strstr(p + 2, ".."))
		if ((p == path || p[-1] == '/') && (!p[2] || p[2] == '/'))
			return true;
	return false;
}

static int check_paths(const struct spec_linux *linux_, struct err *err)
{
	static const char *const propagations[] = {
		"shared", "slave",    "private",     "unbindable", "rshared",
		"rslave", "rprivate", "runbindable", "",           NULL,
	};
	int r;

	if (linux_->rootfs_propagation && !spec_word_in(linux_->rootfs_propagation, propagations))
		return spec_fail_value(err, "rootfsPropagation", linux_->rootfs_propagation,
				       "shared, slave, private or unbindable");
	if (linux_->cgroups_path && has_dotdot(linux_->cgroups_path))
		return spec_fail_value(err, "cgroupsPath", linux_->cgroups_path,
				       "a path without \"..\"");
	r = spec_check_absolutes(err, "maskedPaths", linux_->masked_paths);
	if (r < 0)
		return r;
	return spec_check_absolutes(err, "readonlyPaths", linux_->readonly_paths);
}

int spec_check_linux(const void *object, struct err *err)
{
	static int (*const checks[])(const struct spec_linux *, struct err *) = {
		check_namespaces_unique, check_mappings, check_time_offsets, check_sysctl,
		check_net_devices,       check_paths,
	};
	size_t i;
	int r;

	for (i = 0; i < ARRAY_SIZE(checks); i++) {
		r = checks[i](object, err);
		if (r < 0)
			return r;
	}
	return 0;
}
