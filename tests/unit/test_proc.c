/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/proc.h"
#include "base/str.h"
#include "base/timeutil.h"
#include "unit.h"

#define ARGS(...) ((char *const *)(const char *const[]){ __VA_ARGS__, NULL })
#define SH(script)                                                                                 \
	{                                                                                          \
		.path = "/bin/sh", .argv = ARGS("sh", "-c", script), .exec_fd = -EBADF,            \
		.cwd_fd = -EBADF                                                                   \
	}

/* Runs and checks the output and the exit code. */
static void runs(const struct proc_spawn *spec, const char *in, const char *out, int code)
{
	cleanup_buf struct buf input = BUF_INIT, output = BUF_INIT;
	struct err err = ERR_INIT;
	int r;

	if (in)
		buf_adds(&input, in);
	r = proc_run(spec, in ? &input : NULL, &output, 100000, 20000, &err);
	assert_ok(r);
	assert_string_equal(buf_str(&output), out);
	assert_int_equal(r, code);
}

static void test_run(void **state)
{
	runs(&(struct proc_spawn)SH("cat; exit 3"), "some\ninput", "some\ninput", 3);
	runs(&(struct proc_spawn)SH("kill -9 $$"), NULL, "", 137);
	runs(&(struct proc_spawn)SH("echo $A"), NULL, "\n", 0);
	struct proc_spawn env = SH("echo $A");
	env.envp = ARGS("A=value");
	runs(&env, NULL, "value\n", 0);
}

static void test_errors(void **state)
{
	struct proc_spawn spec = PROC_SPAWN_INIT;
	struct proc p = PROC_INIT;
	struct err err = ERR_INIT;

	spec.path = "/nonexistent/program";
	spec.argv = ARGS("x");
	assert_int_equal(proc_spawn(&spec, &p, &err), -ENOENT);
	assert_string_equal(err.msg, "executing /nonexistent/program: No such file or directory");
	assert_int_equal(p.pid, -1);
	spec.path = "/etc";
	assert_int_equal(proc_spawn(&spec, &p, &err), -EACCES);
	spec.path = "/bin/true";
	spec.cwd_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(proc_spawn(&spec, &p, &err), -ENOTDIR);
	assert_string_equal(err.msg, "entering its working directory /bin/true: Not a directory");
	fd_close(spec.cwd_fd);
	spec.cwd_fd = -EBADF;
	spec.fds = &(struct proc_fd){ .fd = 999, .target = 0 };
	spec.n_fds = 1;
	assert_int_equal(proc_spawn(&spec, &p, &err), -EBADF);
	/* all were reaped */
	assert_int_equal(proc_wait(&p, 0, &(int){ 0 }), -ESRCH);
}

/* A file whose content is its name. */
static int named(const char *text)
{
	int p[2];

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(io_write(p[1], text, strlen(text)), 0);
	fd_close(p[1]);
	return p[0];
}

/* Sources and targets exchange their numbers, one is in its place already, one is used twice. */
static void test_fds_collide(void **state)
{
	int a = fd_dup(named("A"), 20), b = fd_dup(named("B"), a + 1),
	    c = fd_dup(named("C"), b + 1);
	char script[200];
	struct proc_fd fds[] = { { a, b }, { b, a }, { c, c } };
	struct proc_spawn spec;

	snprintf(script, sizeof(script), "cat /dev/fd/%d /dev/fd/%d /dev/fd/%d", a, b, c);
	spec = (struct proc_spawn)SH(script);
	spec.fds = fds;
	spec.n_fds = ARRAY_SIZE(fds);
	runs(&spec, NULL, "BAC", 0);
	/* ours are as they were */
	assert_int_equal(fcntl(c, F_GETFD), FD_CLOEXEC);
	fds[1].target = fds[0].target;
	assert_int_equal(proc_spawn(&spec, &(struct proc){ 0 }, NULL), -EINVAL);
	fd_close(a);
	fd_close(b);
	fd_close(c);
}

/* The program and the directory lie where targets will be. */
static void test_by_fd(void **state)
{
	int exec = open("/bin/sh", O_PATH | O_CLOEXEC), cwd = open("/proc", O_PATH | O_CLOEXEC);
	int in = named("x");
	struct proc_fd fds[] = { { in, exec }, { in, cwd } };
	struct proc_spawn spec = PROC_SPAWN_INIT;

	spec.exec_fd = exec;
	spec.argv = ARGS("sh", "-c", "pwd");
	spec.cwd_fd = cwd;
	spec.fds = fds;
	spec.n_fds = ARRAY_SIZE(fds);
	runs(&spec, NULL, "/proc\n", 0);
	fd_close(exec);
	fd_close(cwd);
	fd_close(in);
}

