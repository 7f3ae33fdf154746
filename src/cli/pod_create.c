/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/str.h"
#include "base/strv.h"
#include "cli/cli.h"
#include "cli/pod_create.h"
#include "engine/infra.h"
#include "engine/parse.h"
#include "engine/pod_options.h"
#include "engine/pod_verbs.h"

#define LABEL_FILE_MAX (4u << 20)

#define OWN(member_)    OPT_FIELD(struct pod_create_options, member_)
#define MEMBER(member_) OPT_FIELD(struct pod_create_options, member.member_)

static const char *const bool_choices[] = { "true", "false", NULL };
static const char *const exit_choices[] = { "continue", "stop", NULL };

const struct opt pod_create_opts[POD_CLONE_OPTIONS] = {
	{ .name = "add-host",
	  .kind = OPT_STRV,
	  MEMBER(add_host),
	  .arg = "NAME:ADDRESS",
	  .help = "add a line to /etc/hosts of containers" },
	{ .name = "blkio-weight",
	  .kind = OPT_U64,
	  MEMBER(blkio_weight),
	  .arg = "N",
	  .help = "share of disk time when it is contended, 10 to 1000, of the pod" },
	{ .name = "blkio-weight-device",
	  .kind = OPT_STRV,
	  MEMBER(blkio_weight_device),
	  .arg = "DEVICE:N",
	  .help = "the same on one device" },
	{ .name = "cgroup-parent",
	  .kind = OPT_STR,
	  MEMBER(cgroup_parent),
	  .arg = "PATH",
	  .help = "cgroup below which the pod's is made (default /inro)" },
	{ .name = "cpu-shares",
	  .short_name = 'c',
	  .kind = OPT_U64,
	  MEMBER(cpu_shares),
	  .arg = "N",
	  .help = "share of the CPU when it is contended (default 1024), of the pod" },
	{ .name = "cpus",
	  .kind = OPT_STR,
	  MEMBER(cpus),
	  .arg = "N",
	  .help = "number of CPUs, as 1.5, of all containers together" },
	{ .name = "cpuset-cpus",
	  .kind = OPT_STR,
	  MEMBER(cpuset_cpus),
	  .arg = "LIST",
	  .help = "CPUs to run on, as 0-2,5" },
	{ .name = "cpuset-mems",
	  .kind = OPT_STR,
	  MEMBER(cpuset_mems),
	  .arg = "LIST",
	  .help = "memory nodes to use" },
	{ .name = "device",
	  .kind = OPT_STRV,
	  MEMBER(device),
	  .arg = "HOST[:CONTAINER][:rwm]",
	  .help = "give each container a device of the host" },
	{ .name = "device-read-bps",
	  .kind = OPT_STRV,
	  MEMBER(device_read_bps),
	  .arg = "DEVICE:RATE",
	  .help = "limit reading from a device, in bytes per second, of the pod" },
	{ .name = "device-write-bps",
	  .kind = OPT_STRV,
	  MEMBER(device_write_bps),
	  .arg = "DEVICE:RATE",
	  .help = "limit writing to a device, in bytes per second, of the pod" },
	{ .name = "dns",
	  .kind = OPT_STRV,
	  MEMBER(dns),
	  .arg = "ADDRESS",
	  .help = "name server of containers" },
	{ .name = "dns-option",
	  .kind = OPT_STRV,
	  MEMBER(dns_option),
	  .arg = "OPTION",
	  .help = "option of the resolver" },
	{ .name = "dns-opt",
	  .kind = OPT_STRV,
	  MEMBER(dns_option),
	  .arg = "OPTION",
	  .help = "the same",
	  .flags = OPT_HIDDEN },
	{ .name = "dns-search",
	  .kind = OPT_STRV,
	  MEMBER(dns_search),
	  .arg = "DOMAIN",
	  .help = "domain in which names are looked up" },
	{ .name = "exit-policy",
	  .kind = OPT_STR,
	  OWN(exit_policy),
	  .arg = "continue|stop",
	  .help = "whether the infra container ends with the last of the others; without one, "
		  "nothing of a pod goes on then in any case",
	  .choices = exit_choices },
	{ .name = "gidmap",
	  .kind = OPT_STRV,
	  MEMBER(gidmap),
	  .arg = "CONTAINER:HOST[:COUNT]",
	  .help = "what group ids in the pod are outside" },
	{ .name = "hostname",
	  .short_name = 'h',
	  .kind = OPT_STR,
	  MEMBER(hostname),
	  .arg = "NAME",
	  .help = "host name of the pod (default: its name)" },
	{ .name = "infra",
	  .kind = OPT_STR,
	  OWN(infra),
	  .arg = "true|false",
	  .help = "false: nothing is shared but the cgroup; an infra container has only a pod "
		  "that shares pid or cgroup, in any case",
	  .choices = bool_choices,
	  .flags = OPT_OPTIONAL_ARG },
	{ .name = "infra-command",
	  .kind = OPT_STR,
	  OWN(infra_command),
	  .arg = "COMMAND",
	  .help = "has no effect, as an infra container runs inro's own init; for the sake of "
		  "scripts" },
	{ .name = "infra-conmon-pidfile",
	  .kind = OPT_STR,
	  OWN(infra_pid_file),
	  .arg = "FILE",
	  .help = "write the pid of the infra container's monitor to a file, where there is one" },
	{ .name = "infra-image",
	  .kind = OPT_STR,
	  OWN(infra_image),
	  .arg = "IMAGE",
	  .help = "has no effect, as an infra container has no image; for the sake of scripts" },
	{ .name = "infra-name",
	  .kind = OPT_STR,
	  OWN(infra_name),
	  .arg = "NAME",
	  .help = "name of the infra container, where there is one (default: the pod's id, "
		  "shortened, and -infra)" },
	{ .name = "ip",
	  .kind = OPT_STR,
	  MEMBER(ip),
	  .arg = "ADDRESS",
	  .help = "IPv4 address of the pod on its network" },
	{ .name = "ip6",
	  .kind = OPT_STR,
	  MEMBER(ip6),
	  .arg = "ADDRESS",
	  .help = "IPv6 address of the pod on its network" },
	{ .name = "label",
	  .short_name = 'l',
	  .kind = OPT_STRV,
	  OWN(label),
	  .arg = "NAME[=VALUE]",
	  .help = "set a label of the pod" },
	{ .name = "label-file",
	  .kind = OPT_STRV,
	  OWN(label_file),
	  .arg = "FILE",
	  .help = "set labels from the lines of a file" },
	{ .name = "mac-address",
	  .kind = OPT_STR,
	  MEMBER(mac_address),
	  .arg = "ADDRESS",
	  .help = "MAC address of the pod on its network" },
	{ .name = "memory",
	  .short_name = 'm',
	  .kind = OPT_BYTES,
	  MEMBER(memory),
	  .arg = "BYTES",
	  .help = "limit of memory, of all containers together" },
	{ .name = "memory-swap",
	  .kind = OPT_STR,
	  MEMBER(memory_swap),
	  .arg = "BYTES",
	  .help = "limit of memory and swap together, -1: none" },
	{ .name = "name",
	  .short_name = 'n',
	  .kind = OPT_STR,
	  OWN(name),
	  .arg = "NAME",
	  .help = "name of the pod" },
	{ .name = "network",
	  .kind = OPT_STRV,
	  MEMBER(network),
	  .arg = "NAME[:OPTIONS]|none|host",
	  .help =
	      "network of the pod (default bridge); none: loopback, which its containers share; "
	      "repeated, it is on several" },
	{ .name = "net",
	  .kind = OPT_STRV,
	  MEMBER(network),
	  .arg = "NAME[:OPTIONS]|none|host",
	  .help = "the same",
	  .flags = OPT_HIDDEN },
	{ .name = "network-alias",
	  .kind = OPT_STRV,
	  MEMBER(network_alias),
	  .arg = "NAME",
	  .help = "another name of the pod on its network" },
	{ .name = "no-hosts",
	  .kind = OPT_FLAG,
	  MEMBER(no_hosts),
	  .help = "containers keep the /etc/hosts of their images" },
	{ .name = "pid",
	  .kind = OPT_STR,
	  MEMBER(pid),
	  .arg = "private|host",
	  .help = "pid namespace of containers: one of their own each, or this machine's" },
	{ .name = "pod-id-file",
	  .kind = OPT_STR,
	  OWN(pod_id_file),
	  .arg = "FILE",
	  .help = "write the pod's id to a file" },
	{ .name = "publish",
	  .short_name = 'p',
	  .kind = OPT_STRV,
	  MEMBER(publish),
	  .arg = "[[ADDRESS:][HOSTPORT]:]PORT[/PROTOCOL]",
	  .help = "lead a port of this machine, or a range of them, to one of the pod" },
	{ .name = "replace",
	  .kind = OPT_FLAG,
	  OWN(replace),
	  .help = "remove the pod that has the name first, with its containers" },
	{ .name = "restart",
	  .kind = OPT_STR,
	  MEMBER(restart),
	  .arg = "POLICY",
	  .help = "restart policy of containers that have none of their own: no, on-failure[:N], "
		  "always, unless-stopped" },
	{ .name = "security-opt",
	  .kind = OPT_STRV,
	  MEMBER(security_opt),
	  .arg = "OPTION",
	  .help = "security option of containers" },
	{ .name = "share",
	  .kind = OPT_STR,
	  OWN(share),
	  .arg = "LIST",
	  .help = "namespaces that containers share: ipc, net, uts (these three by default), "
		  "pid, cgroup, or none" },
	{ .name = "share-parent",
	  .kind = OPT_STR,
	  OWN(share_parent),
	  .arg = "true|false",
	  .help = "whether the cgroups of containers are below the pod's (default true)",
	  .choices = bool_choices,
	  .flags = OPT_OPTIONAL_ARG },
	{ .name = "shm-size",
	  .kind = OPT_BYTES,
	  MEMBER(shm_size),
	  .arg = "BYTES",
	  .help = "size of /dev/shm (default 64m)" },
	{ .name = "subgidname",
	  .kind = OPT_STR,
	  MEMBER(subgidname),
	  .arg = "NAME",
	  .help = "the group ids that /etc/subgid gives to this name" },
	{ .name = "subuidname",
	  .kind = OPT_STR,
	  MEMBER(subuidname),
	  .arg = "NAME",
	  .help = "the user ids that /etc/subuid gives to this name" },
	{ .name = "sysctl",
	  .kind = OPT_STRV,
	  MEMBER(sysctl),
	  .arg = "NAME=VALUE",
	  .help = "kernel setting of the pod's namespaces" },
	{ .name = "uidmap",
	  .kind = OPT_STRV,
	  MEMBER(uidmap),
	  .arg = "CONTAINER:HOST[:COUNT]",
	  .help = "what user ids in the pod are outside" },
	{ .name = "userns",
	  .kind = OPT_STR,
	  MEMBER(userns),
	  .arg = "auto[:size=N]|keep-id[:uid=U,gid=G,size=N]|nomap|host",
	  .help = "user namespace of the pod, which all its containers share: auto, with ids that "
		  "nobody else has; the others as of run" },
	{ .name = "uts",
	  .kind = OPT_STR,
	  MEMBER(uts),
	  .arg = "private|host",
	  .help = "host: containers have this machine's host name" },
	{ .name = "volume",
	  .short_name = 'v',
	  .kind = OPT_STRV,
	  MEMBER(volume),
	  .arg = "SOURCE:TARGET[:OPTIONS]",
	  .help = "mount a directory or a volume in each container" },
	{ .name = "volumes-from",
	  .kind = OPT_STRV,
	  MEMBER(volumes_from),
	  .arg = "CONTAINER[:OPTIONS]",
	  .help = "mount what another container has mounted in each container" },
	{ .name = "destroy",
	  .kind = OPT_FLAG,
	  OWN(destroy),
	  .help = "remove the original, with its containers, which are killed" },
	{ .name = "start",
	  .kind = OPT_FLAG,
	  OWN(start),
	  .help = "start the containers of the new pod" },
};

