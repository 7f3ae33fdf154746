/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container's cgroup as a transient scope of systemd: what its unit is called, which properties
 * it gets, and the calls of systemd's manager (org.freedesktop.systemd1(5)) over the system's or
 * the user's instance. runtime/cgroup.h is the interface to the rest of the runtime.
 */
#pragma once

#include "oci/spec.h"
#include "sys/dbus_conn.h"

/* --- systemd_name.c: pure --- */

struct unit_name {
	char *unit;  /* "docker-abc.scope" */
	char *slice; /* "machine-a.slice" */
	char *path;  /* below the manager's own cgroup:
			"/machine.slice/machine-a.slice/docker-abc.scope" */
};
/* linux.cgroupsPath "SLICE:PREFIX:NAME" as runc takes it: an empty slice is system.slice, or
 * user.slice for the user's instance; "-" the root slice. NULL or "": ":inro:ID". */
int unit_name_parse(const char *cgroups_path, const char *id, bool user, struct unit_name *ret,
		    struct err *err);
void unit_name_done(struct unit_name *n);

/* --- systemd_property.c, systemd_resources.c: pure --- */

struct unit_property {
	char *name;
	struct dbus_value value;
	bool optional; /* left out when this systemd does not know it */
};
struct unit_properties {
	struct unit_property *items;
	size_t n;
};
/* Takes value over. */
void unit_properties_add(struct unit_properties *p, const char *name, struct dbus_value value,
			 bool optional);
void unit_properties_drop(struct unit_properties *p, size_t i);
void unit_properties_done(struct unit_properties *p);

#define UNIT_PROPERTY_PREFIX "org.systemd.property."
/* The annotations org.systemd.property.NAME; values are GVariant text. NAMESec becomes NAMEUSec.
 * Refuses what decides where the container is and what is in its unit. */
int unit_properties_annotated(const struct json_map *annotations, struct unit_properties *ret,
			      struct err *err);
/* One value: true, 5, uint64 5, 1.5, 'text', ['a', 'b'], [('a', uint64 1)], @as [] ... */
int unit_property_parse(const char *text, struct dbus_value *ret, struct err *err);

/* What of the limits has a property, so that systemd does not undo them later. create: for a new
 * unit, false: for one that runs. */
int unit_properties_limits(const struct spec_resources *res, bool v2, bool create,
			   struct unit_properties *ret, struct err *err);
/* systemd keeps CPU quotas in whole percents: the value to write to cgroupfs, too. */
int64_t unit_quota_round(int64_t quota, uint64_t period);
/* "0-3,5" to a bit mask, least significant byte first ("ay"). 0 or -EINVAL. */
int unit_cpuset_mask(const char *text, struct dbus_value *ret);

/* --- systemd_bus.c --- */

struct systemd {
	struct dbus_conn conn;
	bool user; /* the user's instance answers */
};
#define SYSTEMD_INIT                                                                               \
	{                                                                                          \
		.conn = DBUS_CONN_INIT                                                             \
	}
/* user: the user's instance, and where there is none, but we are root of a user namespace, the
 * system's. Waits for no answer yet. */
int systemd_connect(bool user, struct systemd *ret, struct err *err);
void systemd_disconnect(struct systemd *s);

/* Starts the scope with this process in it and waits until that is done. What systemd does not know
 * of the optional properties is dropped from props. ERR_CONFLICT: the unit is there already.
 * -ECONNRESET: the connection broke; it may have been started. */
int systemd_start(struct systemd *s, const struct unit_name *name, struct unit_properties *props,
		  pid_t pid, struct err *err);
/* Stops it, waits, and forgets that it failed. A unit that is not there is fine. */
int systemd_stop(struct systemd *s, const char *unit, struct err *err);
/* That it failed. -ENOENT: no such unit. */
int systemd_forget(struct systemd *s, const char *unit, struct err *err);
int systemd_set(struct systemd *s, const char *unit, struct unit_properties *props,
		struct err *err);
/* Moves a process of ours into the unit: where the caller may not write to its cgroup.procs. */
int systemd_attach(struct systemd *s, const char *unit, pid_t pid, struct err *err);
