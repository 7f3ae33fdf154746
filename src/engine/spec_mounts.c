/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/sysmacros.h>

#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/etcfiles.h"
#include "engine/spec.h"
#include "engine/users_layer.h"
#include "engine/volume_mounts.h"
#include "runtime/container.h"

#define SHM_SIZE_DEFAULT (UINT64_C(64) << 20)

static struct spec_mount *mount_add(struct spec *spec, const char *destination, const char *type,
				    const char *source, const char *options)
{
	struct spec_mount *m = LIST_ADD(spec->mounts);

	m->destination = xstrdup(destination);
	m->type = xstrdup(type);
	m->source = xstrdup(source);
	m->options = options ? strv_split(options, ',') : NULL;
	return m;
}

/* A file system of a kind that the kernel gives only to the owner of the namespace it shows: with
 * the host's namespace in a user namespace of its own, the host's mount has to serve. */
static void mount_kernel(struct spec *spec, bool own, const char *path, const char *type,
			 const char *options, bool readonly)
{
	cleanup_free char *all = NULL;

	if (own) {
		all = xasprintf("%s%s", options, readonly ? ",ro" : "");
		mount_add(spec, path, type, type, all);
	} else {
		all = xasprintf("rbind,%s%s", options, readonly ? ",rro" : "");
		mount_add(spec, path, "bind", path, all);
	}
}

static void gen_dev(const struct spec_input *in, struct spec *spec)
{
	const struct opt_u64 *shm = &in->opts->shm_size;
	uint64_t size = shm->set ? shm->value : SHM_SIZE_DEFAULT;
	const struct spec_namespace *ipc = spec_namespace_find(spec, NS_IPC);
	cleanup_free char *shm_options =
	    xasprintf("nosuid,noexec,nodev,mode=1777,size=%llu", (unsigned long long)size);
	uint32_t tty_gid;
	bool tty_mapped = !in->gids || idmap_to_outside(in->gids, 5, &tty_gid) == 0;

	mount_add(spec, "/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k");
	mount_add(spec, "/dev/pts", "devpts", "devpts",
		  tty_mapped ? "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5"
			     : "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620");
	if (ipc) {
		if (ipc->path && str_starts(in->opts->ipc, "container:"))
			mount_add(spec, "/dev/shm", "bind", CONTAINER_SHM_OF_OTHER,
				  "bind,nosuid,noexec,nodev");
		else if (!str_eq(in->opts->ipc, "none"))
			mount_add(spec, "/dev/shm", "tmpfs", "shm", shm_options);
		/* Only who owns the namespace can mount its message queues. */
		if (!ipc->path || !in->uids || in->joins->user)
			mount_add(spec, "/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev");
	} else {
		mount_add(spec, "/dev/shm", "bind", "/dev/shm", "rbind,nosuid,noexec,nodev");
		if (in->host_mqueue)
			mount_add(spec, "/dev/mqueue", "bind", "/dev/mqueue",
				  "rbind,nosuid,noexec,nodev");
	}
}

static void gen_kernel(const struct spec_input *in, struct spec *spec)
{
	bool userns = in->uids != NULL, rw = in->opts->privileged;
	bool own_pid = !userns || spec_namespace_find(spec, NS_PID);
	bool own_net = !userns || spec_namespace_find(spec, NS_NETWORK);

	mount_kernel(spec, own_pid, "/proc", "proc", "nosuid,noexec,nodev", false);
	gen_dev(in, spec);
	mount_kernel(spec, own_net, "/sys", "sysfs", "nosuid,noexec,nodev", !rw);
	/* A bind of the host's /sys brings its cgroups along. */
	if (own_net)
		mount_add(spec, "/sys/fs/cgroup", "cgroup", "cgroup",
			  rw ? "nosuid,noexec,nodev,relatime" : "nosuid,noexec,nodev,relatime,ro");
}

static bool has_mount(const struct spec_input *in, const char *target)
{
	size_t i;

	for (i = 0; i < in->n_mounts; i++)
		if (str_eq(in->mounts[i].target, target))
			return true;
	return false;
}

/* With a /dev of the user's there is nothing of ours below it. */
static bool is_replaced(const struct spec_mount *m, const char *destination)
{
	return str_eq(m->destination, destination) ||
	       (str_eq(destination, "/dev") && str_starts(m->destination, "/dev/"));
}