static int parse_labels(const struct pod_create_options *o, struct json_map *labels,
			struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && o->label_file && o->label_file[i]; i++) {
		cleanup_buf struct buf text = BUF_INIT;
		cleanup_strv char **lines = NULL;

		r = io_read_file(AT_FDCWD, o->label_file[i], &text, LABEL_FILE_MAX, err);
		lines = strv_split(buf_str(&text), '\n');
		for (size_t k = 0; r == 0 && lines[k]; k++)
			if (lines[k][0] && lines[k][0] != '#')
				r = label_parse(lines[k], "label", labels, err);
	}
	for (size_t i = 0; r == 0 && o->label && o->label[i]; i++)
		r = label_parse(o->label[i], "label", labels, err);
	return r;
}

static int replace(struct engine *eng, const struct pod_create_options *o, struct err *err)
{
	const struct pod_end_how how = { .kind = POD_END_REMOVE, .force = true };
	cleanup_pod_views struct pod_views views = { 0 };
	struct err own = ERR_INIT;
	int r;

	if (!o->replace)
		return 0;
	if (!o->name)
		return err_fail(err, ERR_USAGE, "cannot replace pod without --name being set");
	r = pod_view(eng, o->name, &views, &own);
	if (r < 0 && own.kind == ERR_NOT_FOUND)
		return 0;
	if (r < 0) {
		*err = own;
		return r;
	}
	/* An id that begins so is another one's. */
	return str_eq(views.items[0].pod.name, o->name) ? pod_end(eng, views.items, &how, err) : 0;
}

