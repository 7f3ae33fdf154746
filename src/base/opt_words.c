/* SPDX-License-Identifier: Apache-2.0 */
/* A command's options as words again: opt.h. */
#include <inttypes.h>

#include "base/json.h"
#include "base/opt.h"
#include "base/strv.h"

/* Two names of one field say it once. */
static bool is_second(const struct opt *opts, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (opts[k].kind == opts[i].kind && opts[k].offset == opts[i].offset)
			return true;
	return false;
}

static void add(const struct opt *o, const void *field, char ***words)
{
	const struct opt_u64 *u64 = field;
	const struct opt_i64 *i64 = field;
	const char *const *str = field;
	char *const *const *strv = field;

	switch (o->kind) {
	case OPT_FLAG:
		if (*(const bool *)field)
			strv_addf(words, "--%s", o->name);
		return;
	case OPT_STR:
		/* Without a value it may take others than with one. */
		if (*str && !**str && (o->flags & OPT_OPTIONAL_ARG))
			strv_addf(words, "--%s", o->name);
		else if (*str)
			strv_addf(words, "--%s=%s", o->name, *str);
		return;
	case OPT_STRV:
		for (size_t i = 0; *strv && (*strv)[i]; i++)
			strv_addf(words, "--%s=%s", o->name, (*strv)[i]);
		return;
	case OPT_INT:
		if (*(const int *)field)
			strv_addf(words, "--%s=%d", o->name, *(const int *)field);
		return;
	case OPT_U64:
	case OPT_BYTES:
		if (u64->set)
			strv_addf(words, "--%s=%" PRIu64, o->name, u64->value);
		return;
	case OPT_I64:
		if (i64->set)
			strv_addf(words, "--%s=%" PRId64, o->name, i64->value);
		return;
	default:
		return;
	}
}

void opt_words(const struct opt *opts, size_t n, const void *src, char ***words)
{
	cleanup_opt_rows struct opt_rows rows;

	opt_rows_init(&rows, opts, n);
	for (size_t i = 0; i < rows.n; i++)
		if (!is_second(rows.items, i))
			add(&rows.items[i], (const char *)src + rows.items[i].offset, words);
}
