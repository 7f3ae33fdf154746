/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "monitor/monitor.h"
#include "runtime/ending.h"
#include "runtime/notify.h"
#include "sys/pidfd.h"

#define FDS_LIMIT 1024 /* layers are far fewer: OCI_LAYERS_MAX */

static bool is_passthrough(const struct monitor *m)
{
	return m->start.options & MONITOR_OPT_PASSTHROUGH;
}

static bool has_network(const struct monitor *m)
{
	return m->start.options & MONITOR_OPT_NETWORK;
}

static bool has_ports(const struct monitor *m)
{
	return m->start.options & MONITOR_OPT_PORTS;
}

static int receive_fds(struct monitor *m, struct err *err)
{
	int fds[MONITOR_FDS_MAX];
	ssize_t len = 0;
	size_t n;

	for (;;) {
		n = ARRAY_SIZE(fds);
		len = fd_recv(m->sock, &m->start, sizeof(m->start), fds, &n);
		if (len <= 0)
			break;
		if (m->n_fds + n > FDS_LIMIT)
			return err_fail(err, ERR_LIMIT,
					"receiving the start message: too many fds");
		if (n) {
			m->fds = xrealloc(m->fds, (m->n_fds + n) * sizeof(int));
			memcpy(m->fds + m->n_fds, fds, n * sizeof(int));
			m->n_fds += n;
		}
		if ((size_t)len >= sizeof(uint32_t) && m->start.type == MONITOR_START)
			break;
	}
	if (len < 0)
		return err_errno(err, (int)-len, "receiving the start message");
	if (len == 0)
		return err_errno(err, ECONNRESET, "receiving the start message");
	if ((size_t)len != sizeof(m->start) || m->start.version != MONITOR_VERSION ||
	    m->start.n_fds != m->n_fds || m->start.n_joins > MONITOR_JOINS_MAX ||
	    m->n_fds != MONITOR_FD_LAYERS + (size_t)m->start.n_layers + m->start.n_joins +
			    has_network(m) + has_ports(m) + (is_passthrough(m) ? 3 : 0))
		return err_fail(
		    err, ERR_INVALID,
		    "receiving the start message: inro and inro-monitor are of different "
		    "versions");
	return 0;
}

int monitor_receive(struct monitor *m, struct err *err)
{
	struct monitor_start *s = &m->start;
	int r = receive_fds(m, err);

	if (r < 0)
		return r;
	if (has_ports(m))
		m->ports_fd =
		    take_fd(m->fds[MONITOR_FD_LAYERS + s->n_layers + s->n_joins + has_network(m)]);
	s->id[sizeof(s->id) - 1] = '\0';
	s->bundle[sizeof(s->bundle) - 1] = '\0';
	s->runtime_root[sizeof(s->runtime_root) - 1] = '\0';
	s->inro_path[sizeof(s->inro_path) - 1] = '\0';
	s->root[sizeof(s->root) - 1] = '\0';
	s->runroot[sizeof(s->runroot) - 1] = '\0';
	m->runtime = (struct runtime){
		.root = s->runtime_root,
		.rootless = s->options & MONITOR_OPT_ROOTLESS,
		.systemd_cgroup = s->options & MONITOR_OPT_SYSTEMD_CGROUP,
	};
	return 0;
}

static void close_layers(struct monitor *m)
{
	size_t i;

	for (i = MONITOR_FD_UPPER; i < m->n_fds; i++)
		m->fds[i] = fd_close(m->fds[i]);
}

static int create(struct monitor *m, const struct spec *spec, const struct buf *text,
		  struct err *err)
{
	struct mount_layers overlay = {
		.lower_fds = m->fds + MONITOR_FD_LAYERS,
		.n_lower = m->start.n_layers,
		.upper_fd = m->fds[MONITOR_FD_UPPER],
		.work_fd = m->fds[MONITOR_FD_WORK],
		.userxattr = m->start.options & MONITOR_OPT_USERXATTR,
		.throw_away = m->start.options & MONITOR_OPT_THROW_AWAY,
	};
	bool tty = m->start.options & MONITOR_OPT_TTY;
	struct create_args args = {
		.id = m->start.id,
		.bundle = m->start.bundle,
		.spec = spec,
		.spec_text = text->data,
		.spec_len = text->len,
		.console_fd_out = tty ? &m->io.pty : NULL,
		.overlay = m->start.options & MONITOR_OPT_ROOTFS ? NULL : &overlay,
		.rootfs_idmap = m->start.options & MONITOR_OPT_ROOTFS_IDMAP,
		.give_fd = m->start.options & MONITOR_OPT_GIVE ? m->fds[MONITOR_FD_BUNDLE] : 0,
		.start = true,
		.shm_fd = m->shm_fd,
		.netns_fd = m->netns_fd,
		.network_fd = has_network(m)
				  ? m->fds[MONITOR_FD_LAYERS + m->start.n_layers + m->start.n_joins]
				  : 0,
		.userns_above = m->userns_above,
		.need_limits = true, /* the user asked for them by name */
		.notify_host = m->notify_host,
		.notify_fd_out = &m->notify,
		.cancel_fd = m->sock, /* who is to be told of the container does not want it */
	};
	int r;

