/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Times commands against each other in one run: A B C A B C ... so that the machine's moods hit all
 * alike.
 *
 *   interleave ROUNDS NAME CMD ARG... ::: NAME CMD ARG... [::: ...]
 *
 * "{}" inside an argument becomes a number that is new for each execution (container ids). Output
 * goes to /dev/null. One line a command on stdout: NAME, rounds, min, median, 90th percentile
 * (microseconds), peak resident memory (KiB, the largest of the command and what it waited for),
 * failures; tab-separated.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#define COMMANDS_MAX 16
#define ARGS_MAX     128

extern char **environ;

struct command {
	const char *name;
	char *argv[ARGS_MAX + 1];
	int argc;
	int64_t *ns;
	long peak_kib;
	int failures;
};

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static char *expand(const char *arg, unsigned int n)
{
	const char *mark = strstr(arg, "{}");
	char *out;

	if (!mark)
		return strdup(arg);
	if (asprintf(&out, "%.*s%u%s", (int)(mark - arg), arg, n, mark + 2) < 0)
		abort();
	return out;
}

static void run_once(struct command *c, int round, unsigned int n, posix_spawn_file_actions_t *fa)
{
	char *argv[ARGS_MAX + 1] = { NULL };
	struct rusage usage;
	int64_t start;
	int status = -1;
	pid_t pid;

	for (int i = 0; i < c->argc; i++)
		argv[i] = expand(c->argv[i], n);
	start = now_ns();
	if (posix_spawnp(&pid, argv[0], fa, NULL, argv, environ) != 0 ||
	    wait4(pid, &status, 0, &usage) < 0 || status != 0)
		c->failures++;
	else if (usage.ru_maxrss > c->peak_kib)
		c->peak_kib = usage.ru_maxrss;
	c->ns[round] = now_ns() - start;
	for (int i = 0; i < c->argc; i++)
		free(argv[i]);
}

static int compare_ns(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int parse_commands(char **argv, struct command *commands)
{
	int n = 0;

	while (*argv && n < COMMANDS_MAX) {
		struct command *c = &commands[n++];

		c->name = *argv++;
		while (*argv && strcmp(*argv, ":::") != 0 && c->argc < ARGS_MAX)
			c->argv[c->argc++] = *argv++;
		if (!c->argc)
			return -1;
		if (*argv)
			argv++;
	}
	return *argv ? -1 : n;
}

int main(int argc, char **argv)
{
	static struct command commands[COMMANDS_MAX];
	posix_spawn_file_actions_t fa;
	unsigned int serial = 0;
	int rounds = argc > 3 ? (int)strtol(argv[1], NULL, 10) : 0;
	int n = argc > 3 ? parse_commands(argv + 2, commands) : -1;

	if (rounds <= 0 || n <= 0) {
		fputs("usage: interleave ROUNDS NAME CMD ARG... [::: NAME CMD ARG...]\n", stderr);
		return 2;
	}
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&fa, 1, "/dev/null", O_WRONLY, 0);
	if (!getenv("INTERLEAVE_STDERR"))
		posix_spawn_file_actions_addopen(&fa, 2, "/dev/null", O_WRONLY, 0);
	for (int i = 0; i < n; i++)
		commands[i].ns = calloc((size_t)rounds, sizeof(int64_t));
	for (int r = 0; r < rounds; r++)
		for (int i = 0; i < n; i++)
			run_once(&commands[(r + i) % n], r, serial++, &fa);
	for (int i = 0; i < n; i++) {
		struct command *c = &commands[i];

		qsort(c->ns, (size_t)rounds, sizeof(int64_t), compare_ns);
		printf("%s\t%d\t%.1f\t%.1f\t%.1f\t%ld\t%d\n", c->name, rounds,
		       (double)c->ns[0] / 1e3, (double)c->ns[rounds / 2] / 1e3,
		       (double)c->ns[rounds * 9 / 10] / 1e3, c->peak_kib, c->failures);
	}
	return 0;
}
