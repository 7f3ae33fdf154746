/* SPDX-License-Identifier: Apache-2.0 */
#include "image/missing.h"

#include <dirent.h>
#include <stdlib.h>

#include "base/fd.h"
#include "base/str.h"
#include "image/sync.h"
#include "oci/digest.h"

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool has(const struct store_names *names, const char *name)
{
	return names->n && bsearch(&name, names->items, names->n, sizeof(*names->items), compare);
}

static bool is_any(const struct image_store *store, const char *name)
{
	return true;
}

static int names_read(struct image_store *store, const char *path,
		      bool (*wanted)(const struct image_store *store, const char *name),
		      struct store_names *ret, struct err *err)
{
	int fd = store_open_dir(store, path, err);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	size_t cap = 0;

	if (!dir) {
		fd_close(fd);
		return fd < 0 ? fd : err_errno(err, ENOMEM, "reading %s/%s", store->root, path);
	}
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || !wanted(store, entry->d_name))
			continue;
		if (ret->n == cap) {
			cap = cap ? 2 * cap : 256;
			ret->items = xrealloc(ret->items, cap * sizeof(*ret->items));
		}
		ret->items[ret->n++] = xstrdup(entry->d_name);
	}
	closedir(dir);
	if (ret->n)
		qsort(ret->items, ret->n, sizeof(*ret->items), compare);
	return 0;
}

int store_names_read(struct image_store *store, struct store_names_all *ret, struct err *err)
{
	struct store_names_all names = { 0 };

	int r = names_read(store, "blobs/sha256", is_any, &names.blobs, err);
	if (r == 0)
		r = names_read(store, "layers", is_any, &names.layers, err);
	if (r == 0)
		r = names_read(store, SYNC_MARKS, sync_is_lost, &names.lost, err);
	if (r == -ENOENT)
		r = 0;
	if (r < 0)
		store_names_done(&names);
	else
		*ret = names;
	return r;
}

static void names_done(struct store_names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->items[i]);
	free(take_ptr(names->items));
	names->n = 0;
}

void store_names_done(struct store_names_all *names)
{
	names_done(&names->blobs);
	names_done(&names->layers);
	names_done(&names->lost);
}

bool store_names_have(const struct store_names_all *names, bool blob, const char *digest)
{
	const char *hex = digest_hex(digest);
	cleanup_free char *mark = xasprintf("%s%s", blob ? "" : STAGED_LAYER, hex);

	return has(blob ? &names->blobs : &names->layers, hex) && !has(&names->lost, mark);
}
