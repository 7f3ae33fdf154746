/* SPDX-License-Identifier: Apache-2.0 */
/* The options of a container that becomes a member of a pod. */
#include <fcntl.h>
#include <string.h>

#include "base/hex.h"
#include "base/io.h"
#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "engine/parse.h"
#include "engine/pod_end.h"
#include "engine/pod_options.h"
#include "engine/pods_query.h"
#include "engine/run_internal.h"

#define ID_FILE_MAX   4096
#define HOST_NAME_LEN 64

/* podman's, but for the length: it is a host name, too. */
static int check_name(const char *name, struct err *err)
{
	static const char letters[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	static const char all[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

	if (!name[0] || !strchr(letters, name[0]) || name[strspn(name, all)])
		return err_fail(err, ERR_USAGE,
				"invalid name of a pod \"%s\": names must match "
				"[a-zA-Z0-9][a-zA-Z0-9_.-]*",
				name);
	if (strlen(name) > HOST_NAME_LEN)
		return err_fail(err, ERR_USAGE,
				"invalid name of a pod \"%s\": longer than %d bytes", name,
				HOST_NAME_LEN);
	return 0;
}

int pod_fill_new(struct pod *pod, struct err *err)
{
	char id[HEX_ID_LEN + 1];
	int r = pod->name ? check_name(pod->name, err) : 0;

	if (r < 0)
		return r;
	r = hex_random_id(id);
	if (r < 0)
		return err_errno(err, -r, "choosing an id");
	pod->id = xstrdup(id);
	pod->created_ns = time_now_ns();
	return 0;
}

int pod_read_id_file(const char *path, char **ret, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	int r = io_read_file(AT_FDCWD, path, &text, ID_FILE_MAX, err);

	if (r < 0)
		return err_wrap(err, r, "--pod-id-file");
	*ret = xstrndup(buf_str(&text), strcspn(buf_str(&text), " \t\r\n"));
	return 0;
}

/* ---- what belongs to the pod ---- */

static int refuse(const char *what, struct err *err)
{
	return err_fail(err, ERR_USAGE, "%s must be defined when the pod is created: %s", what,
			"network cannot be configured when it is shared with a pod");
}

static int check(const struct run_options *o, const struct pod_member *m, struct err *err)
{
	const struct pod *pod = &m->pod;

	if (o->userns || o->uidmap || o->gidmap || o->subuidname || o->subgidname)
		return err_fail(err, ERR_USAGE, "--userns and --pod cannot be set together");
	if (o->cgroup_parent && !pod->options.no_parent)
		return err_fail(err, ERR_USAGE,
				"--cgroup-parent and --pod cannot be set together: the container's "
				"cgroup is below that of pod %s",
				pod->name);
	if (str_eq(o->cgroups, "split") && !pod->options.no_parent)
		return err_fail(err, ERR_USAGE,
				"--cgroups split and --pod cannot be set together: the container's "
				"cgroup is below that of pod %s",
				pod->name);
	if (o->hostname && strv_has(m->share, "uts"))
		return err_fail(err, ERR_USAGE,
				"cannot set hostname when joining the pod UTS namespace");
	if (!strv_has(m->share, "network"))
		return 0;
	if (o->dns || o->dns_search || o->dns_option)
		return refuse("dns settings", err);
	return o->add_host ? refuse("extra host entries", err) : 0;
}

struct shared {
	const char *ns;
	size_t option; /* by which the container says otherwise */
};
static const struct shared shared[] = {
	{ "cgroup", offsetof(struct run_options, cgroupns) },
	{ "network", offsetof(struct run_options, network) },
	{ "ipc", offsetof(struct run_options, ipc) },
	{ "pid", offsetof(struct run_options, pid) },
	{ "uts", offsetof(struct run_options, uts) },
};

static void choose_share(const struct run_options *o, struct pod_member *m)
{
	for (size_t i = 0; i < ARRAY_SIZE(shared); i++) {
		const char *own = *(char *const *)((const char *)o + shared[i].option);

		if (!own && pod_shares(&m->pod, shared[i].ns))
			strv_add(&m->share, shared[i].ns);
	}
	if (pod_has_ids(&m->pod))
		strv_add(&m->share, "user");
}

/* A number: all of them are to go, so that they stand beside "|". */
static unsigned int drop_word(char **field)
{
	bool had = *field != NULL;

	free(take_ptr(*field));
	return had;
}

static unsigned int drop_words(char ***field)
{
	bool had = *field != NULL;

	strv_free(take_ptr(*field));
	return had;
}

bool pod_member_yield(const struct pod *pod, struct run_options *o)
{
	bool had = drop_word(&o->userns) | drop_words(&o->uidmap) | drop_words(&o->gidmap) |
		   drop_word(&o->subuidname) | drop_word(&o->subgidname);

	for (size_t i = 0; i < ARRAY_SIZE(shared); i++)
		if (pod_shares(pod, shared[i].ns) && !str_eq(shared[i].ns, "network"))
			had |= drop_word((char **)((char *)o + shared[i].option));
	if (pod_shares(pod, "network"))
		had |= drop_words(&o->network);
	if (!pod->options.no_parent)
		had |= drop_word(&o->cgroup_parent);
	if (!pod->options.no_parent && str_eq(o->cgroups, "split"))
		had |= drop_word(&o->cgroups);
	if (pod_shares(pod, "uts"))
		had |= drop_word(&o->hostname);
	if (pod_shares(pod, "network")) {
		had |= drop_words(&o->publish) | (unsigned int)o->publish_all;
		o->publish_all = false;
	}
	if (pod_shares(pod, "network"))
		had |= drop_words(&o->dns) | drop_words(&o->dns_search) |
		       drop_words(&o->dns_option) | drop_words(&o->add_host);
	return had;
}

/* ---- what it has from there ---- */

static bool is_target(char *const *words,
		      int (*parse)(const char *, struct mount_request *, struct err *),
		      const char *target)
{
	for (size_t i = 0; words && words[i]; i++) {
		cleanup_mount_request struct mount_request m = { 0 };

		if (parse(words[i], &m, NULL) == 0 && str_eq(m.target, target))
			return true;
	}
	return false;
}

/* Its own come first. */
static void merge_volumes(const struct run_options *o, struct pod_member *m)
{
	char **pods = m->pod.options.member.volume;

	m->volume = strv_copy(o->volume);
	for (size_t i = 0; pods && pods[i]; i++) {
		cleanup_mount_request struct mount_request req = { 0 };

		if (volume_parse(pods[i], &req, NULL) == 0 &&
		    !is_target(o->volume, volume_parse, req.target) &&
		    !is_target(o->mount, mount_parse, req.target) &&
		    !is_target(o->tmpfs, tmpfs_parse, req.target))
			strv_add(&m->volume, pods[i]);
	}
}

/* The later one counts where only one can. */
static char **behind(char *const *first, char *const *second)
{
	char **all = NULL;

	strv_extend(&all, first);
	strv_extend(&all, second);
	return all;
}

static void merge(struct engine *eng, const struct run_options *o, struct pod_member *m)
{
	const struct run_options *p = &m->pod.options.member;
	struct run_options *to = &m->opts;

	merge_volumes(o, m);
	to->volume = m->volume;
	to->volumes_from = m->volumes_from = behind(p->volumes_from, o->volumes_from);
	to->device = m->device = behind(p->device, o->device);
	to->security_opt = m->security_opt = behind(p->security_opt, o->security_opt);
	to->sysctl = m->sysctl = behind(p->sysctl, o->sysctl);
	to->add_host = m->add_host = behind(p->add_host, o->add_host);
	to->dns = m->dns = behind(p->dns, o->dns);
	to->dns_search = m->dns_search = behind(p->dns_search, o->dns_search);
	to->dns_option = m->dns_option = behind(p->dns_option, o->dns_option);
	to->no_hosts = o->no_hosts || p->no_hosts;
	to->uidmap = p->uidmap;
	to->gidmap = p->gidmap;
	to->subuidname = p->subuidname;
	to->subgidname = p->subgidname;
	to->userns = (char *)pod_userns(&m->pod);
	to->network = o->network ? o->network : p->network;
	if (!o->pid)
		to->pid = p->pid;
	if (!o->uts)
		to->uts = p->uts;
	if (strv_has(m->share, "uts"))
		to->hostname = p->hostname ? p->hostname : m->pod.name;
	if (!o->shm_size.set)
		to->shm_size = p->shm_size;
	if (!o->restart && !o->rm)
		to->restart = p->restart;
	if (m->pod.options.no_parent)
		return;
	m->cgroup_parent = pod_cgroup_path(eng, &m->pod);
	to->cgroup_parent = m->cgroup_parent;
}

/* It runs nothing of the user's. */
static void keep_little(struct run_options *o)
{
	o->volume = o->volumes_from = o->device = NULL;
	o->restart = NULL;
}

/* Of one that is made with its first member, as podman has it: what that says of networks and user
 * namespaces is the pod's, unless a pod can't have such a network. */
static void give_pod(struct run_options *o, struct run_options *pod)
{
	static const size_t lists[] = {
		offsetof(struct run_options, network),
		offsetof(struct run_options, network_alias),
		offsetof(struct run_options, publish),
		offsetof(struct run_options, dns),
		offsetof(struct run_options, dns_search),
		offsetof(struct run_options, dns_option),
		offsetof(struct run_options, add_host),
	};
	static const size_t words[] = {
		offsetof(struct run_options, ip),
		offsetof(struct run_options, ip6),
		offsetof(struct run_options, mac_address),
	};
	struct netspec spec = { .kind = NETSPEC_NETWORK };
	bool own;

	pod->userns = o->userns ? xstrdup(o->userns) : NULL;
	o->userns = NULL;
	if (o->network && netspec_parse(run_network_word(o), &spec, NULL) < 0)
		spec.kind = NETSPEC_PATH;
	own = !netspec_is_link(&spec) && spec.kind != NETSPEC_NONE && spec.kind != NETSPEC_HOST &&
	      spec.kind != NETSPEC_PRIVATE;
	netspec_done(&spec);
	for (size_t i = 0; !own && i < ARRAY_SIZE(lists); i++) {
		char ***from = (char ***)((char *)o + lists[i]);

		*(char ***)((char *)pod + lists[i]) = *from ? strv_copy(*from) : NULL;
		*from = NULL;
	}
	for (size_t i = 0; !own && i < ARRAY_SIZE(words); i++) {
		char **from = (char **)((char *)o + words[i]);

		*(char **)((char *)pod + words[i]) = *from ? xstrdup(*from) : NULL;
		*from = NULL;
	}
}

static int make_pod(struct engine *eng, const char *name, struct pod_member *m, struct err *err)
{
	const struct pod_words words = { .infra = true };
	int r;

	if (m->asked.publish_all)
		return err_hint(
		    err,
		    err_fail(err, ERR_USAGE,
			     "--publish-all: ports of a pod are chosen when it is made, "
			     "before its containers"),
		    "name them: -p PORT");
	m->pod.name = name[0] ? xstrdup(name) : NULL;
	give_pod(&m->asked, &m->pod.options.member);
	r = pod_fill_new(&m->pod, err);
	if (r == 0)
		r = pod_options_finish(eng, &words, &m->pod.options, err);
	if (r == 0)
		r = pod_choose_ids(eng, &m->pod, err);
	if (r == 0)
		r = pod_insert(eng, &m->pod, err);
	m->made = r == 0;
	return r;
}

int pod_member_init(struct engine *eng, const struct run_options *opts, struct pod_member *ret,
		    struct err *err)
{
	cleanup_free char *from_file = NULL;
	const char *word = opts->pod, *name;
	int r = 0;

	*ret = (struct pod_member){ .opts = *opts };
	if (word && opts->pod_id_file)
		return err_fail(err, ERR_USAGE, "--pod and --pod-id-file cannot be set together");
	if (!word)
		r = pod_read_id_file(opts->pod_id_file, &from_file, err);
	if (r < 0)
		return r;
	word = word ? word : from_file;
	name = str_after(word, "new:");
	ret->asked = *opts;
	r = name ? make_pod(eng, name, ret, err) : pod_find(eng, word, &ret->pod, err);
	if (r == 0 && !name && pod_settle(eng, &ret->pod))
		r = err_fail(err, ERR_NOT_FOUND, "no pod with name or ID %s found: no such pod",
			     word);
	if (r < 0)
		return r;
	ret->opts = ret->asked;
	choose_share(&ret->asked, ret);
	/* One that shares a network has its pod's; of before there was a default, none. */
	if (!strv_has(ret->share, "network") &&
	    (ret->asked.network || !ret->pod.options.member.network))
		r = network_choose(eng, ret->asked.network, ret->network, &ret->asked.network, err);
	if (r < 0)
		return r;
	r = check(&ret->asked, ret, err);
	if (r < 0)
		return r;
	merge(eng, &ret->asked, ret);
	if (opts->infra)
		keep_little(&ret->opts);
	ret->asked.pod = ret->pod.id;
	ret->asked.pod_id_file = NULL;
	return 0;
}

void pod_member_done(struct engine *eng, struct pod_member *m, bool failed)
{
	struct err err = ERR_INIT;

	/* Unless the container stays, to be looked at. */
	if (failed && m->made && pod_remove_empty(eng, &m->pod, &err) < 0)
		log_debug("%s", err.msg);
	pod_done(&m->pod);
	strv_free(m->share);
	strv_free(m->volume);
	strv_free(m->volumes_from);
	strv_free(m->device);
	strv_free(m->security_opt);
	strv_free(m->sysctl);
	strv_free(m->add_host);
	strv_free(m->dns);
	strv_free(m->dns_search);
	strv_free(m->dns_option);
	free(m->cgroup_parent);
}
