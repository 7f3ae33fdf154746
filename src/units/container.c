/* SPDX-License-Identifier: Apache-2.0 */
/* .container: a service whose main process is the container's monitor. */
#include <strings.h>

#include "base/str.h"
#include "base/strv.h"
#include "units/internal.h"

#define SECTION "Container"
#define OPT     "--security-opt"

static const char no_modules[] = "inro has one file of settings and no modules";
static const char no_remap[] = "podman has given this key up: UserNS= says the same";

static const struct key keys[] = {
	{ "AddCapability", KEY_WORDS, "--cap-add" },
	{ "AddDevice", KEY_OTHER },
	{ "AddHost", KEY_ALL, "--add-host" },
	{ "Annotation", KEY_WORDS, "--annotation" },
	{ "AppArmor", KEY_STRING, OPT, "apparmor=" },
	{ "AutoUpdate", KEY_STRING, "--label", "io.containers.autoupdate=" },
	{ "CgroupsMode", KEY_OTHER },
	{ "ContainerName", KEY_OTHER },
	{ "ContainersConfModule", KEY_NO, .why = no_modules },
	{ "DNS", KEY_ALL, "--dns" },
	{ "DNSOption", KEY_ALL, "--dns-option" },
	{ "DNSSearch", KEY_ALL, "--dns-search" },
	{ "DropCapability", KEY_WORDS, "--cap-drop" },
	{ "Entrypoint", KEY_OTHER },
	{ "Environment", KEY_WORDS, "--env" },
	{ "EnvironmentFile", KEY_OTHER },
	{ "EnvironmentHost", KEY_BOOL, "--env-host" },
	{ "Exec", KEY_OTHER },
	{ "ExposeHostPort", KEY_ALL, "--expose" },
	{ "GIDMap", KEY_ALL, "--gidmap" },
	{ "GlobalArgs", KEY_OTHER },
	{ "Group", KEY_OTHER },
	{ "GroupAdd", KEY_ALL, "--group-add" },
	{ "HealthCmd", KEY_STRING, "--health-cmd" },
	{ "HealthInterval", KEY_STRING, "--health-interval" },
	{ "HealthLogDestination", KEY_STRING, "--health-log-destination" },
	{ "HealthMaxLogCount", KEY_STRING, "--health-max-log-count" },
	{ "HealthMaxLogSize", KEY_STRING, "--health-max-log-size" },
	{ "HealthOnFailure", KEY_STRING, "--health-on-failure" },
	{ "HealthRetries", KEY_STRING, "--health-retries" },
	{ "HealthStartPeriod", KEY_STRING, "--health-start-period" },
	{ "HealthStartupCmd", KEY_STRING, "--health-startup-cmd" },
	{ "HealthStartupInterval", KEY_STRING, "--health-startup-interval" },
	{ "HealthStartupRetries", KEY_STRING, "--health-startup-retries" },
	{ "HealthStartupSuccess", KEY_STRING, "--health-startup-success" },
	{ "HealthStartupTimeout", KEY_STRING, "--health-startup-timeout" },
	{ "HealthTimeout", KEY_STRING, "--health-timeout" },
	{ "HostName", KEY_STRING, "--hostname" },
	{ "HttpProxy", KEY_BOOL, "--http-proxy" },
	{ "IP", KEY_STRING, "--ip" },
	{ "IP6", KEY_STRING, "--ip6" },
	{ "Image", KEY_OTHER },
	{ "Label", KEY_WORDS, "--label" },
	{ "LogDriver", KEY_STRING, "--log-driver" },
	{ "LogOpt", KEY_ALL, "--log-opt" },
	{ "Mask", KEY_WORDS, OPT, "mask=" },
	{ "Memory", KEY_STRING, "--memory" },
	{ "Mount", KEY_OTHER },
	{ "Network", KEY_OTHER },
	{ "NetworkAlias", KEY_ALL, "--network-alias" },
	{ "NoNewPrivileges", KEY_SWITCH, OPT, "no-new-privileges" },
	{ "Notify", KEY_OTHER },
	{ "PidsLimit", KEY_STRING, "--pids-limit" },
	{ "Pod", KEY_OTHER },
	{ "PodmanArgs", KEY_OTHER },
	{ "PublishPort", KEY_ALL, "--publish" },
	{ "Pull", KEY_STRING, "--pull" },
	{ "ReadOnly", KEY_BOOL, "--read-only" },
	{ "ReadOnlyTmpfs", KEY_BOOL, "--read-only-tmpfs" },
	{ "ReloadCmd", KEY_OTHER },
	{ "ReloadSignal", KEY_OTHER },
	{ "RemapGid", KEY_NO, .why = no_remap },
	{ "RemapUid", KEY_NO, .why = no_remap },
	{ "RemapUidSize", KEY_NO, .why = no_remap },
	{ "RemapUsers", KEY_NO, .why = no_remap },
	{ "Retry", KEY_STRING, "--retry" },
	{ "RetryDelay", KEY_STRING, "--retry-delay" },
	{ "Rootfs", KEY_OTHER },
	{ "RunInit", KEY_BOOL, "--init" },
	{ "SeccompProfile", KEY_STRING, OPT, "seccomp=" },
	{ "Secret", KEY_WORDS, "--secret" },
	{ "SecurityLabelDisable", KEY_SWITCH, OPT, "label=disable" },
	{ "SecurityLabelFileType", KEY_STRING, OPT, "label=filetype:" },
	{ "SecurityLabelLevel", KEY_STRING, OPT, "label=level:" },
	{ "SecurityLabelNested", KEY_SWITCH, OPT, "label=nested" },
	{ "SecurityLabelType", KEY_STRING, OPT, "label=type:" },
	{ "ServiceName", KEY_OTHER },
	{ "ShmSize", KEY_STRING, "--shm-size" },
	{ "StartWithPod", KEY_OTHER },
	{ "StopSignal", KEY_STRING, "--stop-signal" },
	{ "StopTimeout", KEY_STRING, "--stop-timeout" },
	{ "SubGIDMap", KEY_STRING, "--subgidname" },
	{ "SubUIDMap", KEY_STRING, "--subuidname" },
	{ "Sysctl", KEY_WORDS, "--sysctl" },
	{ "Timezone", KEY_STRING, "--tz" },
	{ "Tmpfs", KEY_ALL, "--tmpfs" },
	{ "UIDMap", KEY_ALL, "--uidmap" },
	{ "Ulimit", KEY_ALL, "--ulimit" },
	{ "Unmask", KEY_WORDS, OPT, "unmask=" },
	{ "User", KEY_OTHER },
	{ "UserNS", KEY_STRING, "--userns" },
	{ "VolatileTmp", KEY_SWITCH, "--tmpfs", "/tmp:rw,size=512M,mode=1777" },
	{ "Volume", KEY_OTHER },
	{ "WorkingDir", KEY_STRING, "--workdir" },
};

