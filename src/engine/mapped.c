/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mapped.h"

#include <signal.h>

#include "base/fd.h"
#include "engine/images.h"
#include "engine/mappings.h"
#include "image/mapped.h"
#include "runtime/cancel.h"

int mapped_text(struct engine *eng, const struct idmap *uids, const struct idmap *gids, char **ret,
		struct err *err)
{
	CLEANUP(idmap_done) struct idmap own_uids = { 0 };
	CLEANUP(idmap_done) struct idmap own_gids = { 0 };
	struct buf text = BUF_INIT;
	int r;

	*ret = NULL;
	if (!eng->rootless || !uids->n)
		return 0;
	r = mappings_rootless(&own_uids, &own_gids, err);
	if (r < 0 || (idmap_equal(uids, &own_uids) && idmap_equal(gids, &own_gids)))
		return r;
	image_ids_write(uids, gids, &text);
	*ret = buf_take(&text);
	return 0;
}

/* The signals that may end it are blocked, or become so: nothing is left of a start then. */
static int make(struct engine *eng, char *const *diff_ids, const char *mapping, uint64_t *ret_size,
		struct err *err)
{
	const int others = eng->store.cancel_fd;
	cleanup_fd int cancel = -EBADF;
	sigset_t before;
	int r;

	sigprocmask(SIG_BLOCK, NULL, &before);
	r = cancel = cancel_begin(err);
	eng->store.cancel_fd = cancel;
	if (r >= 0)
		r = mapped_make(&eng->store, diff_ids, mapping, ret_size, err);
	eng->store.cancel_fd = others;
	if (r == -ECANCELED)
		cancel_error(cancel, err);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return r;
}

static int make_and_open(struct engine *eng, char *const *diff_ids, const char *mapping,
			 int **ret_fds, size_t *ret_n, struct err *err)
{
	uint64_t size = 0;
	int r = store_lock_shared(&eng->store, err);

	if (r < 0)
		return r;
	r = make(eng, diff_ids, mapping, &size, err);
	if (r == 0)
		r = mapped_open(&eng->store, diff_ids, mapping, ret_fds, ret_n, err);
	if (r == -ENODATA)
		r = err_fail(err, ERR_CORRUPT, "layers have lost their files of this mapping");
	if (r == 0)
		r = image_store_sync(&eng->store, size, false, err);
	images_added(eng, NULL, 0); /* gives the lock back */
	return r;
}

int engine_open_layers(struct engine *eng, char *const *diff_ids, const char *mapping,
		       int **ret_fds, size_t *ret_n, struct err *err)
{
	int r;

	if (!mapping)
		return image_open_layers(&eng->store, diff_ids, ret_fds, ret_n, err);
	r = mapped_open(&eng->store, diff_ids, mapping, ret_fds, ret_n, err);
	return r == -ENODATA ? make_and_open(eng, diff_ids, mapping, ret_fds, ret_n, err) : r;
}
