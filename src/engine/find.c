/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/find.h"

#include <string.h>

#include "base/hex.h"
#include "base/str.h"

static int find_by(struct db *db, const struct find *f, const char *where, const char *a,
		   const char *b, void *ret, struct err *err)
{
	cleanup_free char *sql = xasprintf("%s%s", f->select, where);
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = db_query(db, &stmt, err, sql, b ? "ss" : "s", a, b);

	if (r < 0)
		return r;
	r = db_step(db, stmt, err);
	if (r <= 0)
		return r;
	f->from_row(stmt, ret);
	return 1 + (db_step(db, stmt, err) > 0);
}

int find_id(struct db *db, const struct find *f, const char *id, void *ret, struct err *err)
{
	return find_by(db, f, "id = ?", id, NULL, ret, err);
}

int find_word(struct db *db, const struct find *f, const char *word, void *ret, struct err *err)
{
	cleanup_free char *end = NULL;
	int r = strlen(word) == HEX_ID_LEN ? find_id(db, f, word, ret, err) : 0;

	if (r == 0)
		r = find_by(db, f, "name = ?", word, NULL, ret, err);
	if (r != 0 || !hex_is_id_prefix(word))
		return r;
	end = xasprintf("%sg", word); /* 'g' sorts behind every hexadecimal digit */
	return find_by(db, f, "id >= ? AND id < ?", word, end, ret, err);
}
