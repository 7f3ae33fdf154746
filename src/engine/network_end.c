/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/network_end.h"

#include "base/fd.h"
#include "base/log.h"
#include "engine/db.h"
#include "engine/endpoints.h"
#include "engine/leases.h"
#include "engine/publish.h"

/* Its own, and the pod's if no other member of that runs or is between two runs. */
static int owners_of(struct engine *eng, const char *id, char *ret[2], struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = db_query(eng->db, &stmt, err,
			 "SELECT pod FROM containers AS c WHERE id = ?1 AND pod IS NOT NULL"
			 " AND NOT EXISTS (SELECT 1 FROM containers AS o WHERE o.pod = c.pod"
			 " AND o.id <> ?1 AND o.status IN ('running', 'restarting'))",
			 "s", id);

	if (r == 0)
		r = db_step(eng->db, stmt, err);
	if (r < 0)
		return r;
	ret[0] = xstrdup(id);
	ret[1] = r > 0 ? db_column_str(stmt, 0) : NULL;
	return ret[1] ? 2 : 1;
}

int net_end_begin(struct engine *eng, const char *id, struct err *err)
{
	(void)eng;
	(void)id;
	(void)err;
	return -EBADF;
}

int net_end_rows(struct engine *eng, const char *id, struct err *err)
{
	char *owners[2] = { NULL };
	int n = owners_of(eng, id, owners, err), r = n;

	for (int i = 0; r >= 0 && i < n; i++) {
		r = leases_release(eng, owners[i], NULL, err);
		if (r >= 0)
			r = publish_release(eng, owners[i], err);
	}
	free(owners[0]);
	free(owners[1]);
	return r < 0 ? r : 0;
}
