/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <strings.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/blockio.h"
#include "engine/env.h"
#include "runtime/detach_keys.h"
#include "engine/health.h"
#include "engine/log_options.h"
#include "engine/names.h"
#include "engine/run_internal.h"
#include "engine/secrets.h"
#include "engine/start.h"
#include "engine/sdnotify.h"
#include "oci/user_entry.h"
#include "sys/cap.h"
#include "sys/lsm.h"

#define OPTION_FILE_MAX (4u << 20)

static int check_passthrough(const struct run *run, struct err *err)
{
	if (run->opts->tty)
		return err_fail(err, ERR_USAGE,
				"conflicting options: --log-driver passthrough and --tty");
	/* Who starts it again has no such stdio. */
	if (run->rec.options.restart > RESTART_NO)
		return err_fail(err, ERR_USAGE,
				"conflicting options: --log-driver passthrough and --restart");
	return run->create ? 0 : log_passthrough_check(err);
}

/* What start, stop and the clean-up role will ask the record for. */
static int check_life_options(struct run *run, struct err *err)
{
	struct record_options *to = &run->rec.options;
	const struct run_options *o = run->opts;
	struct detach_keys keys;
	int r = 0;

	to->tty = o->tty;
	to->interactive = o->interactive;
	to->stop_timeout = o->stop_timeout;
	to->restart = RESTART_NO;
	to->split = str_eq(o->cgroups, "split");
	to->ipc_shared = str_eq(o->ipc, "shareable") || str_eq(o->ipc, "host");
	r = sdnotify_parse(o->sdnotify, to, err);
	if (r == 0 && to->notify_when == SDNOTIFY_HEALTHY && !o->detach && !run->create)
		r = err_fail(err, ERR_USAGE, "--sdnotify healthy needs --detach");
	if (r == 0 && o->restart)
		r = restart_parse(o->restart, &to->restart, &to->restart_max, err);
	if (r == 0 && o->rm && to->restart != RESTART_NO)
		r = err_fail(err, ERR_USAGE,
			     "conflicting options: cannot specify both --restart and --rm");
	if (r == 0 && str_eq(o->log_driver, "passthrough"))
		r = check_passthrough(run, err);
	return r < 0 ? r : detach_keys_parse(o->detach_keys, &keys, err);
}

static int check_streams(const struct run_options *o, struct err *err)
{
	for (char **w = o->attach; w && *w; w++)
		if (strcasecmp(*w, "stdin") != 0 && strcasecmp(*w, "stdout") != 0 &&
		    strcasecmp(*w, "stderr") != 0)
			return err_fail(err, ERR_USAGE,
					"invalid argument \"%s\" for \"-a, --attach\" flag: "
					"valid streams are STDIN, STDOUT and STDERR",
					*w);
	if (o->attach && o->detach)
		return err_fail(err, ERR_USAGE, "conflicting options: --attach and --detach");
	return 0;
}

/* What crun does for podman with an annotation: no group is left then that could be added. */
static int check_groups(const struct run_options *o, struct err *err)
{
	if (!strv_has(o->group_add, "keep-groups"))
		return 0;
	return err_fail(
	    err, ERR_UNSUPPORTED,
	    "--group-add keep-groups: a container never has groups of its user's that it "
	    "was not given by number or name");
}

static int check_users(const struct run_options *o, struct err *err)
{
	if (str_eq(o->passwd, "false") && (o->hostuser || o->passwd_entry || o->group_entry))
		return err_fail(err, ERR_USAGE,
				"conflicting options: --passwd=false and --hostuser, "
				"--passwd-entry or --group-entry");
	if (user_entry_check("--passwd-entry", o->passwd_entry, err) < 0)
		return -EINVAL;
	return user_entry_check("--group-entry", o->group_entry, err);
}