void spec_remove_mount(struct spec *spec, const char *destination)
{
	size_t i, k = 0;

	for (i = 0; i < spec->mounts.n; i++) {
		struct spec_mount *m = &spec->mounts.items[i];

		if (!is_replaced(m, destination)) {
			spec->mounts.items[k++] = *m;
			continue;
		}
		free(m->destination);
		free(m->type);
		free(m->source);
		strv_free(m->options);
	}
	spec->mounts.n = k;
}

/* The files that the engine writes for each container; in the container they can be changed. */
static void gen_etc(const struct spec_input *in, struct spec *spec)
{
	const struct run_options *o = in->opts;
	const struct {
		const char *name;
		bool wanted;
		const char *source; /* in the bundle */
	} files[] = {
		{ "resolv.conf", !etc_without_resolv(o) },
		{ "hostname", !o->no_hostname },
		{ "hosts", !o->no_hosts },
		{ "localtime", o->tz },
		{ "passwd", in->own_passwd, USERS_DIR "/etc/passwd" },
		{ "group", in->own_group, USERS_DIR "/etc/group" },
	};
	/* The first three are those of the container whose network this one joins. */
	const char *shared = in->joins ? in->joins->etc_dir : NULL;
	enum { SHARED = 3 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		cleanup_free char *target = path_join("/etc", files[i].name);
		const char *dir = shared && i < SHARED ? shared : in->bundle;
		cleanup_free char *source =
		    path_join(dir, files[i].source ? files[i].source : files[i].name);

		if (files[i].wanted && !has_mount(in, target))
			mount_add(spec, target, "bind", source,
				  in->opts->read_only ? "rbind,rprivate,ro" : "rbind,rprivate");
	}
}

static size_t depth(const char *path)
{
	size_t n = 0;

	for (; *path; path++)
		n += *path == '/';
	return n;
}

static bool has_word(const struct mount_request *m, const char *key)
{
	for (size_t i = 0; m->options && m->options[i]; i++)
		if (str_starts(m->options[i], key))
			return true;
	return false;
}

static bool is_overlay(const struct mount_request *m)
{
	return strv_has(m->options, MOUNT_O) || has_word(m, "lowerdir=");
}

static void overlay_options(const struct mount_request *m, const char *dir, const char *path,
			    struct spec_mount *to)
{
	cleanup_buf struct buf lower = BUF_INIT;

	for (size_t i = 0; m->options[i]; i++) {
		const char *word = m->options[i];

		if (!str_eq(word, MOUNT_O) && !str_eq(word, MOUNT_U) && !str_eq(word, "bind") &&
		    !str_eq(word, "rbind"))
			strv_add(&to->options, word);
	}
	if (!has_word(m, "lowerdir=")) {
		overlay_lower_add(&lower, path);
		strv_addf(&to->options, "lowerdir=%s", buf_str(&lower));
	}
	if (strv_has(m->options, MOUNT_O) && !has_word(m, "upperdir=")) {
		strv_addf(&to->options, "upperdir=%s/upper", dir);
		strv_addf(&to->options, "workdir=%s/work", dir);
	}
}

char *overlay_dir(const char *bundle, size_t number)
{
	return xasprintf("%s/" OVERLAYS_DIR "/%zu", bundle, number);
}

void spec_add_mount(struct spec *spec, const struct mount_request *m,
		    const struct spec_mount_how *how)
{
	bool overlay = is_overlay(m);
	const char *path = m->kind == MOUNT_BIND ? m->source : m->host_path;
	struct spec_mount *to;

	if (m->kind == MOUNT_DEVPTS)
		to = mount_add(spec, m->target, "devpts", "devpts", NULL);
	else if (path)
		to = mount_add(spec, m->target, overlay ? "overlay" : "bind", path, NULL);
	else if (m->kind == MOUNT_RAMFS)
		to = mount_add(spec, m->target, "ramfs", "ramfs", NULL);
	else
		to = mount_add(spec, m->target, "tmpfs", "tmpfs", NULL);
	if (path && overlay)
		overlay_options(m, how->overlay_dir, path, to);
	else
		for (size_t i = 0; m->options && m->options[i]; i++)
			if (!str_eq(m->options[i], MOUNT_U))
				strv_add(&to->options, m->options[i]);
	if (path && m->idmap && how->mapped)
		strv_add(&to->options, "idmap");
	if (m->chown) {
		strv_addf(&to->options, "uid=%u", how->uid);
		strv_addf(&to->options, "gid=%u", how->gid);
	}
}

