/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mapped.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/strv.h"
#include "engine/images.h"
#include "engine/mappings.h"
#include "engine/record.h"
#include "engine/volumes.h"
#include "image/mapped.h"
#include "image/tree.h"
#include "runtime/cancel.h"
#include "runtime/container.h"

/* inro-layer's processes have to get at the user's directories, so he has this id where they run,
 * and none in the container itself. */
#define HIDDEN_ID (UINT32_MAX - 1)

static int copy_map(const struct idmap *from, uint32_t own, struct idmap *ret)
{
	uint32_t inside;
	int r = 0;

	for (size_t i = 0; r == 0 && i < from->n; i++)
		r = idmap_add(ret, from->ranges[i].inside, from->ranges[i].outside,
			      from->ranges[i].count);
	if (r == 0 && idmap_to_inside(from, own, &inside) < 0)
		r = idmap_add(ret, HIDDEN_ID, own, 1);
	return r;
}

static int write_text(const struct idmap *uids, const struct idmap *gids, char **ret,
		      struct err *err)
{
	cleanup_image_ids struct image_ids ids = { 0 };
	struct buf text = BUF_INIT;
	int r = copy_map(uids, (uint32_t)geteuid(), &ids.uids);

	if (r == 0)
		r = copy_map(gids, (uint32_t)getegid(), &ids.gids);
	if (r < 0)
		return err_errno(err, -r, "mapping ids");
	image_ids_write(&ids.uids, &ids.gids, &text);
	*ret = buf_take(&text);
	return 0;
}

int mapped_text(struct engine *eng, const struct idmap *uids, const struct idmap *gids, char **ret,
		struct err *err)
{
	CLEANUP(idmap_done) struct idmap own_uids = { 0 };
	CLEANUP(idmap_done) struct idmap own_gids = { 0 };
	int r;

	*ret = NULL;
	if (!eng->rootless || !uids->n)
		return 0;
	r = mappings_rootless(&own_uids, &own_gids, err);
	if (r < 0 || (idmap_equal(uids, &own_uids) && idmap_equal(gids, &own_gids)))
		return r;
	return write_text(uids, gids, ret, err);
}

bool mapped_hides_user(const char *mapping)
{
	cleanup_image_ids struct image_ids ids = { 0 };
	uint32_t outside;

	return mapping && image_ids_parse(mapping, &ids) == 0 &&
	       idmap_to_outside(&ids.uids, HIDDEN_ID, &outside) == 0;
}

static int give(struct engine *eng, const char *mapping, int dir, const char *const *names,
		struct err *err)
{
	cleanup_image_ids struct image_ids ids = { 0 };
	int r = engine_store(eng, err);

	if (r == 0 && image_ids_parse(mapping, &ids) < 0)
		r = err_fail(err, ERR_CORRUPT, "the container's record has no mapping");
	return r < 0 ? r : tree_give(&eng->store, dir, names, &ids, err);
}

int mapped_give(struct engine *eng, const char *mapping, int bundle_fd, size_t n_secrets,
		struct err *err)
{
	cleanup_strv char **names = strv_copy((char *const *)container_given);

	/* What overlayfs makes in there is not for anybody but its owner. */
	strv_add(&names, "work");
	for (size_t i = 0; i < n_secrets; i++)
		strv_addf(&names, "secrets/%zu", i);
	return give(eng, mapping, bundle_fd, (const char *const *)names, err);
}

int mapped_give_volume(struct engine *eng, const char *mapping, int dir, struct err *err)
{
	static const char *const names[] = { VOLUME_DATA, NULL };
	struct stat st;

	if (!mapped_hides_user(mapping) ||
	    fstatat(dir, VOLUME_DATA, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode) ||
	    st.st_uid != geteuid())
		return 0;
	cleanup_fd int data =
	    openat(dir, VOLUME_DATA, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r = data < 0 ? err_errno(err, errno, "opening a volume") : engine_store(eng, err);
	if (r == 0)
		r = tree_is_empty(&eng->store, data, err);
	return r <= 0 ? r : give(eng, mapping, dir, names, err);
}

static uint64_t count_ids(const struct idmap *map)
{
	uint64_t n = 0;

	for (size_t i = 0; i < map->n; i++)
		n += map->ranges[i].count;
	return n;
}

/* The image has an owner that is not mapped: is it for lack of ids, or of those that were asked
 * for (keep-id:size=)? */
static void hint_size(const char *mapping, struct err *err)
{
	cleanup_image_ids struct image_ids ids = { 0 };
	CLEANUP(idmap_done) struct idmap uids = { 0 };
	CLEANUP(idmap_done) struct idmap gids = { 0 };

	if (image_ids_parse(mapping, &ids) < 0 || mappings_rootless(&uids, &gids, NULL) < 0 ||
	    (count_ids(&ids.uids) >= count_ids(&uids) && count_ids(&ids.gids) >= count_ids(&gids)))
		return;
	err->hint[0] = '\0';
	err_hint(err, 0,
		 "the image has ids that this user namespace lacks: give a larger size=, or "
		 "leave it out");
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
	if (r == -EINVAL)
		hint_size(mapping, err);
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

/* ---- what nobody needs any more ---- */

int mapped_read_used(struct engine *eng, struct mappings_used *ret, struct err *err)
{
	cleanup_record_list struct record_list all = { 0 };
	int r = record_list(eng, NULL, &all, err);

	strv_free(take_ptr(ret->hashes));
	for (size_t i = 0; r == 0 && i < all.n; i++)
		if (all.items[i].options.mapping)
			strv_take(&ret->hashes, mapped_hash(all.items[i].options.mapping));
	return r;
}

bool mapped_is_used(const struct mappings_used *used, const struct mapped_item *item)
{
	return strv_has(used->hashes, item->hash);
}

struct prune {
	struct engine *eng;
	struct mappings_used used;
};

static int is_used(const struct mapped_item *item, bool again, void *data, struct err *err)
{
	struct prune *p = data;
	int r = again ? mapped_read_used(p->eng, &p->used, err) : 0;

	return r < 0 ? r : mapped_is_used(&p->used, item);
}

int mapped_prune(struct engine *eng, uint64_t *ret_freed, struct err *err)
{
	cleanup_mapped_items struct mapped_items items = { 0 };
	struct prune p = { .eng = eng };
	int r = engine_store(eng, err);

	if (r < 0)
		return r;
	mapped_find(&eng->store, &items);
	if (!items.n)
		return 0;
	r = store_lock_exclusive(&eng->store, err);
	if (r == 0)
		log_debug("trees of mappings stay: images are being added");
	if (r > 0 && (r = mapped_read_used(eng, &p.used, err)) == 0)
		r = mapped_remove(&eng->store, &items, is_used, &p, ret_freed, err);
	strv_free(p.used.hashes);
	image_store_unlock(&eng->store);
	return r < 0 ? r : 0;
}
