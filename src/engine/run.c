/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/hex.h"
#include "base/io.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "engine/asked.h"
#include "engine/etcfiles.h"
#include "engine/infra.h"
#include "engine/mapped.h"
#include "engine/network_names.h"
#include "engine/pod_options.h"
#include "engine/remove.h"
#include "engine/rootfs_dir.h"
#include "engine/run_internal.h"
#include "engine/secrets.h"
#include "engine/service_scale.h"
#include "engine/services.h"
#include "engine/volume_mounts.h"
#include "image/store.h"

#define UNDO_STATUS 125 /* inro failed */

static char *const host_args_bash[] = { (char *)"/bin/bash", NULL };
static char *const host_args_sh[] = { (char *)"/bin/sh", NULL };

/* Steps until the record exists. */

/* As far as can be told from the words. In a user namespace of its own it makes its own. */
static bool wants_netns(const struct run *run)
{
	const struct run_options *o = run->opts;

	return !run->eng->rootless && !run->pod && !o->uidmap && !o->gidmap && !o->subuidname &&
	       !o->subgidname && (!o->userns || str_eq(o->userns, "host")) &&
	       (!o->network || run->n_nets || str_eq(run_network_word(o), "none") ||
		str_eq(run_network_word(o), "private"));
}

static int step_id(struct run *run, struct err *err)
{
	char id[HEX_ID_LEN + 1];
	int r = hex_random_id(id);

	if (r < 0)
		return err_errno(err, -r, "choosing an id");
	run->rec.id = xstrdup(id);
	run->rec.created_ns = time_now_ns();
	run->rec.started_ns = run->create ? 0 : run->rec.created_ns;
	run->rec.status = run->create ? RECORD_CREATED : RECORD_RUNNING;
	run->rec.running = !run->create;
	run->rec.auto_remove = run->opts->rm;
	if (run->pod) {
		run->rec.pod = xstrdup(run->pod->pod.id);
		run->rec.options.pod_share = strv_copy(run->pod->share);
	}
	run->bundle = xasprintf("%s/containers/%s", run->eng->root, id);
	run->launch.bundle = run->bundle;
	run->rec.options.infra = run->opts->infra;
	if (run->opts->part)
		run->rec.options.service = xstrdup(run->opts->part->id);
	run->launch.part = run->opts->part != NULL;
	/* It has no image: an empty directory in which inro's own program is mounted. */
	if (run->opts->infra)
		run->rec.options.rootfs = xasprintf("%s/upper", run->bundle);
	run->launch.give = true;
	run->launch.netns = wants_netns(run);
	return 0;
}

/* As docker shows it: words with spaces in them in quotes, but for the first. */
static char *command_text(char *const *words)
{
	struct buf out = BUF_INIT;

	for (size_t i = 0; words && words[i]; i++)
		buf_addf(&out, i && strchr(words[i], ' ') ? "%s'%s'" : "%s%s", i ? " " : "",
			 words[i]);
	return buf_take(&out);
}

static int step_command(struct run *run, struct err *err)
{
	cleanup_strv char **command = NULL;
	int r;

	if (run->host_image && !strv_len(run->args) && !run->opts->entrypoint)
		run->args = access(host_args_bash[0], X_OK) == 0 ? host_args_bash : host_args_sh;
	run->in.opts = run->opts;
	run->in.config = run->config.config;
	run->in.args = run->args;
	r = spec_command(&run->in, &command, err);
	if (r < 0)
		return r;
	run->rec.command = command_text(command);
	return 0;
}

static int step_lock(struct run *run, struct err *err)
{
	run->launch.lock = life_begin(run->eng, run->rec.id, err);
	if (run->launch.lock < 0)
		return run->launch.lock;
	run->begun = true;
	return 0;
}

static int step_replace(struct run *run, struct err *err)
{
	struct err own = ERR_INIT;
	int r;

	if (!run->opts->replace)
		return 0;
	r = engine_remove(run->eng, run->opts->name, true, false, &own);
	if (r >= 0 || own.kind == ERR_NOT_FOUND)
		return 0;
	*err = own;
	return r;
}

/* In the transaction that makes the record. */
static int with_record(struct engine *eng, const struct record *rec, void *data, struct err *err)
{
	struct run *run = data;
	int r = volumes_use(eng, rec->id, run->mounts, run->n_mounts, err);

	if (r == 0)
		r = run_networks_store(run, err);
	if (r == 0 && run->opts->part)
		r = service_join(eng, rec, run->opts->part, run->networks, run->nets, run->n_nets,
				 err);
	return r < 0 || run->create ? r : net_start_take(eng, rec, &run->launch.net, err);
}

