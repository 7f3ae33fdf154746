/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/pod_options.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/asked.h"
#include "engine/blockio.h"
#include "engine/infra.h"
#include "engine/mappings.h"
#include "engine/names.h"
#include "engine/parse.h"
#include "engine/pod_ports.h"
#include "engine/restart.h"
#include "engine/run_internal.h"
#include "engine/spec.h"
#include "net/netspec.h"

static const char *const exit_policy_names[] = { "continue", "stop", NULL };

static const struct json_field fields[] = {
	JSON_FIELD(struct pod_options, labels, "labels", JSON_MAP),
	JSON_FIELD(struct pod_options, share, "share", JSON_STRV),
	JSON_FIELD(struct pod_options, no_parent, "noParent", JSON_BOOL),
	JSON_FIELD(struct pod_options, exit_policy, "exitPolicy", JSON_ENUM,
		   .names = exit_policy_names),
	JSON_FIELD(struct pod_options, unfinished, "unfinished", JSON_BOOL),
	JSON_FIELD(struct pod_options, create_command, "createCommand", JSON_STRV),
	JSON_FIELD(struct pod_options, publish, "publish", JSON_STRV),
	JSON_FIELD(struct pod_options, infra_name, "infraName", JSON_STR),
	JSON_FIELD(struct pod_options, infra_pid_file, "infraPidFile", JSON_STR),
	JSON_FIELD(struct pod_options, member, "member", JSON_STRUCT, .desc = &run_options_desc),
};
const struct json_desc pod_options_desc = JSON_DESC(struct pod_options, fields);

/* ---- limits ---- */

bool pod_is_limited(const struct pod_options *o)
{
	const struct run_options *m = &o->member;

	return m->memory.set || m->memory_swap || m->cpus || m->cpu_shares.set || m->cpuset_cpus ||
	       m->cpuset_mems || m->blkio_weight.set || m->blkio_weight_device ||
	       m->device_read_bps || m->device_write_bps || m->device_read_iops ||
	       m->device_write_iops;
}

int pod_limits(const struct pod_options *o, struct spec_resources *ret, struct err *err)
{
	/* Not for devices: those are each member's own. */
	struct spec_input in = { .opts = &o->member,
				 .id = "pod",
				 .rootless = true,
				 .swap_limits = engine_limits_swap() };
	struct spec_linux linux_ = { 0 };
	int r = block_io_parse(&o->member, &in.limits, err);

	if (r == 0)
		r = spec_gen_resources(&in, &linux_, err);
	if (r == 0)
		r = spec_gen_limits(&in, &linux_, err);
	json_free(&spec_resources_desc, &in.limits);
	free(linux_.cgroups_path);
	if (r == 0)
		*ret = *linux_.resources;
	else if (linux_.resources)
		json_free(&spec_resources_desc, linux_.resources);
	free(linux_.resources);
	return r;
}

/* ---- creating ---- */

static int share_word(const char *word, char ***share, struct err *err)
{
	static const struct {
		const char *word, *ns;
	} known[] = { { "cgroup", "cgroup" },
		      { "ipc", "ipc" },
		      { "net", "network" },
		      { "pid", "pid" },
		      { "uts", "uts" } };

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (!str_eq(word, known[i].word))
			continue;
		if (!strv_has(*share, known[i].ns))
			strv_add(share, known[i].ns);
		return 0;
	}
	return err_fail(err, ERR_USAGE,
			"--share: expected cgroup, ipc, net, pid, uts, or none, got \"%s\"", word);
}

static int parse_share(const struct pod_words *words, char ***ret, struct err *err)
{
	static char defaults[] = "ipc,net,uts";
	const char *text = words->share ? words->share : defaults;
	bool more = text[0] == '+';
	cleanup_free char *all = more ? xasprintf("%s,%s", defaults, text + 1) : xstrdup(text);
	cleanup_strv char **list = strv_split(all, ',');
	int r = 0;

	if (!words->infra && words->share && text[0] && !str_eq(text, "none"))
		return err_fail(err, ERR_USAGE,
				"cannot set share(%s) namespaces without an infra container", text);
	if (!words->infra || !text[0] || str_eq(text, "none"))
		return 0;
	for (size_t i = 0; r == 0 && list[i]; i++)
		r = share_word(list[i], ret, err);
	return r;
}

static void unshare(char ***share, const char *ns)
{
	char **left = NULL;

	for (size_t i = 0; *share && (*share)[i]; i++)
		if (!str_eq((*share)[i], ns))
			strv_add(&left, (*share)[i]);
	strv_free(*share);
	*share = left;
}

