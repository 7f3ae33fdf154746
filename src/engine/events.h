/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events: what has happened to containers, images and volumes, in docker's words. An event is a row
 * that is written in the same transaction as the change that it tells of: there is none without the
 * other. Each function here writes one row, in the transaction that is open, else in one of its
 * own. Old rows go as new ones come: EVENTS_MAX stay, for EVENTS_AGE_NS. Reading: events_read.h.
 *
 * Attributes are words: key, value, key, value ..., NULL; a NULL for none at all.
 */
#pragma once

#include "engine/record.h"

#define EVENTS_MAX    10000
#define EVENTS_AGE_NS (30 * 24 * 3600 * INT64_C(1000000000))

/* type: "container", "image", "volume", "network"; actor: the id, of a volume its name. */
int event_add(struct engine *eng, const char *type, const char *action, const char *actor,
	      const char *const *attributes, struct err *err);
/* Of a container that has a record: with its name, image and labels. Without one: nothing. */
int event_container(struct engine *eng, const char *id, const char *action,
		    const char *const *attributes, struct err *err);
/* A command that was executed in it has ended, then. */
int event_exec_die(struct engine *eng, const char *id, const char *exec_id, int status,
		   int64_t time_ns, struct err *err);
/* Of one that may be gone by now. */
int event_record(struct engine *eng, const struct record *rec, const char *action,
		 const char *const *attributes, struct err *err);
/* "die", after "oom" where it is due, if the record still says that it runs: to be called before
 * that is changed. */
int event_die(struct engine *eng, const char *id, const struct record_end *end, struct err *err);
/* actor: id, or for pull and push the reference; name: what the user called it; NULL: the actor. */
int event_image(struct engine *eng, const char *action, const char *actor, const char *name,
		struct err *err);
/* The same for what happened without a change in the database: that it can't be noted fails no
 * command. */
void event_note_container(struct engine *eng, const char *id, const char *action,
			  const char *const *attributes);
void event_note_image(struct engine *eng, const char *action, const char *actor, const char *name);
