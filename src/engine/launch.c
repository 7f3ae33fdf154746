/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/launch.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/str.h"
#include "base/timeutil.h"
#include "engine/attach.h"
#include "engine/control.h"
#include "engine/health.h"
#include "engine/images.h"
#include "engine/infra.h"
#include "engine/join.h"
#include "engine/life.h"
#include "engine/log_options.h"
#include "engine/mapped.h"
#include "engine/network_files.h"
#include "engine/network_names.h"
#include "engine/network_place.h"
#include "engine/rootfs_dir.h"
#include "engine/services.h"
#include "engine/sdnotify.h"
#include "engine/pod_join.h"
#include "engine/pod_ports.h"
#include "engine/users_layer.h"
#include "runtime/cancel.h"
#include "runtime/cgroup.h"
#include "runtime/ending.h"
#include "sys/tty.h"

void launch_init(struct launch *l, struct engine *eng, struct record *rec)
{
	*l = (struct launch){
		.eng = eng,
		.rec = rec,
		.restarts = rec->restarts,
		.lock = -EBADF,
		.control = -EBADF,
		.bundle_fd = -EBADF,
		.run_fd = -EBADF,
		.upper = -EBADF,
		.work = -EBADF,
		.signal_fd = -EBADF,
		.pod_lock = -EBADF,
		.net = NET_START_INIT,
		.monitor = SUPERVISOR_INIT,
	};
}

void launch_done(struct launch *l)
{
	for (size_t i = 0; i < l->n_layers; i++)
		fd_close(l->layers[i]);
	free(l->layers);
	l->layers = NULL;
	l->n_layers = 0;
	l->lock = fd_close(l->lock);
	l->control = fd_close(l->control);
	l->bundle_fd = fd_close(l->bundle_fd);
	l->run_fd = fd_close(l->run_fd);
	l->upper = fd_close(l->upper);
	l->work = fd_close(l->work);
	l->signal_fd = fd_close(l->signal_fd);
	l->pod_lock = fd_close(l->pod_lock);
	net_start_done(&l->net);
	supervisor_done(&l->monitor);
}

int launch_spawn(struct launch *l, struct err *err)
{
	const struct record_options *o = &l->rec->options;
	/* systemd takes only a process of the service's cgroup for its main one. */
	bool stay = o->split || sdnotify_wanted(o);
	int r = o->split ? cgroup_split(l->eng->rootless, err) : 0;

	if (r == 0)
		r = supervisor_spawn(l->eng, stay, l->netns, &l->monitor, err);
	if (r < 0 || l->detach)
		return r;
	l->signal_fd = attach_block_signals(!l->no_proxy, err);
	return l->signal_fd < 0 ? l->signal_fd : 0;
}

