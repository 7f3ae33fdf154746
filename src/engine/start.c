/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/start.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "base/timeutil.h"
#include "engine/attach.h"
#include "engine/control.h"
#include "engine/events.h"
#include "engine/launch.h"
#include "engine/life.h"
#include "engine/sdnotify.h"
#include "engine/log_options.h"
#include "engine/stop.h"
#include "engine/update.h"
#include "engine/volume_mounts.h"
#include "runtime/cancel.h"
#include "runtime/ending.h"
#include "sys/tty.h"

/* Another command starts it, or has not finished with its end. */
#define LOCK_TIMEOUT_MS 10000
#define LOCK_LOOK_MS    100
#define JOIN_PAUSE_MS   10

static int no_such(const char *word, struct err *err)
{
	return err_fail(err, ERR_NOT_FOUND, "No such container: %s", word);
}

/* ---- starting ---- */

static int open_dir(int dirfd, const char *name, const char *bundle, struct err *err)
{
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	/* It belongs to the container's root, who shuts others out. */
	if (fd < 0 && errno == EACCES)
		fd = openat(dirfd, name, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? err_errno(err, errno, "opening %s in %s", name, bundle) : fd;
}

/* One of --rm was mounted "volatile", which overlayfs notes in there and does not mount again. */
static int clear_work(struct launch *l, struct err *err)
{
	static const char work[] = "work"; /* the directory, and what overlayfs makes in it */
	cleanup_free char *rel = NULL;
	struct err first = ERR_INIT;
	int r = path_remove_tree(l->work, work, &first);

	if ((r != -EPERM && r != -EACCES) || !l->eng->rootless) {
		if (r < 0 && err)
			*err = first;
		return r;
	}
	/* The container's root is a subordinate id (--userns keep-id). */
	rel = xasprintf("containers/%s/%s/%s", l->rec->id, work, work);
	r = engine_store(l->eng, err);
	return r < 0 ? r : image_remove_tree(&l->eng->store, rel, err);
}

static int open_bundle(struct launch *l, struct err *err)
{
	int r;

	l->bundle_fd = open_dir(l->eng->containers_fd, l->rec->id, l->bundle, err);
	if (l->bundle_fd < 0)
		return l->bundle_fd;
	l->upper = open_dir(l->bundle_fd, "upper", l->bundle, err);
	if (l->upper < 0)
		return l->upper;
	l->work = open_dir(l->bundle_fd, "work", l->bundle, err);
	if (l->work < 0)
		return l->work;
	r = l->rec->auto_remove ? clear_work(l, err) : 0;
	return r < 0 ? r : launch_open_layers(l, err);
}

static int fill_volumes(struct launch *l, struct err *err)
{
	const struct volumes_source from = { .upper = l->upper,
					     .layers = l->layers,
					     .n_layers = l->n_layers,
					     .cancel = l->detach || !l->no_proxy };

	return volumes_prepare(l->eng, l->rec, &from, err);
}

static int take_networks(struct engine *eng, const struct record *rec, void *data, struct err *err)
{
	return net_start_take(eng, rec, data, err);
}

static int note_start(struct launch *l, struct err *err)
{
	const struct record_also also = { take_networks, &l->net };
	struct err first = ERR_INIT;
	cleanup_free char *binding = net_ports_binding(l->eng, l->rec);
	int r = net_ports_bind(l->eng, l->rec, binding, &l->net, &first);

	if (r == 0)
		r = record_start(l->eng, l->rec, time_now_ns(), !l->detach, &also, &first);
	if (r < 0 && net_start_again(l->eng, &l->net))
		return record_start(l->eng, l->rec, time_now_ns(), !l->detach, &also, err);
	if (r < 0 && err)
		*err = first;
	return r;
}

/* With lock and record, and the monitor waiting. Nothing has changed when this fails. */
static int start_locked(struct launch *l, struct err *err)
{
	cleanup_free char *note = xasprintf("%s/" ENDING_FILE, l->rec->id);
	int r;

	r = open_bundle(l, err);
	if (r == 0)
		r = fill_volumes(l, err);
	if (r == 0 && l->control < 0) {
		l->control = control_listen(l->eng, l->rec->id, err);
		r = l->control < 0 ? l->control : 0;
	}
	stop_forget_boot(l->eng, l->rec->id);
	/* What it said of the last end is in the database. */
	if (r == 0 && ftruncate(l->lock, 0) < 0)
		r = err_errno(err, errno, "clearing the last end of container %s", l->rec->name);
	if (r == 0)
		r = note_start(l, err);
	if (r < 0 && r != -ECANCELED && l->rec->status == RECORD_CREATED)
		launch_note_failure(l, err);
	if (r < 0)
		return r;
	unlinkat(l->eng->run_fd, note, 0);
	r = launch_send(l, err);
	if (r < 0)
		launch_failed(l, r, err);
	return r;
}

int engine_lock_stopped(struct engine *eng, const char *word, struct record *rec, int *ret_lock,
			struct err *err)
{
	cleanup_free char *id = xstrdup(rec->id);
	cleanup_fd int lock = -EBUSY;
	int r = 0;

	for (int waited = 0; lock == -EBUSY && waited < LOCK_TIMEOUT_MS; waited += LOCK_LOOK_MS) {
		lock = life_acquire(eng, id, LOCK_LOOK_MS);
		if (lock < 0 && lock != -EBUSY)
			return err_errno(err, -lock, "locking container %s", word);
		record_done(rec);
		r = record_get(eng, id, rec, err);
		if (r == -ENOENT) {
			if (lock >= 0)
				life_remove_dirs(eng, id, NULL);
			return no_such(word, err);
		}
		if (r < 0 || (lock == -EBUSY && rec->running))
			return r < 0 ? r : 1;
	}
	if (lock < 0)
		return err_fail(err, ERR_CONFLICT, "container %s is in use by another command",
				rec->name);
	/* Its monitor was killed, or who was removing it. */
	if (rec->running || rec->removing)
		r = life_bury(eng, rec, err);
	if (r == 1)
		return no_such(word, err);
	*ret_lock = take_fd(lock);
	return r;
}

/* Does our input go to the container? */
static int wants_input(const struct record *rec, const struct start_options *opts, bool *ret,
		       struct err *err)
{
	*ret = opts->attach && opts->interactive && rec->options.interactive;
	if (*ret && rec->options.tty && !isatty(STDIN_FILENO))
		return err_fail(err, ERR_USAGE, "the input device is not a TTY");
	return 0;
}

static int set_notify(struct engine *eng, struct record *rec, const char *sdnotify, struct err *err)
{
	int r = sdnotify ? sdnotify_parse(sdnotify, &rec->options, err) : 0;

	if (r < 0 || !sdnotify)
		return r;
	return record_set_options(eng, rec->id, &rec->options, err);
}

/* From its record on until it runs, a signal undoes both. */
static int start_whole(struct launch *l, struct err *err)
{
	sigset_t before;
	int r;

	sigprocmask(SIG_BLOCK, NULL, &before);
	r = l->detach ? cancel_block(err) : 0;
	if (r == 0)
		r = start_locked(l, err);
	if (r == 0)
		r = launch_follow(l, err);
	else
		err_wrap(err, r, "starting container %s", l->rec->name);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return r;
}

static int start_stopped(struct engine *eng, struct record *rec, int lock,
			 const struct start_options *opts, struct err *err)
{
	cleanup_free char *bundle = xasprintf("%s/containers/%s", eng->root, rec->id);
	struct launch l;
	int r;

	update_recover_stopped(eng, rec);
	launch_init(&l, eng, rec);
	l.lock = lock;
	l.bundle = bundle;
	l.detach = !opts->attach;
	l.no_proxy = opts->no_proxy;
	l.give = !rec->started_ns;
	l.netns = net_start_wants_netns(eng, rec);
	l.detach_keys = opts->detach_keys;
	l.callers_pod_lock = opts->pod_lock;
	rec->restarts = 0;
	r = wants_input(rec, opts, &l.with_stdin, err);
	if (r == 0 && rec->options.log_driver == LOGLINE_PASSTHROUGH)
		r = log_passthrough_check(err);
	if (r == 0)
		r = set_notify(eng, rec, opts->sdnotify, err);
	if (r == 0)
		r = engine_start_required(eng, rec, err);
	if (r == 0)
		r = launch_spawn(&l, err);
	if (r == 0)
		r = start_whole(&l, err);
	else
		err_wrap(err, r, "starting container %s", rec->name);
	launch_done(&l);
	return r;
}

static int check_paused(struct engine *eng, const struct record *rec, const char *what,
			struct err *err)
{
	struct container_state st = { 0 };
	bool paused;

	if (container_state_read(&eng->runtime, rec->id, &st, NULL) < 0)
		return 0;
	paused = st.status == CONTAINER_PAUSED;
	container_state_free(&st);
	return paused ? err_fail(err, ERR_CONFLICT, "%s", what) : 0;
}

static int attach_to(struct engine *eng, struct record *rec, const struct start_options *opts,
		     struct err *err);

static int start_or_join(struct engine *eng, const char *word, const struct start_options *opts,
			 struct err *err)
{
	cleanup_record struct record rec = { 0 };
	int lock = -EBADF, r;

	r = life_find(eng, word, &rec, err);
	if (r == 0 && !rec.running)
		r = engine_lock_stopped(eng, word, &rec, &lock, err);
	if (r < 0)
		return r;
	if (lock >= 0)
		return start_stopped(eng, &rec, lock, opts, err);
	r = check_paused(eng, &rec, "cannot start a paused container, try unpause instead", err);
	return r < 0 || !opts->attach ? r : attach_to(eng, &rec, opts, err);
}

int engine_start(struct engine *eng, const char *word, const struct start_options *opts,
		 struct err *err)
{
	const struct timespec pause = { .tv_nsec = JOIN_PAUSE_MS * 1000000L };
	int r = -ESTALE;

	/* What ends while we join it is started, once its end is recorded. */
	for (int ms = 0; r == -ESTALE && ms < LOCK_TIMEOUT_MS; ms += JOIN_PAUSE_MS) {
		if (ms)
			nanosleep(&pause, NULL);
		r = start_or_join(eng, word, opts, err);
	}
	return r;
}

/* None of them can require this one, which came later. */
int engine_start_required(struct engine *eng, const struct record *rec, struct err *err)
{
	const struct start_options opts = { 0 };
	int r = 0;

	for (size_t i = 0; r == 0 && rec->options.requires && rec->options.requires[i]; i++)
		r = engine_start(eng, rec->options.requires[i], &opts, err);
	return r < 0 ? err_wrap(err, r, "starting what is required first") : 0;
}

int engine_restart(struct engine *eng, struct record *rec, int lock, int control,
		   uint32_t backoff_ms, struct err *err)
{
	cleanup_free char *bundle = xasprintf("%s/containers/%s", eng->root, rec->id);
	cleanup_fd int updates = -EBADF;
	struct launch l;
	int r;

	launch_init(&l, eng, rec);
	l.lock = lock;
	l.control = control;
	l.bundle = bundle;
	l.detach = true;
	l.backoff_ms = backoff_ms;
	r = engine_dirs(eng, err);
	if (r == 0) {
		updates = update_hold(eng, rec);
		l.netns = net_start_wants_netns(eng, rec);
		r = launch_spawn(&l, err);
	}
	if (r == 0)
		r = start_locked(&l, err);
	updates = fd_close(updates);
	if (r == 0)
		r = launch_follow(&l, err);
	launch_done(&l);
	return r;
}

/* ---- joining ---- */

static int follow(struct engine *eng, struct record *rec, struct attach *a, const char *keys,
		  struct err *err)
{
	cleanup_record struct record now = { 0 };
	struct winsize ws;
	int r;

	if (a->pty >= 0 &&
	    (tty_get_size(STDIN_FILENO, &ws) == 0 || tty_get_size(STDOUT_FILENO, &ws) == 0))
		tty_set_size(a->pty, &ws);
	a->guest = true;
	r = attach_set_keys(a, keys, err);
	if (r == 0)
		r = attach_run(a, err);
	if (r != -EPIPE || a->exited)
		return r < 0 ? r : launch_status(a, err);
	/* The monitor or the clean-up role was killed: what it has left is not to stay. */
	if (record_get(eng, rec->id, &now, NULL) == 0 && life_repair(eng, &now, NULL) == 0 &&
	    !now.running)
		return now.exit_code;
	return r;
}

static int nobody_there(struct err *err)
{
	err_fail(err, ERR_CONFLICT, "You cannot attach to a stopped container, start it first");
	return -ESTALE;
}

/* -ESTALE: it has just ended. */
static int attach_to(struct engine *eng, struct record *rec, const struct start_options *opts,
		     struct err *err)
{
	cleanup_fd int sock = control_open(eng, rec->id);
	int fds[3], signal_fd, r;
	struct attach a;
	bool with_stdin;
	size_t n;

	if (rec->options.log_driver == LOGLINE_PASSTHROUGH)
		return err_fail(
		    err, ERR_UNSUPPORTED,
		    "this container is using the 'passthrough' log driver, cannot attach");
	if (sock == -ENOENT || sock == -ECONNREFUSED)
		return nobody_there(err);
	if (sock < 0)
		return err_errno(err, -sock, "attaching to container %s", rec->name);
	r = wants_input(rec, opts, &with_stdin, err);
	if (r < 0)
		return r;
	r = control_attach(sock, with_stdin, fds, &n);
	if (r == -EPIPE)
		return nobody_there(err);
	if (r < 0)
		return err_errno(err, -r, "attaching to container %s", rec->name);
	event_note_container(eng, rec->id, "attach", NULL);
	signal_fd = attach_block_signals(!opts->no_proxy, err);
	attach_init(&a, sock, signal_fd, fds, n, rec->options.tty, with_stdin);
	r = signal_fd < 0 ? signal_fd : follow(eng, rec, &a, opts->detach_keys, err);
	attach_done(&a);
	fd_close(signal_fd);
	return r;
}

int engine_attach(struct engine *eng, const char *word, const struct start_options *opts,
		  struct err *err)
{
	cleanup_record struct record rec = { 0 };
	int r;

	r = life_find(eng, word, &rec, err);
	if (r < 0)
		return r;
	if (rec.status == RECORD_RESTARTING)
		return err_fail(err, ERR_CONFLICT,
				"You cannot attach to a restarting container, wait until it is "
				"running");
	if (!rec.running)
		return nobody_there(err);
	r = check_paused(eng, &rec, "You cannot attach to a paused container, unpause it first",
			 err);
	return r < 0 ? r : attach_to(eng, &rec, opts, err);
}