typedef int (*value_fn)(struct conversion *c, const struct unit_entry *e, const char *value,
			struct err *err);

/* fn with each value of a key that is a list; with words, with each word of each. */
static int each(struct conversion *c, const char *key, bool words, value_fn fn, struct err *err)
{
	const struct unit_entry *e;
	size_t at = 0;
	int r = 0;

	while (r == 0 && (e = unit_file_next(&c->u->file, SECTION, key, &at)) != NULL) {
		cleanup_strv char **list = NULL;

		if (!words && e->value[0])
			strv_add(&list, e->value);
		else
			r = unit_words(e->value, &list, err);
		if (r < 0)
			return units_fail(e, err, r);
		for (size_t i = 0; r == 0 && list && list[i]; i++)
			r = fn(c, e, list[i], err);
	}
	return r;
}

static int add_device(struct conversion *c, const struct unit_entry *e, const char *value,
		      struct err *err)
{
	bool optional = *value == '-';
	const char *device = value + optional;
	cleanup_free char *path = xstrndup(device, strcspn(device, ":"));

	if (optional && !c->set->env->exists(path))
		return 0;
	return units_option(c, e, "--device", device, err);
}

static int add_env_file(struct conversion *c, const struct unit_entry *e, const char *value,
			struct err *err)
{
	cleanup_free char *path = units_path(c, value);

	return units_option(c, e, "--env-file", path, err);
}

