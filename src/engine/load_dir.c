/* SPDX-License-Identifier: Apache-2.0 */
/* Loading a directory: each image of it is copied into the store. */
#include <fcntl.h>

#include "base/fd.h"
#include "base/str.h"
#include "engine/copy.h"
#include "image/layout.h"

static int load_one(struct engine *eng, const struct transport_name *from, char *platform,
		    struct image_list *list, struct err *err)
{
	const struct transport_name to = { .kind = TRANSPORT_STORE };
	const struct copy_options options = { .out_fd = -EBADF, .platform = platform };
	cleanup_copy_result struct copy_result result = { 0 };

	int r = engine_copy(eng, from, &to, &options, &result, err);
	if (r < 0)
		return r;
	list->items = xrealloc(list->items, (list->n + 1) * sizeof(*list->items));
	struct image *image = &list->items[list->n++];
	*image = (struct image){ 0 };
	image->id = take_ptr(result.id);
	image->names = take_ptr(result.names);
	return 0;
}

/* index.json may list one image for many platforms. */
static bool is_for_others(const struct oci_descriptor *desc, const struct oci_platform *want)
{
	const struct oci_platform *p = desc->platform;

	return p && !oci_platform_fits(want, p->os, p->architecture, p->variant);
}

static int load_layout(struct engine *eng, int fd, struct transport_name *from, char *platform,
		       struct image_list *list, struct err *err)
{
	cleanup_index struct oci_index index = { 0 };
	struct oci_platform want = { 0 };

	int r = layout_read_index(fd, &index, err);
	if (r < 0)
		return err_wrap(err, r, "%s", from->path);
	if (platform)
		r = oci_platform_parse(platform, &want, err);
	for (size_t i = 0; r == 0 && i < index.manifests.n; i++) {
		cleanup_free char *place = xasprintf("@%zu", i);

		if (is_for_others(&index.manifests.items[i], platform ? &want : NULL))
			continue;
		from->ref = place;
		r = load_one(eng, from, platform, list, err);
	}
	if (r == 0 && list->n == 0) {
		cleanup_free char *text = oci_platform_text(platform ? &want : NULL);

		r = err_fail(err, ERR_NOT_FOUND, "%s has no image for %s", from->path, text);
	}
	oci_platform_done(&want);
	return r;
}

int engine_load_dir(struct engine *eng, const char *path, char *platform, struct image_list *ret,
		    struct err *err)
{
	struct transport_name from = { .kind = TRANSPORT_OCI, .path = (char *)(uintptr_t)path };
	struct image_list list = { 0 };
	cleanup_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return err_errno(err, errno, "opening %s", path);
	if (layout_is_dir(fd)) {
		from.kind = TRANSPORT_DIR;
		r = load_one(eng, &from, platform, &list, err);
	} else {
		r = load_layout(eng, fd, &from, platform, &list, err);
	}
	if (r == 0)
		*ret = list;
	else
		image_list_done(&list);
	return r < 0 ? err_wrap(err, r, "loading image") : 0;
}
