/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <strings.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/blockio.h"
#include "engine/copy.h"
#include "engine/env.h"
#include "runtime/detach_keys.h"
#include "engine/health.h"
#include "engine/lists.h"
#include "engine/log_options.h"
#include "engine/mapped.h"
#include "engine/mappings.h"
#include "engine/names.h"
#include "engine/pull.h"
#include "engine/rootfs_dir.h"
#include "engine/run_internal.h"
#include "engine/start.h"
#include "engine/userdb.h"
#include "engine/sdnotify.h"
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

static int check_ports(const struct run_options *o, struct err *err)
{
	struct json_map ports = { 0 };
	int r = 0;

	for (char **w = o->expose; r == 0 && w && *w; w++)
		r = expose_parse(*w, &ports, err);
	json_map_done(&ports);
	return r;
}

int run_check(struct run *run, struct err *err)
{
	const struct run_options *o = run->opts;

	if (o->name && name_check(o->name, err) < 0)
		return -EINVAL;
	if (o->runtime)
		return err_fail(err, ERR_UNSUPPORTED,
				"--runtime %s: other runtimes are not implemented yet", o->runtime);
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
	if (check_streams(o, err) < 0 || check_ports(o, err) < 0 || check_groups(o, err) < 0)
		return -EINVAL;
	return check_life_options(run, err);
}

static int pull_image(struct run *run, const char *word, struct err *err)
{
	const struct pull_options options = {
		.platform = run->opts->platform,
		.events = run->opts->pull_events,
	};
	cleanup_free char *id = NULL;
	int r;

	r = engine_pull(run->eng, word, &options, &id, err);
	/* By its id: for the word may mean another platform's, too. */
	return r < 0 ? r : images_find(run->eng, id, &run->image, err);
}

/* podman's: "dir:/PATH", "oci-archive:./FILE" and the like, which are no references. */
static bool is_path_word(const char *word)
{
	const char *colon = strchr(word, ':');

	if (str_starts(word, "docker-daemon:") || str_starts(word, "containers-storage:"))
		return true;
	return colon && (colon[1] == '/' || colon[1] == '.') && !str_starts(colon, "://");
}

static int load_image(struct run *run, const char *word, struct err *err)
{
	const struct transport_name to = { .kind = TRANSPORT_STORE };
	const struct copy_options copy = { .platform = run->opts->platform, .out_fd = -EBADF };
	cleanup_copy_result struct copy_result result = { 0 };
	cleanup_transport struct transport_name from = { 0 };
	int r = transport_parse(word, &from, err);

	if (r == 0 && !from.path)
		r = err_fail(err, ERR_INVALID, "invalid image: %s", word);
	if (r == 0)
		r = engine_copy(run->eng, &from, &to, &copy, &result, err);
	return r < 0 ? r : images_find(run->eng, result.id, &run->image, err);
}

/* -ENOENT: it is here, but for another platform than --platform. */
static int check_platform(struct run *run, struct err *err)
{
	struct oci_platform want = { 0 };
	int r = 0;

	if (run->opts->platform)
		r = oci_platform_parse(run->opts->platform, &want, err);
	if (r == 0 && want.os &&
	    !(str_eq(want.os, run->image.os) &&
	      str_eq(want.architecture, run->image.architecture) &&
	      (!want.variant || str_eq(want.variant, run->image.variant)))) {
		r = err_fail(err, ERR_NOT_FOUND, "No such image for platform %s",
			     run->opts->platform);
		image_row_done(&run->image);
	}
	oci_platform_done(&want);
	return r;
}

/* Of a list made here, its image for the platform. */
static int find_here(struct run *run, const char *word, struct err *err)
{
	cleanup_image_row struct image_row row = { 0 };
	int r = images_find(run->eng, word, &row, err);

	if (r == 0 && row.kind == IMAGE_KIND_LIST) {
		r = lists_image(run->eng, &row, run->opts->platform, &run->image, err);
		if (r == 0)
			images_used(run->eng, &row);
		/* a registry need not have the list: what is missing here is not looked for there
		 */
		return r == -ENOENT ? err_set_kind(err, -EINVAL, ERR_CONFLICT) : r;
	}
	if (r == 0 && row.kind == IMAGE_KIND_ARTIFACT)
		r = err_fail(err, ERR_UNSUPPORTED, "%s is an artifact, not an image", word);
	if (r < 0)
		return r;
	run->image = row;
	row = (struct image_row){ 0 };
	return check_platform(run, err);
}