int run_check(struct run *run, struct err *err)
{
	const struct run_options *o = run->opts;

	if (o->name && name_check(o->name, err) < 0)
		return -EINVAL;
	if (o->runtime)
		return err_fail(err, ERR_UNSUPPORTED,
				"--runtime %s: other runtimes are not implemented", o->runtime);
	if (o->tty && o->interactive && !o->detach && !run->create && !isatty(STDIN_FILENO))
		return err_fail(err, ERR_USAGE, "the input device is not a TTY");
	if (o->privileged && o->userns && !run->eng->rootless && !str_eq(o->userns, "host"))
		return err_fail(
		    err, ERR_USAGE,
		    "privileged mode is incompatible with user namespaces: add --userns host");
	if (o->oom_kill_disable && !o->memory.set)
		log_warn("disabling the OOM killer without a limit of memory (--memory) may stop "
			 "the whole machine");
	if (o->replace && !o->name)
		return err_fail(err, ERR_USAGE,
				"cannot replace container without --name being set");
	if (check_streams(o, err) < 0 || run_check_ports(run, err) < 0 || check_groups(o, err) < 0)
		return -EINVAL;
	if (check_users(o, err) < 0 || run_networks_check(run, err) < 0)
		return -EINVAL;
	return check_life_options(run, err);
}

int run_path_from_cwd(const char *path, char **ret, struct err *err)
{
	cleanup_free char *cwd = NULL;
	cleanup_free char *joined = NULL;

	if (path[0] != '/') {
		cwd = getcwd(NULL, 0);
		if (!cwd)
			return err_errno(err, errno, "finding the current directory");
		joined = path_join(cwd, path);
	}
	*ret = path_clean(joined ? joined : path);
	return 0;
}

/* Variables, and what is mounted from a copy in the bundle. */
static int parse_secrets(struct run *run, struct err *err)
{
	char **words = run->opts->secret;

	for (size_t i = 0; words && words[i]; i++) {
		struct mount_request m = { .kind = MOUNT_BIND };
		struct secret_request q = { 0 };
		int r = secret_parse(words[i], &q, err);

		if (r == 0 && q.env)
			r = secret_env_add(run->eng, &q, &run->secret_env, err);
		if (r < 0 || q.env)
			secret_request_done(&q);
		if (r < 0)
			return r;
		if (!q.source)
			continue;
		m.source = xasprintf("%s/secrets/%zu", run->bundle, run->n_secrets);
		m.target = xstrdup(q.target);
		m.options = strv_split("bind,ro,nosuid,nodev,noexec,rprivate", ',');
		run->secrets = xrealloc(run->secrets, (run->n_secrets + 1) * sizeof(q));
		run->secrets[run->n_secrets++] = q;
		run->mounts = xrealloc(run->mounts, (run->n_mounts + 1) * sizeof(m));
		run->mounts[run->n_mounts++] = m;
	}
	return 0;
}

static int parse_device(struct run *run, const char *word, char ***cdi, struct err *err)
{
	cleanup_device_request struct device_request req = { 0 };
	size_t kind_len;
	int r;

	if (cdi_name_parse(word, &kind_len)) {
		strv_add(cdi, word);
		return 0;
	}
	r = device_parse(word, &req, err);
	return r < 0 ? r : devices_add(&run->devices, &req, err);
}

static int parse_devices(struct run *run, struct err *err)
{
	const struct run_options *o = run->opts;
	cleanup_strv char **cdi = NULL;
	size_t i;
	int r = 0;

	if (o->privileged && !run->eng->rootless)
		r = devices_add_all(&run->devices, err);
	for (i = 0; r == 0 && o->device && o->device[i]; i++)
		r = parse_device(run, o->device[i], &cdi, err);
	for (i = 0; r == 0 && o->gpus && o->gpus[i]; i++)
		r = gpus_parse(o->gpus[i], &cdi, err);
	if (r == 0)
		r = cdi_apply(run->eng, cdi, &run->devices, &run->cdi, err);
	return r;
}

static int parse_labels(struct run *run, struct err *err)
{
	const struct run_options *o = run->opts;
	const struct oci_config *c = run->config.config;
	size_t i;
	int r = 0;

	for (i = 0; c && i < c->labels.n; i++)
		json_map_set(&run->rec.labels, c->labels.items[i].key, c->labels.items[i].value);
	for (i = 0; r == 0 && o->label_file && o->label_file[i]; i++) {
		cleanup_buf struct buf text = BUF_INIT;
		cleanup_strv char **lines = NULL;
		size_t k;

		r = io_read_file(AT_FDCWD, o->label_file[i], &text, OPTION_FILE_MAX, err);
		lines = strv_split(buf_str(&text), '\n');
		for (k = 0; r == 0 && lines[k]; k++)
			if (lines[k][0] && lines[k][0] != '#')
				r = label_parse(lines[k], "label", &run->rec.labels, err);
	}
	for (i = 0; r == 0 && o->label && o->label[i]; i++)
		r = label_parse(o->label[i], "label", &run->rec.labels, err);
	return r;
}

