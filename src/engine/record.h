/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Container records: the rows of the database's containers table. A record says "running" from its
 * reservation on; whether that is still true is told by the lock file (life.h), which is taken
 * before the record appears.
 */
#pragma once

#include "engine/engine.h"

struct record {
	char *id, *name;
	char *image;      /* image id "sha256:...", or "host" */
	char *image_name; /* as the user wrote it */
	char *command;    /* joined, for ps */
	int64_t created_ns, finished_ns;
	bool running; /* else: exited */
	int exit_code;
	bool auto_remove;
	bool paused; /* not in the table: told by containers_query() */
	struct json_map labels;
};
void record_done(struct record *rec);
/* docker's word: "running", "paused", "exited". */
const char *record_state(const struct record *rec);
#define cleanup_record CLEANUP(record_done)

struct record_list {
	struct record *items;
	size_t n;
};
void record_list_done(struct record_list *list);
#define cleanup_record_list CLEANUP(record_list_done)

/* Reserves id and name in one transaction. rec->name NULL: a random one is chosen and stored there.
 * ERR_EXISTS: the name is in use; the message is docker's. */
int record_insert(struct engine *eng, struct record *rec, struct err *err);
/* By name, id or unambiguous beginning of an id. ERR_NOT_FOUND "No such container: ...". */
int record_find(struct engine *eng, const char *word, struct record *ret, struct err *err);
/* All, newest first; image NULL: any, else only the containers of this image id. */
int record_list(struct engine *eng, const char *image, struct record_list *ret, struct err *err);
/* ERR_EXISTS as above; ERR_NOT_FOUND: it was removed meanwhile. */
int record_rename(struct engine *eng, const struct record *rec, const char *name, struct err *err);
/* A record that was removed meanwhile is no error. */
int record_finish(struct engine *eng, const char *id, int exit_code, int64_t finished_ns,
		  struct err *err);
int record_delete(struct engine *eng, const char *id, struct err *err);
