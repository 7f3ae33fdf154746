/* SPDX-License-Identifier: Apache-2.0 */
/* Of `system check`: rows of networks that nobody needs any more. Triggers and the end of each
 * container see to these: who finds one has found a mistake of ours, or somebody's own hand. */
#include "base/strv.h"
#include "engine/check_internal.h"
#include "engine/db.h"
#include "engine/leases.h"

#define OWNERS                                                                                     \
	"SELECT id FROM containers UNION ALL SELECT id FROM pods UNION ALL SELECT id FROM "        \
	"services"
#define LIVING                                                                                     \
	"SELECT id FROM containers WHERE status IN ('running', 'restarting') UNION ALL"            \
	" SELECT pod FROM containers WHERE pod IS NOT NULL AND"                                    \
	" status IN ('running', 'restarting') UNION ALL"                                           \
	" SELECT service FROM replicas JOIN containers ON id = container WHERE"                    \
	" status IN ('running', 'restarting')"
#define LEASES_LEFT    "released_ns = 0 AND owner <> '" LEASE_NOBODY "' AND owner NOT IN (" LIVING ")"
#define ENDPOINTS_LEFT "owner NOT IN (" OWNERS ")"
/* What is no network of ours has a ":" in its place. */
#define ENDPOINTS_NOWHERE "instr(network, ':') = 0 AND network NOT IN (SELECT id FROM networks)"
#define LEASES_NOWHERE    "network NOT IN (SELECT id FROM networks)"
#define PORTS_LEFT        "owner NOT IN (" LIVING ")"

static const struct {
	const char *count, *text, *repair;
} rules[] = {
	{ "SELECT count(*) FROM leases WHERE " LEASES_NOWHERE,
	  "addresses are of networks that are gone", "DELETE FROM leases WHERE " LEASES_NOWHERE },
	{ "SELECT count(*) FROM leases WHERE " LEASES_LEFT,
	  "addresses of networks belong to containers that do not run",
	  "UPDATE leases SET released_ns = 1 WHERE " LEASES_LEFT },
	{ "SELECT count(*) FROM endpoints WHERE " ENDPOINTS_LEFT,
	  "endpoints of networks belong to containers that are gone",
	  "DELETE FROM endpoints WHERE " ENDPOINTS_LEFT },
	{ "SELECT count(*) FROM endpoints WHERE " ENDPOINTS_NOWHERE,
	  "endpoints are of networks that are gone", NULL },
	{ "SELECT count(*) FROM ports WHERE " PORTS_LEFT,
	  "published ports belong to containers that do not run",
	  "DELETE FROM ports WHERE " PORTS_LEFT },
};

static int check_rule(struct engine *eng, size_t i, bool repair, struct check_report *report,
		      struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int64_t n;
	int r = db_query(eng->db, &stmt, err, rules[i].count, "");

	if (r == 0)
		r = db_step(eng->db, stmt, err);
	if (r < 0)
		return r;
	n = r > 0 ? db_column_i64(stmt, 0) : 0;
	if (n == 0)
		return 0;
	repair = repair && rules[i].repair;
	r = repair ? db_exec(eng->db, err, rules[i].repair, "") : 0;
	if (r < 0)
		return r;
	strv_addf(&report->database, "%lld %s%s", (long long)n, rules[i].text,
		  repair ? "; no more" : "");
	report->damaged = report->certain = true;
	return 0;
}

/* In one transaction: a start writes a record and its leases in one, too. */
int check_networks(struct engine *eng, const struct check_options *opts,
		   struct check_report *report, struct err *err)
{
	int r = opts->readonly ? 0 : db_begin(eng->db, err);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(rules); i++)
		r = check_rule(eng, i, opts->repair, report, err);
	return opts->readonly ? r : db_end(eng->db, r, err);
}
