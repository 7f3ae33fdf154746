/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One layer's tar (image-spec layer.md) becomes a directory that overlayfs takes as a lower layer.
 * Each layer is unpacked on its own, whatever lies below it in an image:
 * - a whiteout becomes a character device 0:0, an opaque mark the xattr overlay.opaque;
 * - a parent directory that the layer does not name (umoci's layers don't) is made as root's, 0755,
 *   and listed in the result: the engine gives it what a lower layer says of it;
 * - a hard link must have its target in the same layer: those of docker, buildkit, buildah and
 *   umoci have, because a diff of an upper directory holds all names of a changed inode or none.
 */
#pragma once

#include "image/layer/result.h"
#include "image/layer/source.h"

struct apply_options {
	uint64_t max_entries;
	bool userns; /* marks are user.overlay.*, device nodes are left out */
	bool tree;   /* no layer: ".wh." is a name like others, and the directory may hold files,
			which members of the same name replace */
};
/* Unpacks the tar from src into the empty directory dir_fd. The process's umask must be 0. The
 * result has no digests. */
int apply_layer(struct source *src, int dir_fd, const struct apply_options *opts,
		struct apply_result *ret, struct err *err);
