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
#include "engine/attach.h"
#include "engine/etcfiles.h"
#include "engine/run_internal.h"
#include "sys/tty.h"

static char *const host_args_bash[] = { (char *)"/bin/bash", NULL };
static char *const host_args_sh[] = { (char *)"/bin/sh", NULL };

/* Steps until the record exists. The monitor starts up meanwhile. */

static int step_id(struct run *run, struct err *err)
{
	char id[HEX_ID_LEN + 1];
	int r = hex_random_id(id);

	if (r < 0)
		return err_errno(err, -r, "choosing an id");
	run->rec.id = xstrdup(id);
	run->rec.created_ns = time_now_ns();
	run->rec.running = true;
	run->rec.auto_remove = run->opts->rm;
	run->bundle = xasprintf("%s/containers/%s", run->eng->root, id);
	return 0;
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
	run->rec.command = strv_join(command, " ");
	return 0;
}

static int step_reserve(struct run *run, struct err *err)
{
	int r;

	run->lock = life_begin(run->eng, run->rec.id, err);
	if (run->lock < 0)
		return run->lock;
	run->begun = true;
	if (run->opts->name)
		run->rec.name = xstrdup(run->opts->name);
	r = record_insert(run->eng, &run->rec, err);
	run->recorded = r == 0;
	return r;
}

/* Steps that fill containers/<id>. */

static int make_dir(int dirfd, const char *name, mode_t mode, const char *bundle, struct err *err)
{
	int fd;

	if (mkdirat(dirfd, name, mode) < 0)
		return err_errno(err, errno, "making %s in %s", name, bundle);
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? err_errno(err, errno, "opening %s in %s", name, bundle) : fd;
}

/* In a user namespace of root's making, the container's root is another one than ours. */
static bool container_root(const struct run *run, uid_t *ret_uid, gid_t *ret_gid)
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

	if (!container_root(run, &root_uid, &root_gid))
		return 0;
	if (fstat(run->upper, &st) < 0)
		return err_errno(err, errno, "looking at %s/upper", run->bundle);
	if (idmap_to_outside(&run->uids, st.st_uid, &uid) < 0)
		uid = root_uid;
	if (idmap_to_outside(&run->gids, st.st_gid, &gid) < 0)
		gid = root_gid;
	if (fchown(run->upper, uid, gid) < 0 || fchown(run->work, root_uid, root_gid) < 0)
		return err_errno(err, errno, "giving %s to the container's root", run->bundle);
	return 0;
}

static int step_etc(struct run *run, const char *hostname, struct err *err)
{
	static const char *const names[] = { "hostname", "hosts", "resolv.conf" };
	uid_t uid;
	gid_t gid;
	size_t i;
	int r;

	r = etc_files_write(run->bundle_fd, run->opts, hostname, err);
	if (r < 0 || !container_root(run, &uid, &gid))
		return r;
	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (fchownat(run->bundle_fd, names[i], uid, gid, AT_SYMLINK_NOFOLLOW) < 0)
			return err_errno(err, errno, "giving %s/%s to the container's root",
					 run->bundle, names[i]);
	return 0;
}

static int step_bundle(struct run *run, struct err *err)
{
	run->bundle_fd = make_dir(run->eng->containers_fd, run->rec.id, 0700, run->bundle, err);
	if (run->bundle_fd < 0)
		return run->bundle_fd;
	/* The upper directory's owner and mode are those of "/" in the container. */
	run->upper = make_dir(run->bundle_fd, "upper", 0755, run->bundle, err);
	if (run->upper < 0)
		return run->upper;
	run->work = make_dir(run->bundle_fd, "work", 0700, run->bundle, err);
	return run->work < 0 ? run->work : 0;
}

static int step_layers(struct run *run, struct err *err)
{
	int r = engine_store(run->eng, err);

	if (r < 0)
		return r;
	if (!run->host_image) {
		r = image_open_layers(&run->eng->store, run->image.diff_ids, &run->layers,
				      &run->n_layers, err);
		return r < 0 ? r
			     : image_init_upper(&run->eng->store, run->image.diff_ids, run->upper,
						err);
	}
	r = image_open_host(&run->eng->store, &run->layers, &run->n_layers, err);
	return r < 0 ? r : image_mask_host(&run->eng->store, run->upper, err);
}

