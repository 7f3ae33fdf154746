/* SPDX-License-Identifier: Apache-2.0 */
/* Where a packed tree goes: buffered, and through gzip when asked to. */
#pragma once

#include "base/err.h"

struct pack_out;
struct pack_out *pack_out_new(int fd, bool gzip);
void pack_out_free(struct pack_out *out);
int pack_out_add(struct pack_out *out, const void *data, size_t len, struct err *err);
/* Writes what is left. */
int pack_out_end(struct pack_out *out, struct err *err);
