/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Namespaces that a container shares with others (--pid container:NAME and its like). Which
 * container that is, is decided once, when it is created, and kept by id in the record. What it has
 * then, at each start, goes to the monitor as open files: whoever ends in between leaves no path
 * that means something else.
 */
#pragma once

#include "engine/record.h"
#include "engine/runopts.h"
#include "oci/spec.h"
#include "sys/idmap.h"

struct joins {
	const char *paths[NS_COUNT]; /* for config.json; NULL: none is joined */
	struct json_map ids;         /* namespace's name -> container's id */
	char *words[NS_COUNT];       /* owns paths */
	/* Of the container whose network is joined: its directory and host name. */
	char *etc_dir, *hostname;
	bool user; /* uids and gids are those of the user namespace that is joined */
	struct idmap uids, gids;
};
void joins_done(struct joins *j);

/* What the options say, with names resolved. */
int joins_find(struct engine *eng, const struct run_options *opts, struct joins *ret,
	       struct err *err);

struct join_fd {
	int type; /* enum spec_ns, or MONITOR_JOIN_SHM */
	int fd;
};
/* The namespaces as they are now, and with the one of IPC what is mounted at /dev/shm: up to
 * NS_COUNT, which the caller closes. ERR_CONFLICT: a container does not run. Returns how many, or
 * -errno. */
int joins_open(struct engine *eng, const struct json_map *ids, struct join_fd ret[NS_COUNT],
	       struct err *err);
/* One of them. -ESRCH, without a message: it does not run. */
int joins_open_one(struct engine *eng, const struct record *rec, const char *name, struct err *err);
/* Its first process, as a pidfd: as above. */
int joins_open_process(struct engine *eng, const struct record *rec, struct err *err);
/* What it has mounted at /dev/shm: as above. */
int joins_open_shm(struct engine *eng, const struct record *rec, struct err *err);
/* Waits while it is being made. 0: it runs; -ESRCH. */
int joins_settled(struct engine *eng, const struct record *rec);
