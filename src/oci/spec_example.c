/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration that `inro-runtime spec` writes: the same defaults as runc's. */
#include "base/strv.h"
#include "oci/spec.h"

#define EXAMPLE_OPTIONS 8

struct example_mount {
	const char *destination, *type, *source;
	const char *options[EXAMPLE_OPTIONS];
};

static const struct example_mount common_mounts[] = {
	{ "/proc", "proc", "proc", { NULL } },
	{ "/dev", "tmpfs", "tmpfs", { "nosuid", "strictatime", "mode=755", "size=65536k" } },
};
/* In a user namespace group 5 (tty) has no mapping and sysfs needs the host's network namespace. */
static const struct example_mount devpts_mount = { "/dev/pts",
						   "devpts",
						   "devpts",
						   { "nosuid", "noexec", "newinstance",
						     "ptmxmode=0666", "mode=0620", "gid=5" } };
static const struct example_mount devpts_rootless_mount = { "/dev/pts",
							    "devpts",
							    "devpts",
							    { "nosuid", "noexec", "newinstance",
							      "ptmxmode=0666", "mode=0620" } };
static const struct example_mount ipc_mounts[] = {
	{ "/dev/shm", "tmpfs", "shm", { "nosuid", "noexec", "nodev", "mode=1777", "size=65536k" } },
	{ "/dev/mqueue", "mqueue", "mqueue", { "nosuid", "noexec", "nodev" } },
};
static const struct example_mount sys_mount = {
	"/sys", "sysfs", "sysfs", { "nosuid", "noexec", "nodev", "ro" }
};
static const struct example_mount sys_rootless_mount = {
	"/sys", "none", "/sys", { "rbind", "nosuid", "noexec", "nodev", "ro" }
};
static const struct example_mount cgroup_mount = {
	"/sys/fs/cgroup", "cgroup", "cgroup", { "nosuid", "noexec", "nodev", "relatime", "ro" }
};

static const char *const masked[] = {
	"/proc/acpi",          "/proc/asound",     "/proc/kcore",       "/proc/keys",
	"/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
	"/sys/firmware",       "/proc/scsi",
};
static const char *const readonly[] = {
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
};
static const char *const capabilities[] = { "CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE" };

static char **strv_from(const char *const *list, size_t n)
{
	char **v = NULL;
	size_t i;

	for (i = 0; i < n && list[i]; i++)
		strv_add(&v, list[i]);
	return v;
}

static void add_mount(struct spec *spec, const struct example_mount *from)
{
	struct spec_mount *m;

	spec->mounts.items =
	    xrealloc(spec->mounts.items, (spec->mounts.n + 1) * sizeof(*spec->mounts.items));
	m = &spec->mounts.items[spec->mounts.n++];
	*m = (struct spec_mount){
		.destination = xstrdup(from->destination),
		.type = xstrdup(from->type),
		.source = xstrdup(from->source),
		.options = strv_from(from->options, EXAMPLE_OPTIONS),
	};
}

static void add_mounts(struct spec *spec, bool rootless)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(common_mounts); i++)
		add_mount(spec, &common_mounts[i]);
	add_mount(spec, rootless ? &devpts_rootless_mount : &devpts_mount);
	for (i = 0; i < ARRAY_SIZE(ipc_mounts); i++)
		add_mount(spec, &ipc_mounts[i]);
	add_mount(spec, rootless ? &sys_rootless_mount : &sys_mount);
	add_mount(spec, &cgroup_mount);
}

static struct spec_process *example_process(void)
{
	struct spec_process *p = xcalloc(1, sizeof(*p));
	struct spec_caps *caps = xcalloc(1, sizeof(*caps));

	p->terminal = true;
	p->cwd = xstrdup("/");
	strv_add(&p->args, "sh");
	strv_add(&p->env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	strv_add(&p->env, "TERM=xterm");
	caps->bounding = strv_from(capabilities, ARRAY_SIZE(capabilities));
	caps->effective = strv_copy(caps->bounding);
	caps->permitted = strv_copy(caps->bounding);
	p->capabilities = caps;
	p->rlimits.items = xcalloc(1, sizeof(*p->rlimits.items));
	p->rlimits.n = 1;
	p->rlimits.items[0] =
	    (struct spec_rlimit){ .type = xstrdup("RLIMIT_NOFILE"), .hard = 1024, .soft = 1024 };
	p->no_new_privileges = true;
	return p;
}

static void example_id_map(spec_id_maps *maps, uint32_t host_id)
{
	maps->items = xcalloc(1, sizeof(*maps->items));
	maps->n = 1;
	maps->items[0] = (struct spec_id_map){ .container_id = 0, .host_id = host_id, .size = 1 };
}

static void add_namespace(struct spec_linux *l, enum spec_ns type)
{
	l->namespaces.items =
	    xrealloc(l->namespaces.items, (l->namespaces.n + 1) * sizeof(*l->namespaces.items));
	l->namespaces.items[l->namespaces.n++] = (struct spec_namespace){ .type = (int)type };
}

static struct spec_linux *example_linux(const struct spec_example_args *args)
{
	static const enum spec_ns with_root[] = { NS_PID, NS_NETWORK, NS_IPC, NS_UTS, NS_MOUNT };
	static const enum spec_ns without_root[] = { NS_PID, NS_IPC, NS_UTS, NS_MOUNT };
	struct spec_linux *l = xcalloc(1, sizeof(*l));
	struct spec_device_rule *deny;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(with_root) && !args->rootless; i++)
		add_namespace(l, with_root[i]);
	for (i = 0; i < ARRAY_SIZE(without_root) && args->rootless; i++)
		add_namespace(l, without_root[i]);
	/* On v1 its container could not mount the cgroups of older runtimes. */
	if (args->cgroup2)
		add_namespace(l, NS_CGROUP);
	if (args->rootless)
		add_namespace(l, NS_USER);
	l->masked_paths = strv_from(masked, ARRAY_SIZE(masked));
	l->readonly_paths = strv_from(readonly, ARRAY_SIZE(readonly));
	if (args->rootless) {
		example_id_map(&l->uid_mappings, args->uid);
		example_id_map(&l->gid_mappings, args->gid);
		return l;
	}
	deny = xcalloc(1, sizeof(*deny));
	deny->access = xstrdup("rwm");
	l->resources = xcalloc(1, sizeof(*l->resources));
	l->resources->devices.items = deny;
	l->resources->devices.n = 1;
	return l;
}

void spec_example(const struct spec_example_args *args, struct spec *ret)
{
	*ret = (struct spec){
		.oci_version = xstrdup(SPEC_VERSION_WRITTEN),
		.process = example_process(),
		.root = xcalloc(1, sizeof(*ret->root)),
		.hostname = xstrdup("inro"),
		.linux_ = example_linux(args),
	};
	ret->root->path = xstrdup("rootfs");
	ret->root->readonly = true;
	add_mounts(ret, args->rootless);
}
