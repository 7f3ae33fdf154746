/* SPDX-License-Identifier: Apache-2.0 */
/* `inro cp CONTAINER:SRC -`: a stream (cp_stream.h) becomes a tarball. */
#pragma once

#include "image/cp_stream.h"

int cp_tar_write(struct cp_in *in, int fd, uint64_t *ret_bytes, struct err *err);