	r = output_log_open(m, err);
	if (r == 0 && is_passthrough(m))
		stdio_pass(&m->io, m->fds + m->n_fds - 3);
	else if (r == 0)
		r = stdio_open(&m->io, tty, m->start.options & MONITOR_OPT_STDIN, err);
	if (r < 0)
		return r;
	args.stdio = m->io.child;
	r = container_create(&m->runtime, &args, &m->container, err);
	stdio_close_child(&m->io);
	close_layers(m);
	if (m->netns_fd > 0)
		m->netns_fd = fd_close(m->netns_fd); /* it is to end with the container */
	return r;
}

/* systemd's socket is the starter's: NOTIFY_SOCKET. */
static void set_notify(struct monitor *m, struct spec *spec)
{
	if (!(m->start.options & MONITOR_OPT_NOTIFY) || !spec->process)
		return;
	m->notify_host = getenv(NOTIFY_ENV);
	if (m->notify_host)
		strv_env_set(&spec->process->env, NOTIFY_ENV "=" NOTIFY_DIR "/" NOTIFY_FILE);
}

/* Of a pod: config.json has what its first member gets. */
static void share_shm(struct spec *spec)
{
	for (size_t i = 0; i < spec->mounts.n; i++) {
		struct spec_mount *m = &spec->mounts.items[i];

		if (!str_eq(m->destination, "/dev/shm") || !str_eq(m->type, "tmpfs") ||
		    !str_eq(m->source, "shm"))
			continue;
		free(m->type);
		free(m->source);
		strv_free(m->options);
		m->type = xstrdup("bind");
		m->source = xstrdup(CONTAINER_SHM_OF_OTHER);
		m->options = strv_split("bind,nosuid,noexec,nodev", ',');
	}
}

/* Namespaces of others are what the starter has opened, whatever the path means by now. */
static int set_joins(struct monitor *m, struct spec *spec, struct err *err)
{
	int *fds = m->fds + MONITOR_FD_LAYERS + m->start.n_layers;

	for (size_t i = 0; i < m->start.n_joins; i++) {
		struct spec_namespace *ns = NULL;
		char path[FD_PATH_MAX];

		if (m->start.joins[i] == MONITOR_JOIN_SHM) {
			m->shm_fd = fds[i];
			share_shm(spec);
			continue;
		}
		if (m->start.joins[i] == MONITOR_JOIN_USERNS_ABOVE) {
			m->userns_above = fds[i];
			continue;
		}
		if (m->start.joins[i] == MONITOR_JOIN_KEEP) {
			fds[i] = -EBADF; /* whatever is closed once it runs */
			continue;
		}
		for (size_t k = 0; k < spec->linux_->namespaces.n; k++)
			if (spec->linux_->namespaces.items[k].type == (int)m->start.joins[i])
				ns = &spec->linux_->namespaces.items[k];
		if (!ns)
			return err_fail(err, ERR_INVALID,
					"config.json lacks a namespace that is joined");
		free(ns->path);
		ns->path = xstrdup(fd_proc_path(fds[i], path));
	}
	return 0;
}

/* The starter becomes the first client. */
static void tell_started(struct monitor *m)
{
	bool detached = is_passthrough(m) || (m->start.options & MONITOR_OPT_DETACHED);
	struct client *c = client_add(m, m->sock);

	m->sock = -EBADF;
	c->starter = true;
	if (m->io.pty >= 0 && m->start.rows && m->start.cols) {
		struct winsize ws = { .ws_row = m->start.rows, .ws_col = m->start.cols };

		ioctl(m->io.pty, TIOCSWINSZ, &ws);
	}
	/* As with the pipes; a terminal's output can be discarded by its users. */
	if (m->io.pty >= 0)
		fd_set_nonblock(m->io.pty, true);
	relay_init(m);
	probing_init(m);
	/* One that died already is no reason to stop: the loop will see it. */
	if (client_tell_started(m, c, !detached, m->start.options & MONITOR_OPT_STDIN) < 0)
		log_debug("the client is gone");
	if (m->start.options & MONITOR_OPT_STDIN_ONCE)
		m->io.in = fd_close(m->io.in);
}

static bool is_limited(const struct spec *spec)
{
	const struct spec_resources *res = spec->linux_ ? spec->linux_->resources : NULL;

	return res && res->memory && res->memory->limit.set;
}