static int find_joins(struct run *run, struct err *err)
{
	int r = joins_find(run->eng, run->opts, &run->joins, err);

	if (r == 0 && run->eng->rootless && run->joins.ids.n &&
	    strv_len(run->rec.options.pod_share))
		return err_fail(err, ERR_UNSUPPORTED,
				"--pod: without root all namespaces that are joined have to be of "
				"one pod, or of one container");
	for (size_t i = 0; r == 0 && i < run->joins.ids.n; i++)
		json_map_set(&run->rec.options.joins, run->joins.ids.items[i].key,
			     run->joins.ids.items[i].value);
	return r;
}

static int read_seccomp(struct run *run, struct err *err)
{
	char **words = run->opts->security_opt;
	cleanup_buf struct buf text = BUF_INIT;
	const char *path = NULL;
	uint64_t caps;
	size_t i;
	int r;

	for (i = 0; words && words[i]; i++) {
		const char *value = str_after(words[i], "seccomp=");

		if (!value) /* docker's of old */
			value = str_after(words[i], "seccomp:");
		if (value)
			path = str_eq(value, "unconfined") ? NULL : value;
	}
	if (!path)
		return 0;
	r = spec_gen_caps(&run->in, &caps, err);
	if (r == 0)
		r = io_read_file(AT_FDCWD, path, &text, OPTION_FILE_MAX, err);
	if (r == 0)
		r = seccomp_profile_parse(buf_str(&text), text.len, path, caps, &run->seccomp, err);
	if (r < 0)
		return err_wrap(err, r, "--security-opt seccomp");
	run->in.seccomp_file = &run->seccomp;
	return 0;
}

static int own_caps(struct run *run)
{
	struct cap_sets sets;
	int r;

	/* In a user namespace of its own a process has them all. */
	run->in.own_caps = (UINT64_C(2) << cap_last()) - 1;
	if (run->uids.n)
		return 0;
	r = cap_get(&sets);
	if (r == 0)
		run->in.own_caps = sets.bounding & sets.permitted;
	return r;
}

/* What the image has a say in. */
static int parse_life(struct run *run, struct err *err)
{
	const struct oci_config *c = run->config.config;
	const char *stop =
	    run->opts->stop_signal ? run->opts->stop_signal : (c ? c->stop_signal : NULL);
	const char *pid_file = run->opts->pidfile, *monitor = run->opts->conmon_pidfile;
	struct record_options *to = &run->rec.options;
	int r = 0;

	run->rec.options.stop_signal = stop ? xstrdup(stop) : NULL;
	if (log_options_parse(run->eng, run->opts->log_driver, run->opts->log_opt, &run->rec.labels,
			      &run->rec.options, err) < 0 ||
	    health_options_parse(run->opts, c, &run->rec.options.health, err) < 0)
		return -EINVAL;
	if (to->notify && to->notify_when == SDNOTIFY_HEALTHY && !to->health)
		return err_fail(err, ERR_USAGE, "--sdnotify healthy: there is no health check");
	if (pid_file)
		r = run_path_from_cwd(pid_file, &to->pid_file, err);
	if (r == 0 && monitor)
		r = run_path_from_cwd(monitor, &to->monitor_pid_file, err);
	return r;
}

/* By id, as they may be called otherwise later. */
static int parse_requires(struct run *run, struct err *err)
{
	char **words = run->opts->requires;

	for (size_t i = 0; words && words[i]; i++) {
		cleanup_strv char **names = strv_split(words[i], ',');

		for (size_t k = 0; names[k]; k++) {
			cleanup_record struct record rec = { 0 };
			int r = life_find(run->eng, names[k], &rec, err);

			if (r < 0)
				return err_wrap(err, r, "--requires %s", names[k]);
			if (!strv_has(run->rec.options.requires, rec.id))
				strv_add(&run->rec.options.requires, rec.id);
		}
	}
	return run->create ? 0 : engine_start_required(run->eng, &run->rec, err);
}

