/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tarball's members as records of cp_stream.h: names are clean and relative, "." is the root.
 * Whoever makes files of them need not read what somebody else has archived; this does, and has
 * no files.
 */
#pragma once

#include "image/layer/source.h"

int entries_write(int in_fd, const struct source_limits *limits, int out_fd, struct err *err);
