/* SPDX-License-Identifier: Apache-2.0 */
/* Whose namespaces a probe from inside enters. */
#include "unit.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/io.h"
#include "monitor/probe.h"
#include "sys/pidfd.h"

/* A port that nobody listens on. */
static int refuse(char target[16])
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(sa);
	int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_return_code(bind(sock, (struct sockaddr *)&sa, len), errno);
	assert_return_code(getsockname(sock, (struct sockaddr *)&sa, &len), errno);
	snprintf(target, 16, "127.0.0.1:%u", ntohs(sa.sin_port));
	return sock;
}

static void says(const struct container *c, char *target, const char *want)
{
	static char kind[] = "TCP";
	char *const test[] = { kind, target, NULL };
	cleanup_buf struct buf out = BUF_INIT;
	int p[2], status;
	pid_t pid;

	assert_return_code(pipe2(p, O_CLOEXEC), errno);
	pid = fork();
	if (pid == 0)
		probe_inside_main(c, test, p[1]);
	fd_close(p[1]);
	assert_int_equal(io_read_all(p[0], &out, 4096), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	fd_close(p[0]);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	if (!strstr(buf_str(&out), want))
		fail_msg("%s", buf_str(&out));
}

/* The number is another process's by now: nobody looks into that one. */
static void test_pid_of_another(void **state)
{
	pid_t ended = fork(), other;
	struct container c;
	char target[16];
	int sock;

	if (ended == 0)
		_exit(0);
	c = (struct container){ .pidfd = pidfd_of(ended) };
	assert_int_equal(waitpid(ended, NULL, 0), ended);
	other = fork();
	if (other == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	c.pid = other;
	sock = refuse(target);
	says(&c, target, "looking at the container's first process: No such process");
	fd_close(c.pidfd);
	c.pidfd = pidfd_of(other);
	says(&c, target, "Connection refused");
	kill(other, SIGKILL);
	assert_int_equal(waitpid(other, NULL, 0), other);
	says(&c, target, "No such process");
	fd_close(c.pidfd);
	fd_close(sock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pid_of_another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
