/* SPDX-License-Identifier: Apache-2.0 */
/* Of `system check`: the trees of `--userns keep-id` and nomap (image/mapped.h) are what their
 * layer is with other owners. One that is not goes: who wants it makes it again. */
#include "base/str.h"
#include "engine/check_internal.h"
#include "image/mapped.h"

static int is_in_use(const struct mapped_item *item, bool again, void *data, struct err *err)
{
	cleanup_free char *hex = mapped_layer(item);
	cleanup_free char *digest = xasprintf("sha256:%s", hex);

	return check_is_running(data, digest, err);
}

static enum check_verdict cure(struct engine *eng, const struct mapped_item *item, char **problem)
{
	const struct mapped_items one = { .items = (struct mapped_item *)item, .n = 1 };
	cleanup_free char *old = take_ptr(*problem);
	struct err own = ERR_INIT;
	uint64_t freed = 0;
	int r = store_lock_exclusive(&eng->store, &own);

	if (r == 0) {
		err_fail(&own, ERR_CONFLICT, "the store is in use");
	} else if (r > 0) {
		r = mapped_remove(&eng->store, &one, is_in_use, eng, &freed, &own);
		if (r == 0)
			err_fail(&own, ERR_CONFLICT, "a container runs on it");
	}
	*problem = r > 0 ? xasprintf("%s: removed, the next container makes them again", old)
			 : xasprintf("%s (removing them: %s)", old, own.msg);
	return r > 0 ? CHECK_CURED : CHECK_KEPT;
}

static int check_one(struct engine *eng, const struct check_options *opts,
		     const struct mapped_item *item, struct check_report *report, struct err *err)
{
	cleanup_free char *problem = NULL, *hex = mapped_layer(item);
	cleanup_free char *digest = xasprintf("sha256:%s", hex);
	enum check_verdict verdict = CHECK_DAMAGED;
	struct err own = ERR_INIT;
	int r, found = mapped_verify(&eng->store, item, &problem, &own);

	if (found == 0)
		return 0;
	if (found < 0) {
		verdict = CHECK_UNSURE;
		problem = xasprintf("can't be checked: %s", own.msg);
	} else if (opts->repair) {
		verdict = cure(eng, item, &problem);
		r = store_lock_shared(&eng->store, err);
		if (r < 0)
			return r;
	}
	/* Those of users tell which. */
	const char *name = item->text ? item->text : item->hash;
	cleanup_free char *what =
	    xasprintf("its files for the mapping %.*s %s", (int)strcspn(name, ";"), name, problem);
	return check_tell_images(eng, "layer", digest, what, verdict, report, err);
}

int check_mapped(struct engine *eng, const struct check_options *opts, struct check_report *report,
		 struct err *err)
{
	cleanup_mapped_items struct mapped_items items = { 0 };
	int r = 0;

	/* Each is made once more, which takes room. */
	if (!opts->quick && !opts->readonly)
		mapped_find(&eng->store, &items);
	for (size_t i = 0; r == 0 && i < items.n; i++)
		r = check_one(eng, opts, &items.items[i], report, err);
	return r;
}
