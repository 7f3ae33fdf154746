/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes what comes on standard input into a log, as the monitor does with what a container prints.
 *
 * usage: logwriter DIR cri|json MAX-SIZE MAX-FILES stdout|stderr [NS-SINCE-1970 [ATTRS]]
 */
#include <fcntl.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/timeutil.h"
#include "monitor/logfile.h"

static struct logfile logfile;
static char buf[64 << 10];

int main(int argc, char **argv)
{
	struct logfile_options o = { .driver = LOGLINE_CRI };
	enum logline_stream stream = LOGLINE_STDOUT;
	cleanup_fd int dir = -EBADF;
	struct err err = ERR_INIT;
	int64_t now = -1;
	ssize_t n = 0;

	if (argc < 6 || argc > 8 || str_parse_u64(argv[3], &o.max_size) < 0 ||
	    str_parse_u32(argv[4], &o.max_files) < 0 ||
	    (argc > 6 && str_parse_i64(argv[6], &now) < 0))
		return 2;
	if (str_eq(argv[2], "json"))
		o.driver = LOGLINE_JSON;
	if (str_eq(argv[5], "stderr"))
		stream = LOGLINE_STDERR;
	o.attrs = argc > 7 ? argv[7] : NULL;
	dir = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (logfile_open(&logfile, dir, LOGLINE_FILE, &o, &err) < 0) {
		fprintf(stderr, "%s\n", err.msg);
		return 1;
	}
	while ((n = read(STDIN_FILENO, buf, sizeof(buf))) > 0)
		if (logfile_write(&logfile, stream, buf, (size_t)n,
				  now >= 0 ? now : time_now_ns()) != n)
			return 1;
	if (logfile_flush(&logfile, now >= 0 ? now : time_now_ns()) < 0)
		return 1;
	logfile_close(&logfile);
	return n < 0;
}
