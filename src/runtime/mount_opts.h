/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mount options of runtime-spec config.md ("Mounts") in one table, resolved to what the mount
 * API takes. Words that the table does not know are the filesystem's own. Pure.
 */
#pragma once

#include "base/err.h"
#include "sys/mount.h"

/* Of a bind mount, our own: a directory that its source is below. Links that are on the way from
 * there on, which others may have made, are followed inside of that directory only. */
#define MOUNT_OPT_BELOW "inro.below"
/* Of an overlay, our own: what of it is mounted, a path in it; links are followed in it only. */
#define MOUNT_OPT_PART "inro.part"

struct mount_opts {
	uint64_t set, clear;         /* MOUNT_ATTR_* of the mount itself */
	uint64_t rec_set, rec_clear; /* the same for the whole tree: rro, rnosuid ... */
	uint64_t propagation;        /* MS_PRIVATE ... or 0 */
	bool rec_propagation;
	bool bind, rec_bind, remount, tmpcopyup;
	bool idmap, rec_idmap;
	bool readonly;             /* "ro" was given last */
	char *below, *part;        /* MOUNT_OPT_BELOW, MOUNT_OPT_PART; heap, or NULL */
	struct mount_option *data; /* heap; keys on the heap, values point into them */
	size_t n_data;
};

/* options may be NULL. 0 or -errno. */
int mount_opts_parse(char *const *options, struct mount_opts *ret, struct err *err);
void mount_opts_done(struct mount_opts *o);
/* The value of a filesystem's option, "" for a flag, NULL when not given. */
const char *mount_opts_data(const struct mount_opts *o, const char *key);
void mount_opts_add_data(struct mount_opts *o, const char *key, const char *value);
bool mount_opts_known(const char *word); /* else it is a filesystem's own */
/* SELinux: a new filesystem without labels of its own gets the container's (linux.mountLabel, may
 * be NULL) for all files in it, as runc does it. */
void mount_opts_add_label(struct mount_opts *o, const char *type, const char *label);
void mount_opts_remove_data(struct mount_opts *o, const char *key);

/* All words of the table, for `features`. i counts from 0; NULL at the end. */
const char *mount_opts_word(size_t i);
/* "shared", "rslave" ...: MS_* in *ret_flag, whether recursive. false: not such a word. */
bool mount_propagation_parse(const char *word, uint64_t *ret_flag, bool *ret_recursive);
