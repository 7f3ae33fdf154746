/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SQLite database <root>/inro.db: which images, names and containers exist. WAL journal,
 * synchronous=NORMAL: a commit survives the death of any process; after a power cut the last
 * commits may be missing but the database is whole, and the lock files tell which containers live.
 * Schema changes are steps counted in user_version; a newer database is refused.
 */
#pragma once

#include <sqlite3.h>

#include "base/err.h"

struct db {
	sqlite3 *handle;
	char *path;
	char *marks; /* the directory of what is not on the disk yet */
};

int db_open(const char *path, struct db **ret, struct err *err);
void db_close(struct db *db); /* NULL is fine */

/* A write transaction; waits for other writers up to the busy timeout. */
int db_begin(struct db *db, struct err *err);
int db_commit(struct db *db, struct err *err);
void db_rollback(struct db *db);
/* Ends the transaction of what has come to r: commits when that is 0, else undoes it. Returns r, or
 * what the commit has come to. */
int db_end(struct db *db, int r, struct err *err);
/* What was committed is on the disk afterwards: to be called before files go that it no longer
 * names, and for names that users gave or took. */
int db_sync(struct db *db, struct err *err);

/* What is deleted or replaced from now on is overwritten; and, once that was committed, is taken
 * out of the log and the disk's copy of the database, too, as with db_sync(). Somebody who reads
 * for longer than the busy timeout leaves it in the log until a later checkpoint. */
int db_wipe_begin(struct db *db, struct err *err);
int db_wipe_end(struct db *db, struct err *err);

/* A prepared statement with its parameters. types: one letter for each: s string (NULL: null),
 * i int, I int64_t. */
int db_query(struct db *db, sqlite3_stmt **ret, struct err *err, const char *sql, const char *types,
	     ...);
/* The next row: 1, 0 at the end, or -errno. */
int db_step(struct db *db, sqlite3_stmt *stmt, struct err *err);
/* All rows, behind those that a list has: ret_items is the address of the list's pointer, size that
 * of one, which is zeroed before. When it fails, the list has those that were read. */
int db_rows(struct db *db, sqlite3_stmt *stmt, void (*from_row)(sqlite3_stmt *stmt, void *ret),
	    size_t size, void *ret_items, size_t *ret_n, struct err *err);
/* db_query, one step, finalize: for statements that give no rows. Returns the rows changed. */
int db_exec(struct db *db, struct err *err, const char *sql, const char *types, ...);

/* Column values. The string is a copy, NULL for null. */
char *db_column_str(sqlite3_stmt *stmt, int column);
int64_t db_column_i64(sqlite3_stmt *stmt, int column);

static inline void db_stmt_cleanup_(sqlite3_stmt **stmt)
{
	sqlite3_finalize(*stmt);
}
#define cleanup_stmt CLEANUP(db_stmt_cleanup_)

/* Was the error of the last statement a broken UNIQUE or PRIMARY KEY? */
bool db_is_unique_error(const struct db *db);
