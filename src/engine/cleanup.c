/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/cleanup.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "base/timeutil.h"
#include "engine/infra.h"
#include "engine/life.h"
#include "engine/start.h"
#include "runtime/ending.h"
#include "runtime/monitor_proto.h"

#define CLIENTS_MAX 64
#define NS_PER_MS   INT64_C(1000000)
#define PAUSE_MS    10
#define SPARE_FDS   12

struct ending {
	struct cleanup *c;
	struct record *rec;
	struct record_end end;
	bool told; /* the end is in the database: who asks is told */
};

static void client_remove(struct cleanup *c, size_t i)
{
	fd_close(c->clients[i]);
	c->clients[i] = c->clients[--c->n_clients];
}

/* For the database and whatever else is opened. Who is sent away waits for the container's lock. */
static void leave_room(struct cleanup *c)
{
	int spare[SPARE_FDS];
	size_t n = 0;

	while (n < SPARE_FDS) {
		int fd = fcntl(c->control, F_DUPFD_CLOEXEC, 3);

		if (fd >= 0)
			spare[n++] = fd;
		else if (errno == EMFILE && c->n_clients)
			client_remove(c, c->n_clients - 1);
		else
			break;
	}
	while (n)
		fd_close(spare[--n]);
}

static void client_accept(struct cleanup *c)
{
	int sock = accept4(c->control, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	const struct timespec pause = { .tv_nsec = PAUSE_MS * NS_PER_MS };
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (sock < 0) {
		/* Without an fd for it, it stays in the queue, and poll(2) does not wait. */
		nanosleep(&pause, NULL);
		return;
	}
	if (c->n_clients >= CLIENTS_MAX ||
	    getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 ||
	    (peer.uid != 0 && peer.uid != geteuid())) {
		fd_close(sock);
		return;
	}
	c->clients = xrealloc(c->clients, (c->n_clients + 1) * sizeof(int));
	c->clients[c->n_clients++] = sock;
	leave_room(c);
}

static bool tell(int sock, uint32_t type, const struct ending *e)
{
	const struct monitor_msg msg = { .type = type,
					 .value = e->end.exit_code,
					 .finished_ns = e->end.finished_ns,
					 .flags = e->end.oom_killed ? MONITOR_EXIT_OOM : 0 };

	return fd_send(sock, &msg, sizeof(msg), NULL, 0) >= 0;
}

/* To all who wait: the end is in the database. */
static void tell_exited(struct ending *e)
{
	struct cleanup *c = e->c;

	e->told = true;
	for (size_t i = 0; i < c->n_clients; i++)
		tell(c->clients[i], MONITOR_EXITED, e);
}

/* False: the client is gone. */
static bool client_event(struct ending *e, int sock)
{
	struct monitor_msg msg = { 0 };
	size_t n_fds = 0;
	ssize_t len = fd_recv(sock, &msg, sizeof(msg), NULL, &n_fds);

	if (len == -EAGAIN || len == -EINTR)
		return true;
	if (len != (ssize_t)sizeof(msg))
		return false;
	if (msg.type == MONITOR_STOP_RESTART) {
		e->c->stopped = true;
		return tell(sock, MONITOR_STOP_RESTART, e);
	}
	/* Whoever asks before that is told with the others; so is who comes when no restart is to
	 * follow any more, which the database does not know yet. */
	if (e->told && !e->c->stopped && (msg.type == MONITOR_WAIT || msg.type == MONITOR_ATTACH))
		return tell(sock, MONITOR_EXITED, e);
	return true;
}

/* Serves those who are connected for up to timeout_ms, once. Returns whether anything came. */
static bool serve(struct ending *e, int timeout_ms)
{
	struct pollfd p[CLIENTS_MAX + 1] = { { .fd = e->c->control, .events = POLLIN } };
	struct cleanup *c = e->c;
	size_t n = c->n_clients;

	for (size_t i = 0; i < n; i++)
		p[i + 1] = (struct pollfd){ .fd = c->clients[i], .events = POLLIN };
	if (poll(p, n + 1, timeout_ms) <= 0)
		return false;
	for (size_t i = n; i-- > 0;)
		if (p[i + 1].revents && !client_event(e, c->clients[i]))
			client_remove(c, i);
	if (p[0].revents & POLLIN)
		client_accept(c);
	return true;
}

/* What has been said so far. */
static void serve_pending(struct ending *e)
{
	for (int i = 0; i < 4 * CLIENTS_MAX && serve(e, 0); i++)
		;
}

static bool is_wanted(const struct ending *e)
{
	const struct record_options *o = &e->rec->options;
	const struct restart_question q = {
		.policy = o->restart,
		.max = o->restart_max,
		.restarts = e->rec->restarts,
		.status = e->end.exit_code,
		.stopped = e->c->stopped,
	};

	return e->c->lock >= 0 && e->c->control >= 0 && restart_wanted(&q);
}

/* For people who ask when it will be there again. */
static void note_next_start(struct engine *eng, const struct record *rec, uint32_t backoff_ms)
{
	cleanup_free char *path = xasprintf("%s/" ENDING_FILE, rec->id);
	cleanup_ending struct ending_note note = { 0 };

	ending_read(eng->run_fd, path, &note);
	note.next_start_ns = time_now_ns() + backoff_ms * NS_PER_MS;
	ending_write(eng->run_fd, path, &note);
}

/* False: somebody does not want it any more. */
static bool wait_backoff(struct ending *e, uint32_t backoff_ms)
{
	int64_t end = time_monotonic_ns() + backoff_ms * NS_PER_MS, left;

	while (!e->c->stopped && (left = end - time_monotonic_ns()) > 0)
		serve(e, (int)(left / NS_PER_MS) + 1);
	serve_pending(e);
	return !e->c->stopped;
}

/* What `inro update` has said while we waited holds; 0, or -ENOENT: it was removed. */
static int read_again(struct engine *eng, struct ending *e)
{
	struct record now = { 0 };
	int r = record_get(eng, e->rec->id, &now, NULL);

	if (r < 0)
		return r == -ENOENT ? r : 0; /* as on a disk that fails: with what is known */
	record_done(e->rec);
	*e->rec = now;
	return 0;
}

static int start_again(struct engine *eng, struct ending *e, uint32_t backoff_ms, struct err *err)
{
	struct cleanup *c = e->c;
	struct err own = ERR_INIT;

	e->rec->restarts++;
	if (engine_restart(eng, e->rec, take_fd(c->lock), take_fd(c->control), backoff_ms, &own) >=
	    0)
		return 0;
	/* It has been recorded, unless it failed early. */
	log_warn("starting container %s again: %s", e->rec->name, own.msg);
	return record_give_up(eng, e->rec->id, err);
}

static int end_or_restart(struct engine *eng, struct ending *e, struct err *err)
{
	struct record *rec = e->rec;
	uint32_t backoff_ms;
	int r;

	serve_pending(e);
	if (!is_wanted(e)) {
		r = life_finish(eng, rec->id, rec->auto_remove, &e->end, err);
		tell_exited(e);
		return r;
	}
	backoff_ms = restart_backoff(e->c->backoff_ms, e->end.finished_ns - rec->started_ns);
	/* As while the disk is full: the policy outlasts that. */
	while ((r = record_restarting(eng, rec->id, &e->end, err)) < 0 &&
	       wait_backoff(e, backoff_ms))
		backoff_ms = restart_backoff(backoff_ms, 0);
	if (r == 0) {
		note_next_start(eng, rec, backoff_ms);
		tell_exited(e);
	}
	if (r < 0 || !wait_backoff(e, backoff_ms) || read_again(eng, e) < 0 || !is_wanted(e)) {
		r = record_finish(eng, e->c->id, &e->end, err);
		tell_exited(e);
		return r;
	}
	return start_again(eng, e, backoff_ms, err);
}

static int open_record(struct engine *eng, struct ending *e, struct err *err)
{
	int r = engine_db(eng, err);

	return r < 0 ? r : record_get(eng, e->c->id, e->rec, err);
}

/* What can't be opened now, as on a disk that is full, may say that it is to be started again. */
static int await_record(struct engine *eng, struct ending *e, struct err *err)
{
	const bool can_start = e->c->lock >= 0 && e->c->control >= 0;
	uint32_t backoff_ms = restart_backoff(0, 0);
	int r = open_record(eng, e, err);

	while (r < 0 && r != -ENOENT && can_start && wait_backoff(e, backoff_ms)) {
		backoff_ms = restart_backoff(backoff_ms, 0);
		r = open_record(eng, e, err);
	}
	return r;
}

static void cleanup_done(struct cleanup *c)
{
	while (c->n_clients)
		client_remove(c, 0);
	free(c->clients);
	fd_close(c->lock);
	fd_close(c->control);
}

int engine_cleanup(struct engine *eng, struct cleanup *c, struct err *err)
{
	cleanup_record struct record rec = { 0 };
	struct ending e = { .c = c,
			    .rec = &rec,
			    .end = { .exit_code = c->status, .finished_ns = time_now_ns() } };
	int r;

	leave_room(c);
	r = await_record(eng, &e, err);
	if (r == 0) {
		life_read_exit(eng, c->id, &e.end);
		r = end_or_restart(eng, &e, err);
		infra_release(eng, &rec, true);
	} else if (r == -ENOENT) { /* removed by someone else meanwhile */
		tell_exited(&e);
		r = 0;
	}
	/* systemd looks at the exit status of a service's main process. */
	if (r == 0 && rec.options.notify && !c->stopped)
		r = c->status;
	cleanup_done(c);
	return r;
}
