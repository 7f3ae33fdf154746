/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>

#include "base/io.h"
#include "base/str.h"
#include "base/timeutil.h"

/* The one process-wide sink; main() sets it before anything logs. */
static struct {
	const char *prog;
	int fd;
	enum log_format format;
	enum log_level level;
	unsigned int warnings_left; /* 0: no limit */
} sink = { .prog = "inro", .fd = STDERR_FILENO, .format = LOG_PLAIN, .level = LOG_WARN };

static const char *const level_names[] = {
	[LOG_DEBUG] = "debug",
	[LOG_INFO] = "info",
	[LOG_WARN] = "warning",
	[LOG_ERROR] = "error",
};

void log_setup(const char *prog, int fd, enum log_format format, enum log_level level)
{
	sink.prog = prog;
	sink.fd = fd;
	sink.format = format;
	sink.level = level;
}

void log_limit_warnings(unsigned int max)
{
	sink.warnings_left = max + 2;
}

/* Counts a warning. False: it is one too many. */
static bool warning_passes(const char **ret_text)
{
	if (sink.warnings_left == 0)
		return true;
	if (sink.warnings_left == 1)
		return false;
	if (--sink.warnings_left == 1)
		*ret_text = NULL;
	return true;
}

int log_fd(void)
{
	return sink.fd;
}

/* Whole seconds, as runc's logs have them. */
static const char *stamp(char out[TIME_RFC3339_MAX])
{
	char *dot;

	time_rfc3339(time_now_ns(), out);
	dot = strchr(out, '.');
	snprintf(dot, 2, "Z");
	return out;
}

/* JSON and logfmt values share the escapes that matter here. */
static void add_quoted(struct buf *out, const char *s)
{
	buf_addc(out, '"');
	while (*s) {
		size_t n = str_utf8_len(s);

		if (*s == '"' || *s == '\\') {
			buf_addc(out, '\\');
			buf_addc(out, *s);
		} else if (*s == '\n') {
			buf_adds(out, "\\n");
		} else if ((unsigned char)*s < 0x20 || *s == 0x7f) {
			buf_addf(out, "\\u%04x", (unsigned char)*s);
		} else if (n == 0) {
			buf_adds(out, "\xef\xbf\xbd");
		} else {
			buf_add(out, s, n);
		}
		s += n ? n : 1;
	}
	buf_addc(out, '"');
}

void log_msg(enum log_level level, const char *fmt, ...)
{
	cleanup_buf struct buf line = BUF_INIT;
	char text[2048], when[TIME_RFC3339_MAX];
	const char *last = "";
	va_list ap;

	if (level < sink.level || sink.fd < 0)
		return;
	if (level == LOG_WARN && !warning_passes(&last))
		return;
	va_start(ap, fmt);
	if (last)
		vsnprintf(text, sizeof(text), fmt, ap);
	else
		snprintf(text, sizeof(text), "further warnings are left out");
	va_end(ap);
	switch (sink.format) {
	case LOG_PLAIN:
		buf_addf(&line, "%s: %s%s\n", sink.prog, level == LOG_WARN ? "warning: " : "",
			 text);
		break;
	case LOG_TEXT:
		buf_addf(&line, "time=\"%s\" level=%s msg=", stamp(when), level_names[level]);
		add_quoted(&line, text);
		buf_addc(&line, '\n');
		break;
	case LOG_JSON:
		buf_addf(&line, "{\"level\":\"%s\",\"msg\":", level_names[level]);
		add_quoted(&line, text);
		buf_addf(&line, ",\"time\":\"%s\"}\n", stamp(when));
		break;
	}
	/* one write(2) per line keeps lines of several processes apart; there is nowhere to report
	 * a failure to */
	if (io_write(sink.fd, line.data, line.len) < 0)
		return;
}