int monitor_create(struct monitor *m, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct spec spec = { 0 };
	int r;

	r = io_read_file(m->fds[MONITOR_FD_BUNDLE], "config.json", &text, SPEC_BYTES_MAX, err);
	if (r == 0)
		r = spec_parse(buf_str(&text), text.len, &spec, err);
	if (r == 0) {
		m->limited = is_limited(&spec);
		set_notify(m, &spec);
		r = set_joins(m, &spec, err);
		if (r == 0)
			r = create(m, &spec, &text, err);
		spec_free(&spec);
	}
	if (r < 0) {
		struct monitor_failed failed = { .type = MONITOR_FAILED, .err = *err };

		fd_send(m->sock, &failed, sizeof(failed), NULL, 0);
		return r;
	}
	tell_started(m);
	return 0;
}

static int write_exit_record(struct monitor *m, struct err *err)
{
	char text[64];
	int len = snprintf(text, sizeof(text), "%d %lld%s\n", m->status, (long long)m->finished_ns,
			   m->oom ? " oom" : "");

	if (pwrite(m->fds[MONITOR_FD_LOCK], text, (size_t)len, 0) != len)
		return err_errno(err, errno ? errno : ENOSPC, "recording the end of container %s",
				 m->start.id);
	return 0;
}

bool monitor_awaits_starter(const struct monitor *m)
{
	if (m->client_done || (m->start.options & MONITOR_OPT_OWN_END))
		return false;
	for (size_t k = 0; k < m->n_clients; k++)
		if (m->clients[k].starter)
			return true;
	return false;
}

static void tell_starter(const struct monitor *m, uint32_t type)
{
	const struct monitor_msg msg = { .type = type,
					 .value = m->status,
					 .finished_ns = m->finished_ns,
					 .flags = m->oom ? MONITOR_EXIT_OOM : 0 };

	if (m->start.options & MONITOR_OPT_OWN_END)
		return;
	for (size_t k = 0; k < m->n_clients; k++)
		if (m->clients[k].starter)
			client_tell(&m->clients[k], &msg, NULL, 0);
}

/* Before its cgroup goes, and before anybody is told. Only where there may be something to tell: it
 * takes time that others wait for. */
static void note_end(struct monitor *m)
{
	struct ending_note note = { 0 };

	if ((m->status == 0 && !m->limited) ||
	    container_memory(&m->runtime, m->start.id, &note.memory, NULL) < 0)
		return;
	m->oom = note.memory.oom_kills > 0;
	if (m->status != 0)
		ending_write(m->fds[MONITOR_FD_RUN], ENDING_FILE, &note);
}

/* Once; what else comes is taken, so that nobody waits for room. */
static void take_notification(struct monitor *m)
{
	if (!notify_receive(m->notify) || !m->notify_host)
		return;
	notify_tell(m->notify_host, getpid());
	m->notify_host = NULL;
}

/* The container's init has ended. */
static int container_ended(struct monitor *m, struct err *err)
{
	siginfo_t info = { 0 };
	int recorded, r;

	r = pidfd_wait(m->container.pidfd, &info);
	if (r < 0)
		return err_errno(err, -r, "waiting for container %s", m->start.id);
	m->container.pidfd = fd_close(m->container.pidfd);
	m->status = info.si_code == CLD_EXITED ? info.si_status & 0xff : 128 + info.si_status;
	m->finished_ns = time_now_ns();
	note_end(m);
	recorded = write_exit_record(m, err);
	tell_starter(m, MONITOR_EXITED);
	m->io.in = fd_close(m->io.in);
	r = container_delete(&m->runtime, m->start.id, true, recorded < 0 ? NULL : err);
	tell_starter(m, MONITOR_GONE);
	m->ended = true;
	probing_end(m);
	relay_end(m);
	output_log_end(m);
	return recorded < 0 ? recorded : r;
}

/* Those that are always there; then sockets of clients, and their pipes that are to be filled. */
enum {
	POLL_END,
	POLL_CONTROL,
	POLL_PROBED,
	POLL_PROBER,
	POLL_NOTIFY,
	POLL_STREAMS,
	POLL_CLIENTS = POLL_STREAMS + STREAMS
};
#define POLL_MAX (POLL_CLIENTS + CLIENTS_MAX * (1 + STREAMS))

