/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/prune.h"

#include "base/str.h"
#include "base/strv.h"
#include "engine/df.h"
#include "engine/filter.h"
#include "engine/life.h"
#include "engine/remove.h"

static const char *const keys[] = { "label", "until", NULL };

/* 1: it has gone. */
static int prune_one(struct engine *eng, const struct record *rec, uint64_t *ret_freed,
		     struct err *err)
{
	uint64_t size = df_container_size(eng, rec->id);
	struct err own = ERR_INIT;
	int r = engine_remove(eng, rec->id, false, false, &own);

	/* started again, or removed by somebody else meanwhile */
	if (r < 0 && (own.kind == ERR_CONFLICT || own.kind == ERR_NOT_FOUND))
		return 0;
	if (r < 0 && err)
		*err = own;
	if (r == 0)
		*ret_freed += size;
	return r < 0 ? r : 1;
}

int containers_prune(struct engine *eng, char *const *words, char ***ret_ids, uint64_t *ret_freed,
		     struct err *err)
{
	cleanup_record_list struct record_list records = { 0 };
	cleanup_filters struct filters filters = { 0 };
	int64_t until = INT64_MAX;
	int r;

	r = filters_parse(words, keys, &filters, err);
	if (r == 0)
		r = filters_until(&filters, &until, err);
	if (r == 0)
		r = engine_dirs(eng, err);
	if (r == 0)
		r = engine_db(eng, err);
	if (r == 0)
		r = life_list(eng, &records, err);
	/* One that can't be removed does not keep the others. */
	for (size_t i = 0; i < records.n; i++) {
		const struct record *rec = &records.items[i];
		struct err own = ERR_INIT;

		if (rec->running || rec->options.infra || rec->created_ns >= until ||
		    !filters_labels(&filters, &rec->labels))
			continue;
		int gone = prune_one(eng, rec, ret_freed, &own);
		if (gone > 0)
			strv_add(ret_ids, rec->id);
		if (gone < 0 && r == 0) {
			r = gone;
			*err = own;
		}
	}
	return r;
}
