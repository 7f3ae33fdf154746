/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a container is alive, and the end of its life.
 *
 * A container is alive exactly while somebody holds the open-file-description lock on
 * <runroot>/containers/<id>/lock: the inro that starts it, then its monitor, then the clean-up
 * role, which waits for a restart. Removing it takes the lock, too. A record that says "running"
 * without a held lock belongs to a container whose monitor was killed or whose machine was
 * rebooted. life_repair() makes that true: it kills what is left of the container's processes
 * through the runtime's state, removes its cgroups and finishes the record.
 */
#pragma once

#include "engine/record.h"

/* Exit status of a container whose end nobody saw: docker's for a killed one. */
#define LIFE_EXIT_LOST 137

/* Makes the run directory with the lock file, locked. Returns its fd or -errno. */
int life_begin(struct engine *eng, const char *id, struct err *err);
/* The lock of a container that is there, running or not; made anew after a reboot. Waits up to
 * timeout_ms. fd, -EBUSY, or -errno. Whoever has it looks whether there still is a record: else
 * life_remove_dirs(). */
int life_acquire(struct engine *eng, const char *id, int timeout_ms);
bool life_alive(struct engine *eng, const char *id);
/* Takes the lock; waits up to timeout_ms. fd, -EBUSY when it is still held, -ENOENT when the run
 * directory is gone, or -errno. */
int life_lock(struct engine *eng, const char *id, int timeout_ms);
/* The lock file, to look at for longer: fd or -errno. Does somebody hold it? */
int life_watch(struct engine *eng, const char *id);
bool life_held(int fd);
/* If the record says running and nobody lives: finishes it (status from the lock file) or, with
 * auto_remove, removes it; so one whose removal somebody was killed in. rec is brought up to date.
 * 1: the record is gone; 0; or -errno. */
int life_repair(struct engine *eng, struct record *rec, struct err *err);
/* The same, but with the disk full, when its end can't be recorded, rec tells of it all the same,
 * and there is a warning: rm must be able to make room. */
int life_look(struct engine *eng, struct record *rec, struct err *err);
/* The container of that name or id, as it truly is. A slash before the name, as docker shows it, is
 * fine. ERR_NOT_FOUND. */
int life_find(struct engine *eng, const char *word, struct record *ret, struct err *err);
/* After ERR_EXISTS: is the name free now, as who had it was to be removed and is gone? */
bool life_name_is_free(struct engine *eng, const char *name);
/* All containers, newest first, as they truly are: each record repaired, and run directories that a
 * killed inro left before it had made a record removed. */
int life_list(struct engine *eng, struct record_list *ret, struct err *err);
/* The n newest of them, without a look at any other. *ret is zeroed before. */
int life_list_newest(struct engine *eng, int n, struct record_list *ret, struct err *err);
/* The exit record that the monitor wrote into the lock file. 0, or -ENOENT: none. */
int life_read_exit(struct engine *eng, const char *id, struct record_end *ret);
/* Removes the directory, the record, then the run directory with the lock. Idempotent. volumes: its
 * anonymous volumes, too. */
int life_remove(struct engine *eng, const char *id, bool volumes, struct err *err);
/* The directories alone: for a container that has no record. */
int life_remove_dirs(struct engine *eng, const char *id, struct err *err);
/* For whoever holds the lock: goes on with a removal; or kills what is left of a container whose
 * monitor is dead, finishes the record or removes it, also when a killed `run` has not made it
 * whole. 1: the record is gone; 0; or -errno. rec is brought up to date. */
int life_bury(struct engine *eng, struct record *rec, struct err *err);
/* The container has ended and its monitor's part is done: record it or remove it. */
int life_finish(struct engine *eng, const char *id, bool auto_remove, const struct record_end *end,
		struct err *err);
