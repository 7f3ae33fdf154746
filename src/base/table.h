/* SPDX-License-Identifier: Apache-2.0 */
/* Columns of text as docker prints them: header row, cells padded to the widest, three spaces
 * between, at least ten characters in all. */
#pragma once

#include "base/buf.h"

struct table;
struct table *table_new(const char *const *headers, size_t n);
void table_row(struct table *t, const char *const *cells); /* n cells, copied */
void table_write(const struct table *t, bool with_header, struct buf *out);
void table_free(struct table *t);
