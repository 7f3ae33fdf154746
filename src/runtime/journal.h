/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container's log in systemd's journal: what it is told (systemd.io/JOURNAL_NATIVE_PROTOCOL), and
 * what journalctl -o export says of it (systemd.io/JOURNAL_EXPORT_FORMATS). The fields are
 * docker's. Pure functions.
 */
#pragma once

#include "runtime/logline.h"

#define JOURNAL_SOCKET     "/run/systemd/journal/socket"
#define JOURNAL_RECORD_MAX (LOGLINE_TEXT_MAX + LOGLINE_ATTRS_MAX + 256)
#define JOURNAL_FIELD_MAX  (1u << 20) /* that we read */

/* A record into out, of JOURNAL_RECORD_MAX bytes; fields: of journal_field(), "" or all together
 * less than LOGLINE_ATTRS_MAX; stamp has LOGLINE_STAMP_LEN bytes; text is without newlines. Returns
 * its length. */
size_t journal_put(char *out, const char *fields, const char *stamp, enum logline_stream stream,
		   const char *text, size_t len, bool partial);

struct journal_entry {
	struct logline line; /* text NULL: there is none in it */
	char stamp[40];      /* line.time, where the journal itself says it */
};
/* One entry, which ret points into. Returns its length; 0: it is not whole yet; -EINVAL: it is
 * none. */
ssize_t journal_parse(const char *data, size_t len, struct journal_entry *ret);

/* docker's way of making a field's name of a label's: capital letters, digits and "_", of which
 * none in front. The caller frees. NULL: nothing is left. */
char *journal_field_name(const char *word);