int launch_open_layers(struct launch *l, struct err *err)
{
	const struct record_options *o = &l->rec->options;
	cleanup_image_row struct image_row row = { 0 };
	int r = engine_store(l->eng, err);

	if (r < 0)
		return r;
	if (o->rootfs) {
		r = rootfs_dir_open(o, &l->layers, &l->n_layers, err);
	} else if (str_eq(l->rec->image, IMAGE_HOST)) {
		r = image_open_host(&l->eng->store, &l->layers, &l->n_layers, err);
	} else {
		r = images_find(l->eng, l->rec->image, &row, err);
		if (r == 0)
			r = engine_open_layers(l->eng, row.diff_ids, o->mapping, &l->layers,
					       &l->n_layers, err);
	}
	return r < 0 || (o->rootfs && !o->rootfs_overlay)
		   ? r
		   : users_layer_open(l->eng, l->rec->id, &l->layers, &l->n_layers, err);
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

/* Does the monitor see to the end? */
static bool own_end(const struct launch *l)
{
	return l->detach || l->rec->options.restart > RESTART_NO;
}

static uint32_t start_options(const struct launch *l)
{
	const struct record_options *o = &l->rec->options;
	const struct engine *eng = l->eng;

	return (o->tty ? MONITOR_OPT_TTY : 0) | (o->interactive ? MONITOR_OPT_STDIN : 0) |
	       (l->with_stdin ? MONITOR_OPT_STDIN_ONCE : 0) |
	       (eng->rootless ? MONITOR_OPT_ROOTLESS | MONITOR_OPT_USERXATTR : 0) |
	       (l->rec->auto_remove ? MONITOR_OPT_THROW_AWAY : 0) |
	       (eng->debug ? MONITOR_OPT_DEBUG : 0) | (l->detach ? MONITOR_OPT_DETACHED : 0) |
	       (own_end(l) ? MONITOR_OPT_OWN_END : 0) |
	       (l->net.sock >= 0 ? MONITOR_OPT_NETWORK : 0) |
	       (l->net.keep >= 0 ? MONITOR_OPT_PORTS : 0) |
	       (o->log_drop ? MONITOR_OPT_LOG_DROP : 0) |
	       (o->rootfs && !o->rootfs_overlay ? MONITOR_OPT_ROOTFS : 0) |
	       (o->rootfs_idmap ? MONITOR_OPT_ROOTFS_IDMAP : 0) |
	       (l->give && o->mapping && !mapped_hides_user(o->mapping) ? MONITOR_OPT_GIVE : 0) |
	       (sdnotify_wanted(o) && o->notify_when == SDNOTIFY_CONTAINER ? MONITOR_OPT_NOTIFY
									   : 0) |
	       (o->log_driver == LOGLINE_PASSTHROUGH ? MONITOR_OPT_PASSTHROUGH : 0);
}

static int fill_start(const struct launch *l, const char *attrs, struct monitor_start *s,
		      struct err *err)
{
	const struct record_options *o = &l->rec->options;
	const struct engine *eng = l->eng;
	const struct {
		char *dst;
		size_t size;
		const char *src;
	} strings[] = {
		{ s->id, sizeof(s->id), l->rec->id },
		{ s->bundle, sizeof(s->bundle), l->bundle },
		{ s->runtime_root, sizeof(s->runtime_root), eng->runtime.root },
		{ s->inro_path, sizeof(s->inro_path), eng->self_path },
		{ s->root, sizeof(s->root), eng->root },
		{ s->runroot, sizeof(s->runroot), eng->runroot },
		{ s->log_attrs, sizeof(s->log_attrs), attrs },
	};
	struct winsize ws;
	size_t i;
	int r;

	for (i = 0; i < ARRAY_SIZE(strings); i++) {
		r = put(strings[i].dst, strings[i].size, strings[i].src, err);
		if (r < 0)
			return r;
	}
	s->options = start_options(l);
	s->backoff_ms = l->backoff_ms;
	s->log_driver = o->log_driver < 0                      ? LOGLINE_CRI
			: o->log_driver == LOGLINE_PASSTHROUGH ? LOGLINE_NONE
							       : (uint32_t)o->log_driver;
	s->log_max_files = o->log_max_files ? o->log_max_files : LOG_FILES_DEFAULT;
	s->log_max_size = o->log_max_size ? o->log_max_size : LOG_SIZE_DEFAULT;
	if (l->rec->options.tty &&
	    (tty_get_size(STDIN_FILENO, &ws) == 0 || tty_get_size(STDOUT_FILENO, &ws) == 0)) {
		s->rows = ws.ws_row;
		s->cols = ws.ws_col;
	}
	return 0;
}

static int open_run_dir(struct launch *l, struct err *err)
{
	l->run_fd =
	    openat(l->eng->run_fd, l->rec->id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return l->run_fd < 0
		   ? err_errno(err, errno, "opening the run directory of container %s", l->rec->id)
		   : 0;
}

#define JOINS (NS_COUNT + NETWORK_PLACE_JOINS)

static int open_pods(struct launch *l, struct join_fd *ret, size_t max, struct err *err)
{
	int lock;

	if (!l->rec->pod)
		return 0;
	if (!l->callers_pod_lock)
		l->pod_lock = pod_lock(l->eng, l->rec->pod, err);
	lock = l->callers_pod_lock ? *l->callers_pod_lock : l->pod_lock;
	return lock < 0 ? lock : pod_join(l->eng, l->rec, lock, ret, max, err);
}

/* Namespaces of others, those of its pod, and what there is of networks': how many, or -errno. */
static int open_joins(struct launch *l, struct join_fd ret[JOINS], struct err *err)
{
	int n = joins_open(l->eng, &l->rec->options.joins, ret, err);
	int r = n < 0 ? n : open_pods(l, ret + n, NS_COUNT - (size_t)n, err);

	if (r > 0)
		n += r;
	if (r >= 0)
		r = network_place_joins(l->eng, l->net.n > 0, ret, n, err);
	if (r < 0 && l->net.n)
		err_hint(err, r, NET_START_WITHOUT);
	while (r < 0 && n > 0)
		fd_close(ret[--n].fd);
	return r < 0 ? r : n + r;
}

/* It has its pod's network, if that is there, or one to be set up: the init's end of the socket for
 * that, -EBADF: none, or -errno. */
static int meet(struct launch *l, const struct join_fd *joined, int n, struct err *err)
{
	int r;

	/* pasta binds them itself */
	if (l->rec->options.pasta)
		l->net.keep = fd_close(l->net.keep);
	if (!l->net.n && !l->rec->options.pasta && !l->rec->options.cni)
		return -EBADF;
	for (int i = 0; i < n; i++)
		l->joined |= joined[i].type == NS_NETWORK;
	r = pod_ports_bind(l->eng, l->rec, l->joined, &l->net, err);
	if (r < 0 || !l->joined)
		return r < 0 ? r : net_start_meet(&l->net, err);
	r = net_hosts_write(l->eng, l->rec, &l->net, err);
	return r < 0 ? r : -EBADF;
}

/* The fds in the protocol's order: how many, or -errno. joined: of them to be closed; so, too, is
 * *ret_init. */
static int collect_fds(struct launch *l, struct monitor_start *start, int *fds,
		       struct join_fd joined[JOINS], int *ret_init, struct err *err)
{
	size_t n = MONITOR_FD_LAYERS + l->n_layers;
	int joins = open_joins(l, joined, err);

	if (joins < 0)
		return joins;
	fds[MONITOR_FD_LOCK] = l->lock;
	fds[MONITOR_FD_CONTROL] = l->control;
	fds[MONITOR_FD_BUNDLE] = l->bundle_fd;
	fds[MONITOR_FD_RUN] = l->run_fd;
	fds[MONITOR_FD_UPPER] = l->upper;
	fds[MONITOR_FD_WORK] = l->work;
	memcpy(fds + MONITOR_FD_LAYERS, l->layers, l->n_layers * sizeof(int));
	start->n_layers = (uint32_t)l->n_layers;
	start->n_joins = (uint32_t)joins;
	for (int i = 0; i < joins; i++) {
		start->joins[i] = (uint32_t)joined[i].type;
		fds[n + (size_t)i] = joined[i].fd;
	}
	n += (size_t)joins;
	*ret_init = meet(l, joined, joins, err);
	if (*ret_init < 0 && *ret_init != -EBADF)
		return *ret_init;
	if (*ret_init >= 0)
		fds[n++] = *ret_init;
	if (l->net.keep >= 0)
		fds[n++] = l->net.keep;
	for (int fd = 0; l->rec->options.log_driver == LOGLINE_PASSTHROUGH && fd < 3; fd++)
		fds[n++] = fd;
	return (int)n;
}

static int log_attrs(const struct record *rec, struct buf *out, struct err *err)
{
	if (rec->options.log_driver == LOGLINE_JOURNAL)
		return log_journal_fields(rec, out, err);
	buf_adds(out, rec->options.log_attrs ? rec->options.log_attrs : "");
	return 0;
}

int launch_send(struct launch *l, struct err *err)
{
	cleanup_buf struct buf attrs = BUF_INIT;
	cleanup_free int *fds = xcalloc(MONITOR_FD_LAYERS + l->n_layers + JOINS + 5, sizeof(int));
	cleanup_fd int init = -EBADF;
	struct join_fd joined[JOINS];
	struct monitor_start start = { 0 };
	int n, r;

	if (l->control < 0) {
		l->control = control_listen(l->eng, l->rec->id, err);
		if (l->control < 0)
			return l->control;
	}
	r = open_run_dir(l, err);
	if (r < 0)
		return r;
	r = n = collect_fds(l, &start, fds, joined, &init, err);
	if (r >= 0)
		r = log_attrs(l->rec, &attrs, err);
	if (r == 0)
		r = fill_start(l, buf_str(&attrs), &start, err);
	if (r == 0)
		r = health_begin(l->rec, l->run_fd, &start, err);
	if (r == 0)
		r = supervisor_send(&l->monitor, &start, fds, (size_t)n, err);
	for (uint32_t i = 0; i < start.n_joins; i++)
		fd_close(joined[i].fd);
	l->control = fd_close(l->control); /* nobody is to connect to us */
	return r;
}

void launch_note_failure(const struct launch *l, const struct err *why)
{
	cleanup_free char *path = xasprintf("%s/" ENDING_FILE, l->rec->id);
	cleanup_free char *text = xstrdup(why->msg);
	const struct ending_note note = { .error = text };

	ending_write(l->eng->run_fd, path, &note);
}

/* As docker, its record stays (unless --rm) for the user to look at. */
void launch_failed(struct launch *l, int how, const struct err *why)
{
	bool as_before = how == -ECANCELED && !l->rec->running && !l->rec->auto_remove;
	const struct record_end end = { .exit_code = err_exit_status(why),
					.finished_ns = time_now_ns(),
					.error = why->msg };
	struct err err = ERR_INIT;
	int r;

	supervisor_done(&l->monitor);
	if (as_before)
		l->rec->restarts = l->restarts;
	else
		launch_note_failure(l, why);
	/* Nothing to do, unless the monitor was killed on the way. */
	if (container_delete(&l->eng->runtime, l->rec->id, true, &err) < 0)
		log_warn("%s", err.msg);
	r = as_before ? record_unstart(l->eng, l->rec, &end, &err)
		      : life_finish(l->eng, l->rec->id, l->rec->auto_remove, &end, &err);
	if (r < 0)
		log_warn("%s", err.msg);
	l->pod_lock = fd_close(l->pod_lock);
	infra_release(l->eng, l->rec, true);
}

/* The runtime knows the container by its id, the user by its name. */
static int wrap_with_name(const struct launch *l, int r, struct err *err)
{
	cleanup_free char *by_id = xasprintf("creating container %s: ", l->rec->id);
	const char *rest = err ? str_after(err->msg, by_id) : NULL;

	if (rest)
		memmove(err->msg, rest, strlen(rest) + 1);
	return err_wrap(err, r, "starting container %s", l->rec->name);
}

/* `inro update` may have said so meanwhile: then its end is for the clean-up role to see to. */
static bool is_to_restart(const struct launch *l)
{
	cleanup_record struct record now = { 0 };

	return !l->rec->auto_remove && record_get(l->eng, l->rec->id, &now, NULL) == 0 &&
	       now.options.restart > RESTART_NO;
}

static void on_exit_event(struct attach *a)
{
	const struct record_end end = { .exit_code = a->status,
					.finished_ns = a->finished_ns,
					.oom_killed = a->oom_killed };
	struct launch *l = a->data;
	struct err err = ERR_INIT;

	if (is_to_restart(l))
		return;

	/* The monitor removes cgroups and runtime state at the same time. */
	if (life_finish(l->eng, l->rec->id, l->rec->auto_remove, &end, &err) < 0) {
		log_warn("%s", err.msg);
		return; /* and leave another try to the monitor */
	}
	supervisor_release(&l->monitor);
	l->released = true;
	/* What there is still to be read concerns nobody else. */
	l->lock = fd_close(l->lock);
}

/* The monitor was killed: what it has left is not to stay. */
static void bury(struct launch *l)
{
	cleanup_record struct record rec = { 0 };
	int r = 0;

	if (!own_end(l))
		r = life_bury(l->eng, l->rec, NULL);
	else if (record_get(l->eng, l->rec->id, &rec, NULL) == 0)
		r = life_repair(l->eng, &rec, NULL);
	if (r < 0)
		log_warn("container %s could not be cleaned up", l->rec->name);
}

/* Nobody is to take a part of its output for all that it had to say. */
int launch_status(const struct attach *attach, struct err *err)
{
	static const char what[] = "writing the container's output";

	if (attach->left)
		return 0;
	if (attach->lost && attach->status == 0)
		return err_errno(err, -attach->lost, "%s", what);
	if (attach->lost)
		log_error("%s: %s", what, strerror(-attach->lost));
	return attach->status;
}

static int follow_attached(struct launch *l, const int *fds, size_t n, struct err *err)
{
	struct attach attach;
	int r;

	attach_init(&attach, l->monitor.sock, l->signal_fd, fds, n, l->rec->options.tty,
		    l->with_stdin);
	attach.on_exit = own_end(l) ? NULL : on_exit_event;
	attach.guest = own_end(l);
	attach.data = l;
	r = attach_set_keys(&attach, l->detach_keys, err);
	if (r == 0)
		r = attach_hide(&attach, l->hidden[0], l->hidden[1], err);
	if (r == 0)
		r = attach_run(&attach, err);
	attach_done(&attach);
	if (r < 0 && !attach.exited) {
		bury(l);
		return r;
	}
	if (l->released) {
		/* Inodes that were removed end with the last fd: while the monitor ends, too. */
		l->upper = fd_close(l->upper);
		l->work = fd_close(l->work);
		l->bundle_fd = fd_close(l->bundle_fd);
		supervisor_reap(&l->monitor);
		infra_release(l->eng, l->rec, true);
	}
	return launch_status(&attach, err);
}

static void write_pid_file(const char *path, pid_t pid)
{
	struct err err = ERR_INIT;
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", pid);

	if (path && io_replace_file(AT_FDCWD, path, text, (size_t)len, 0644, false, &err) < 0)
		log_warn("%s", err.msg);
}

/* Until the container runs a signal is for us. */
static int wait_started(struct launch *l, int fds[3], size_t *n, struct err *err)
{
	bool taken = l->detach || !l->no_proxy;
	cleanup_fd int cancel = -EBADF;
	sigset_t before;
	int r = 0;

	sigprocmask(SIG_BLOCK, NULL, &before);
	if (taken)
		r = cancel = cancel_begin(err);
	if (r >= 0)
		r = net_start_plug(l->eng, l->rec, &l->net, l->monitor.sock, cancel, err);
	l->net.sock = fd_close(l->net.sock);
	if (r < 0)
		supervisor_undo(&l->monitor);
	else
		r = supervisor_wait_started(&l->monitor, cancel, fds, n, err);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return r;
}

int launch_follow(struct launch *l, struct err *err)
{
	int fds[3], r;
	size_t n;

	r = wait_started(l, fds, &n, err);
	l->pod_lock = fd_close(l->pod_lock);
	if (r < 0) {
		wrap_with_name(l, r, err);
		launch_failed(l, r, err);
		return r;
	}
	if (l->joined)
		net_names_join(l->eng, l->rec);
	write_pid_file(l->rec->options.pid_file, l->monitor.pid);
	write_pid_file(l->rec->options.monitor_pid_file, l->monitor.proc.pid);
	if (own_end(l))
		l->lock = fd_close(l->lock);
	/* The container does not wait for these, nor anybody for it: its monitor has the lock. */
	if (l->image)
		images_used(l->eng, l->image);
	sdnotify_tell(l->eng, l->rec, l->monitor.proc.pid, l->backoff_ms > 0);
	if (!l->part)
		service_started(l->eng, l->rec);
	return l->detach ? 0 : follow_attached(l, fds, n, err);
}