static int insert(struct run *run, struct err *err)
{
	const struct record_also also = { with_record, run };
	struct err first = ERR_INIT;
	int r = record_insert(run->eng, &run->rec, !run->launch.detach, &also, &first);

	if (r < 0 && ((first.kind == ERR_EXISTS && run->opts->name &&
		       life_name_is_free(run->eng, run->opts->name)) ||
		      net_start_again(run->eng, &run->launch.net)))
		return record_insert(run->eng, &run->rec, !run->launch.detach, &also, err);
	if (r < 0)
		*err = first;
	return r;
}

/* What the image says about itself is not repeated. */
static char **own_labels(const struct run *run)
{
	const struct oci_config *c = run->config.config;
	char **words = NULL;

	for (size_t i = 0; i < run->rec.labels.n; i++) {
		const struct json_pair *p = &run->rec.labels.items[i];

		if (!c || !str_eq(json_map_get(&c->labels, p->key), p->value))
			strv_addf(&words, "%s=%s", p->key, p->value);
	}
	return words;
}

static void keep_asked(struct run *run)
{
	cleanup_strv char **labels = own_labels(run);
	cleanup_free char *cwd = getcwd(NULL, 0);
	struct buf text = BUF_INIT;

	asked_write(run->pod ? &run->pod->asked : run->opts, run->env, labels, run->args, cwd,
		    &text);
	run->rec.asked = buf_take(&text);
}

static int step_ports(struct run *run, struct err *err)
{
	return net_ports_bind(run->eng, &run->rec,
			      run->n_nets ? run->networks[0].options.host_binding : NULL,
			      &run->launch.net, err);
}

static int step_record(struct run *run, struct err *err)
{
	int r;

	keep_asked(run);
	if (run->opts->name)
		run->rec.name = xstrdup(run->opts->name);
	r = insert(run, err);
	run->recorded = r == 0;
	for (size_t i = 0; r < 0 && i < run->n_mounts; i++)
		if (run->mounts[i].kind == MOUNT_VOLUME)
			volume_unmake(run->eng, run->mounts[i].source);
	if (r == 0 && run->cid_fd >= 0) {
		r = io_write(run->cid_fd, run->rec.id, strlen(run->rec.id));
		if (r < 0)
			err_errno(err, -r, "writing %s", run->opts->cidfile);
	}
	return r;
}

/* Steps that fill containers/<id>. */

int run_make_dir(int dirfd, const char *name, mode_t mode, const char *bundle, struct err *err)
{
	int fd;

	if (mkdirat(dirfd, name, mode) < 0)
		return err_errno(err, errno, "making %s in %s", name, bundle);
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_errno(err, errno, "opening %s in %s", name, bundle);
	engine_own_group(fd, mode);
	return fd;
}

bool run_container_root(const struct run *run, uid_t *ret_uid, gid_t *ret_gid)
{
	return !run->eng->rootless && idmap_to_outside(&run->uids, 0, ret_uid) == 0 &&
	       idmap_to_outside(&run->gids, 0, ret_gid) == 0;
}

/* The upper directory has the owner that the image gives to "/". */
static int step_owner(struct run *run, struct err *err)
{
	uid_t root_uid, uid;
	gid_t root_gid, gid;
	struct stat st;

	if (!run_container_root(run, &root_uid, &root_gid))
		return 0;
	if (fstat(run->launch.upper, &st) < 0)
		return err_errno(err, errno, "looking at %s/upper", run->bundle);
	if (idmap_to_outside(&run->uids, st.st_uid, &uid) < 0)
		uid = root_uid;
	if (idmap_to_outside(&run->gids, st.st_gid, &gid) < 0)
		gid = root_gid;
	if (fchown(run->launch.upper, uid, gid) < 0 ||
	    fchown(run->launch.work, root_uid, root_gid) < 0)
		return err_errno(err, errno, "giving %s to the container's root", run->bundle);
	return 0;
}

static int step_etc(struct run *run, const char *hostname, struct err *err)
{
	static const char *const names[] = { "hostname", "hosts", "resolv.conf", "localtime" };
	struct etc_network net = { .names = false };
	char gateway[NET_ADDR_TEXT];
	uid_t uid;
	gid_t gid;
	size_t i;
	int r;

	if (run->n_nets) {
		run_networks_gateway(run, gateway);
		net.names = net_names_served(run->eng);
		net.gateway = gateway[0] ? gateway : NULL;
	}
	r = etc_files_write(run->launch.bundle_fd, run->opts, hostname, run->n_nets ? &net : NULL,
			    err);
	if (r < 0 || !run_container_root(run, &uid, &gid))
		return r;
	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (fchownat(run->launch.bundle_fd, names[i], uid, gid, AT_SYMLINK_NOFOLLOW) < 0 &&
		    errno != ENOENT)
			return err_errno(err, errno, "giving %s/%s to the container's root",
					 run->bundle, names[i]);
	return 0;
}

