/* SPDX-License-Identifier: Apache-2.0 */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "monitor/monitor.h"
#include "runtime/cgroup.h"
#include "sys/prctl.h"

#define SHOWN_FDS     (CLIENTS_MAX * 12)
#define EXEC_TRIES    100
#define EXEC_AGAIN_MS 100

void monitor_become_inro(const struct monitor *m, const char *const *argv)
{
	const struct timespec pause = { .tv_nsec = EXEC_AGAIN_MS * 1000000 };

	for (int i = 0; i < EXEC_TRIES; i++) {
		if (i)
			nanosleep(&pause, NULL);
		execv(m->start.inro_path, (char **)(uintptr_t)argv);
	}
}

/* An fd that stays open across exec, by number. */
static int hand_over(int fd, char text[16])
{
	snprintf(text, 16, "%d", fd);
	return fd_set_cloexec(fd, false);
}

/* Those that wait for the end: "5,7". */
static int hand_over_clients(const struct monitor *m, char text[SHOWN_FDS])
{
	size_t len = 0;
	int r = 0;

	text[0] = '\0';
	for (size_t k = 0; r == 0 && k < m->n_clients; k++) {
		r = fd_set_cloexec(m->clients[k].sock, false);
		len += (size_t)snprintf(text + len, SHOWN_FDS - len, "%s%d", k ? "," : "",
					m->clients[k].sock);
	}
	return r;
}

/* Nobody else records the end. Becomes inro in its clean-up role; the lock fd stays open across
 * exec, so nobody takes the container for a lost one meanwhile. */
static int become_cleanup(const struct monitor *m)
{
	char code[16], backoff[16], lock[16], control[16], clients[SHOWN_FDS];
	const char *argv[] = {
		"inro",           "--root",    m->start.root, "--runroot",
		m->start.runroot, "__cleanup", "--lock",      lock,
		"--control",      control,     "--clients",   clients,
		"--backoff",      backoff,     "--restart",   m->no_restart ? "no" : "yes",
		m->start.id,      code,        NULL
	};

	snprintf(code, sizeof(code), "%d", m->status);
	snprintf(backoff, sizeof(backoff), "%u", (unsigned int)m->start.backoff_ms);
	if (hand_over(m->fds[MONITOR_FD_LOCK], lock) < 0 ||
	    hand_over(m->fds[MONITOR_FD_CONTROL], control) < 0 || hand_over_clients(m, clients) < 0)
		return 1;
	monitor_become_inro(m, argv);
	log_error("running %s: %s", m->start.inro_path, strerror(errno));
	return 1;
}

static int monitor_run(struct monitor *m, struct err *err)
{
	int r;

	r = monitor_receive(m, err);
	if (r < 0)
		return r;
	if (m->start.options & MONITOR_OPT_DEBUG)
		log_setup("inro-monitor", STDERR_FILENO, LOG_PLAIN, LOG_DEBUG);
	r = monitor_create(m, err);
	if (r < 0)
		return 1; /* the client has been told why */
#ifdef __GLIBC__
	/* What creating took is not needed for the long wait; musl gives it back by itself. */
	malloc_trim(0);
#endif
	/* Readers come and go. Not before the container has its own signals. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* of the log */
	r = monitor_supervise(m, err);
	if (!m->ended || m->client_done)
		return r;
	return become_cleanup(m);
}

/* What inro's parent ignored or blocked (nohup) must not reach the container. */
static void signals_reset(void)
{
	sigset_t none;
	int i;

	for (i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int stranger(void)
{
	fprintf(stderr, "inro-monitor is started by inro\n");
	return 125;
}

int main(int argc, char **argv)
{
	static struct monitor m; /* with its buffers, which stay untouched when nothing is said */
	struct err err = ERR_INIT;
	int r;

	bool stay = false, netns = false;

	for (int i = 1; i < argc; i++) {
		stay |= str_eq(argv[i], MONITOR_STAY);
		netns |= str_eq(argv[i], MONITOR_NETNS);
	}
	if (argc != 1 + stay + netns)
		return stranger();
	m.sock = MONITOR_SOCKET_FD;
	m.io = (struct stdio)STDIO_INIT;
	m.container = (struct container){ .pid = -1, .pidfd = -EBADF };
	m.notify = -EBADF;
	m.probing = (struct probing){ .pipe = -EBADF, .pidfd = -EBADF };
	for (size_t i = 0; i < STREAMS; i++)
		m.streams[i].from = -EBADF;
	log_setup("inro-monitor", STDERR_FILENO, LOG_PLAIN, LOG_WARN);
	prctl_name("inro-monitor"); /* it may run from an fd, without a name */
	signals_reset();
	if (!stay)
		cgroup_monitors_join(); /* while the bundle is still being written */
	if (fd_set_cloexec(m.sock, true) < 0)
		return stranger();
	if (netns) {
		r = netns_make(NULL); /* where that fails, the container will say so */
		m.netns_fd = r < 0 ? 0 : r;
	}
	r = monitor_run(&m, &err);
	if (r < 0) {
		log_error("%s", err.msg);
		return err_exit_status(&err);
	}
	return r;
}
