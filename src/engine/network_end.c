/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/network_end.h"

#include <fcntl.h>
#include <stdlib.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
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
#include "net/names.h"

#define MEMBERS_LOCK "lock-members"
#define GROUP_DIGITS 15 /* of an id: what an off_t has */

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

static void names_gone(struct engine *eng, char *const *names)
{
	struct err err = ERR_INIT;
	int r = engine_net(eng, &err);

	for (; r == 0 && *names; names += 2)
		r = net_names_remove(eng->net_fd, names[0], names[1], &err);
	if (r < 0)
		log_warn("%s", err.msg);
}

void net_end_done(struct net_end *end)
{
	if (end->names)
		names_gone(end->eng, end->names);
	strv_free(take_ptr(end->names));
	end->firewall = fd_close(end->firewall);
	end->members = fd_close(end->members);
}

int net_members_lock(struct engine *eng, const char *group, struct err *err)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };
	cleanup_free char *digits = xstrndup(group ? group : "", GROUP_DIGITS);
	cleanup_fd int fd = -EBADF;
	int r = group ? engine_net(eng, err) : -EBADF;

	if (r < 0)
		return r;
	fd = openat(eng->net_fd, MEMBERS_LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	/* A byte for each, of a file that has none. */
	lock.l_start = (off_t)strtoull(digits, NULL, 16);
	if (fd < 0 || NO_EINTR(fcntl(fd, F_OFD_SETLKW, &lock)) < 0)
		return err_errno(err, errno, "locking the networks of %.12s", group);
	return take_fd(fd);
}

static int lock_members(struct engine *eng, const char *id, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	cleanup_free char *group = NULL;
	int r = db_query(eng->db, &stmt, err,
			 "SELECT coalesce(pod, (SELECT service FROM replicas WHERE container = ?1))"
			 " FROM containers WHERE id = ?1",
			 "s", id);

	if (r == 0)
		r = db_step(eng->db, stmt, err);
	if (r < 0)
		return r;
	group = r > 0 ? db_column_str(stmt, 0) : NULL;
	return net_members_lock(eng, group, err);
}

int net_end_begin(struct engine *eng, const char *id, struct net_end *ret, struct err *err)
{
	cleanup_net_end struct net_end end = NET_END_INIT;
	char *owners[2] = { NULL };
	struct err own = ERR_INIT;
	int r = engine_db(eng, err);

	net_pasta_end(eng, id);
	net_cni_end(eng, id);
	if (r == 0)
		end.members = lock_members(eng, id, &own);
	if (end.members < 0 && end.members != -EBADF)
		log_warn("%s", own.msg);
	if (r == 0 && service_leave(eng, id, &own) < 0)
		log_warn("%s", own.msg);
	if (r == 0)
		r = owners_of(eng, id, owners, err);
	for (int i = 0; i < r; i++)
		if (net_devices_return(eng, owners[i], NULL, &own) < 0)
			log_warn("%s", own.msg);
	/* The end is recorded all the same: `network reload` takes out what stays. */
	if (r > 0 && take_ports_out(eng, owners, r, &end.firewall, &own) < 0)
		log_warn("taking ports of container %.12s out of the firewall: %s", id, own.msg);
	for (int i = 0; i < r; i++)
		net_names_drop(eng, NULL, owners[i]);
	if (r == 1)
		net_names_leave(eng, id);
	free(owners[0]);
	free(owners[1]);
	if (r < 0)
		return r;
	*ret = end;
	end = (struct net_end)NET_END_INIT;
	return 0;
}

/* Also of a network that it was connected to a moment ago. */
static int note_names(struct engine *eng, const char *owner, struct net_end *end, struct err *err)
{
	cleanup_stmt sqlite3_stmt *stmt = NULL;
	int r = db_query(eng->db, &stmt, err, "SELECT network FROM endpoints WHERE owner = ?", "s",
			 owner);

	end->eng = eng;
	while (r >= 0 && (r = db_step(eng->db, stmt, err)) > 0) {
		strv_take(&end->names, db_column_str(stmt, 0));
		strv_add(&end->names, owner);
	}
	return r;
}

int net_end_rows(struct engine *eng, const char *id, struct net_end *end, struct err *err)
{
	char *owners[2] = { NULL };
	int n = owners_of(eng, id, owners, err), r = n;

	for (int i = 0; r >= 0 && i < n; i++) {
		r = note_names(eng, owners[i], end, err);
		if (r >= 0)
			r = leases_release(eng, owners[i], NULL, err);
		if (r >= 0)
			r = publish_release(eng, owners[i], err);
	}
	free(owners[0]);
	free(owners[1]);
	return r < 0 ? r : 0;
}
