/* SPDX-License-Identifier: Apache-2.0 */
/* What cp_make.c, which makes objects, and cp_unpack.c, which finds the place of a tarball's,
 * share.
 */
#pragma once

#include "engine/cp_make.h"

/* A directory that is being filled. */
struct level {
	int fd;
	bool given; /* it is the destination itself, whose attributes stay */
	bool made;
	struct cp_head head;
	struct buf xattrs;
	char *name;
};

struct make {
	const struct cp_make_options *opts;
	struct cp_in *in;
	struct cp_made *made;
	struct cp_entry e;
	int dir;      /* where the top object goes */
	char *top;    /* its name there; NULL: its members do */
	bool has_top; /* there is one: no second one comes */
	struct level *levels;
	size_t n, cap;
	unsigned int temps;
	const struct cp_place *paths; /* of a tarball: names are paths below it; or NULL */
};

/* The object of m->e, in a directory that is open; one that is a directory itself is open then,
 * until make_leave(). */
int make_object(struct make *m, int dir, const char *name, struct err *err);
int make_leave(struct make *m, struct err *err);
int make_wrong(struct err *err);
void make_done(struct make *m);
/* cp_unpack.c: the directory (O_PATH) of a path below m->paths; ret_name: its last component. */
int unpack_parent(const struct make *m, const char *path, bool make, char **ret_name,
		  struct err *err);
