/* SPDX-License-Identifier: Apache-2.0 */
/* What update.c and update_recover.c share. */
#pragma once

#include "base/buf.h"
#include "engine/asked.h"
#include "engine/spec.h"
#include "engine/update.h"

#define UPDATE_CONFIG "config.json"
#define UPDATE_RECORD "update.record" /* there while the record may not be as config.json is */

/* Of a container that runs: a process is another one after its end. */
struct update_instance {
	pid_t pid; /* 0: none */
	uint64_t start;
};
/* Waits while it is being started. */
struct update_instance update_instance(struct engine *eng, const struct record *rec);

/* The directory of its container, opened and locked: one update at a time. fd, -EBUSY, or -errno;
 * -ENOENT: it is gone. */
int update_lock(struct engine *eng, const char *id, int timeout_ms);
/* What runs, or changes nothing: text is its new config.json, old the one that it goes back to. */
struct update_limits {
	struct spec_resources cgroup;
	bool has_cgroup;
	struct spec_rlimit *rlimits;
	size_t n_rlimits;
};
int update_apply(struct engine *eng, const char *id, const struct buf *text, const struct buf *old,
		 const struct update_limits *limits, struct err *err);
/* What goes into spec, too. *ret is zeroed before, and to be freed also after a failure. */
int update_cgroup_plan(const struct update_options *o, bool swap_limits, struct spec *spec,
		       struct update_limits *ret, struct err *err);
int update_rlimits_plan(const struct update_options *o, struct spec *spec,
			struct update_limits *ret, struct err *err);
/* Those that spec has otherwise than old. */
void update_rlimits_differ(const struct spec *old, const struct spec *spec,
			   struct update_limits *ret);
void update_limits_done(struct update_limits *limits);
/* Mounts that the options take away and add; those are at the end of the new configuration. */
struct update_mounts {
	struct spec_mount *removed;
	size_t n_removed, first_added;
	struct mount_request *added;
	size_t n_added;
	struct record_mount *recorded; /* with them; shallow */
	const char *bundle, *mapping;  /* while it is planned */
	char **overlays;               /* directories of those with MOUNT_O, in order */
};
void update_mounts_done(struct update_mounts *um);
/* Changes spec. mapping: the record's; bundle: the container's directory, by its name. *ret is
 * zeroed before, and to be freed also after a failure. */
int update_mounts_plan(struct engine *eng, const struct update_options *o, const char *mapping,
		       const char *bundle, struct spec *spec, struct update_mounts *ret,
		       struct err *err);
/* They are added to the options that are to be recorded. */
void update_volumes_plan(struct update_mounts *um, struct record_options *options);
/* Before anything is mounted volumes and directories of overlays are there, filled, recorded and in
 * use. All of it or nothing. spec: the new configuration. */
int update_volumes_begin(struct engine *eng, const struct record *rec, const struct spec *spec,
			 const struct update_mounts *um, const struct record_options *options,
			 struct err *err);
void update_volumes_revert(struct engine *eng, const struct record *rec,
			   const struct update_mounts *um);
/* Mounts that spec has not are no longer in the record, nor volumes in use by them. options: those
 * of the record as they are by now. */
int update_mounts_record(struct engine *eng, const struct record *rec,
			 const struct record_options *options, const struct spec *spec,
			 struct err *err);
/* In the container that runs: all of them or none. */
int update_mounts_apply(struct engine *eng, const char *id, const struct spec *spec,
			const struct update_mounts *um, struct err *err);
void update_mounts_revert(struct engine *eng, const char *id, const struct spec *spec,
			  const struct update_mounts *um);
/* The same where some may have been done before. */
int update_mounts_ensure(struct engine *eng, const char *id, const struct spec *spec,
			 const struct update_mounts *um, struct err *err);
/* The same for devices; those that are added are at the end, with a rule each where the container
 * has rules. */
struct update_devices {
	struct spec_device_pair *removed; /* access NULL: its rule stays */
	size_t n_removed, first_added;
};
void update_devices_done(struct update_devices *ud);
int update_devices_plan(const struct update_options *o, struct spec *spec,
			struct update_devices *ret, struct err *err);
int update_devices_apply(struct engine *eng, const char *id, const struct spec *spec,
			 const struct update_devices *ud, struct err *err);
void update_devices_revert(struct engine *eng, const char *id, const struct spec *spec,
			   const struct update_devices *ud);
/* The same where some may have been done before, as far as it can be. */
void update_devices_ensure(struct engine *eng, const char *id, const struct spec *spec,
			   const struct update_devices *ud);

/* With the lock, and rec read under it: published ports, of the record and of what runs. All or
 * nothing. */
int update_ports(struct engine *eng, const struct record *rec, const struct update_options *o,
		 struct err *err);

/* The same of --firewall and --egress. */
int update_policy(struct engine *eng, const struct record *rec, const struct update_options *o,
		  struct err *err);

/* With the lock: update_recover(). true: there was something, and the record may be another. */
bool update_finish(struct engine *eng, const struct record *rec, int dir, bool may_run);
/* Before the new configuration is there: what the record is to have. asked: NULL: it has none;
 * health: its check is another one. */
int update_record_begin(int dir, const struct record_options *options, const struct asked *asked,
			bool health, struct err *err);
/* What it is and what was asked for say the same to who reads both. Each may be NULL. */
int update_record_set(struct engine *eng, const char *id, const struct record_options *options,
		      const struct asked *asked, struct err *err);
/* The record's mounts become as config.json has them, which spec is, and that file goes. */
int update_record_end(struct engine *eng, const struct record *rec, int dir,
		      const struct spec *spec, struct err *err);
