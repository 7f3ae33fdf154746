/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/network_end.h"

#include "base/fd.h"
#include "base/log.h"
#include "engine/db.h"
#include "engine/endpoints.h"
#include "engine/firewall.h"
#include "engine/leases.h"
#include "engine/network_cni.h"
#include "engine/network_devices.h"
#include "engine/network_names.h"
#include "engine/network_pasta.h"
#include "engine/network_start.h"
#include "engine/publish.h"
#include "engine/services.h"

/* Its own, and the pod's, or service's, if no other of that runs or is between two runs. */
static int owners_of(struct engine *eng, const char *id, char *ret[2], struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = db_query(eng->db, &stmt, err,
			 "SELECT pod FROM containers AS c WHERE id = ?1 AND pod IS NOT NULL"
			 " AND NOT EXISTS (SELECT 1 FROM containers AS o WHERE o.pod = c.pod"
			 " AND o.id <> ?1 AND o.status IN ('running', 'restarting'))"
			 " UNION ALL SELECT service FROM replicas AS r WHERE container = ?1"
			 " AND NOT EXISTS (SELECT 1 FROM replicas AS s JOIN containers AS o"
			 " ON o.id = s.container WHERE s.service = r.service AND o.id <> ?1"
			 " AND o.status IN ('running', 'restarting'))",
			 "s", id);

	if (r == 0)
		r = db_step(eng->db, stmt, err);
	if (r < 0)
		return r;
	ret[0] = xstrdup(id);
	ret[1] = r > 0 ? db_column_str(stmt, 0) : NULL;
	return ret[1] ? 2 : 1;
}

/* Under the lock, so that nobody who restores the firewall reads rows that are about to go. */
static int take_ports_out(struct engine *eng, char *const owners[2], int n, int *lock,
			  struct err *err)
{
	int r = 0;

	for (int i = 0; r >= 0 && i < n; i++) {
		cleanup_port_bindings struct port_bindings ports = { 0 };

		cleanup_service struct service service = { 0 };

		/* Nobody of a service is led to any more. */
		if (service_get(eng, owners[i], &service, err) == 0)
			continue;
		r = publish_load(eng, owners[i], &ports, err);
		if (r < 0 || !ports.n)
			continue;
		if (*lock < 0)
			r = *lock = engine_firewall_lock(eng, false, err);
		if (r >= 0)
			r = net_ports_change(eng, owners[i], &ports, true, err);
	}
	return r;
}

int net_end_begin(struct engine *eng, const char *id, struct err *err)
{
	char *owners[2] = { NULL };
	int r = engine_db(eng, err), lock = -EBADF;
	struct err own = ERR_INIT;

	net_pasta_end(eng, id);
	net_cni_end(eng, id);
	if (r == 0 && service_leave(eng, id, &own) < 0)
		log_warn("%s", own.msg);
	if (r == 0)
		r = owners_of(eng, id, owners, err);
	for (int i = 0; i < r; i++)
		if (net_devices_return(eng, owners[i], NULL, &own) < 0)
			log_warn("%s", own.msg);
	/* The end is recorded all the same: `network reload` takes out what stays. */
	if (r > 0 && take_ports_out(eng, owners, r, &lock, &own) < 0)
		log_warn("taking ports of container %.12s out of the firewall: %s", id, own.msg);
	for (int i = 0; i < r; i++)
		net_names_drop(eng, NULL, owners[i]);
	if (r == 1)
		net_names_leave(eng, id);
	free(owners[0]);
	free(owners[1]);
	return r < 0 ? r : lock;
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