static nfds_t poll_fill(const struct monitor *m, struct pollfd p[POLL_MAX])
{
	nfds_t n = POLL_CLIENTS;

	p[POLL_END] = (struct pollfd){ .fd = m->container.pidfd, .events = POLLIN };
	p[POLL_CONTROL] = (struct pollfd){
		.fd = m->n_clients < CLIENTS_MAX && !m->deaf_ns ? m->fds[MONITOR_FD_CONTROL] : -1,
		.events = POLLIN,
	};
	p[POLL_PROBED] = (struct pollfd){ .fd = m->probing.pipe, .events = POLLIN };
	p[POLL_PROBER] = (struct pollfd){ .fd = m->probing.pidfd, .events = POLLIN };
	p[POLL_NOTIFY] = (struct pollfd){ .fd = m->notify, .events = POLLIN };
	for (size_t i = 0; i < STREAMS; i++) {
		const struct stream *s = &m->streams[i];

		p[POLL_STREAMS + i] =
		    (struct pollfd){ .fd = s->len ? -1 : s->from, .events = POLLIN };
	}
	for (size_t k = 0; k < m->n_clients; k++)
		p[n++] = (struct pollfd){ .fd = m->clients[k].sock, .events = POLLIN };
	for (size_t k = 0; k < m->n_clients; k++)
		for (size_t i = 0; i < STREAMS; i++)
			if (relay_pending(m, &m->clients[k], i))
				p[n++] = (struct pollfd){ .fd = m->clients[k].out[i],
							  .events = POLLOUT };
	return n;
}

/* All processes of the container are gone with it; what they wrote is in the pipes. Only one that
 * escaped (--pid host without a cgroup) could hold them open, and go on writing: nobody waits for
 * that one. */
static void stream_event(struct monitor *m, struct stream *s, short revents)
{
	if (s->from < 0)
		return;
	if (s->len)
		relay_deliver(m, s);
	else if (m->ended && (!revents || !s->left))
		relay_close(m, s);
	else if (revents)
		relay_fill(m, s);
}

static int poll_once(struct monitor *m, int timeout_ms, struct err *err)
{
	struct pollfd p[POLL_MAX];
	size_t n_clients = m->n_clients;
	nfds_t n = poll_fill(m, p);

	for (size_t i = 0; m->ended && i < STREAMS; i++)
		if (m->streams[i].from >= 0 && !m->streams[i].len)
			timeout_ms = 0;
	if (NO_EINTR(poll(p, n, timeout_ms)) < 0)
		return err_errno(err, errno, "waiting for container %s", m->start.id);
	for (size_t i = 0; i < STREAMS; i++)
		stream_event(m, &m->streams[i], p[POLL_STREAMS + i].revents);
	if (p[POLL_PROBED].revents)
		probing_said(m);
	if (p[POLL_PROBER].revents)
		probing_ended(m);
	if (p[POLL_NOTIFY].revents)
		take_notification(m);
	/* A client that is removed makes room for one of behind it. */
	for (size_t k = n_clients; k-- > 0;)
		if (p[POLL_CLIENTS + k].revents)
			client_event(m, &m->clients[k]);
	if (p[POLL_CONTROL].revents)
		client_accept(m);
	return p[POLL_END].revents ? container_ended(m, err) : 0;
}

static bool is_over(const struct monitor *m)
{
	return m->ended && m->streams[0].from < 0 && m->streams[1].from < 0 &&
	       !monitor_awaits_starter(m);
}

/* Of two timeouts of poll(2). */
static int earlier(int a, int b)
{
	return b < 0 || (a >= 0 && a < b) ? a : b;
}

#define STACK_USED_MAX (1 << 20) /* by a start; below the stack nothing is mapped for longer */

/* A start takes 40 to 90 KiB of the stack, of which the loop needs 8. What is below this function
 * is given back, but for the page that madvise(2) may use: so it must have a frame of its own. */
static __attribute__((noinline)) void give_stack_back(void)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t end = (uintptr_t)__builtin_frame_address(0) / page * page - page;

	/* ENOMEM: the stack has never been that large. What there is is given back all the same. */
	(void)madvise((void *)(end - STACK_USED_MAX), STACK_USED_MAX, MADV_DONTNEED);
}

int monitor_supervise(struct monitor *m, struct err *err)
{
	struct err first = ERR_INIT;
	int r = 0;

	give_stack_back();
	while (!is_over(m)) {
		struct err one = ERR_INIT;
		int timeout = earlier(relay_expire(m), output_log_tick(m));
		int e;

		timeout = earlier(timeout, clients_hear_again(m));
		e = poll_once(m, earlier(timeout, probing_tick(m)), &one);
		if (e < 0 && r == 0) {
			first = one;
			r = e;
		}
		if (e < 0 && !m->ended)
			break;
		/* The next to start it need not wait for a slow reader, but for the log. */
		if (m->ended && m->client_done && m->fds[MONITOR_FD_LOCK] >= 0 &&
		    m->log.o.driver == LOGLINE_NONE) {
			clients_tell_exited(m);
			m->fds[MONITOR_FD_LOCK] = fd_close(m->fds[MONITOR_FD_LOCK]);
		}
	}
	stdio_done(&m->io);
	output_log_close(m);
	if (r < 0)
		*err = first;
	return r;
}
