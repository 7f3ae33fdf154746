/* SPDX-License-Identifier: Apache-2.0 */
/* What live.c (the command), live_child.c (its child, on the way into the container) and
 * live_inside.c (there) share. */
#pragma once

#include <sys/stat.h>

#include "base/str.h"
#include "runtime/init.h"
#include "runtime/live.h"
#include "runtime/state.h"

struct live;
struct live_verb {
	const char *what; /* context of an error */
	int (*fn)(struct live *l, struct err *err);
	bool adds;
};

struct live {
	const struct live_verb *verb;
	struct state st;
	struct init in;  /* what the functions that are shared with a start look at */
	struct spec one; /* the configuration, with the mount as its only one */
	struct create_args args;
	struct init_mount im;
	const struct spec *spec;
	const struct spec_mount *m;
	const struct spec_device *device; /* that is bound or made; or NULL */
	struct stat source;               /* of a bind mount; st_ino 0: not known */
	unsigned int ns_flags;
	int pidfd;
	int out_fd;  /* what the verb has opened; the caller gets it */
	int fds_dir; /* the child's own /proc/self/fd, of the host's procfs */
};

static inline bool live_is_bind(const struct live *l)
{
	return l->m && (l->im.opts.bind || str_eq(l->m->type, "bind"));
}

static inline bool live_is_overlay(const struct live *l)
{
	return l->m && mount_is_overlay(l->m, &l->im.opts);
}

/* live_inside.c, each the work of one verb. 0 or 1, or -errno. */
int live_add(struct live *l, struct err *err);
int live_take_away(struct live *l, struct err *err);
int live_look(struct live *l, struct err *err);
int live_make_node(struct live *l, struct err *err);
int live_remove_node(struct live *l, struct err *err);
int live_clone(struct live *l, struct err *err);
/* Is the place of a mount right? struct init's admit. */
int live_admit(struct init *in, const struct spec_mount *m, int target, struct err *err);

/* live.c: the state, a pidfd and the namespaces of a container that runs. live_done() in any case.
 */
int live_open(struct live *l, const char *id, struct err *err);
void live_done(struct live *l);
/* live_child.c: in the child, into the container's user and mount namespaces. */
int live_join(struct live *l, struct err *err);

/* The error; also for one that is not complete yet, or not any more. -ESRCH. */
int live_not_running(struct err *err);
/* live_child.c: enters the container and does the verb. */
int live_in_child(struct live *l, struct err *err);