static int find_or_pull(struct run *run, const char *word, struct err *err)
{
	const char *when = run->opts->pull;
	int r;

	if (is_path_word(word))
		return load_image(run, word, err);
	if (str_eq(when, "always"))
		return pull_image(run, word, err);
	r = find_here(run, word, err);
	if (r != -ENOENT)
		return r;
	if (str_eq(when, "never"))
		return err_hint(err, r, "get it with `inro pull`, or leave --pull never out");
	if (run->opts->on_missing)
		run->opts->on_missing(word);
	return pull_image(run, word, err);
}

static int find_rootfs(struct run *run, const char *word, struct err *err)
{
	struct record_options *o = &run->rec.options;
	char *path = NULL;
	int r = rootfs_dir_parse(word, o, err);

	if (r == 0 && o->rootfs_idmap && run->eng->rootless)
		r = err_fail(err, ERR_UNSUPPORTED, "--rootfs %s: ids are mapped by root alone",
			     word);
	if (r == 0)
		r = run_path_from_cwd(o->rootfs, &path, err);
	if (r < 0)
		return r;
	/* Who makes another one like it is in another directory. */
	free(run->rec.image_name);
	run->rec.image_name = xasprintf("%s%s", path, word + strlen(o->rootfs));
	free(o->rootfs);
	o->rootfs = path;
	run->rec.image = xstrdup("");
	return 0;
}

int run_find_image(struct run *run, const char *word, struct err *err)
{
	int r;

	run->rec.image_name = xstrdup(word);
	if (run->opts->rootfs)
		return find_rootfs(run, word, err);
	if (str_eq(word, IMAGE_HOST)) {
		run->host_image = true;
		run->rec.image = xstrdup(IMAGE_HOST);
		return 0;
	}
	r = find_or_pull(run, word, err);
	if (r == 0)
		r = engine_store(run->eng, err);
	if (r < 0)
		return r;
	r = image_read_config(&run->eng->store, run->image.id, &run->config, err);
	if (r == 0)
		run->rec.image = xstrdup(run->image.id);
	else
		run->incomplete = err->kind == ERR_CORRUPT || err->kind == ERR_NOT_FOUND;
	return r;
}

/* By digest, from the repositories that it is known to be in: what is tagged there now may be
 * another image, and one that was loaded may be called like a stranger's. */
