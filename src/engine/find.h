/* SPDX-License-Identifier: Apache-2.0 */
/* A row of the database by its name, its id, or the beginning of an id that no other one has. */
#pragma once

#include "engine/db.h"

struct find {
	const char *select; /* up to what it is found by: "SELECT id, name FROM pods WHERE " */
	void (*from_row)(sqlite3_stmt *stmt, void *ret);
};

/* Both: 1, *ret is the row; 0: there is none, *ret is not touched; 2: there are several, *ret is
 * one of them; or -errno. */
int find_id(struct db *db, const struct find *f, const char *id, void *ret, struct err *err);
/* A whole id is one, whatever names there are. */
int find_word(struct db *db, const struct find *f, const char *word, void *ret, struct err *err);
