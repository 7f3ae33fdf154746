/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/timeutil.h"
#include "monitor/monitor.h"
#include "sys/pidfd.h"

#define FDS_LIMIT 1024 /* layers are far fewer: OCI_LAYERS_MAX */

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
	    m->start.n_fds != m->n_fds || m->n_fds != MONITOR_FD_LAYERS + (size_t)m->start.n_layers)
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

	for (i = MONITOR_FD_BUNDLE; i < m->n_fds; i++)
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
		.overlay = &overlay,
		.start = true,
		.need_limits = true, /* the user asked for them by name */
	};
	int r;

	r = stdio_open(&m->io, tty, m->start.options & MONITOR_OPT_STDIN, err);
	if (r < 0)
		return r;
	args.stdio = m->io.child;
	r = container_create(&m->runtime, &args, &m->container, err);
	stdio_close_child(&m->io);
	close_layers(m);
	return r;
}

static int tell_started(struct monitor *m)
{
	struct monitor_msg msg = { .type = MONITOR_STARTED, .value = m->container.pid };
	int fds[3];
	size_t n = stdio_client_fds(&m->io, fds);
	ssize_t r;

	if (m->io.pty >= 0 && m->start.rows && m->start.cols) {
		struct winsize ws = { .ws_row = m->start.rows, .ws_col = m->start.cols };

		ioctl(m->io.pty, TIOCSWINSZ, &ws);
	}
	r = fd_send(m->sock, &msg, sizeof(msg), fds, n);
	stdio_release_stdin(&m->io);
	return r < 0 ? (int)r : 0;
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
		r = create(m, &spec, &text, err);
		spec_free(&spec);
	}
	if (r < 0) {
		struct monitor_failed failed = { .type = MONITOR_FAILED, .err = *err };

		fd_send(m->sock, &failed, sizeof(failed), NULL, 0);
		return r;
	}
	/* A client that died already is no reason to stop: the loop will see it. */
	if (tell_started(m) < 0)
		log_debug("the client is gone");
	return 0;
}

/* The client said something, or is gone. */
static void client_event(struct monitor *m)
{
	struct monitor_msg msg = { 0 };
	size_t n_fds = 0;
	ssize_t len = fd_recv(m->sock, &msg, sizeof(msg), NULL, &n_fds);

	if (len == -EAGAIN || len == -EINTR)
		return;
	if (len <= 0) {
		m->sock = fd_close(m->sock);
		return;
	}
	if ((size_t)len != sizeof(msg))
		return;
	if (msg.type == MONITOR_SIGNAL && m->container.pidfd >= 0)
		pidfd_kill(m->container.pidfd, msg.value);
	else if (msg.type == MONITOR_CLOSE_OUTPUT)
		stdio_release_output(&m->io, msg.value);
	else if (msg.type == MONITOR_DONE)
		m->client_done = true;
}

int monitor_supervise(struct monitor *m, struct err *err)
{
	siginfo_t info = { 0 };
	int r;

	for (;;) {
		bool alone = m->sock < 0;
		struct pollfd p[] = {
			{ .fd = m->container.pidfd, .events = POLLIN },
			{ .fd = m->sock, .events = POLLIN },
			/* While there is a client it reads these. */
			{ .fd = alone ? m->io.out : -1, .events = POLLIN },
			{ .fd = alone ? m->io.err : -1, .events = POLLIN },
			{ .fd = alone ? m->io.pty : -1, .events = POLLIN },
		};

		if (NO_EINTR(poll(p, ARRAY_SIZE(p), -1)) < 0)
			return err_errno(err, errno, "waiting for container %s", m->start.id);
		if (p[1].revents)
			client_event(m);
		if (p[2].revents)
			stdio_discard(&m->io.out);
		if (p[3].revents)
			stdio_discard(&m->io.err);
		if (p[4].revents)
			stdio_discard(&m->io.pty);
		if (p[0].revents)
			break;
	}
	r = pidfd_wait(m->container.pidfd, &info);
	if (r < 0)
		return err_errno(err, -r, "waiting for container %s", m->start.id);
	m->container.pidfd = fd_close(m->container.pidfd);
	return info.si_code == CLD_EXITED ? info.si_status & 0xff : 128 + info.si_status;
}

static int write_exit_record(struct monitor *m, int status, int64_t ns, struct err *err)
{
	char text[64];
	int len = snprintf(text, sizeof(text), "%d %lld\n", status, (long long)ns);

	if (pwrite(m->fds[MONITOR_FD_LOCK], text, (size_t)len, 0) != len)
		return err_errno(err, errno ? errno : ENOSPC, "recording the end of container %s",
				 m->start.id);
	return 0;
}

int monitor_finish(struct monitor *m, int status, struct err *err)
{
	struct monitor_msg msg = { .type = MONITOR_EXITED,
				   .value = status,
				   .finished_ns = time_now_ns() };
	int recorded, r;

	recorded = write_exit_record(m, status, msg.finished_ns, err);
	if (m->sock >= 0)
		fd_send(m->sock, &msg, sizeof(msg), NULL, 0);
	/* Our copies would keep the client from seeing the end of the output. */
	stdio_done(&m->io);
	r = container_delete(&m->runtime, m->start.id, true, recorded < 0 ? NULL : err);
	msg = (struct monitor_msg){ .type = MONITOR_GONE };
	if (m->sock >= 0)
		fd_send(m->sock, &msg, sizeof(msg), NULL, 0);
	while (m->sock >= 0 && !m->client_done)
		client_event(m);
	return recorded < 0 ? recorded : r;
}
