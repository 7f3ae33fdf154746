/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writing end of `inro cp`: makes of a stream (cp_stream.h) what is in it. Whoever owns the
 * tree may change it meanwhile: each name is opened or made in a directory that is open, without
 * following a link, so that nothing is written anywhere else. A file that is replaced is replaced
 * whole, when all of the new one is there.
 */
#pragma once

#include <sys/stat.h>

#include "engine/cp_place.h"
#include "image/cp_stream.h"

struct cp_make_options {
	bool keep_owner; /* the source's; else uid and gid */
	bool overwrite;  /* directories by files, and files by directories */
	/* What a container says is not for this machine: devices. */
	bool on_host;
	/* Nor for anybody, unless with its owner: rights that a file gives to who executes it. */
	bool of_container;
	uint32_t uid, gid;
	int fds_dir;               /* /proc/self/fd of this process */
	const struct stat *source; /* what is copied, when it is of the same tree; or NULL */
};

struct cp_made {
	uint64_t bytes, left_out; /* of files; devices that can't be made here */
};

int cp_make(const struct cp_place *to, const struct cp_make_options *opts, struct cp_in *in,
	    struct cp_made *ret, struct err *err);
/* Of a tarball's members (layer/entries.h), below the container's directory to. Links in its paths
 * are followed within the container, as they are when the member comes. */
int cp_unpack(const struct cp_place *to, const struct cp_make_options *opts, struct cp_in *in,
	      struct cp_made *ret, struct err *err);
