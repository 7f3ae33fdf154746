/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inro-init: pid 1 of a container started with --init. It runs the command as its child, in the
 * foreground of the terminal when there is one, forwards every signal to it, reaps whatever is
 * orphaned in the pid namespace, and ends as the command ended. It runs inside the container, so it
 * is alone: no file, no library of ours.
 *
 * With --pause it runs nothing: it is pid 1 of a pod whose containers share the pid namespace, and
 * ends by a SIGTERM or SIGINT from outside of that.
 *
 * usage: inro-init -- COMMAND [ARG...]
 *        inro-init --pause
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int fail(const char *what, const char *object, int status)
{
	fprintf(stderr, "inro-init: %s %s: %s\n", what, object, strerror(errno));
	return status;
}

static int child(char **argv, const sigset_t *mask)
{
	/* SIGTTOU is still blocked: a background process may take the terminal. */
	setpgid(0, 0);
	tcsetpgrp(STDIN_FILENO, getpid());
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(argv[0], argv);
	return fail("executing", argv[0], errno == ENOENT ? 127 : 126);
}

/* Reaps all that have ended. 1 when the command is among them. */
static int reap(pid_t command, int *status)
{
	int ended = 0, s;
	pid_t pid;

	while ((pid = waitpid(-1, &s, WNOHANG)) > 0) {
		if (pid == command) {
			*status = WIFSIGNALED(s) ? 128 + WTERMSIG(s) : WEXITSTATUS(s);
			ended = 1;
		}
	}
	return ended;
}

/* What comes from a process of another pid namespace comes from pid 0; so says of itself who likes
 * to by rt_sigqueueinfo(2), but SI_USER is the kernel's to say. Root of the containers may not
 * trace it either. */
static int pause_for_pod(const sigset_t *all)
{
	siginfo_t info;
	int status;

	prctl(PR_SET_DUMPABLE, 0);
	for (;;) {
		int signo = sigwaitinfo(all, &info);

		if (signo == SIGCHLD)
			reap(-1, &status);
		else if ((signo == SIGTERM || signo == SIGINT) && info.si_code == SI_USER &&
			 info.si_pid == 0)
			return 0;
	}
}

int main(int argc, char **argv)
{
	sigset_t all, old;
	int status = 0, signo;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	if (argc == 2 && strcmp(argv[1], "--pause") == 0)
		return pause_for_pod(&all);
	if (argc < 3 || strcmp(argv[1], "--") != 0) {
		fprintf(stderr, "usage: inro-init -- COMMAND [ARG...] | --pause\n");
		return 125;
	}
	pid = fork();
	if (pid < 0)
		return fail("starting", argv[2], 125);
	if (pid == 0)
		_exit(child(argv + 2, &old));
	for (;;) {
		signo = sigwaitinfo(&all, NULL);
		if (signo == SIGCHLD) {
			if (reap(pid, &status))
				return status;
		} else if (signo > 0) {
			kill(pid, signo);
		}
	}
}
