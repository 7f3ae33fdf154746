/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <stdarg.h>

#include "base/str.h"

static const struct {
	int errnum;
	int exit_status;
} kinds[ERR_KINDS] = {
	[ERR_SYSTEM] = { EIO, 125 },
	[ERR_USAGE] = { EINVAL, 125 },
	[ERR_INVALID] = { EINVAL, 125 },
	[ERR_NOT_FOUND] = { ENOENT, 125 },
	[ERR_EXISTS] = { EEXIST, 125 },
	[ERR_CONFLICT] = { EBUSY, 125 },
	[ERR_DENIED] = { EPERM, 125 },
	[ERR_UNSUPPORTED] = { EOPNOTSUPP, 125 },
	[ERR_LIMIT] = { E2BIG, 125 },
	[ERR_CORRUPT] = { EBADMSG, 125 },
	[ERR_NOT_EXECUTABLE] = { EACCES, 126 },
	[ERR_CMD_NOT_FOUND] = { ENOENT, 127 },
};

/* Ends s, which was cut at size bytes, with "..." and not inside a UTF-8 sequence. */
static void mark_cut(char *s, size_t size)
{
	size_t at = size - 4;

	while (at > 0 && ((unsigned char)s[at] & 0xc0) == 0x80)
		at--;
	memcpy(s + at, "...", 4);
}

/* Writes the formatted text into out; returns its length there, after cutting. */
static PRINTF_LIKE(3, 0) size_t format_cut(char *out, size_t size, const char *fmt, va_list ap)
{
	int n = vsnprintf(out, size, fmt, ap);

	if (n < 0) {
		snprintf(out, size, "%s", fmt);
		n = (int)strnlen(fmt, size);
	}
	if ((size_t)n >= size)
		mark_cut(out, size);
	return strlen(str_mask_controls(out, "\n\t"));
}

static void append_cut(char *out, size_t size, size_t at, const char *more)
{
	size_t len = strlen(more);
	bool cut = at + len >= size;

	if (cut)
		len = size - 1 - at;
	memcpy(out + at, more, len);
	out[at + len] = '\0';
	if (cut)
		mark_cut(out, size);
}

static const char *errno_text(int errnum, char buf[32])
{
	/* not strerror(3): no locale, usable in the static programs and between fork and exec */
	const char *s = strerrordesc_np(errnum);

	if (s)
		return s;
	snprintf(buf, 32, "error %d", errnum);
	return buf;
}

int err_errno(struct err *err, int errnum, const char *fmt, ...)
{
	char buf[32];
	va_list ap;
	size_t n;

	if (errnum < 0)
		errnum = -errnum;
	if (errnum == 0)
		errnum = EIO;
	if (err) {
		va_start(ap, fmt);
		n = format_cut(err->msg, sizeof(err->msg), fmt, ap);
		va_end(ap);
		append_cut(err->msg, sizeof(err->msg), n, ": ");
		append_cut(err->msg, sizeof(err->msg), strlen(err->msg), errno_text(errnum, buf));
		err->errnum = errnum;
		err->kind = ERR_SYSTEM;
		err->hint[0] = '\0';
	}
	return -errnum;
}

int err_fail(struct err *err, enum err_kind kind, const char *fmt, ...)
{
	va_list ap;

	if (err) {
		va_start(ap, fmt);
		format_cut(err->msg, sizeof(err->msg), fmt, ap);
		va_end(ap);
		err->errnum = kinds[kind].errnum;
		err->kind = kind;
		err->hint[0] = '\0';
	}
	return -kinds[kind].errnum;
}

int err_wrap(struct err *err, int r, const char *fmt, ...)
{
	char text[sizeof(err->msg)];
	va_list ap;
	size_t n;

	if (!err)
		return r;
	va_start(ap, fmt);
	n = format_cut(text, sizeof(text), fmt, ap);
	va_end(ap);
	append_cut(text, sizeof(text), n, ": ");
	append_cut(text, sizeof(text), strlen(text), err->msg);
	memcpy(err->msg, text, sizeof(text));
	return r;
}

int err_hint(struct err *err, int r, const char *fmt, ...)
{
	va_list ap;

	if (!err || err->hint[0])
		return r;
	va_start(ap, fmt);
	format_cut(err->hint, sizeof(err->hint), fmt, ap);
	va_end(ap);
	return r;
}

int err_set_kind(struct err *err, int r, enum err_kind kind)
{
	if (err)
		err->kind = kind;
	return r;
}

int err_exit_status(const struct err *err)
{
	return kinds[err->kind].exit_status;
}

void err_sanitize(struct err *err)
{
	err->msg[sizeof(err->msg) - 1] = '\0';
	err->hint[sizeof(err->hint) - 1] = '\0';
	str_mask_controls(err->msg, "\n\t");
	str_mask_controls(err->hint, "\n\t");
	if ((unsigned int)err->kind >= ERR_KINDS)
		err->kind = ERR_SYSTEM;
	if (err->errnum < 0 || err->errnum > 4095)
		err->errnum = EIO;
}
