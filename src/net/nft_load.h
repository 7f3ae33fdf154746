/* SPDX-License-Identifier: Apache-2.0 */
/* Rules as text: nft(8) reads them, in one transaction, in the caller's network namespace. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

/* Nothing of the text is done when it fails; the error has what nft said. ERR_UNSUPPORTED: there is
 * no nft. Takes 4 ms and more, most of it the start of the program. */
int nft_load(const struct buf *text, struct err *err);
/* The same with a text that makes a table of the family inet, in place of the one that may be
 * there; without any text that one goes. To take something away is paid for by nft's end, which
 * waits for RCU (net/linger.h): 4 ms are 14 then. So nothing is taken away where nothing is. */
int nft_replace(const char *table, const struct buf *text, struct err *err);