static int step_spec(struct run *run, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_fd int fd = -EBADF;
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
		fd = openat(run->bundle_fd, "config.json",
			    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		r = fd < 0 ? -errno : io_write(fd, buf_str(&text), text.len);
		if (r < 0)
			err_errno(err, -r, "writing %s/config.json", run->bundle);
	}
	spec_free(&spec);
	return r;
}

/* A string of the fixed-size message. */
static int put(char *dst, size_t size, const char *src, struct err *err)
{
	size_t len = strlen(src);

	if (len >= size)
		return err_fail(err, ERR_LIMIT, "path is longer than %zu bytes: %s", size - 1, src);
	memcpy(dst, src, len + 1);
	return 0;
}

static int fill_start(const struct run *run, struct monitor_start *s, struct err *err)
{
	const struct engine *eng = run->eng;
	const struct {
		char *dst;
		size_t size;
		const char *src;
	} strings[] = {
		{ s->id, sizeof(s->id), run->rec.id },
		{ s->bundle, sizeof(s->bundle), run->bundle },
		{ s->runtime_root, sizeof(s->runtime_root), eng->runtime.root },
		{ s->inro_path, sizeof(s->inro_path), eng->self_path },
		{ s->root, sizeof(s->root), eng->root },
		{ s->runroot, sizeof(s->runroot), eng->runroot },
	};
	struct winsize ws;
	size_t i;
	int r;

	for (i = 0; i < ARRAY_SIZE(strings); i++) {
		r = put(strings[i].dst, strings[i].size, strings[i].src, err);
		if (r < 0)
			return r;
	}
	s->options = (run->opts->tty ? MONITOR_OPT_TTY : 0) |
		     (run->opts->interactive ? MONITOR_OPT_STDIN : 0) |
		     (eng->rootless ? MONITOR_OPT_ROOTLESS | MONITOR_OPT_USERXATTR : 0) |
		     (run->opts->rm ? MONITOR_OPT_THROW_AWAY : 0) |
		     (eng->debug ? MONITOR_OPT_DEBUG : 0);
	if (run->opts->tty &&
	    (tty_get_size(STDIN_FILENO, &ws) == 0 || tty_get_size(STDOUT_FILENO, &ws) == 0)) {
		s->rows = ws.ws_row;
		s->cols = ws.ws_col;
	}
	return 0;
}

static int step_send(struct run *run, struct err *err)
{
	size_t n = MONITOR_FD_LAYERS + run->n_layers;
	cleanup_free int *fds = xcalloc(n, sizeof(int));
	struct monitor_start start = { .n_layers = (uint32_t)run->n_layers };
	int r;

	fds[MONITOR_FD_LOCK] = run->lock;
	fds[MONITOR_FD_BUNDLE] = run->bundle_fd;
	fds[MONITOR_FD_UPPER] = run->upper;
	fds[MONITOR_FD_WORK] = run->work;
	memcpy(fds + MONITOR_FD_LAYERS, run->layers, run->n_layers * sizeof(int));
	r = fill_start(run, &start, err);
	return r < 0 ? r : supervisor_send(&run->monitor, &start, fds, n, err);
}

typedef int (*run_step)(struct run *run, struct err *err);

static const run_step steps[] = {
	run_parse,   step_command, step_reserve, step_bundle,
	step_layers, step_owner,   step_spec,    step_send,
};

/* The container has not come to life: no directory and no record stays. */
static void undo(struct run *run)
{
	struct err err = ERR_INIT;
	int r = 0;

	supervisor_done(&run->monitor);
	if (run->recorded)
		r = life_remove(run->eng, run->rec.id, &err);
	else if (run->begun)
		r = life_remove_dirs(run->eng, run->rec.id, &err);
	if (r < 0)
		log_warn("%s", err.msg);
}

/* Created, but not started: as docker, its record stays (unless --rm) for the user to look at. */
static void start_failed(struct run *run, const struct err *why)
{
	struct err err = ERR_INIT;
	int r;

	supervisor_done(&run->monitor);
	/* Nothing to do, unless the monitor was killed on the way. */
	if (container_delete(&run->eng->runtime, run->rec.id, true, &err) < 0)
		log_warn("%s", err.msg);
	r = life_finish(run->eng, run->rec.id, run->rec.auto_remove, err_exit_status(why),
			time_now_ns(), &err);
	if (r < 0)
		log_warn("%s", err.msg);
}

