/* SPDX-License-Identifier: Apache-2.0 */
#include "image/layer/tar.h"

#include <limits.h>
#include <locale.h>

#include "base/log.h"
#include "base/path.h"
#include "base/str.h"

void tar_setup(void)
{
	/* libarchive converts the UTF-8 of pax headers to the locale's character set. */
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		setlocale(LC_CTYPE, "C");
}

static la_ssize_t tar_read(struct archive *a, void *data, const void **ret_data)
{
	ssize_t n = source_next(data, ret_data);

	if (n < 0)
		archive_set_error(a, (int)-n, "reading archive");
	return n < 0 ? -1 : n;
}

/* The source's own error says more than what libarchive makes of it. */
static int tar_fail(struct archive *a, struct source *src, struct err *err)
{
	const struct err *first = source_error(src);

	if (first && err)
		*err = *first;
	if (first)
		return err_wrap(err, -(first->errnum ? first->errnum : EIO), "reading layer");
	const char *msg = archive_error_string(a);
	return err_fail(err, ERR_CORRUPT, "reading tar: %s", msg ? msg : "invalid archive");
}

struct archive *tar_open(struct source *src, struct err *err)
{
	cleanup_tar struct archive *a = archive_read_new();

	if (!a)
		abort();
	if (archive_read_support_format_tar(a) != ARCHIVE_OK ||
	    archive_read_support_format_empty(a) != ARCHIVE_OK ||
	    archive_read_open(a, src, NULL, tar_read, NULL) != ARCHIVE_OK) {
		tar_fail(a, src, err);
		return NULL;
	}
	return take_ptr(a);
}

int tar_next(struct archive *a, struct source *src, struct archive_entry **ret_entry,
	     struct err *err)
{
	int r = archive_read_next_header(a, ret_entry);

	if (r == ARCHIVE_EOF)
		return 0;
	if (r == ARCHIVE_OK)
		return 1;
	if (r != ARCHIVE_WARN)
		return tar_fail(a, src, err);
	cleanup_free char *name = str_escape(archive_entry_pathname(*ret_entry) ?: "");
	cleanup_free char *why = str_escape(archive_error_string(a) ?: "unknown trouble");
	log_warn("%s: %s", name, why);
	return 1;
}

int tar_data(struct archive *a, struct source *src, const void **ret_data, size_t *ret_len,
	     int64_t *ret_offset, struct err *err)
{
	la_int64_t offset = 0;
	int r = archive_read_data_block(a, ret_data, ret_len, &offset);

	if (r == ARCHIVE_EOF)
		return 0;
	if (r != ARCHIVE_OK && r != ARCHIVE_WARN)
		return tar_fail(a, src, err);
	*ret_offset = offset;
	return 1;
}

char *tar_clean(const char *name, const char *what, struct err *err)
{
	if (!name) {
		err_fail(err, ERR_INVALID, "tar member has no readable %s", what);
		return NULL;
	}
	if (strlen(name) >= PATH_MAX) {
		err_fail(err, ERR_LIMIT, "tar member has a %s longer than %d bytes: %.100s...",
			 what, PATH_MAX - 1, name);
		return NULL;
	}
	cleanup_free char *rooted = xasprintf("/%s", name);
	cleanup_free char *clean = path_clean(rooted);
	return xstrdup(clean + 1);
}