/* type=volume,source=data.volume,target=/data */
static int add_mount(struct conversion *c, const struct unit_entry *e, const char *value,
		     struct err *err)
{
	cleanup_strv char **fields = strv_split(value, ',');
	cleanup_free char *whole = NULL;
	int r = 0;

	for (size_t i = 0; r == 0 && fields[i]; i++) {
		const char *source = str_after(fields[i], "source=");
		cleanup_free char *found = NULL;

		if (!source)
			source = str_after(fields[i], "src=");
		if (!source)
			continue;
		found = xstrdup(source);
		r = units_source(c, e, &found, err);
		if (r == 0) {
			free(fields[i]);
			fields[i] = xasprintf("source=%s", found);
		}
	}
	whole = strv_join(fields, ",");
	return r < 0 ? r : units_option(c, e, "--mount", whole, err);
}

/* The name that a container of another unit has: only systemd knows what specifiers become. */
static char *replace_service(const char *name, const char *service)
{
	const char *at = strstr(name, "%N");

	if (!at)
		return xstrdup(name);
	return xasprintf("%.*s%.*s%s", (int)(at - name), name,
			 (int)(strlen(service) - strlen(".service")), service, at + 2);
}

int units_network(struct conversion *c, const struct unit_entry *e, const char *value,
		  struct err *err)
{
	size_t len = strcspn(value, ":");
	cleanup_free char *name = xstrndup(value, len);
	cleanup_free char *resource = NULL, *service = NULL, *container = NULL, *whole = NULL;
	const struct units_kind *kind = units_kind_of(name);
	int r;

	if (!kind)
		return units_option(c, e, "--network", value, err);
	r = units_needs(c, e, name, &resource, err);
	if (r == 0)
		r = units_service(units_find(c->set, name), &service, err);
	if (r < 0)
		return r;
	if (str_eq(kind->section, "Network")) {
		whole = xasprintf("%s%s", resource, value + len);
		return units_option(c, e, "--network", whole, err);
	}
	container = replace_service(resource, service);
	if (!str_eq(kind->section, SECTION) || strchr(container, '%'))
		return units_fail(e, err,
				  err_fail(err, ERR_INVALID,
					   "%s: expected a .network file, or a .container file "
					   "without specifiers in its name",
					   name));
	whole = xasprintf("container:%s", container);
	return units_option(c, e, "--network", whole, err);
}

static int add_user(struct conversion *c, struct err *err)
{
	const struct unit_entry *e = unit_file_find(&c->u->file, SECTION, "Group");
	cleanup_free char *user = unit_file_string(&c->u->file, SECTION, "User");
	cleanup_free char *group = unit_file_string(&c->u->file, SECTION, "Group");
	cleanup_free char *both = group ? xasprintf("%s:%s", user ? user : "", group) : NULL;

	if (group && !user)
		return units_fail(e, err, err_fail(err, ERR_INVALID, "it needs User="));
	if (!user)
		return 0;
	return units_option(c, unit_file_find(&c->u->file, SECTION, "User"), "--user",
			    both ? both : user, err);
}

static int add_entrypoint(struct conversion *c, struct err *err)
{
	const struct unit_entry *e = unit_file_find(&c->u->file, SECTION, "Entrypoint");
	cleanup_free char *value = unit_file_string(&c->u->file, SECTION, "Entrypoint");

	/* An empty one means that the image's does not count. */
	return e ? units_option(c, e, "--entrypoint", value ? value : "", err) : 0;
}

/* Unlike what it needs otherwise, the pod's end is the container's. */
static int add_pod(struct conversion *c, struct err *err)
{
	const struct unit_entry *e = unit_file_find(&c->u->file, SECTION, "Pod");
	cleanup_free char *name = unit_file_string(&c->u->file, SECTION, "Pod");
	const struct units_unit *pod = name ? units_find(c->set, name) : NULL;
	cleanup_free char *service = NULL, *resource = NULL;
	int r;

	if (!name)
		return 0;
	if (!pod || !str_eq(pod->kind->section, "Pod"))
		return units_fail(
		    e, err, err_fail(err, ERR_NOT_FOUND, "there is no file %s of a pod", name));
	r = units_service(pod, &service, err);
	if (r < 0)
		return r;
	unit_file_add(c->out, "Unit", "BindsTo", service);
	unit_file_add(c->out, "Unit", "After", service);
	resource = units_resource(pod);
	return units_option(c, e, "--pod", resource, err);
}

