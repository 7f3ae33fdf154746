/* SPDX-License-Identifier: Apache-2.0 */
#include "base/csv.h"

#include "base/buf.h"
#include "base/strv.h"

int csv_parse(const char *text, char ***ret, struct err *err)
{
	cleanup_strv char **fields = NULL;
	const char *p = text;

	for (;;) {
		cleanup_buf struct buf field = BUF_INIT;

		if (*p == '"') {
			for (p++; *p && (*p != '"' || p[1] == '"'); p++) {
				p += *p == '"';
				buf_addc(&field, *p);
			}
			if (*p != '"' || (p[1] && p[1] != ','))
				return err_fail(err, ERR_USAGE,
						"invalid value \"%s\": a quote has no other one",
						text);
			p++;
		} else {
			size_t len = strcspn(p, ",");

			buf_add(&field, p, len);
			p += len;
		}
		strv_add(&fields, buf_str(&field));
		if (!*p)
			break;
		p++;
	}
	*ret = take_ptr(fields);
	return 0;
}
