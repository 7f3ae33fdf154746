/* SPDX-License-Identifier: Apache-2.0 */
/* When health probes are made: all that the monitor itself does for them. */
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/timeutil.h"
#include "monitor/probe.h"
#include "sys/clone.h"
#include "sys/pidfd.h"

#define NS_PER_MS INT64_C(1000000)

static bool is_on(const struct monitor *m)
{
	return m->start.options & MONITOR_OPT_HEALTH;
}

static void wait_for_next(struct monitor *m, uint32_t ms)
{
	m->probing.due_ns = ms && is_on(m) ? time_monotonic_ns() + ms * NS_PER_MS : 0;
}

void probing_init(struct monitor *m)
{
	m->probing.started_ns = time_monotonic_ns();
	if (is_on(m))
		wait_for_next(m, m->start.health_first_ms);
}

/* A probe that is being made goes by what was. */
void probing_change(struct monitor *m, int first_ms, uint32_t limit_ms)
{
	m->start.options &= ~(uint32_t)MONITOR_OPT_HEALTH;
	m->start.options |= first_ms >= 0 ? MONITOR_OPT_HEALTH : 0;
	m->start.health_first_ms = first_ms > 0 ? (uint32_t)first_ms : 0;
	m->start.health_limit_ms = limit_ms;
	wait_for_next(m, m->start.health_first_ms);
}

static void tell(struct monitor *m, int result)
{
	const struct monitor_msg msg = { .type = MONITOR_PROBED, .value = result };

	for (size_t k = 0; k < m->n_clients; k++) {
		if (m->clients[k].wants_probe)
			client_tell(&m->clients[k], &msg, NULL, 0);
		m->clients[k].wants_probe = false;
	}
}

static bool is_awaited(const struct monitor *m)
{
	bool awaited = false;

	for (size_t k = 0; k < m->n_clients; k++)
		awaited = awaited || m->clients[k].wants_probe;
	return awaited;
}

static int begin(struct monitor *m)
{
	const struct clone_spec spec = { .cgroup_fd = -EBADF };
	struct probing *p = &m->probing;
	int fds[2];

	/* Whoever else may hold its other end: nobody waits for what was killed. */
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	p->pid = clone_process(&spec, &p->pidfd);
	if (p->pid == 0)
		probe_main(m, fds[1]);
	fd_close(fds[1]);
	if (p->pid < 0) {
		fd_close(fds[0]);
		p->pidfd = -EBADF;
		return p->pid;
	}
	p->pipe = fds[0];
	p->told = false;
	p->deadline_ns = time_monotonic_ns() + m->start.health_limit_ms * NS_PER_MS;
	return 0;
}

/* It has said what came of it, or never will. */
static void conclude(struct monitor *m, int result, uint32_t next_ms)
{
	m->probing.pipe = fd_close(m->probing.pipe);
	m->probing.told = true;
	wait_for_next(m, next_ms);
	tell(m, result);
}

static void start(struct monitor *m)
{
	int r = m->ended ? -ESRCH : begin(m);

	if (r < 0) {
		log_debug("making a probe: %s", strerror(-r));
		conclude(m, MONITOR_PROBED_NOT, m->start.health_first_ms);
	}
}

void probing_ask(struct monitor *m, struct client *c)
{
	c->wants_probe = true;
	if (!is_on(m))
		tell(m, MONITOR_PROBED_NONE);
	else if (m->probing.pidfd < 0)
		start(m);
	/* Else the probe that is being made answers, or one that is made when the last one has seen
	 * to what its answer asked for. */
}

void probing_said(struct monitor *m)
{
	struct probe_report report = { 0 };
	ssize_t n = NO_EINTR(read(m->probing.pipe, &report, sizeof(report)));

	if (n == (ssize_t)sizeof(report))
		conclude(m, report.result, report.next_ms);
	else
		conclude(m, MONITOR_PROBED_NOT, m->start.health_first_ms);
}

void probing_ended(struct monitor *m)
{
	struct probing *p = &m->probing;

	if (!p->told)
		probing_said(m);
	pidfd_reap(p->pidfd, 0);
	p->pidfd = fd_close(p->pidfd);
	if (!is_on(m))
		tell(m, MONITOR_PROBED_NONE);
	else if (is_awaited(m))
		start(m);
}

/* The remaining time of poll(2). */
static int left_ms(int64_t at_ns)
{
	int64_t ms = (at_ns - time_monotonic_ns() + NS_PER_MS - 1) / NS_PER_MS;

	return ms < 0 ? 0 : ms > INT32_MAX ? INT32_MAX : (int)ms;
}

int probing_tick(struct monitor *m)
{
	struct probing *p = &m->probing;

	if (m->ended)
		return -1;
	if (p->pidfd < 0 && p->due_ns && left_ms(p->due_ns) == 0)
		start(m);
	if (p->pidfd < 0)
		return p->due_ns ? left_ms(p->due_ns) : -1;
	if (p->told)
		return -1;
	if (left_ms(p->deadline_ns) == 0) {
		pidfd_kill(p->pidfd, SIGKILL);
		conclude(m, MONITOR_PROBED_NOT, m->start.health_first_ms);
		return -1;
	}
	return left_ms(p->deadline_ns);
}

void probing_end(struct monitor *m)
{
	struct probing *p = &m->probing;

	/* One that acts upon its answer goes on: it may be what starts the container again. */
	if (p->pidfd >= 0 && !p->told)
		pidfd_kill(p->pidfd, SIGKILL);
	p->pipe = fd_close(p->pipe);
	p->pidfd = fd_close(p->pidfd);
	tell(m, MONITOR_PROBED_NOT);
}