static int step_secrets(struct run *run, struct err *err)
{
	bool mapped = run->uids.n > 0;

	return secrets_write(run->eng, run->launch.bundle_fd, run->secrets, run->n_secrets,
			     mapped ? &run->uids : NULL, mapped ? &run->gids : NULL, err);
}

static int step_bundle(struct run *run, struct err *err)
{
	store_spread_directories(run->eng->containers_fd);
	run->launch.bundle_fd =
	    run_make_dir(run->eng->containers_fd, run->rec.id, 0700, run->bundle, err);
	if (run->launch.bundle_fd < 0)
		return run->launch.bundle_fd;
	/* The upper directory's owner and mode are those of "/" in the container. */
	run->launch.upper = run_make_dir(run->launch.bundle_fd, "upper", 0755, run->bundle, err);
	if (run->launch.upper < 0)
		return run->launch.upper;
	run->launch.work = run_make_dir(run->launch.bundle_fd, "work", 0700, run->bundle, err);
	return run->launch.work < 0 ? run->launch.work : 0;
}

static int step_layers(struct run *run, struct err *err)
{
	int r = engine_store(run->eng, err);

	if (r < 0)
		return r;
	if (run->rec.options.rootfs) {
		r = rootfs_dir_open(&run->rec.options, &run->launch.layers, &run->launch.n_layers,
				    err);
		return r < 0 ? r
			     : rootfs_dir_init_upper(run->launch.layers[0], run->launch.upper, err);
	}
	if (!run->host_image) {
		r = engine_open_layers(run->eng, run->image.diff_ids, run->rec.options.mapping,
				       &run->launch.layers, &run->launch.n_layers, err);
		run->incomplete = r < 0 && (err->kind == ERR_CORRUPT || err->kind == ERR_NOT_FOUND);
		return r < 0 ? r
			     : image_init_upper(&run->eng->store, run->image.diff_ids,
						run->launch.upper, err);
	}
	r = image_open_host(&run->eng->store, &run->launch.layers, &run->launch.n_layers, err);
	return r < 0 ? r : image_mask_host(&run->eng->store, run->launch.upper, err);
}

static int step_spec(struct run *run, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct spec spec = { 0 };
	int r;

	r = run_finish_input(run, err);
	if (r == 0)
		r = spec_generate(&run->in, &spec, err);
	if (r < 0)
		return r;
	r = step_etc(run, spec.hostname ? spec.hostname : run->host_name, err);
	if (r == 0) {
		json_write(&spec_desc, &spec, JSON_NEWLINE, &text);
		r = io_replace_file(run->launch.bundle_fd, "config.json", buf_str(&text), text.len,
				    0600, false, err);
	}
	spec_free(&spec);
	/* Elsewhere its root takes what is its own, when it starts for the first time. */
	if (r == 0 && mapped_hides_user(run->rec.options.mapping))
		r = mapped_give(run->eng, run->rec.options.mapping, run->launch.bundle_fd,
				run->n_secrets, err);
	return r;
}

static int step_volumes(struct run *run, struct err *err)
{
	const struct volumes_source from = { .upper = run->launch.upper,
					     .layers = run->launch.layers,
					     .n_layers = run->launch.n_layers,
					     .cancel =
						 run->launch.detach || !run->launch.no_proxy };

	return volumes_prepare(run->eng, &run->rec, &from, err);
}

static int step_send(struct run *run, struct err *err)
{
	return launch_send(&run->launch, err);
}

typedef int (*run_step)(struct run *run, struct err *err);

/* The monitor starts up meanwhile. */
static const run_step run_steps[] = {
	run_parse,    step_command, step_replace, step_lock,  step_ports,
	step_record,  step_bundle,  step_layers,  step_owner, step_secrets,
	run_overlays, step_spec,    step_volumes, step_send,  NULL,
};

/* What is killed before its last step has left no container. */
static const run_step create_steps[] = {
	run_parse,  step_command, step_replace, step_lock, step_bundle, step_layers,
	step_owner, step_secrets, run_overlays, step_spec, step_record, NULL,
};

/* The container has not come to life: no directory and no record stays. */
static void undo(struct run *run)
{
	const struct record_end end = { .exit_code = UNDO_STATUS, .finished_ns = time_now_ns() };
	struct err err = ERR_INIT;
	int r = 0;

	supervisor_done(&run->launch.monitor);
	if (run->recorded)
		r = life_finish(run->eng, run->rec.id, true, &end, &err);
	else if (run->begun)
		r = life_remove_dirs(run->eng, run->rec.id, &err);
	if (r < 0)
		log_warn("%s", err.msg);
	run->launch.pod_lock = fd_close(run->launch.pod_lock);
	infra_release(run->eng, &run->rec, true);
	run->recorded = false;
}

