/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `inro system check`: is what the database says on the disk, and is what is on the disk what it
 * should be? Other commands go on meanwhile: nothing is collected, images can be added.
 */
#pragma once

#include "base/json.h"
#include "engine/engine.h"

struct check_options {
	bool quick;  /* nothing is read through: presence and descriptions alone */
	bool repair; /* makes good what can be, removes leftovers, and images that are damaged and
			no container needs */
	bool force;  /* with repair: containers of damaged images, and damaged containers, too */
	int64_t max_ns; /* downloads that are older are leftovers */
	bool readonly;  /* the file system is: for engine_check() to find out */
};

struct check_item {
	char *id;
	char **names;
	char **problems;
	bool removed;
	bool certain; /* it is, or was, damaged: not just that it could not be looked at */
	bool damaged; /* and can't be made good */
	bool kept;    /* and is to be made good another time */
};
struct check_leftover {
	char *path, *why;
	uint64_t size;
	bool removed;
};
struct check_report {
	char **database; /* what is wrong in there */
	char **networks; /* what is wrong of theirs in the kernel and the run directory */
	char **skipped;  /* what a read-only file system leaves unchecked */
	JSON_LIST(struct check_item) images;
	JSON_LIST(struct check_item) containers;
	JSON_LIST(struct check_leftover) leftovers;
	uint64_t checked_images, checked_blobs, checked_layers, checked_containers;
	bool damaged; /* something is, whether or not it was removed or made good, or may be,
			 also for what was skipped */
	bool certain; /* something is: not just that it could not be looked at */
	bool stopped; /* the database is broken: nothing else was looked at */
	bool keep;    /* nothing must be collected: the database does not tell all */
	int64_t start_ns;
};
extern const struct json_desc check_report_desc;

/* Once after each start of the machine, by the command that opens the database first: warns of
 * images that are not whole. Never fails a command. */
void engine_check_boot(struct engine *eng);
int engine_check(struct engine *eng, const struct check_options *opts, struct check_report *ret,
		 struct err *err);
void check_report_done(struct check_report *report);
#define cleanup_check_report CLEANUP(check_report_done)
