/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files with holes: zeros for all of them would take hours for a file that takes nothing on the
 * disk (/var/log/lastlog of a large user id), while the container waits. They are written as GNU
 * tar's sparse format 1.0, which Go's archive/tar (docker, podman, umoci), libarchive, GNU tar and
 * Python read. Small holes are written as zeros, which all read: they compress well.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"

struct sparse_part {
	uint64_t offset, len;
};
struct sparse_map {
	struct sparse_part *parts; /* the data; the last one is empty and ends the file */
	size_t n;
	uint64_t data; /* bytes in the parts */
};
void sparse_map_done(struct sparse_map *map);
#define cleanup_sparse_map CLEANUP(sparse_map_done)

/* 1: the file of so many bytes is to be written by this map; 0: as it is. Moves the file's
 * position. */
int sparse_map_read(int fd, uint64_t size, struct sparse_map *ret, struct err *err);
/* The map as the archive has it before the data: full blocks. */
void sparse_map_text(const struct sparse_map *map, struct buf *out);