static void test_no_leaks(void **state)
{
	struct proc_spawn spec = SH("for f in /proc/self/fd/*; do echo ${f##*/}; done");
	int leak = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	/* whoever runs the tests may leak some */
	assert_ok(fd_cloexec_from(3));
	assert_true(leak > 2);
	/* one that broke the rule is caught where the kernel can */
	if (syscall(SYS_close_range, ~0U, ~0U, 0) == 0)
		assert_int_equal(fd_set_cloexec(leak, false), 0);
	assert_ok(proc_run(&spec, NULL, &out, 1000, 20000, &err));
	/* 3 is the shell's own look at the directory */
	assert_true(str_eq(buf_str(&out), "0\n1\n2\n3\n") || str_eq(buf_str(&out), "0\n1\n2\n"));
	fd_close(leak);
	buf_done(&out);
}

static void on_usr1(int sig)
{
}

static void test_signals(void **state)
{
	struct proc_spawn spec = SH("grep SigBlk /proc/self/status; kill -PIPE $$");
	struct sigaction old_usr1, old_pipe, sa = { .sa_handler = on_usr1 };
	sigset_t block, old;

	sigaction(SIGUSR1, &sa, &old_usr1);
	sa.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &sa, &old_pipe);
	sigemptyset(&block);
	sigaddset(&block, SIGCHLD);
	sigprocmask(SIG_BLOCK, &block, &old);
	runs(&spec, NULL, "SigBlk:\t0000000000000000\n", 128 + SIGPIPE);
	/* the parent keeps its own */
	sigprocmask(SIG_SETMASK, &old, &block);
	assert_true(sigismember(&block, SIGCHLD));
	sigaction(SIGUSR1, &old_usr1, &sa);
	assert_ptr_equal(sa.sa_handler, on_usr1);
	sigaction(SIGPIPE, &old_pipe, NULL);
}

static void test_wait(void **state)
{
	struct proc_spawn spec = SH("exec sleep 30");
	struct proc p = PROC_INIT;
	struct err err = ERR_INIT;
	int status = -1;
	int64_t start = time_monotonic_ns();

	spec.new_session = true;
	spec.pdeath_signal = SIGKILL;
	assert_ok(proc_spawn(&spec, &p, &err));
	assert_int_equal(getsid(p.pid), p.pid);
	assert_int_equal(proc_wait(&p, 0, &status), -ETIME);
	assert_int_equal(proc_wait(&p, 30, &status), -ETIME);
	assert_true(time_monotonic_ns() - start >= INT64_C(30000000));
	kill(p.pid, SIGTERM);
	assert_int_equal(proc_wait(&p, 10000, &status), 0);
	assert_int_equal(proc_exit_code(status), 128 + SIGTERM);
	assert_int_equal(p.pidfd, -EBADF);
}

static void test_limits(void **state)
{
	struct proc_spawn chatty = SH("yes"), slow = SH("echo a; exec sleep 300");
	struct proc_spawn orphan = SH("sleep 300 2>&- & echo $!; exit 4");
	struct buf out = BUF_INIT;
	struct err err = ERR_INIT;
	int pid;

	assert_int_equal(proc_run(&chatty, NULL, &out, 10000, 20000, &err), -EFBIG);
	assert_true(out.len <= 10000);
	buf_reset(&out);
	/* where all takes its time, a shell may not have got to it */
	for (int ms = 50; out.len == 0 && ms < 20000; ms *= 2)
		assert_int_equal(proc_run(&slow, NULL, &out, 10000, ms, &err), -ETIME);
	assert_string_equal(buf_str(&out), "a\n");
	buf_reset(&out);
	/* what it left behind holds the pipe, and does not hold us */
	assert_int_equal(proc_run(&orphan, NULL, &out, 10000, 20000, &err), 4);
	out.data[strcspn(out.data, "\n")] = '\0';
	assert_ok(str_parse_int(buf_str(&out), &pid));
	assert_int_equal(kill(pid, SIGKILL), 0); /* it lived */
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_run),         cmocka_unit_test(test_errors),
		cmocka_unit_test(test_fds_collide), cmocka_unit_test(test_by_fd),
		cmocka_unit_test(test_no_leaks),    cmocka_unit_test(test_signals),
		cmocka_unit_test(test_wait),        cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
