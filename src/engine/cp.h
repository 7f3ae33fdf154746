/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `inro cp`: files into and out of containers, running or not. One process reads, another one
 * writes, and a pipe is between them (cp_stream.h): the one on the container's side works in its
 * mounts (runtime/visit.h), the other one is this process, or works in another container.
 */
#pragma once

#include "engine/engine.h"

struct cp_options {
	bool archive; /* owners are the source's; else the container's root, or the caller */
	bool follow;  /* a link at the end of the source's path */
	bool overwrite;
};
/* Words as docker's: CONTAINER:PATH, a path of this machine, "-". *ret_bytes: of the files. */
int engine_cp(struct engine *eng, const char *source, const char *destination,
	      const struct cp_options *opts, uint64_t *ret_bytes, struct err *err);
