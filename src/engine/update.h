/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `inro update`: what a container was created with is changed, whether it runs or not. Its
 * config.json is what the next start goes by, so that is what changes; what runs is changed first,
 * and when that can't be done nothing is. UPDATE_PENDING is the new config.json while that goes on:
 * a command that was killed has left it, and the next one that looks finishes what it says.
 */
#pragma once

#include "engine/asked.h"
#include "engine/record.h"
#include "oci/spec.h"

#define UPDATE_PENDING "update.json"

struct update_options {
	struct opt_u64 memory, memory_reservation, memory_swappiness;
	char *memory_swap; /* bytes or -1 */
	char *cpus;
	struct opt_u64 cpu_shares, cpu_period, cpu_rt_period, blkio_weight;
	struct opt_i64 cpu_quota, cpu_rt_runtime, pids_limit;
	char *cpuset_cpus, *cpuset_mems;
	char *restart;
	char **env, **unsetenv;
	char **mount_add, **mount_rm;     /* as --mount or -v; targets */
	char **device_add, **device_rm;   /* as --device; paths in the container */
	char **publish_add, **publish_rm; /* as -p; nothing else goes with them */
	char **firewall, **egress;        /* instead of all that there were; so, too */
	/* Of these: health checks, --ulimit, weights and rates of block devices. */
	struct run_options run;
};

/* Has the word the form of --mount, not that of -v? */
bool update_is_mount_word(const char *word);
/* The same changes in what the container was created with. env: with the values that are not said.
 * Pure. */
void update_asked(const struct update_options *opts, char *const *env, const char *cwd,
		  struct asked *inout);

int engine_update(struct engine *eng, const char *word, const struct update_options *opts,
		  struct err *err);

/* Whoever changes a container, and what is connected to it, while it runs: one at a time. Finds it
 * and returns its directory, which is locked as long as the fd is open. */
int update_begin(struct engine *eng, const char *word, struct record *ret, struct err *err);

/* Does no option of it say anything? Pure. */
bool engine_update_asks_nothing(const struct update_options *opts);

/* Before somebody tells what the container is like: finishes what a killed update has begun, and
 * reads the record again then. What can't be finished is taken back. Does nothing while somebody is
 * at it. */
void update_recover(struct engine *eng, struct record *rec);
/* The same before a start, which goes by config.json and the record, with the lock of its life. */
void update_recover_stopped(struct engine *eng, struct record *rec);
/* The same before it is started again, which is no stopped one to updates: they wait until the
 * caller has closed the fd, so that none falls between what is read and what is on record as
 * running. Negative: none can be kept away, as one is at it for long. */
int update_hold(struct engine *eng, struct record *rec);

/* The limits that the options ask for, as resources of their own; 0, 1: none, or -errno. Pure, like
 * the next. *ret: json_free(&spec_resources_desc). */
int update_resources(const struct update_options *opts, struct spec_resources *ret,
		     struct err *err);
/* Puts them into those that there are, and looks whether they go together. What that comes to for
 * memory and swap is added to delta. Rate or weight 0 of a device stays as what it is: no limit.
 * swap_limits: the machine has such. */
int update_merge(struct spec_resources *now, struct spec_resources *delta, bool swap_limits,
		 struct err *err);