/* Keys that are no plain options. */
static int add_others(struct conversion *c, struct err *err)
{
	static const struct {
		const char *key;
		bool words;
		value_fn fn;
	} lists[] = {
		{ "Network", false, units_network },
		{ "AddDevice", true, add_device },
		{ "EnvironmentFile", true, add_env_file },
		{ "Mount", true, add_mount },
	};
	int r = add_user(c, err);

	if (r == 0)
		r = add_entrypoint(c, err);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(lists); i++)
		r = each(c, lists[i].key, lists[i].words, lists[i].fn, err);
	if (r == 0)
		r = units_volumes(c, err);
	if (r == 0)
		r = add_pod(c, err);
	return r;
}

/* --- the service --- */

static bool is_one_of(const char *word, const char *a, const char *b)
{
	return str_eq(word, a) || str_eq(word, b);
}

/* What systemd is told of the processes. *ret_notify: that they run. */
static int set_service(struct conversion *c, bool *ret_notify, struct err *err)
{
	static const char *const not_here[] = { "User", "Group", "DynamicUser" };
	const struct unit_entry *e;

	for (size_t i = 0; i < ARRAY_SIZE(not_here); i++) {
		e = unit_file_find(c->out, "Service", not_here[i]);
		if (e)
			return units_fail(
			    e, err,
			    err_fail(err, ERR_UNSUPPORTED,
				     "a container of another user's is one of their own "
				     "systemd's: the file belongs into their directory"));
	}
	e = unit_file_find(c->out, "Service", "KillMode");
	if (e && !is_one_of(e->value, "mixed", "control-group"))
		return units_fail(e, err,
				  err_fail(err, ERR_INVALID, "expected mixed or control-group"));
	unit_file_default(c->out, "Service", "KillMode", "mixed");
	e = unit_file_find(c->out, "Service", "Type");
	if (e && !is_one_of(e->value, "notify", "oneshot"))
		return units_fail(e, err, err_fail(err, ERR_INVALID, "expected notify or oneshot"));
	*ret_notify = !e || str_eq(e->value, "notify");
	if (*ret_notify) {
		unit_file_default(c->out, "Service", "Type", "notify");
		unit_file_add(c->out, "Service", "NotifyAccess", "all");
	}
	unit_file_add(c->out, "Service", "Delegate", "yes");
	unit_file_default(c->out, "Service", "SyslogIdentifier", "%N");
	return 0;
}

/* The stop is an orderly one, by the container's own signal and time; what is left of it after any
 * end, that of the monitor included, goes. */
static int add_stops(struct conversion *c, const char *name, struct err *err)
{
	int r = units_command(c, err);

	if (r < 0)
		return r;
	strv_add(&c->args, "stop");
	strv_add(&c->args, "--ignore");
	strv_add(&c->args, name);
	units_command_done(c, "ExecStop", "");
	r = units_command(c, err);
	if (r < 0)
		return r;
	strv_add(&c->args, "rm");
	strv_add(&c->args, "-v");
	strv_add(&c->args, "-f");
	strv_add(&c->args, "-i");
	strv_add(&c->args, name);
	units_command_done(c, "ExecStopPost", "-");
	return 0;
}

static int add_reload(struct conversion *c, const char *name, struct err *err)
{
	const struct unit_entry *cmd = unit_file_find(&c->u->file, SECTION, "ReloadCmd");
	const struct unit_entry *signal = unit_file_find(&c->u->file, SECTION, "ReloadSignal");
	int r;

	if (!cmd && !signal)
		return 0;
	if (cmd && signal)
		return units_fail(cmd, err,
				  err_fail(err, ERR_INVALID, "not together with ReloadSignal="));
	r = units_command(c, err);
	if (r < 0)
		return r;
	strv_add(&c->args, cmd ? "exec" : "kill");
	if (signal)
		strv_addf(&c->args, "--signal=%s", signal->value);
	strv_add(&c->args, name);
	if (cmd)
		r = unit_words(cmd->value, &c->args, err);
	if (r < 0)
		return units_fail(cmd, err, r);
	units_command_done(c, "ExecReload", "");
	return 0;
}