static bool is_on_networks(const struct run_options *m)
{
	struct netspec spec = { .kind = NETSPEC_NONE };
	bool is = m->network && netspec_parse(run_network_word(m), &spec, NULL) == 0 &&
		  netspec_is_link(&spec);

	netspec_done(&spec);
	return is;
}

/* What members have from this machine they do not share with each other alone. */
static int check_namespaces(struct pod_options *o, struct err *err)
{
	struct run_options *m = &o->member;
	const struct {
		const char *option, *ns;
		const char *value;
	} table[] = {
		{ "network", "network", run_network_word(m) },
		{ "uts", "uts", m->uts },
		{ "pid", "pid", m->pid },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct ns_word word;

		if (!table[i].value || (i == 0 && is_on_networks(m)))
			continue;
		if (ns_word_parse(table[i].option, table[i].value, &word, NULL) < 0 ||
		    word.mode == NS_WORD_CONTAINER || word.mode == NS_WORD_PATH)
			return err_fail(
			    err, ERR_UNSUPPORTED,
			    "--%s %s is not implemented for pods, which have %s or host",
			    table[i].option, table[i].value,
			    str_eq(table[i].option, "network") ? "networks, none" : "private");
		if (word.mode == NS_WORD_HOST && table[i].ns)
			unshare(&o->share, table[i].ns);
	}
	if (m->hostname && m->uts && str_eq(m->uts, "host"))
		return err_fail(err, ERR_USAGE,
				"cannot set hostname when running in the host UTS namespace");
	if (m->hostname && strlen(m->hostname) > 64)
		return err_fail(err, ERR_USAGE, "--hostname: longer than 64 bytes: %s",
				m->hostname);
	return 0;
}

static int check_volumes(const struct run_options *m, struct err *err)
{
	for (size_t i = 0; m->volume && m->volume[i]; i++) {
		cleanup_mount_request struct mount_request req = { 0 };
		int r = volume_parse(m->volume[i], &req, err);

		if (r < 0)
			return r;
		if (req.kind == MOUNT_VOLUME && !req.source)
			return err_fail(err, ERR_USAGE,
					"--volume %s: a volume that members of a pod share needs a "
					"name",
					m->volume[i]);
	}
	return 0;
}

/* Members are made anywhere. */
static int set_whole_paths(struct pod_options *o, struct err *err)
{
	struct run_options *m = &o->member;
	char *pid_file = o->infra_pid_file;
	const struct {
		char **words;
		char *(*whole)(const char *word, const char *cwd);
	} lists[] = {
		{ m->volume, asked_volume },
		{ m->security_opt, asked_security },
	};
	cleanup_free char *cwd = NULL;

	if (!m->volume && !m->security_opt && !pid_file)
		return 0;
	cwd = getcwd(NULL, 0);
	if (!cwd)
		return err_errno(err, errno, "finding the current directory");
	if (pid_file && pid_file[0] != '/') {
		o->infra_pid_file = path_join(cwd, pid_file);
		free(pid_file);
	}
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		for (char **word = lists[i].words; word && *word; word++) {
			char *whole = lists[i].whole(*word, cwd);

			free(*word);
			*word = whole;
		}
	}
	return 0;
}

static int check_rest(struct pod_options *o, struct err *err)
{
	cleanup_free struct spec_resources *res = xcalloc(1, sizeof(*res));
	int policy, r = 0;
	int64_t max;

	for (size_t i = 0; r == 0 && o->member.device && o->member.device[i]; i++) {
		struct device_request req = { 0 };

		r = device_parse(o->member.device[i], &req, err);
		device_request_done(&req);
	}
	if (r == 0 && o->member.restart)
		r = restart_parse(o->member.restart, &policy, &max, err);
	if (r == 0)
		r = pod_limits(o, res, err);
	if (r < 0)
		return r;
	json_free(&spec_resources_desc, res);
	if (pod_is_limited(o) && o->no_parent)
		return err_fail(err, ERR_USAGE,
				"limits of a pod are those of its cgroup: they cannot be used with "
				"--share-parent=false");
	return 0;
}

/* ---- its user namespace ---- */

bool pod_has_ids(const struct pod *pod)
{
	const struct run_options *m = &pod->options.member;

	return m->uidmap || m->gidmap || m->subuidname || m->subgidname || pod_userns(pod) != NULL;
}

