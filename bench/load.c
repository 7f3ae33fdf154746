/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What runs in the containers that bench/engine.py measures.
 *
 *   load wait       sleeps, and ends on TERM as a well-behaved service does
 *   load lines N    N lines of 100 bytes to stdout, in blocks as stdio writes them to a pipe
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void on_term(int signo)
{
	(void)signo;
	_exit(0);
}

static int lines(unsigned long n)
{
	for (unsigned long i = 0; i < n; i++)
		printf("%09lu The quick brown fox jumps over the lazy dog, and the five boxing "
		       "wizards jump quickly on.\n",
		       i);
	return fflush(stdout) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "lines") == 0)
		return lines(strtoul(argv[2], NULL, 10));
	if (argc != 2 || strcmp(argv[1], "wait") != 0)
		return 2;
	signal(SIGTERM, on_term);
	for (;;)
		pause();
}
