/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 (RFC 4648, section 4): with padding, no line breaks. */
#pragma once

#include "base/buf.h"

void base64_encode(const void *data, size_t len, struct buf *out);
/* The whole text; padding may be missing, what is over in the last digits must be zero. Appends to
 * out. 0, or -EINVAL, out untouched then. */
int base64_decode(const char *text, size_t len, struct buf *out) MUST_CHECK;