int run_fetch_again(struct run *run, int r, struct err *err)
{
	const struct image_row *image = &run->image;
	cleanup_strv char **digests = NULL;
	cleanup_free char *platform =
	    xasprintf("%s/%s%s%s", image->os ? image->os : "linux",
		      image->architecture ? image->architecture : "", image->variant ? "/" : "",
		      image->variant ? image->variant : "");
	const struct pull_options options = {
		.platform = image->architecture ? platform : NULL,
		.events = run->opts->pull_events,
	};

	if (!run->incomplete || str_eq(run->opts->pull, "never") ||
	    images_repo_digests(run->eng, image->id, &digests, NULL) < 0)
		return r;
	for (size_t i = 0; digests && digests[i]; i++) {
		cleanup_free char *id = NULL;
		struct err own = ERR_INIT;

		/* The container's signals, which wait for it to be there, are for the pull. */
		sigset_t none;
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		log_warn("%s: getting it again from %s", err->msg, digests[i]);
		if (engine_pull(run->eng, digests[i], &options, &id, &own) < 0)
			log_warn("%s", own.msg);
		else if (str_eq(id, image->id))
			return 0;
	}
	return r;
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

/* Mounted from a copy in the bundle. */
static int parse_secrets(struct run *run, struct err *err)
{
	char **words = run->opts->secret;

	for (size_t i = 0; words && words[i]; i++) {
		struct mount_request m = { .kind = MOUNT_BIND };
		struct secret_request q = { 0 };
		int r = secret_parse(words[i], &q, err);

		if (r < 0)
			return r;
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

static void take_joined_mappings(struct run *run)
{
	run->uids = run->joins.uids;
	run->gids = run->joins.gids;
	run->joins.uids = run->joins.gids = (struct idmap){ 0 };
}

static int refuse_mappings(const struct run *run, struct err *err)
{
	const struct run_options *o = run->opts;
	const char *word = o->userns;

	if (str_eq(word, "nomap"))
		return err_fail(err, ERR_UNSUPPORTED,
				"--userns nomap: the container's own directory belongs to the user "
				"who makes it, whom it has to know");
	if (run->eng->rootless && (o->uidmap || o->gidmap || o->subuidname || o->subgidname ||
				   (word && str_starts(word, "auto"))))
		return err_fail(err, ERR_UNSUPPORTED,
				"%s: only root can give containers other ids than its user has",
				word ? "--userns auto" : "mapping ids");
	return 0;
}

static int keep_id(struct run *run, const struct keep_id *keep, struct err *err)
{
	uint32_t uid, gid;
	int r = mappings_keep_id(keep, &run->uids, &run->gids, &uid, &gid, err);

	if (r == 0)
		run->keep_user = xasprintf("%u:%u", uid, gid);
	return r;
}

static int find_mappings(struct run *run, struct err *err)
{
	const struct run_options *o = run->opts;
	struct keep_id keep;
	struct ns_word word;
	uint32_t size;
	int r = refuse_mappings(run, err);

	if (r == 0)
		r = mappings_asked(o, &run->uids, &run->gids, err);
	if (r != 0)
		return r < 0 ? r : 0;
	r = userns_auto_parse(o->userns, MAPPINGS_BLOCK, &size, err);
	if (r > 0)
		return mappings_auto(run->eng, run->rec.id, size, &run->uids, &run->gids, err);
	if (r == 0)
		r = keep_id_parse(o->userns, &keep, err);
	if (r > 0)
		return keep_id(run, &keep, err);
	if (r == 0)
		r = ns_word_parse("userns", o->userns, &word, err);
	if (r < 0)
		return r;
	if (word.mode == NS_WORD_PATH)
		return err_fail(err, ERR_UNSUPPORTED,
				"--userns %s: whose ids are mapped there is not known; use "
				"container:NAME",
				o->userns);
	if (run->joins.user) {
		take_joined_mappings(run);
		return 0;
	}
	/* "host" is the user's own mapping here, as podman has it: an unprivileged container
	 * without a user namespace can't be. */
	if (run->eng->rootless)
		return mappings_rootless(&run->uids, &run->gids, err);
	if (!o->userns || word.mode == NS_WORD_HOST)
		return 0;
	return mappings_auto(run->eng, run->rec.id, MAPPINGS_BLOCK, &run->uids, &run->gids, err);
}

static int choose_mappings(struct run *run, struct err *err)
{
	int r = find_mappings(run, err);

	/* Those of nobody else can be the store's own, and looking costs something. */
	if (r == 0 && (run->keep_user || run->joins.user))
		r = mapped_text(run->eng, &run->uids, &run->gids, &run->rec.options.mapping, err);
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
		r = choose_mappings(run, err);
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
	const char *user = run->opts->user  ? run->opts->user
			   : run->keep_user ? run->keep_user
					    : (c ? c->user : NULL);
	struct spec_input *in = &run->in;
	int r;

	r = userdb_resolve(run->launch.layers, run->launch.n_layers, user, run->opts->group_add,
			   &run->user, &run->groups, err);
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
	for (i = 0; i < run->n_mounts; i++)
		mount_request_done(&run->mounts[i]);
	free(run->mounts);
	for (i = 0; i < run->n_secrets; i++)
		secret_request_done(&run->secrets[i]);
	free(run->secrets);
	device_list_done(&run->devices);
	cdi_changes_done(&run->cdi);
	joins_done(&run->joins);
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
