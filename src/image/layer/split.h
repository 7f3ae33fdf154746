/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outer archive (docker-archive, oci-archive): every regular member becomes a file of the
 * staging directory, named by the hex of its sha256. One pass, so it reads from a pipe too.
 */
#pragma once

#include "image/layer/result.h"
#include "image/layer/source.h"

struct split_limits {
	struct source_limits source;
	uint64_t max_entries;
};
int split_archive(int fd, int dir_fd, const struct split_limits *limits, struct split_result *ret,
		  struct err *err);