static int do_steps(struct run *run, struct err *err)
{
	const run_step *step = run->create ? create_steps : run_steps;
	int r;

	r = step_id(run, err);
	if (r == 0 && !run->create)
		r = launch_spawn(&run->launch, err);
	for (; r == 0 && *step; step++)
		r = (*step)(run, err);
	if (r < 0)
		undo(run);
	return r;
}

static int run_sequence(struct run *run, struct err *err)
{
	int r = do_steps(run, err);

	if (r < 0 || run->create)
		return r;
	run->launch.image = &run->image;
	return launch_follow(&run->launch, err);
}

static int cid_file_open(struct run *run, struct err *err)
{
	const char *path = run->opts->cidfile;

	if (!path)
		return 0;
	run->cid_fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (run->cid_fd < 0 && errno == EEXIST)
		return err_fail(err, ERR_EXISTS,
				"container ID file found, make sure the other container isn't "
				"running or delete %s",
				path);
	return run->cid_fd < 0 ? err_errno(err, errno, "making %s", path) : 0;
}

static void run_done(struct run *run, bool failed)
{
	/* Empty, it would be in the way of the next try. */
	if (run->cid_fd >= 0 && failed && !run->recorded)
		unlink(run->opts->cidfile);
	fd_close(run->cid_fd);
	launch_done(&run->launch);
	run_input_done(run);
}

/* *again: worth another try, once. */
static int run_or_create(struct run *run, char *const *args, char **ret_id, bool *again,
			 struct err *err)
{
	int r;

	launch_init(&run->launch, run->eng, &run->rec);
	run->launch.detach = run->opts->detach;
	run->launch.with_stdin =
	    run->opts->interactive && !run->opts->detach && run_attaches(run->opts, "stdin");
	run->launch.hidden[0] = !run_attaches(run->opts, "stdout");
	run->launch.hidden[1] = !run_attaches(run->opts, "stderr");
	run->launch.no_proxy = str_eq(run->opts->sig_proxy, "false");
	run->launch.detach_keys = run->opts->detach_keys;
	r = run_check(run, err);
	if (r == 0)
		r = engine_db(run->eng, err);
	if (r == 0)
		r = run_find_image(run, args[0], err);
	if (r == 0)
		r = cid_file_open(run, err);
	if (r == 0)
		r = run_sequence(run, err);
	if ((r >= 0 && (run->create || run->opts->detach)) || (run->opts->part && run->recorded))
		*ret_id = xstrdup(run->rec.id);
	*again = r < 0 && *again && run_fetch_again(run, r, err) == 0;
	run_done(run, r < 0);
	return r;
}

static int run_twice(const struct run *first, char *const *args, char **ret_id, struct err *err)
{
	struct run run = *first;
	bool again = true;

	int r = run_or_create(&run, args, ret_id, &again, err);
	if (again) {
		*err = (struct err)ERR_INIT;
		again = false;
		run = *first;
		r = run_or_create(&run, args, ret_id, &again, err);
	}
	return r;
}

static int run_in_pod(const struct run *first, char *const *args, char **ret_id, struct err *err)
{
	const struct run_options *o = first->opts;
	struct run run = *first;
	struct pod_member member;
	int r;

	if (!o->pod && !o->pod_id_file) {
		struct run_options own = *o;
		char *word[2];

		run.opts = &own;
		r = network_choose(run.eng, o->network, word, &own.network, err);
		return r < 0 ? r : run_twice(&run, args, ret_id, err);
	}
	run.opts = &member.opts;
	run.pod = &member;
	r = pod_member_init(run.eng, o, &member, err);
	if (r == 0)
		r = run_twice(&run, args, ret_id, err);
	pod_member_done(run.eng, &member, r < 0);
	return r;
}

int engine_run(struct engine *eng, const struct run_options *opts, char *const *args, char **ret_id,
	       struct err *err)
{
	struct run run = { .eng = eng, .opts = opts, .args = args + 1, .cid_fd = -EBADF };

	if (opts->replicas.set)
		return service_run(eng, opts, args, ret_id, err);
	return run_in_pod(&run, args, ret_id, err);
}

int engine_create(struct engine *eng, const struct run_options *opts, char *const *args,
		  char **ret_id, struct err *err)
{
	struct run run = {
		.eng = eng, .opts = opts, .args = args + 1, .cid_fd = -EBADF, .create = true
	};

	if (opts->replicas.set)
		return err_hint(err,
				err_fail(err, ERR_USAGE, "replicas are started as they are made"),
				"use inro run -d --replicas");

	return run_in_pod(&run, args, ret_id, err);
}