/* Where `journalctl -u` looks for it, unless the file says anything about the log. */
static void add_log(struct conversion *c)
{
	const struct unit_file *f = &c->u->file;
	const struct unit_entry *e;
	size_t at = 0;

	if (unit_file_find(f, SECTION, "LogDriver") || unit_file_find(f, SECTION, "LogOpt"))
		return;
	while ((e = unit_file_next(f, SECTION, "PodmanArgs", &at)) != NULL)
		if (strstr(e->value, "--log-"))
			return;
	strv_add(&c->args, "--log-driver=journald");
	strv_add(&c->args, "--log-opt=tag=%N");
}

static int add_how(struct conversion *c, const char *name, bool notify, struct err *err)
{
	const struct unit_entry *e = unit_file_find(&c->u->file, SECTION, "CgroupsMode");
	cleanup_free char *cgroups = unit_file_string(&c->u->file, SECTION, "CgroupsMode");
	cleanup_free char *how = unit_file_string(&c->u->file, SECTION, "Notify");
	/* Where a pod has limits they are those of a cgroup of its own. */
	bool in_pod = unit_file_find(&c->u->file, SECTION, "Pod") != NULL, inside = false;
	int r;

	strv_add(&c->args, "run");
	strv_addf(&c->args, "--name=%s", name);
	strv_add(&c->args, "--replace");
	strv_add(&c->args, "--rm");
	/* By which `auto-update` finds the service. */
	strv_add(&c->args, "--label=PODMAN_SYSTEMD_UNIT=%n");
	add_log(c);
	r = units_option(c, e, "--cgroups",
			 cgroups  ? cgroups
			 : in_pod ? "no-conmon"
				  : "split",
			 err);
	if (r < 0 || !notify)
		return r;
	e = unit_file_find(&c->u->file, SECTION, "Notify");
	if (how && strcasecmp(how, "healthy") != 0 && unit_bool(how, &inside) < 0)
		return units_fail(e, err,
				  err_fail(err, ERR_INVALID, "expected true, false or healthy"));
	strv_add(&c->args, "-d");
	return units_option(c, e, "--sdnotify",
			    inside                                   ? "container"
			    : how && strcasecmp(how, "healthy") == 0 ? "healthy"
								     : "conmon",
			    err);
}

static int add_image(struct conversion *c, struct err *err)
{
	cleanup_free char *image = unit_file_string(&c->u->file, SECTION, "Image");
	cleanup_free char *rootfs = unit_file_string(&c->u->file, SECTION, "Rootfs");
	const struct unit_entry *e =
	    unit_file_find(&c->u->file, SECTION, rootfs ? "Rootfs" : "Image");
	const struct units_kind *kind = image ? units_kind_of(image) : NULL;
	int r = 0;

	if (!image == !rootfs)
		return units_fail(
		    e, err, err_fail(err, ERR_INVALID, "one of Image= and Rootfs= is needed"));
	if (rootfs) {
		r = units_option(c, e, "--rootfs", NULL, err);
		image = xstrdup(rootfs);
	} else if (kind && (str_eq(kind->section, "Image") || str_eq(kind->section, "Build"))) {
		r = units_source(c, e, &image, err);
	}
	if (r == 0)
		strv_add(&c->args, image);
	return r;
}

int units_container(struct conversion *c, struct err *err)
{
	cleanup_free char *name = units_resource(c->u);
	const struct unit_entry *e = unit_file_find(&c->u->file, SECTION, "Exec");
	bool notify = false;
	int r = set_service(c, &notify, err);

	if (r == 0)
		r = add_stops(c, name, err);
	if (r == 0)
		r = add_reload(c, name, err);
	if (r == 0)
		r = units_command(c, err);
	if (r < 0)
		return r;
	c->checked = true;
	r = add_how(c, name, notify, err);
	if (r == 0)
		r = units_keys(c, keys, ARRAY_SIZE(keys), err);
	if (r == 0)
		r = add_others(c, err);
	if (r == 0)
		r = units_raw(c, "PodmanArgs", err);
	if (r == 0)
		r = add_image(c, err);
	if (r == 0 && e)
		r = units_fail(e, err, unit_words(e->value, &c->args, err));
	if (r == 0)
		units_command_done(c, "ExecStart", "");
	return r;
}