/* As it was typed, for who makes it again. */
static void note_command(char ***ret)
{
	cleanup_buf struct buf text = BUF_INIT;
	size_t at = 0;

	if (io_read_file(AT_FDCWD, "/proc/self/cmdline", &text, 1 << 20, NULL) < 0)
		return;
	while (at < text.len) {
		const char *word = buf_str(&text) + at;

		strv_add(ret, word);
		at += strlen(word) + 1;
	}
}

int pod_create_fill(struct engine *eng, struct pod_create_options *o, struct pod *pod,
		    struct err *err)
{
	const struct pod_words words = { .share = o->share,
					 .exit_policy = o->exit_policy,
					 .infra = !str_eq(o->infra, "false") };
	int r;

	pod->name = o->name ? xstrdup(o->name) : NULL;
	r = pod_fill_new(pod, err);
	if (r == 0)
		r = parse_labels(o, &pod->options.labels, err);
	if (r < 0)
		return r;
	pod->options.no_parent = str_eq(o->share_parent, "false");
	note_command(&pod->options.create_command);
	pod->options.infra_name = o->infra_name;
	pod->options.infra_pid_file = o->infra_pid_file;
	o->infra_name = o->infra_pid_file = NULL;
	/* They are the pod's from here on. */
	pod->options.member = o->member;
	o->member = (struct run_options){ 0 };
	r = pod_options_finish(eng, &words, &pod->options, err);
	return r < 0 ? r : pod_choose_ids(eng, pod, err);
}

