/* SPDX-License-Identifier: Apache-2.0 */
/* Once after each start of the machine: is all there that the database names? Rows may have come to
 * the disk before a power cut, and what they name not. */
#include "base/buf.h"
#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/check.h"
#include "engine/db.h"
#include "engine/images.h"
#include "image/missing.h"
#include "image/sync.h"
#include "image/verify.h"
#include "oci/digest.h"
#include "oci/reference.h"

#define NAMED_MAX 3 /* images */

/* Somebody may have added it since the names were read. */
static bool is_missing(struct engine *eng, const struct store_names_all *names, const char *kind,
		       const char *digest)
{
	bool blob = str_eq(kind, "blob");
	cleanup_free char *problem = NULL;

	if (!digest_valid(digest))
		return true;
	if (store_names_have(names, blob, digest))
		return false;
	return (blob ? verify_blob : verify_layer)(&eng->store, digest, true, &problem, NULL) > 0;
}

static int incomplete_find(struct engine *eng, const struct store_names_all *names, char ***ret,
			   struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	cleanup_free char *last = NULL;
	int r = db_query(eng->db, &stmt, err,
			 "SELECT image, kind, digest FROM content ORDER BY image", "");

	while (r >= 0 && (r = db_step(eng->db, stmt, err)) > 0) {
		cleanup_free char *id = db_column_str(stmt, 0);
		cleanup_free char *kind = db_column_str(stmt, 1);
		cleanup_free char *digest = db_column_str(stmt, 2);

		if (str_eq(id, last) || !is_missing(eng, names, kind, digest))
			continue;
		strv_add(ret, id);
		free(last);
		last = take_ptr(id);
	}
	return r < 0 ? r : 0;
}

/* What users call it; NULL when it has been removed meanwhile. */
static char *name_of(struct engine *eng, const char *id)
{
	cleanup_image_row struct image_row row = { 0 };
	cleanup_reference struct reference ref = { 0 };

	if (images_find_whole(eng, id, &row, NULL) < 0)
		return NULL;
	if (row.names && reference_parse(row.names[0], &ref, NULL) == 0)
		return reference_familiar(&ref);
	return xasprintf("%.12s", digest_hex(id));
}

static void tell(struct engine *eng, char *const *ids)
{
	cleanup_buf struct buf text = BUF_INIT;
	size_t n = 0;

	for (size_t i = 0; ids && ids[i]; i++) {
		cleanup_free char *name = name_of(eng, ids[i]);

		if (name && ++n <= NAMED_MAX)
			buf_addf(&text, "%s%s", n > 1 ? ", " : "", name);
	}
	if (n > NAMED_MAX)
		buf_addf(&text, " and %zu more", n - NAMED_MAX);
	if (n > 0)
		log_warn("not known to be whole since the machine went down: %s; `inro pull` or "
			 "`inro load` gets an image again, `inro system check` looks closer, and "
			 "with --repair removes what is not whole",
			 buf_str(&text));
}

/* 1, or 0: there are none. */
static int have_images(struct engine *eng, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = db_query(eng->db, &stmt, err, "SELECT 1 FROM content LIMIT 1", "");

	return r < 0 ? r : db_step(eng->db, stmt, err);
}

void engine_check_boot(struct engine *eng)
{
	cleanup_store_names struct store_names_all names = { 0 };
	cleanup_strv char **ids = NULL;
	struct err err = ERR_INIT;

	if (!sync_boot_is_new(eng->root_fd))
		return;
	int r = have_images(eng, &err);
	if (r > 0) {
		r = engine_store(eng, &err);
		if (r == 0)
			r = store_names_read(&eng->store, &names, &err);
		if (r == 0)
			r = incomplete_find(eng, &names, &ids, &err);
		if (r == 0)
			tell(eng, ids);
	}
	if (r < 0)
		log_debug("looking at images after the start of the machine: %s", err.msg);
	else
		sync_boot_seen(eng->root_fd);
}
