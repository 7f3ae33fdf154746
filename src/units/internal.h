/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of units/ share. */
#pragma once

#include "units/units.h"

enum key_kind {
	KEY_NO,     /* inro has nothing of this: why */
	KEY_OTHER,  /* code of its own sees to it */
	KEY_STRING, /* the last one counts */
	KEY_BOOL,   /* --option, --option=false */
	KEY_SWITCH, /* --option when it is true */
	KEY_ALL,    /* each is one value */
	KEY_WORDS,  /* each is a list of words, and each word one value */
};

struct key {
	const char *name;
	enum key_kind kind;
	const char *option; /* "--memory" */
	const char *prefix; /* of the value: "label=type:"; or NULL */
	const char *why;    /* KEY_NO */
};

/* One conversion. */
struct conversion {
	const struct units *set;
	const struct units_unit *u;
	struct unit_file *out;
	char **args;  /* of the command line that is made */
	bool checked; /* by env->check: it is `inro run` */
};

int units_fail(const struct unit_entry *e, struct err *err, int r);
/* Adds option and value (NULL: none) to the command line. e: who wants it. */
int units_option(struct conversion *c, const struct unit_entry *e, const char *option,
		 const char *value, struct err *err);
/* All keys of the unit's own section, in the table's order; one that is not in it is an error. */
int units_keys(struct conversion *c, const struct key *keys, size_t n, struct err *err);
/* What is PodmanArgs or GlobalArgs, as it stands. */
int units_raw(struct conversion *c, const char *key, struct err *err);
/* Begins a command: inro, GlobalArgs. */
int units_command(struct conversion *c, struct err *err);
/* Ends it: KEY=command line. */
void units_command_done(struct conversion *c, const char *key, const char *prefix);
/* The service needs that of another unit. ret_resource: what that one makes, or NULL. */
int units_needs(struct conversion *c, const struct unit_entry *e, const char *name,
		char **ret_resource, struct err *err);
/* A path that may be relative to the unit's file; the caller frees. */
char *units_path(const struct conversion *c, const char *path);
/* A volume's or mount's source: a unit's resource, or a path. Takes *source over. */
int units_source(struct conversion *c, const struct unit_entry *e, char **source, struct err *err);
/* The service needs the file systems that this path is on. */
void units_mounts_for(struct conversion *c, const char *path);

/* One Network=: a word of --network, a .network or a .container file. */
int units_network(struct conversion *c, const struct unit_entry *e, const char *value,
		  struct err *err);
/* Volume= of the section. */
int units_volumes(struct conversion *c, struct err *err);
/* A service that does something once and is then there. */
void units_once(struct conversion *c);

int units_container(struct conversion *c, struct err *err);
int units_volume(struct conversion *c, struct err *err);
int units_network_unit(struct conversion *c, struct err *err);
int units_image_unit(struct conversion *c, struct err *err);
int units_artifact(struct conversion *c, struct err *err);
int units_pod(struct conversion *c, struct err *err);
