/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of options that include others: opt.h. */
#include "base/opt.h"

static size_t count(const struct opt *opts, size_t n)
{
	size_t all = 0;

	for (size_t i = 0; i < n; i++)
		all += opts[i].kind == OPT_TABLE ? count(opts[i].table->rows, opts[i].table->n) : 1;
	return all;
}

/* Those of the table itself, then those of the tables that it includes. */
static void add(struct opt_rows *rows, const struct opt *opts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (opts[i].kind != OPT_TABLE)
			rows->items[rows->n++] = opts[i];
	for (size_t i = 0; i < n; i++)
		if (opts[i].kind == OPT_TABLE)
			add(rows, opts[i].table->rows, opts[i].table->n);
}

/* The name of an option that is shown comes before another name of the same. */
static int compare(const void *a, const void *b)
{
	const struct opt *x = a, *y = b;
	int hidden = (int)(x->flags & OPT_HIDDEN) - (int)(y->flags & OPT_HIDDEN);

	return hidden ? hidden : strcmp(x->name, y->name);
}

void opt_rows_init(struct opt_rows *ret, const struct opt *opts, size_t n)
{
	size_t own = 0;

	for (size_t i = 0; i < n; i++)
		own += opts[i].kind != OPT_TABLE;
	*ret = (struct opt_rows){ .items = xcalloc(count(opts, n) + 1, sizeof(*opts)) };
	add(ret, opts, n);
	if (ret->n > own)
		qsort(ret->items + own, ret->n - own, sizeof(*opts), compare);
}

void opt_rows_done(struct opt_rows *rows)
{
	free(rows->items);
	*rows = (struct opt_rows){ 0 };
}
