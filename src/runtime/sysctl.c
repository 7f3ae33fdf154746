/* SPDX-License-Identifier: Apache-2.0 */
#include <sched.h>

#include "base/fd.h"
#include "base/str.h"
#include "runtime/init.h"
#include "sys/ns.h"
#include "sys/procfs.h"

/* What is not in a namespace of the container is the host's: never written. */
static const struct rule {
	const char *name;
	bool prefix;
	uint64_t ns;
	const char *ns_name;
} rules[] = {
	{ "kernel.msgmax", false, CLONE_NEWIPC, "ipc" },
	{ "kernel.msgmnb", false, CLONE_NEWIPC, "ipc" },
	{ "kernel.msgmni", false, CLONE_NEWIPC, "ipc" },
	{ "kernel.sem", false, CLONE_NEWIPC, "ipc" },
	{ "kernel.shmall", false, CLONE_NEWIPC, "ipc" },
	{ "kernel.shmmax", false, CLONE_NEWIPC, "ipc" },
	{ "kernel.shmmni", false, CLONE_NEWIPC, "ipc" },
	{ "kernel.shm_rmid_forced", false, CLONE_NEWIPC, "ipc" },
	{ "fs.mqueue.", true, CLONE_NEWIPC, "ipc" },
	{ "net.", true, CLONE_NEWNET, "network" },
	{ "kernel.domainname", false, CLONE_NEWUTS, "uts" },
	{ "user.", true, CLONE_NEWUSER, "user" },
};

/* "net/ipv4/conf/eth0.1/rp_filter" and "net.ipv4.conf.eth0/1.rp_filter" are the same: with dots. */
static char *with_dots(const char *name)
{
	char *s = xstrdup(name);
	size_t first = strcspn(s, "./");

	if (s[first] != '/')
		return s;
	for (char *p = s; *p; p++)
		*p = *p == '/' ? '.' : *p == '.' ? '/' : *p;
	return s;
}

/* A namespace that is joined by path may be the runtime's own after all. */
static bool in_own_ns(const struct init *in, uint64_t flag)
{
	if (in->new_ns & flag)
		return true;
	if (!(in->joined_ns & flag))
		return false;
	for (int i = 0; i < NS_COUNT; i++) {
		const struct ns_type *type = ns_by_name(spec_ns_names[i]);

		if (type->flag == flag && in->ns_fds[i] >= 0)
			return ns_is_own(in->ns_fds[i], type->flag) == 0;
	}
	return false;
}

static int check_one(const struct init *in, const char *name, struct err *err)
{
	if (str_eq(name, "kernel.hostname") && in_own_ns(in, CLONE_NEWUTS))
		return err_fail(err, ERR_INVALID,
				"it conflicts with the field \"hostname\" of the configuration");
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		const struct rule *r = &rules[i];

		if (r->prefix ? !str_starts(name, r->name) : !str_eq(name, r->name))
			continue;
		if (in_own_ns(in, r->ns))
			return 0;
		return err_fail(err, ERR_DENIED,
				"it would change the host: the container has no %s namespace of "
				"its own",
				r->ns_name);
	}
	return err_fail(err, ERR_DENIED, "it is not in a separate kernel namespace");
}

int sysctl_check(const struct init *in, struct err *err)
{
	const struct json_map *map = &in->spec->linux_->sysctl;

	for (size_t i = 0; i < map->n; i++) {
		cleanup_free char *name = with_dots(map->items[i].key);
		int r = check_one(in, name, err);

		if (r < 0)
			return err_wrap(err, r, "linux.sysctl \"%s\" is not allowed",
					map->items[i].key);
	}
	return 0;
}

int sysctl_apply(struct init *in, struct err *err)
{
	const struct json_map *map = &in->spec->linux_->sysctl;

	if (map->n == 0)
		return 0;
	if (in->procfs < 0)
		in->procfs = procfs_open(0, err);
	if (in->procfs < 0)
		return err_wrap(err, in->procfs, "setting sysctls");
	for (size_t i = 0; i < map->n; i++) {
		int r =
		    procfs_write_sysctl(in->procfs, map->items[i].key, map->items[i].value, err);

		if (r < 0)
			return r;
	}
	return 0;
}
