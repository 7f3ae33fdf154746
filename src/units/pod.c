/* SPDX-License-Identifier: Apache-2.0 */
/* .pod: a service that makes a pod and removes it. Its containers are services of their own, which
 * it starts, and which end with it; a process of the pod itself there is none. */
#include "base/str.h"
#include "base/strv.h"
#include "units/internal.h"

#define SECTION "Pod"

static const char no_modules[] = "inro has one file of settings and no modules";

static const struct key keys[] = {
	{ "AddHost", KEY_ALL, "--add-host" },
	{ "ContainersConfModule", KEY_NO, .why = no_modules },
	{ "DNS", KEY_ALL, "--dns" },
	{ "DNSOption", KEY_ALL, "--dns-option" },
	{ "DNSSearch", KEY_ALL, "--dns-search" },
	{ "ExitPolicy", KEY_STRING, "--exit-policy" },
	{ "GIDMap", KEY_ALL, "--gidmap" },
	{ "GlobalArgs", KEY_OTHER },
	{ "HostName", KEY_STRING, "--hostname" },
	{ "IP", KEY_STRING, "--ip" },
	{ "IP6", KEY_STRING, "--ip6" },
	{ "Label", KEY_WORDS, "--label" },
	{ "Network", KEY_OTHER },
	{ "NetworkAlias", KEY_ALL, "--network-alias" },
	{ "PodName", KEY_OTHER },
	{ "PodmanArgs", KEY_OTHER },
	{ "PublishPort", KEY_ALL, "--publish" },
	{ "ServiceName", KEY_OTHER },
	{ "ShmSize", KEY_STRING, "--shm-size" },
	{ "StopTimeout", KEY_OTHER },
	{ "SubGIDMap", KEY_STRING, "--subgidname" },
	{ "SubUIDMap", KEY_STRING, "--subuidname" },
	{ "UIDMap", KEY_ALL, "--uidmap" },
	{ "UserNS", KEY_STRING, "--userns" },
	{ "Volume", KEY_OTHER },
};

/* Is a key that is true unless it says otherwise. */
static bool starts_with_pod(const struct units_unit *u)
{
	const struct unit_entry *e = unit_file_find(&u->file, "Container", "StartWithPod");
	bool on = true;

	return !e || unit_bool(e->value, &on) < 0 || on;
}

/* Its containers start after it, and with it. */
static int add_containers(struct conversion *c, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->set->n; i++) {
		const struct units_unit *u = &c->set->items[i];
		cleanup_free char *pod = unit_file_string(&u->file, "Container", "Pod");
		cleanup_free char *service = NULL;

		if (!str_eq(u->kind->section, "Container") || !str_eq(pod, c->u->name))
			continue;
		r = units_service(u, &service, err);
		if (r == 0 && starts_with_pod(u))
			unit_file_add(c->out, "Unit", "Wants", service);
		if (r == 0)
			unit_file_add(c->out, "Unit", "Before", service);
	}
	return r;
}

static int add_networks(struct conversion *c, struct err *err)
{
	const struct unit_entry *e;
	size_t at = 0;
	int r = 0;

	while (r == 0 && (e = unit_file_next(&c->u->file, SECTION, "Network", &at)) != NULL)
		r = units_network(c, e, e->value, err);
	return r;
}

static int add_end(struct conversion *c, const char *name, struct err *err)
{
	cleanup_free char *time = unit_file_string(&c->u->file, SECTION, "StopTimeout");
	int r = units_command(c, err);

	if (r < 0)
		return r;
	strv_add(&c->args, "pod");
	strv_add(&c->args, "stop");
	strv_add(&c->args, "--ignore");
	if (time)
		strv_addf(&c->args, "--time=%s", time);
	strv_add(&c->args, name);
	units_command_done(c, "ExecStop", "");
	r = units_command(c, err);
	if (r < 0)
		return r;
	strv_add(&c->args, "pod");
	strv_add(&c->args, "rm");
	strv_add(&c->args, "--ignore");
	strv_add(&c->args, "--force");
	strv_add(&c->args, name);
	units_command_done(c, "ExecStopPost", "-");
	return 0;
}

int units_pod(struct conversion *c, struct err *err)
{
	cleanup_free char *name = units_resource(c->u);
	int r = add_end(c, name, err);

	if (r == 0)
		r = add_containers(c, err);
	if (r == 0)
		r = units_command(c, err);
	if (r < 0)
		return r;
	strv_add(&c->args, "pod");
	strv_add(&c->args, "create");
	strv_add(&c->args, "--replace");
	r = units_keys(c, keys, ARRAY_SIZE(keys), err);
	if (r == 0)
		r = add_networks(c, err);
	if (r == 0)
		r = units_volumes(c, err);
	if (r == 0)
		r = units_raw(c, "PodmanArgs", err);
	if (r < 0)
		return r;
	strv_add(&c->args, name);
	units_command_done(c, "ExecStart", "");
	units_once(c);
	return 0;
}
