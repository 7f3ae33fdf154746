/* SPDX-License-Identifier: Apache-2.0 */
/* What is in the store and belongs to nobody. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "image/mapped.h"
#include "image/partial.h"
#include "image/shim.h"
#include "image/sync.h"
#include "image/usage.h"
#include "image/verify.h"
#include "oci/digest.h"

struct search {
	struct image_store *store;
	const struct image_keep *keep;
	size_t n_blobs, n_diff_ids;
	struct shim_chains chains; /* ids NULL: nobody has asked yet */
	int64_t age_ns;
	bool remove;
	struct leftovers *found;
};

void leftovers_add(struct leftovers *list, char *path, uint64_t size, char *why, bool removed)
{
	list->items = xrealloc(list->items, (list->n + 1) * sizeof(*list->items));
	list->items[list->n++] =
	    (struct leftover){ .path = path, .why = why, .size = size, .removed = removed };
}

void leftovers_done(struct leftovers *list)
{
	for (size_t i = 0; i < list->n; i++) {
		free(list->items[i].path);
		free(list->items[i].why);
	}
	free(take_ptr(list->items));
	list->n = 0;
}

static int name_compare(const void *hex, const void *digest)
{
	return strcmp(hex, digest_hex(*(char *const *)digest));
}

static bool is_needed(char *const *digests, size_t n, const char *hex)
{
	return n > 0 && bsearch(hex, digests, n, sizeof(*digests), name_compare);
}

static void find_blob(struct search *se, int dir, const char *name)
{
	struct stat st;

	if (is_needed(se->keep->blobs, se->n_blobs, name) ||
	    fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	leftovers_add(se->found, xasprintf("blobs/sha256/%s", name), (uint64_t)st.st_blocks * 512,
		      xstrdup("no image has it"), false);
}

/* On top of layers that no image has below this one. */
static void find_shims(struct search *se, int layers, const char *layer)
{
	cleanup_free char *path = xasprintf("%s/shims", layer);
	int fd = openat(layers, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		fd_close(fd);
		return;
	}
	if (!se->chains.ids)
		shim_chains_read(se->keep->stacks, &se->chains);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || shim_chains_have(&se->chains, entry->d_name))
			continue;
		cleanup_free char *shim = xasprintf("layers/%s/%s", path, entry->d_name);
		uint64_t size = store_dir_usage(se->store, shim);
		leftovers_add(se->found, take_ptr(shim), size, xstrdup("no image has it"), false);
	}
	closedir(dir);
}

static void find_layer(struct search *se, int dir, const char *name)
{
	cleanup_free char *path = xasprintf("layers/%s", name);

	if (is_needed(se->keep->diff_ids, se->n_diff_ids, name)) {
		find_shims(se, dir, name);
		return;
	}
	uint64_t size = store_dir_usage(se->store, path);
	leftovers_add(se->found, take_ptr(path), size, xstrdup("no image has it"), false);
}

static void find_partial(struct search *se, int dir, const char *name)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    time_now_ns() - st.st_mtim.tv_sec * INT64_C(1000000000) < se->age_ns)
		return;
	leftovers_add(se->found, xasprintf("partial/%s", name), (uint64_t)st.st_blocks * 512,
		      xstrdup("a download that nobody has gone on with"), false);
}

/* The tree is made again when it is wanted, whatever is there, and its mark with it. */
static void find_mapped_mark(struct search *se, int dir, const char *name)
{
	cleanup_mapped_items struct mapped_items items = { 0 };
	bool there = false;

	if (!sync_is_lost(se->store, name))
		return;
	mapped_find(se->store, &items);
	for (size_t i = 0; i < items.n && !there; i++) {
		cleanup_free char *mark = mapped_mark(items.items[i].base, items.items[i].hash);

		there = str_eq(mark, name);
	}
	if (there)
		return;
	bool removed = se->remove && unlinkat(dir, name, 0) == 0;
	leftovers_add(se->found, xasprintf("unsynced/%s", name), 0,
		      xstrdup("what it was for is not needed"), removed);
}

/* Of another boot, for what isn't there or is nobody's: one that is needed is found with that. What
 * is there loses its mark only after it has gone, or it would look whole. */
static void find_mark(struct search *se, int dir, const char *name)
{
	const char *layer = str_after(name, STAGED_LAYER);

	if (str_starts(name, MAPPED_MARK)) {
		find_mapped_mark(se, dir, name);
		return;
	}
	cleanup_free char *of =
	    layer ? xasprintf("layers/%s", layer) : xasprintf("blobs/sha256/%s", name);

	if (!sync_is_lost(se->store, name) ||
	    (layer ? is_needed(se->keep->diff_ids, se->n_diff_ids, layer)
		   : is_needed(se->keep->blobs, se->n_blobs, name)))
		return;
	bool there =
	    faccessat(se->store->fd, of, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
	bool removed = se->remove && !there && unlinkat(dir, name, 0) == 0;
	leftovers_add(se->found, xasprintf("unsynced/%s", name), 0,
		      xstrdup("what it was for is not needed"), removed);
}

static int search_dir(struct search *se, const char *path,
		      void (*one)(struct search *se, int dir, const char *name), struct err *err)
{
	struct dirent *entry;
	int fd = openat(se->store->fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? 0 : err_errno(err, errno, "opening %s", path);
	DIR *dir = fdopendir(fd);
	if (!dir) {
		fd_close(fd);
		return err_errno(err, ENOMEM, "reading %s", path);
	}
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			one(se, dirfd(dir), entry->d_name);
	closedir(dir);
	return 0;
}

int leftovers_find(struct image_store *store, const struct image_keep *keep, int64_t age_ns,
		   bool remove, struct leftovers *ret, struct err *err)
{
	static const struct {
		const char *path;
		void (*one)(struct search *se, int dir, const char *name);
	} dirs[] = {
		{ "blobs/sha256", find_blob },
		{ "layers", find_layer },
		{ "partial", find_partial },
		{ "unsynced", find_mark },
	};
	struct search se = {
		.store = store,
		.keep = keep,
		.n_blobs = strv_len(keep->blobs),
		.n_diff_ids = strv_len(keep->diff_ids),
		.age_ns = age_ns,
		.remove = remove,
		.found = ret,
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(dirs); i++)
		r = search_dir(&se, dirs[i].path, dirs[i].one, err);
	if (remove)
		partial_collect(store, age_ns);
	shim_chains_done(&se.chains);
	return r;
}
