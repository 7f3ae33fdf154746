/* SPDX-License-Identifier: Apache-2.0 */
#include "base/table.h"

#include "base/str.h"

#define GAP       3
#define WIDTH_MIN 10 /* of a column with its gap */

struct table {
	size_t columns, rows, cap;
	char **cells; /* row after row; the header is the first */
};

struct table *table_new(const char *const *headers, size_t n)
{
	struct table *t = xcalloc(1, sizeof(*t));

	t->columns = n;
	table_row(t, headers);
	return t;
}

void table_row(struct table *t, const char *const *cells)
{
	if (t->rows == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 16;
		t->cells = xrealloc(t->cells, t->cap * t->columns * sizeof(char *));
	}
	for (size_t i = 0; i < t->columns; i++)
		t->cells[t->rows * t->columns + i] = str_mask_controls(xstrdup(cells[i]), "");
	t->rows++;
}

/* Columns on a terminal, taking each character as one wide. */
static size_t width(const char *s)
{
	size_t n = 0;

	while (*s) {
		size_t len = (unsigned char)*s < 0x80 ? 1 : str_utf8_len(s);

		s += len ? len : 1;
		n++;
	}
	return n;
}

void table_write(const struct table *t, bool with_header, struct buf *out)
{
	cleanup_free size_t *widest = xcalloc(t->columns, sizeof(*widest));
	size_t first = with_header ? 0 : 1;

	for (size_t i = first * t->columns; i < t->rows * t->columns; i++) {
		size_t w = width(t->cells[i]);

		if (w > widest[i % t->columns])
			widest[i % t->columns] = w;
	}
	for (size_t row = first; row < t->rows; row++) {
		for (size_t col = 0; col < t->columns; col++) {
			const char *cell = t->cells[row * t->columns + col];
			size_t full = widest[col] + GAP > WIDTH_MIN ? widest[col] + GAP : WIDTH_MIN;

			buf_adds(out, cell);
			/* nothing behind the last column */
			if (col + 1 < t->columns)
				buf_fill(out, ' ', full - width(cell));
		}
		buf_addc(out, '\n');
	}
}

void table_free(struct table *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->rows * t->columns; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t);
}
