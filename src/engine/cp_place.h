/* SPDX-License-Identifier: Apache-2.0 */
/* The two paths of `inro cp`, resolved: docker's rules on slashes at the end, and on what is there.
 */
#pragma once

#include <sys/stat.h>

#include "base/err.h"

struct cp_place {
	int root;              /* the container's; negative: of this machine */
	const char *path;      /* as the user gave it */
	const char *container; /* its name, for messages; NULL: of this machine */
};

/* Does the user say that it is a directory? "x/", "x/.", "." */
bool cp_path_is_dir(const char *path);
/* An O_PATH fd of the object; of a link at the end itself, unless follow. *ret_name: what it is
 * called, "." for what is in it. */
int cp_place_source(const struct cp_place *place, bool follow, char **ret_name, struct err *err);
/*
 * The directory (O_PATH) and the name in it that something of that type (S_IF*) is to get, which
 * is called name. *ret_name NULL: its members go right into the directory.
 */
int cp_place_destination(const struct cp_place *place, uint32_t type, const char *name,
			 bool overwrite, char **ret_name, struct err *err);
/* Is what is to be name in dir (NULL: dir itself), of the tree that the source is in, neither the
 * source nor in it? path: for messages. */
int cp_place_outside(int dir, const char *name, const struct stat *source, const char *path,
		     struct err *err);
/* Is it a directory, for a tarball's members? O_PATH fd. */
int cp_place_directory(const struct cp_place *place, struct err *err);