static int find_init(struct run *run, struct err *err)
{
	const char *own = run->opts->init_path;
	int r;

	if (!own)
		return engine_program(run->eng, "inro-init", &run->init_path, err);
	r = run_path_from_cwd(own, &run->init_path, err);
	if (r == 0 && access(run->init_path, X_OK) < 0)
		r = err_errno(err, errno, "--init-path %s", own);
	return r;
}

int run_parse(struct run *run, struct err *err)
{
	const struct run_options *o = run->opts;
	int r;

	run->host_env = env_own(o->env_host, o->http_proxy);
	r = env_gather(o->env_file, o->env, &run->env, err);
	if (r == 0)
		r = find_joins(run, err);
	if (r == 0)
		r = run_ports(run, err);
	if (r == 0)
		r = run_networks_find(run, err);
	if (r == 0)
		r = run_policy(run, err);
	if (r == 0)
		r = run_mappings(run, err);
	if (r == 0)
		r = run_mounts(run, err);
	if (r == 0)
		r = parse_secrets(run, err);
	if (r == 0)
		r = parse_devices(run, err);
	if (r == 0)
		r = block_io_parse(o, &run->in.limits, err);
	if (r == 0)
		r = parse_labels(run, err);
	if (r == 0)
		r = parse_life(run, err);
	if (r == 0)
		r = parse_requires(run, err);
	if (r < 0)
		return r;
	r = own_caps(run);
	if (r < 0)
		return err_errno(err, -r, "reading own capabilities");
	run->in.opts = o;
	r = read_seccomp(run, err);
	return r == 0 && o->init ? find_init(run, err) : r;
}

int run_finish_input(struct run *run, struct err *err)
{
	const struct oci_config *c = run->config.config;
	struct spec_input *in = &run->in;
	int r;

	r = run_users(run, err);
	if (r < 0)
		return r;
	if (gethostname(run->host_name, sizeof(run->host_name) - 1) < 0)
		return err_errno(err, errno, "reading the host name");
	in->id = run->rec.id;
	in->bundle = run->bundle;
	in->config = c;
	in->args = run->args;
	in->env = run->env;
	in->host_env = run->host_env;
	in->secret_env = run->secret_env;
	in->user = &run->user;
	in->groups = run->groups;
	in->host_name = run->host_name;
	in->selinux = lsm_selinux_enabled();
	in->init_path = run->init_path;
	in->mounts = run->mounts;
	in->n_mounts = run->n_mounts;
	in->devices = run->devices.items;
	in->n_devices = run->devices.n;
	in->cdi = &run->cdi;
	in->uids = run->uids.n ? &run->uids : NULL;
	in->gids = run->uids.n ? &run->gids : NULL;
	in->joins = &run->joins;
	in->bridged = run->n_nets > 0 || run->rec.options.pasta || run->rec.options.cni;
	in->rootless = run->eng->rootless;
	in->rootfs = run->rec.options.rootfs_overlay ? NULL : run->rec.options.rootfs;
	in->swap_limits = engine_limits_swap();
	in->host_mqueue = access("/dev/mqueue", F_OK) == 0;
	return 0;
}

void run_input_done(struct run *run)
{
	size_t i;

	strv_free(run->env);
	strv_free(run->host_env);
	strv_free(run->secret_env);
	for (i = 0; i < run->n_mounts; i++)
		mount_request_done(&run->mounts[i]);
	free(run->mounts);
	for (i = 0; i < run->n_secrets; i++)
		secret_request_done(&run->secrets[i]);
	free(run->secrets);
	device_list_done(&run->devices);
	cdi_changes_done(&run->cdi);
	joins_done(&run->joins);
	networks_free(run->networks, run->n_nets);
	netspec_list_free(run->nets, run->n_nets);
	idmap_done(&run->uids);
	idmap_done(&run->gids);
	free(run->keep_user);
	user_result_done(&run->user);
	free(run->groups.items);
	json_free(&spec_seccomp_desc, &run->seccomp);
	json_free(&spec_resources_desc, &run->in.limits);
	free(run->bundle);
	free(run->init_path);
	oci_image_config_done(&run->config);
	image_row_done(&run->image);
	record_done(&run->rec);
}