const char *pod_userns(const struct pod *pod)
{
	const char *word = pod->options.member.userns;

	return word && (str_eq(word, "nomap") || str_starts(word, "keep-id")) ? word : NULL;
}

void pod_forget_ids(struct run_options *o)
{
	if (!o->userns)
		return;
	strv_free(take_ptr(o->uidmap));
	strv_free(take_ptr(o->gidmap));
}

/* Which ids those are each member finds out. */
static int check_users(const struct pod *pod, struct err *err)
{
	const char *word = pod_userns(pod);
	struct idmap uids = { 0 }, gids = { 0 };
	uint32_t uid, gid;
	struct keep_id keep;
	int r = keep_id_parse(word, &keep, err);

	if (r >= 0)
		r = r > 0 ? mappings_keep_id(&keep, &uids, &gids, &uid, &gid, err)
			  : mappings_nomap(&uids, &gids, err);
	idmap_done(&uids);
	idmap_done(&gids);
	return r;
}

/* Of what the user has said. 1: ids are to be found; 0, or -errno. */
static int check_userns(const struct engine *eng, const struct pod *pod, uint32_t *ret_size,
			struct err *err)
{
	const char *word = pod->options.member.userns;
	struct idmap uids = { 0 }, gids = { 0 };
	int r;

	if ((pod_has_ids(pod) && !pod_userns(pod)) || (word && str_starts(word, "auto"))) {
		if (eng->rootless)
			return err_fail(err, ERR_UNSUPPORTED,
					"%s: only root can give a pod other ids than its user has",
					word ? "--userns auto" : "mapping ids");
	}
	r = mappings_asked(&pod->options.member, &uids, &gids, err);
	idmap_done(&uids);
	idmap_done(&gids);
	if (r != 0)
		return r < 0 ? r : 0;
	if (pod_has_infra(pod) && str_eq(word, "nomap"))
		return err_fail(
		    err, ERR_UNSUPPORTED,
		    "--share pid, cgroup: with --userns nomap the infra container can't "
		    "get at its directory, which is its user's; use keep-id");
	if (pod_userns(pod))
		return check_users(pod, err);
	r = userns_auto_parse(word, MAPPINGS_BLOCK, ret_size, err);
	if (r != 0 || !word || str_eq(word, "host"))
		return r;
	return err_fail(err, ERR_UNSUPPORTED, "--userns %s: a pod has auto, keep-id, nomap or host",
			word);
}

int pod_choose_ids(struct engine *eng, struct pod *pod, struct err *err)
{
	struct run_options *m = &pod->options.member;
	struct idmap uids = { 0 }, gids = { 0 };
	uint32_t size, start;
	int r = check_userns(eng, pod, &size, err);

	if (r <= 0)
		return r;
	r = mappings_auto(eng, pod->id, size, &uids, &gids, err);
	if (r == 0 && idmap_to_outside(&uids, 0, &start) == 0) {
		strv_addf(&m->uidmap, "0:%u:%u", start, size);
		strv_addf(&m->gidmap, "0:%u:%u", start, size);
	}
	idmap_done(&uids);
	idmap_done(&gids);
	return r;
}

static int choose_network(struct engine *eng, struct pod_options *o, struct err *err)
{
	char *word[2], **words;
	int r = network_choose(eng, o->member.network, word, &words, err);

	if (r < 0 || words == o->member.network)
		return r;
	words = strv_copy(words);
	strv_free(o->member.network);
	o->member.network = words;
	return 0;
}

int pod_options_finish(struct engine *eng, const struct pod_words *words, struct pod_options *o,
		       struct err *err)
{
	int r;

	o->exit_policy = POD_EXIT_CONTINUE;
	if (words->exit_policy && str_eq(words->exit_policy, "stop"))
		o->exit_policy = POD_EXIT_STOP;
	else if (words->exit_policy && !str_eq(words->exit_policy, "continue"))
		return err_fail(err, ERR_USAGE,
				"--exit-policy: expected continue or stop, got \"%s\"",
				words->exit_policy);
	r = parse_share(words, &o->share, err);
	/* Members that share none choose for themselves. */
	if (r == 0 && (o->member.network || strv_has(o->share, "network")))
		r = choose_network(eng, o, err);
	if (r == 0)
		r = check_namespaces(o, err);
	if (r == 0)
		r = pod_ports_check(eng, o, err);
	if (r == 0)
		r = check_volumes(&o->member, err);
	if (r == 0)
		r = set_whole_paths(o, err);
	return r < 0 ? r : check_rest(o, err);
}