static void user_mount(const struct spec_input *in, struct spec *spec, size_t number)
{
	cleanup_free char *dir = overlay_dir(in->bundle, number);
	const struct spec_mount_how how = {
		.overlay_dir = dir,
		.mapped = in->uids && !in->rootless,
		.uid = in->user->uid,
		.gid = in->user->gid,
	};

	spec_add_mount(spec, &in->mounts[number], &how);
}

/* podman's: what programs write to is not read-only then. */
static void gen_read_only_tmpfs(const struct spec_input *in, struct spec *spec)
{
	static const char *const paths[] = { "/run", "/tmp", "/var/tmp" };

	if (!in->opts->read_only || !in->opts->read_only_tmpfs)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (!has_mount(in, paths[i]))
			mount_add(spec, paths[i], "tmpfs", "tmpfs",
				  "rw,rprivate,nosuid,nodev,tmpcopyup");
}

/* From number first on: outer directories first, else as they are. */
static void sort_mounts(struct spec *spec, size_t first)
{
	struct spec_mount *list = spec->mounts.items;

	for (size_t i = first + 1; i < spec->mounts.n; i++) {
		struct spec_mount m = list[i];
		size_t k = i;

		for (; k > first && depth(list[k - 1].destination) > depth(m.destination); k--)
			list[k] = list[k - 1];
		list[k] = m;
	}
}

/* The user's, and those of ours that may be below one of them; one on a default mount's place
 * replaces it. */
static void gen_user(const struct spec_input *in, struct spec *spec)
{
	size_t first;

	for (size_t i = 0; i < in->n_mounts; i++)
		spec_remove_mount(spec, in->mounts[i].target);
	first = spec->mounts.n;
	gen_read_only_tmpfs(in, spec);
	gen_etc(in, spec);
	for (size_t i = 0; i < in->n_mounts; i++)
		user_mount(in, spec, i);
	sort_mounts(spec, first);
}

/* Without the right to make nodes the runtime binds the machine's, of the same path. One that has
 * another path in the container is a bind mount here. */
static bool is_bound_elsewhere(const struct spec_input *in, const struct spec_device_pair *pair)
{
	return in->uids && pair->host && !str_eq(pair->host, pair->device.path);
}

static void gen_devices(const struct spec_input *in, struct spec *spec)
{
	size_t i;

	for (i = 0; i < in->n_devices; i++) {
		const struct spec_device *from = &in->devices[i].device;

		if (is_bound_elsewhere(in, &in->devices[i])) {
			mount_add(spec, from->path, "bind", in->devices[i].host,
				  "bind,rprivate,nosuid,noexec");
			continue;
		}
		struct spec_device *d = LIST_ADD(spec->linux_->devices);

		*d = *from;
		d->path = xstrdup(from->path);
		d->type = xstrdup(from->type);
	}
}

int spec_gen_mounts(const struct spec_input *in, struct spec *spec, struct err *err)
{
	size_t i, k;

	for (i = 0; i < in->n_mounts; i++)
		for (k = 0; k < i; k++)
			if (str_eq(in->mounts[i].target, in->mounts[k].target))
				return err_fail(err, ERR_USAGE, "duplicate mount point: %s",
						in->mounts[i].target);
	gen_kernel(in, spec);
	gen_user(in, spec);
	if (in->init_path)
		mount_add(spec, SPEC_INIT, "bind", in->init_path, "bind,ro,rprivate");
	gen_devices(in, spec);
	return 0;
}

bool spec_mount_is_users(const struct spec_mount *m, const char *bundle)
{
	static const char *const shared[] = { "/proc", "/sys", "/dev/shm", "/dev/mqueue" };

	if (str_eq(m->type, "overlay") || str_eq(m->type, "ramfs"))
		return true;
	if (str_eq(m->type, "tmpfs"))
		return str_eq(m->source, "tmpfs") && !str_eq(m->destination, "/dev");
	if (!str_eq(m->type, "bind") || !m->source || path_below(m->source, bundle) ||
	    str_eq(m->destination, SPEC_INIT))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(shared); i++)
		if (str_eq(m->destination, shared[i]) && str_eq(m->source, shared[i]))
			return false;
	return !str_eq(m->source, CONTAINER_SHM_OF_OTHER);
}
