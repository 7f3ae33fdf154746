/* SPDX-License-Identifier: Apache-2.0 */
/*
 * podman's words for columns of `top` (podman-top(1)), from /proc of this machine alone: what a
 * process is in its container (pid, user, group) and here (hpid, huser, hgroup), its capabilities,
 * its seccomp mode, its label. Names of the container's users are from its own passwd and group.
 */
#pragma once

#include "engine/top.h"
#include "runtime/pids.h"

/* Are all of these, of which each may be several with commas between, such words? */
bool top_are_words(char *const *words);
/* first: the container's first process. Those that have ended meanwhile are left out. */
int top_by_words(const struct pids *pids, pid_t first, char *const *words, struct top *ret,
		 struct err *err);

/* What is not text of /proc/PID/stat. */
struct top_stat {
	char state;
	int tty;
	long nice;
	uint64_t cpu_ticks, start_ticks, vsize, rss_pages;
};
/* These are pure. 0 or -EINVAL. */
int top_stat_parse(const char *text, struct top_stat *ret);
/* The value of a line "NAME:\tVALUE" of /proc/PID/status; the caller frees. NULL: none. */
char *top_status_value(const char *text, const char *name);
/* Of a line of passwd or group with this number; the caller frees. NULL: none. */
char *top_id_name(const char *text, uint32_t id);
