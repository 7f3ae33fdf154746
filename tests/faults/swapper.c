/* SPDX-License-Identifier: Apache-2.0 */
/*
 * swapper [-j THREADS] [-m SOURCE TARGET]... [-M A B]... A B [A B...]
 * Exchanges the names of each pair, over and over, as fast as it can: a directory that was checked
 * is a symlink, a file, another directory or a device when it is used, and the other way round.
 * Each thread has its share of the pairs. -m: a thread that binds SOURCE over TARGET and takes it
 * away again, as somebody can whose mounts propagate here, or who shares the mount namespace; -M:
 * one that moves what is mounted on A to B, and back.
 *
 * Prints "ready" first; the number of exchanges so far for each line on stdin; at the end of stdin
 * it ends, with the last number, everything back in its place.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef RENAME_EXCHANGE
#define RENAME_EXCHANGE (1 << 1)
#endif
#define THREADS_MAX 16

static atomic_ulong count;
static atomic_bool stop, failed;

struct job {
	char **pairs;
	int first, step, n; /* pairs first, first + step ... below n */
	const char *source, *target;
	bool move;
};

static bool exchange(const char *a, const char *b)
{
	if (syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) == 0) {
		atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
		return true;
	}
	/* another thread has moved the directory that it is in, or a mount is on it */
	if (errno == ENOENT || errno == ENOTDIR || errno == EBUSY || errno == EXDEV)
		return false;
	perror(a);
	atomic_store(&failed, true);
	atomic_store(&stop, true);
	return false;
}

static void *swap_pairs(void *arg)
{
	const struct job *j = arg;
	bool swapped[256] = { false };

	while (!atomic_load_explicit(&stop, memory_order_relaxed))
		for (int i = j->first; i < j->n; i += j->step)
			if (exchange(j->pairs[2 * i], j->pairs[2 * i + 1]))
				swapped[i] = !swapped[i];
	/* innermost last: it was named by its first place */
	for (int round = 0; round < 1000; round++)
		for (int i = j->first; i < j->n; i += j->step)
			if (swapped[i] && exchange(j->pairs[2 * i], j->pairs[2 * i + 1]))
				swapped[i] = false;
	return NULL;
}

static bool counted(int r)
{
	if (r == 0)
		atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
	return r == 0;
}

static void *swap_mount(void *arg)
{
	const struct job *j = arg;

	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		counted(mount(j->source, j->target, NULL, MS_BIND, NULL));
		counted(umount2(j->target, MNT_DETACH));
	}
	while (umount2(j->target, MNT_DETACH) == 0)
		;
	return NULL;
}

static void *move_mount_away(void *arg)
{
	const struct job *j = arg;

	while (!atomic_load_explicit(&stop, memory_order_relaxed))
		if (counted(mount(j->source, j->target, NULL, MS_MOVE, NULL)))
			counted(mount(j->target, j->source, NULL, MS_MOVE, NULL));
	return NULL;
}

static void *exchange_mount(void *arg)
{
	const struct job *j = arg;

	return j->move ? move_mount_away(arg) : swap_mount(arg);
}

static int start(struct job *jobs, pthread_t *threads, int n, void *(*fn)(void *))
{
	for (int i = 0; i < n; i++)
		if (pthread_create(&threads[i], NULL, fn, &jobs[i]) != 0)
			return -1;
	return 0;
}

static void answer(void)
{
	char line[64];

	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		printf("%lu\n", atomic_load(&count));
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	struct job jobs[THREADS_MAX] = { 0 }, mounts[THREADS_MAX] = { 0 };
	pthread_t threads[2 * THREADS_MAX];
	int n_threads = 1, n_mounts = 0, i = 1;

	for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
		if (strcmp(argv[i], "-j") == 0) {
			n_threads = (int)strtol(argv[i + 1], NULL, 10);
		} else if (strcasecmp(argv[i], "-m") == 0 && i + 2 < argc &&
			   n_mounts < THREADS_MAX) {
			mounts[n_mounts++] = (struct job){ .source = argv[i + 1],
							   .target = argv[i + 2],
							   .move = argv[i][1] == 'M' };
			i++;
		}
	}
	argc -= i;
	argv += i;
	if (argc % 2 || argc > 512 || (argc == 0 && n_mounts == 0) || n_threads < 1 ||
	    n_threads > THREADS_MAX) {
		fprintf(stderr, "usage: swapper [-j THREADS] [-m SOURCE TARGET]... [-M A B]... "
				"A B [A B...]\n");
		return 2;
	}
	if (n_threads > argc / 2)
		n_threads = argc / 2;
	for (int t = 0; t < n_threads; t++)
		jobs[t] =
		    (struct job){ .pairs = argv, .first = t, .step = n_threads, .n = argc / 2 };
	if (start(jobs, threads, n_threads, swap_pairs) < 0 ||
	    start(mounts, threads + n_threads, n_mounts, exchange_mount) < 0)
		return 1;
	answer();
	atomic_store(&stop, true);
	for (int t = 0; t < n_threads + n_mounts; t++)
		pthread_join(threads[t], NULL);
	printf("%lu\n", atomic_load(&count));
	return atomic_load(&failed) ? 1 : 0;
}
