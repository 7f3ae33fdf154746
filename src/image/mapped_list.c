/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "image/layer_run.h"
#include "image/mapped.h"
#include "image/sync.h"
#include "image/usage.h"
#include "image/verify.h"

#define ABOUT_MAX 65536
#define SHOWN_MAX 3

void mapped_items_done(struct mapped_items *list)
{
	for (size_t i = 0; i < list->n; i++) {
		free(list->items[i].base);
		free(list->items[i].hash);
		free(list->items[i].text);
	}
	free(take_ptr(list->items));
	list->n = 0;
}

char *mapped_layer(const struct mapped_item *item)
{
	const char *hex = strchr(item->base, '/') + 1;

	return xstrndup(hex, strcspn(hex, "/"));
}

/* ---- finding them ---- */

/* Names in a directory of the store, without those that begin with a dot. */
static char **names_in(const struct image_store *store, const char *path)
{
	int fd = openat(store->fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *de;
	char **names = NULL;

	if (!dir) {
		fd_close(fd);
		return NULL;
	}
	while ((de = readdir(dir)))
		if (de->d_name[0] != '.')
			strv_add(&names, de->d_name);
	closedir(dir);
	return names;
}

static void read_about(const struct image_store *store, struct mapped_item *item)
{
	cleanup_free char *path =
	    xasprintf("%s/" MAPPED_DIR "/%s/" MAPPED_ABOUT, item->base, item->hash);
	cleanup_buf struct buf text = BUF_INIT;

	if (io_read_file(store->fd, path, &text, ABOUT_MAX, NULL) < 0)
		return;
	cleanup_strv char **lines = strv_split(buf_str(&text), '\n');
	cleanup_free char *hash = mapped_hash(lines[0]);
	if (!str_eq(hash, item->hash) || !lines[1] || str_parse_u64(lines[1], &item->size) < 0)
		return;
	item->text = xstrdup(lines[0]);
}

static void find_at(const struct image_store *store, const char *base, struct mapped_items *ret)
{
	cleanup_free char *dir = xasprintf("%s/" MAPPED_DIR, base);
	cleanup_strv char **names = names_in(store, dir);

	for (size_t i = 0; names && names[i]; i++) {
		ret->items = xrealloc(ret->items, (ret->n + 1) * sizeof(*ret->items));
		ret->items[ret->n] =
		    (struct mapped_item){ .base = xstrdup(base), .hash = xstrdup(names[i]) };
		read_about(store, &ret->items[ret->n++]);
	}
}

void mapped_find(struct image_store *store, struct mapped_items *ret)
{
	/* Root has file systems' ids mapped. */
	cleanup_strv char **layers = store->rootless ? names_in(store, "layers") : NULL;

	for (size_t i = 0; layers && layers[i]; i++) {
		cleanup_free char *base = xasprintf("layers/%s", layers[i]);
		cleanup_free char *shims = xasprintf("%s/shims", base);
		cleanup_strv char **chains = names_in(store, shims);

		find_at(store, base, ret);
		for (size_t k = 0; chains && chains[k]; k++) {
			cleanup_free char *shim = xasprintf("%s/%s", shims, chains[k]);

			find_at(store, shim, ret);
		}
	}
}

/* ---- looking at them ---- */

/* The root's time is that of its making. */
static char *differences(const struct buf *doc)
{
	cleanup_buf struct buf out = BUF_INIT;
	const char *last = NULL; /* several things may be other than they were */
	size_t n = 0;

	for (const char *p = buf_str(doc), *end = p + doc->len; p < end; p += strlen(p) + 1) {
		if (str_eq(p, "m.") || str_eq(p + 1, last))
			continue;
		last = p + 1;
		if (++n > SHOWN_MAX)
			continue;
		cleanup_free char *shown = str_escape(p + 1);
		buf_addf(&out, "%s/%s", out.len ? ", " : "", shown);
	}
	if (n > SHOWN_MAX)
		buf_addf(&out, " and %zu more", n - SHOWN_MAX);
	return n ? xasprintf("differ in %s", buf_str(&out)) : NULL;
}

static int compare(struct image_store *store, const struct mapped_item *item, char **ret_problem,
		   struct err *err)
{
	cleanup_free char *path = xasprintf("%s/" MAPPED_DIR "/%s/fs", item->base, item->hash);
	cleanup_fd int tree =
	    openat(store->fd, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct staging staging = STAGING_INIT;
	cleanup_buf struct buf doc = BUF_INIT;

	if (tree < 0) {
		*ret_problem = xstrdup("are missing");
		return 0;
	}
	int r = mapped_stage(store, item, &staging, err);
	cleanup_fd int fresh = r;
	if (r >= 0)
		r = verify_trees(store, fresh, tree, &doc, err);
	if (r >= 0)
		*ret_problem = differences(&doc);
	staging_done(store, &staging);
	return r < 0 ? r : 0;
}

int mapped_verify(struct image_store *store, const struct mapped_item *item, char **ret_problem,
		  struct err *err)
{
	cleanup_free char *mark = mapped_mark(item->base, item->hash);
	int r = 0;

	if (!item->text)
		*ret_problem = xstrdup("are of a mapping that nobody knows");
	else
		r = compare(store, item, ret_problem, err);
	if (r == 0 && !*ret_problem && sync_is_lost(store, mark))
		sync_forget(store, mark);
	return r < 0 ? r : *ret_problem != NULL;
}

/* ---- removing them ---- */

static int move(struct image_store *store, const struct mapped_item *item, size_t i,
		const struct staging *trash, bool back, struct err *err)
{
	cleanup_free char *path = xasprintf("%s/" MAPPED_DIR "/%s", item->base, item->hash);
	cleanup_free char *name = xasprintf("map-%zu", i);
	int r = back ? renameat(trash->fd, name, store->fd, path)
		     : renameat(store->fd, path, trash->fd, name);

	return r < 0 ? err_errno(err, errno, "removing %s/%s", store->root, path) : 0;
}

static void forget(struct image_store *store, const struct mapped_item *item)
{
	cleanup_free char *mark = mapped_mark(item->base, item->hash);
	cleanup_free char *hex = mapped_layer(item);
	cleanup_free char *diff_id = xasprintf("sha256:%s", hex);

	sync_forget(store, mark);
	store_layer_usage_forget(store, diff_id);
}

/* 1: it is gone, 0, or -errno. */
static int remove_one(struct image_store *store, const struct mapped_item *item, size_t i,
		      const struct staging *trash, mapped_used used, void *data, struct err *err)
{
	int r = used(item, false, data, err);

	if (r == 0)
		r = move(store, item, i, trash, false, err);
	else
		return r < 0 ? r : 0;
	if (r < 0)
		return r;
	r = used(item, true, data, err);
	if (r != 0) {
		int put = move(store, item, i, trash, true, err);

		return r < 0 ? r : put;
	}
	forget(store, item);
	return 1;
}

int mapped_remove(struct image_store *store, const struct mapped_items *list, mapped_used used,
		  void *data, uint64_t *ret_freed, struct err *err)
{
	struct staging trash = STAGING_INIT;
	int n = 0, r = list->n ? staging_new(store, &trash, err) : 0;

	for (size_t i = 0; r >= 0 && i < list->n; i++) {
		r = remove_one(store, &list->items[i], i, &trash, used, data, err);
		if (r > 0) {
			n++;
			*ret_freed += list->items[i].size;
		}
	}
	/* What lies in the trash is out of everybody's way. */
	image_store_unlock(store);
	if (list->n)
		staging_done(store, &trash);
	return r < 0 ? r : n;
}
