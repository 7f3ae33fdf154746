/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of a container's end besides its status, for people to look at: in its run
 * directory, written by the monitor when the status is not 0 or output was lost, by the engine when
 * a start has failed or another one is to come. It goes with the next start, and with a reboot.
 */
#pragma once

#include "base/json.h"
#include "runtime/cgroup_oom.h"

#define ENDING_FILE "ended.json"
#define ENDING_MAX  (64u << 10)

struct ending_note {
	char *error;                 /* why it could not be started; NULL: it could */
	struct cgroup_memory memory; /* at the end */
	int64_t next_start_ns;       /* realtime; 0: none is planned */
	/* Of its output, that no log has, nor a notice of them: there was no room to the end. */
	uint64_t lost_lines, lost_bytes;
};

/* name: in dirfd, a path of ours. */
int ending_write(int dirfd, const char *name, const struct ending_note *note);
/* -ENOENT: there is none. *ret is zeroed before. */
int ending_read(int dirfd, const char *name, struct ending_note *ret);
void ending_done(struct ending_note *note);
#define cleanup_ending CLEANUP(ending_done)