static void on_exit_event(struct attach *a)
{
	struct run *run = a->data;
	struct err err = ERR_INIT;

	/* The monitor removes cgroups and runtime state at the same time. */
	if (life_finish(run->eng, run->rec.id, run->rec.auto_remove, a->status, a->finished_ns,
			&err) < 0) {
		log_warn("%s", err.msg);
		return; /* and leave another try to the monitor */
	}
	supervisor_release(&run->monitor);
	run->released = true;
}

/* The runtime knows the container by its id, the user by its name. */
static int wrap_with_name(const struct run *run, int r, struct err *err)
{
	cleanup_free char *by_id = xasprintf("creating container %s: ", run->rec.id);
	const char *rest = err ? str_after(err->msg, by_id) : NULL;

	if (rest)
		memmove(err->msg, rest, strlen(rest) + 1);
	return err_wrap(err, r, "starting container %s", run->rec.name);
}

/* Nobody is to take a part of its output for all that it had to say. */
static int output_lost(const struct attach *attach, struct err *err)
{
	static const char what[] = "writing the container's output";

	if (attach->status == 0)
		return err_errno(err, -attach->lost, "%s", what);
	log_error("%s: %s", what, strerror(-attach->lost));
	return attach->status;
}

static int run_attached(struct run *run, struct err *err)
{
	struct attach attach;
	int fds[3], r;
	size_t n;

	r = supervisor_wait_started(&run->monitor, fds, &n, err);
	if (r < 0) {
		start_failed(run, err);
		return wrap_with_name(run, r, err);
	}
	/* The container does not wait for this. */
	images_used(run->eng, &run->image);
	attach_init(&attach, run->monitor.sock, run->signal_fd, fds, n, run->opts->tty,
		    run->opts->interactive);
	attach.on_exit = on_exit_event;
	attach.data = run;
	r = attach_run(&attach, err);
	attach_done(&attach);
	if (r < 0 && !attach.exited) {
		if (life_bury(run->eng, &run->rec, NULL) < 0)
			log_warn("container %s could not be cleaned up", run->rec.name);
		return r;
	}
	if (run->released)
		supervisor_reap(&run->monitor);
	if (attach.lost)
		return output_lost(&attach, err);
	return attach.status;
}

static int run_sequence(struct run *run, struct err *err)
{
	bool proxy = !str_eq(run->opts->sig_proxy, "false");
	size_t i;
	int r;

	r = step_id(run, err);
	if (r == 0)
		r = supervisor_spawn(run->eng, &run->monitor, err);
	if (r < 0)
		return r;
	run->signal_fd = attach_block_signals(proxy, err);
	r = run->signal_fd < 0 ? run->signal_fd : 0;
	for (i = 0; r == 0 && i < ARRAY_SIZE(steps); i++)
		r = steps[i](run, err);
	if (r < 0) {
		undo(run);
		return r;
	}
	return run_attached(run, err);
}

static void run_done(struct run *run)
{
	size_t i;

	for (i = 0; i < run->n_layers; i++)
		fd_close(run->layers[i]);
	free(run->layers);
	fd_close(run->lock);
	fd_close(run->bundle_fd);
	fd_close(run->upper);
	fd_close(run->work);
	fd_close(run->signal_fd);
	supervisor_done(&run->monitor);
	run_input_done(run);
}

int engine_run(struct engine *eng, const struct run_options *opts, char *const *args,
	       struct err *err)
{
	struct run run = {
		.eng = eng,
		.opts = opts,
		.args = args + 1,
		.lock = -EBADF,
		.bundle_fd = -EBADF,
		.upper = -EBADF,
		.work = -EBADF,
		.signal_fd = -EBADF,
		.monitor = SUPERVISOR_INIT,
	};
	int r;

	r = run_check(&run, err);
	if (r == 0)
		r = engine_db(eng, err);
	if (r == 0)
		r = run_find_image(&run, args[0], err);
	if (r == 0)
		r = run_sequence(&run, err);
	run_done(&run);
	return r;
}
