/* SPDX-License-Identifier: Apache-2.0 */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>

#include "base/fd.h"
#include "base/log.h"
#include "monitor/monitor.h"
#include "sys/prctl.h"

/* The client died before it recorded the end. Becomes inro in its clean-up role; the lock fd stays
 * open across exec, so nobody takes the container for a lost one meanwhile. */
static int become_cleanup(const struct monitor *m, int status)
{
	char code[16];
	const char *argv[] = {
		"inro",      "--root",    m->start.root, "--runroot", m->start.runroot,
		"__cleanup", m->start.id, code,          NULL
	};

	snprintf(code, sizeof(code), "%d", status);
	if (fd_set_cloexec(m->fds[MONITOR_FD_LOCK], false) < 0)
		return 1;
	execv(m->start.inro_path, (char **)argv);
	log_error("running %s: %s", m->start.inro_path, strerror(errno));
	return 1;
}

static int monitor_run(struct monitor *m, struct err *err)
{
	int r, status;

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
	status = monitor_supervise(m, err);
	if (status < 0)
		return status;
	r = monitor_finish(m, status, err);
	if (!m->client_done)
		return become_cleanup(m, status);
	return r < 0 ? r : 0;
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

int main(int argc, char **argv)
{
	struct monitor m = {
		.sock = MONITOR_SOCKET_FD,
		.io = STDIO_INIT,
		.container = { .pid = -1, .pidfd = -EBADF },
	};
	struct err err = ERR_INIT;
	int r;

	if (argc != 1) {
		fprintf(stderr, "inro-monitor is started by inro\n");
		return 125;
	}
	log_setup("inro-monitor", STDERR_FILENO, LOG_PLAIN, LOG_WARN);
	prctl_name("inro-monitor"); /* it may run from an fd, without a name */
	signals_reset();
	if (fd_set_cloexec(m.sock, true) < 0) {
		fprintf(stderr, "inro-monitor is started by inro\n");
		return 125;
	}
	r = monitor_run(&m, &err);
	if (r < 0) {
		log_error("%s", err.msg);
		return err_exit_status(&err);
	}
	return r;
}
