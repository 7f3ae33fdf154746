/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.intelRdt (runtime-spec config-linux.md, "IntelRdt"): cache and memory bandwidth by groups
 * of the resctrl filesystem, as the host has it mounted. Paths are the host's own and absolute.
 */
#pragma once

#include "oci/spec.h"

struct rdt {
	char *group;               /* of closID or of the container's id; NULL: no intelRdt */
	char *mon;                 /* monitoring group below it, NULL: none */
	bool ours;                 /* the group goes away with the container */
	bool group_made, mon_made; /* by rdt_make(), in this process */
};

/* Where resctrl is mounted according to mountinfo: heap, or NULL. Pure. */
char *rdt_find(const char *mountinfo, size_t len);
/* Whether each value of the wanted lines is what the text of a schemata file has. Numbers are
 * compared, not their writing. Pure. */
bool rdt_schema_matches(const char *schemata, const char *wanted);

/* What there will be, and whether it can. root NULL: where resctrl is mounted. Makes nothing.
 * rdt_done() in any case. */
int rdt_plan(const struct spec_intel_rdt *spec, const char *id, const char *root, struct rdt *ret,
	     struct err *err);
/* Makes the groups that are not there. */
int rdt_make(struct rdt *rdt, struct err *err);
/* Checks a group that existed against the configuration, writes the schemata. */
int rdt_configure(const struct rdt *rdt, const struct spec_intel_rdt *spec, struct err *err);
/* New schemata for a group that is there. *ret_old: what rdt_restore() takes; the caller frees. */
int rdt_update(const struct rdt *rdt, const struct spec_intel_rdt *spec, char **ret_old,
	       struct err *err);
void rdt_restore(const struct rdt *rdt, const char *old);
/* A process without children: they would stay where they are. */
int rdt_join(const struct rdt *rdt, pid_t pid, struct err *err);
/* Removes what goes away with the container. */
int rdt_remove(const struct rdt *rdt, struct err *err);
/* Removes what rdt_make() has made, the group of a class too. What was there before is another's:
 * the kernel removes a group with processes in it without asking. */
int rdt_undo(const struct rdt *rdt, struct err *err);
void rdt_done(struct rdt *rdt);
