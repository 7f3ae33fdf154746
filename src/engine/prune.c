/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/prune.h"

#include "base/str.h"
#include "base/strv.h"
#include "engine/df.h"
#include "engine/filter.h"
#include "engine/life.h"
#include "engine/remove.h"

static const char *const keys[] = { "label", "until", NULL };

static int read_until(const struct filters *filters, int64_t *ret, struct err *err)
{
	*ret = INT64_MAX;
	for (size_t i = 0; i < filters->n; i++) {
		int64_t ns;
		int r;

		if (!str_eq(filters->items[i].key, "until"))
			continue;
		r = filter_time(filters->items[i].value, &ns, err);
		if (r < 0)
			return r;
		*ret = ns < *ret ? ns : *ret;
	}
	return 0;
}

int containers_prune(struct engine *eng, char *const *words, char ***ret_ids, uint64_t *ret_freed,
		     struct err *err)
{
	cleanup_record_list struct record_list records = { 0 };
	cleanup_filters struct filters filters = { 0 };
	int64_t until;
	int r;

	r = filters_parse(words, keys, &filters, err);
	if (r == 0)
		r = read_until(&filters, &until, err);
	if (r == 0)
		r = engine_dirs(eng, err);
	if (r == 0)
		r = engine_db(eng, err);
	if (r == 0)
		r = life_list(eng, &records, err);
	for (size_t i = 0; r == 0 && i < records.n; i++) {
		const struct record *rec = &records.items[i];
		struct err one = ERR_INIT;
		uint64_t size;

		if (rec->running || rec->created_ns >= until ||
		    !filters_labels(&filters, &rec->labels))
			continue;
		size = df_container_size(eng, rec->id);
		r = engine_remove(eng, rec->id, false, &one);
		/* started again, or removed by somebody else meanwhile */
		if (r < 0 && one.kind != ERR_CONFLICT && one.kind != ERR_NOT_FOUND) {
			*err = one;
			return r;
		}
		if (r == 0) {
			strv_add(ret_ids, rec->id);
			*ret_freed += size;
		}
		r = 0;
	}
	return r;
}