static int write_id(const char *path, const struct pod *pod, struct err *err)
{
	return path ? io_replace_file(AT_FDCWD, path, pod->id, strlen(pod->id), 0644, false, err)
		    : 0;
}

int pod_create_from(const struct pod *from, struct pod_create_options *ret, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct pod_options o = { 0 };
	int r;

	json_write(&pod_options_desc, &from->options, 0, &text);
	r = json_parse(&pod_options_desc, &o, buf_str(&text), text.len, "options", err);
	if (r < 0)
		return r;
	ret->member = o.member;
	o.member = (struct run_options){ 0 };
	pod_forget_ids(&ret->member);
	for (size_t i = 0; i < o.labels.n; i++)
		strv_addf(&ret->label, "%s=%s", o.labels.items[i].key, o.labels.items[i].value);
	ret->share = pod_share_words(from);
	if (!ret->share[0]) {
		free(ret->share);
		ret->share = xstrdup("none");
	}
	ret->infra_name = o.infra_name;
	o.infra_name = NULL;
	if (o.exit_policy == POD_EXIT_STOP)
		ret->exit_policy = xstrdup("stop");
	if (o.no_parent)
		ret->share_parent = xstrdup("false");
	json_free(&pod_options_desc, &o);
	return 0;
}

int pod_create_insert(struct engine *eng, const struct pod_create_options *o, struct pod *pod,
		      struct err *err)
{
	int r = replace(eng, o, err);

	if (r == 0)
		r = pod_insert(eng, pod, err);
	if (r < 0)
		return r;
	if (pod_has_infra(pod))
		r = infra_create(eng, pod, err);
	if (r == 0)
		r = write_id(o->pod_id_file, pod, err);
	/* Nobody is told of it. One that is unfinished its maker sees to. */
	if (r < 0 && !pod->options.unfinished)
		pod_discard(eng, pod->id);
	return r;
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	struct pod_create_options *o = options;
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_pod struct pod pod = { 0 };
	cleanup_buf struct buf out = BUF_INIT;
	int r;

	if (args[0] && o->name)
		return err_fail(err, ERR_USAGE,
				"the name of a pod is given by --name or as an argument, not both");
	if (args[0])
		o->name = xstrdup(args[0]);
	r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = pod_create_fill(&eng, o, &pod, err);
	if (r == 0)
		r = pod_create_insert(&eng, o, &pod, err);
	if (r < 0)
		return r;
	buf_addf(&out, "%s\n", pod.id);
	return cli_print(&out, err);
}

const struct cmd cmd_pod_create = {
	.name = "create",
	.args = "[OPTIONS] [NAME]",
	.summary = "Make a pod: containers that share namespaces and limits",
	.details =
	    "Prints the pod's id; `inro run --pod` and `inro create --pod` make containers in it. "
	    "A "
	    "pod has no process of its own, unless it shares pid or cgroup: what its containers "
	    "share is there from the start of the first until the end of the last that runs.",
	.opts = pod_create_opts,
	.n_opts = POD_CREATE_OPTIONS,
	.opts_size = sizeof(struct pod_create_options),
	.max_args = 1,
	.run = run,
};
