/* SPDX-License-Identifier: Apache-2.0 */
/* Inside monitor/logfile*.c only: the files that the records go to. */
#pragma once

#include "monitor/logfile.h"

/* What is in out goes to the file. -errno: no room for what is still in out; then l->stuck. */
int logfile_store(struct logfile *l);
/* A record to the journal. 0; -EAGAIN: not yet; -ENOTCONN: there is none, or it has taken nothing
 * for too long. */
int logfile_send(struct logfile *l, enum logline_stream stream, const char *text, size_t len,
		 bool partial);
/* The file gets the name ".1", a new one its name. */
int logfile_rotate(struct logfile *l);
/* Opens the newest file and makes it end with a whole record. ret_open: the streams' last lines
 * have not ended. */
int logfile_open_last(struct logfile *l, bool ret_open[LOGLINE_STREAMS], struct err *err);
