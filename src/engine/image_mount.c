/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/image_mount.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/unshare.h"
#include "oci/digest.h"
#include "oci/reference.h"
#include "sys/mount.h"

#define TREE  "fs"
#define ROOT  "root"
#define COUNT "count"
#define NAMES "names"
#define ATTRS (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID)

void image_mounts_done(struct image_mounts *mounts)
{
	for (size_t i = 0; i < mounts->n; i++) {
		image_row_done(&mounts->items[i].image);
		free(mounts->items[i].path);
	}
	free(take_ptr(mounts->items));
	mounts->n = 0;
}

/* ---- the place ---- */

static bool is_mount(int fd)
{
	struct statx stx;

	return statx(fd, "", AT_EMPTY_PATH, 0, &stx) == 0 &&
	       (stx.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

/* The directory of mounts, locked. */
static int place_open(const struct engine *eng, struct err *err)
{
	cleanup_free char *path = path_join(eng->runroot, UNSHARE_MOUNTS);
	cleanup_fd int fd =
	    eng->unshared ? open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -EBADF;

	/* With another --runroot it would be a directory of the host's. */
	if (fd < 0 || !is_mount(fd))
		return err_hint(err,
				err_fail(err, ERR_UNSUPPORTED,
					 "images are mounted inside of `inro unshare` only: inro "
					 "mounts nothing on the host"),
				"inro unshare sh -c 'm=$(inro image mount IMAGE) && ls $m'");
	if (NO_EINTR(flock(fd, LOCK_EX)) < 0)
		return err_errno(err, errno, "locking %s", path);
	return take_fd(fd);
}

static char *tree_path(const struct engine *eng, const char *id)
{
	return xasprintf("%s/" UNSHARE_MOUNTS "/%s/" TREE, eng->runroot, digest_hex(id));
}

/* How often it was mounted. */
static int count_read(int dir, uint64_t *ret, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	int r = io_read_file(dir, COUNT, &text, 32, err);

	if (r == -ENOENT) {
		*ret = 0;
		return 0;
	}
	if (r == 0 && str_parse_u64(buf_str(&text), ret) < 0)
		return err_fail(err, ERR_CORRUPT, "reading how often the image is mounted");
	return r;
}

static int count_write(int dir, uint64_t count, struct err *err)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%" PRIu64, count);

	return io_replace_file(dir, COUNT, text, (size_t)n, 0600, false, err);
}

/* ---- what it was called ---- */

#define NAMES_MAX (1u << 20)

/* Names that the image had when it was mounted: a tag may lead elsewhere by the time that it is to
 * be unmounted. */
static int names_read(int dir, char ***ret, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	int r = io_read_file(dir, NAMES, &text, NAMES_MAX, err);

	if (r == -ENOENT)
		return 0;
	cleanup_strv char **lines = r == 0 ? strv_split(buf_str(&text), '\n') : NULL;
	for (size_t i = 0; lines && lines[i]; i++)
		if (*lines[i])
			strv_add(ret, lines[i]);
	return r;
}

static int names_add(int dir, char *const *names, struct err *err)
{
	cleanup_strv char **all = NULL;
	cleanup_buf struct buf text = BUF_INIT;
	int r = names_read(dir, &all, err);

	for (size_t i = 0; r == 0 && names && names[i]; i++)
		if (!strv_has(all, names[i]))
			strv_add(&all, names[i]);
	for (size_t i = 0; r == 0 && all && all[i]; i++)
		buf_addf(&text, "%s\n", all[i]);
	return r < 0 ? r : io_replace_file(dir, NAMES, buf_str(&text), text.len, 0600, false, err);
}

/* ---- mounting ---- */

static void layers_close(int *fds, size_t n)
{
	while (n > 0)
		fd_close(fds[--n]);
	free(fds);
}

/* An image without layers: overlayfs takes no single directory. */
static int empty_mount(int dir, struct err *err)
{
	cleanup_fd int fd = mount_clone(dir, "", false, err);
	int r = fd < 0 ? fd : mount_set(fd, "", false, ATTRS, 0, 0, -EBADF, err);

	return r < 0 ? r : take_fd(fd);
}

/* An empty directory with the owner, mode and times of the image's "/", to go on top of the layers:
 * the topmost of them may have none of its own. Here, a tmpfs may not take all attributes. */
static int root_make(struct engine *eng, char *const *diff_ids, int dir, struct err *err)
{
	if (mkdirat(dir, ROOT, 0755) < 0 && errno != EEXIST)
		return err_errno(err, errno, "making a directory for the mount");
	cleanup_fd int fd = openat(dir, ROOT, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, errno, "opening a directory for the mount");
	int r = image_init_upper(&eng->store, diff_ids, fd, err);
	return r < 0 && r != -EOPNOTSUPP ? r : take_fd(fd);
}

/* A single layer gets the empty directory below it: its own whiteouts are not to be seen. */
static int overlay_mount(struct engine *eng, int root, const int *fds, size_t n, struct err *err)
{
	cleanup_free int *lower = xcalloc(n + 2, sizeof(*lower));
	const struct mount_layers layers = { .lower_fds = lower,
					     .n_lower = n == 1 ? 3 : n + 1,
					     .upper_fd = -EBADF,
					     .work_fd = -EBADF,
					     .userxattr = eng->rootless };
	int *none = NULL;
	size_t n_none = 0;

	lower[0] = root;
	memcpy(lower + 1, fds, n * sizeof(*lower));
	int r = n > 1 ? 0 : image_open_layers(&eng->store, NULL, &none, &n_none, err);
	if (r == 0 && n == 1)
		lower[2] = none[0];
	if (r == 0)
		r = mount_overlay(&layers, ATTRS, err);
	layers_close(none, n_none);
	return r;
}

/* dir: where there is room for a directory. */
static int tree_mount(struct engine *eng, const struct image_row *image, int dir, int target,
		      struct err *err)
{
	bool empty = strv_len(image->diff_ids) == 0;
	cleanup_fd int root = -EBADF;
	int *fds = NULL;
	size_t n = 0;
	int r = engine_store(eng, err);

	if (r == 0)
		r = image_open_layers(&eng->store, image->diff_ids, &fds, &n, err);
	if (r < 0)
		return r;
	if (!empty)
		root = root_make(eng, image->diff_ids, dir, err);
	cleanup_fd int fd = empty      ? empty_mount(fds[0], err)
			    : root < 0 ? root
				       : overlay_mount(eng, root, fds, n, err);
	layers_close(fds, n);
	return fd < 0 ? fd : mount_attach(fd, target, err);
}

static int entry_make(int place, const char *hex, struct err *err)
{
	if (mkdirat(place, hex, 0700) < 0 && errno != EEXIST)
		return err_errno(err, errno, "making a directory for the mount");
	cleanup_fd int dir = openat(place, hex, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 || (mkdirat(dir, TREE, 0755) < 0 && errno != EEXIST))
		return err_errno(err, errno, "making a directory for the mount");
	return take_fd(dir);
}

static int mount_once_more(struct engine *eng, const struct image_row *image, struct err *err)
{
	uint64_t count = 0;
	cleanup_fd int place = place_open(eng, err);
	if (place < 0)
		return place;
	cleanup_fd int dir = entry_make(place, digest_hex(image->id), err);
	if (dir < 0)
		return dir;
	cleanup_fd int target = openat(dir, TREE, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (target < 0)
		return err_errno(err, errno, "opening the directory for the mount");
	int r = count_read(dir, &count, err);
	if (r == 0 && !is_mount(target))
		r = tree_mount(eng, image, dir, target, err);
	if (r == 0)
		r = names_add(dir, image->names, err);
	return r < 0 ? r : count_write(dir, count + 1, err);
}

static struct image_mount *mounts_add(struct image_mounts *mounts)
{
	mounts->items = xrealloc(mounts->items, (mounts->n + 1) * sizeof(*mounts->items));
	mounts->items[mounts->n] = (struct image_mount){ 0 };
	return &mounts->items[mounts->n++];
}

int image_mount(struct engine *eng, const char *word, struct image_mounts *ret, struct err *err)
{
	cleanup_image_row struct image_row image = { 0 };

	int r = images_find_whole(eng, word, &image, err);
	if (r == 0 && image.kind != IMAGE_KIND_IMAGE)
		r = err_fail(err, ERR_UNSUPPORTED, "%s has no files: it is %s", word,
			     image.kind == IMAGE_KIND_LIST ? "a list of images" : "an artifact");
	if (r == 0) {
		r = mount_once_more(eng, &image, err);
		r = r < 0 ? err_wrap(err, r, "mounting image %s", word) : r;
	}
	if (r < 0)
		return r;
	images_used(eng, &image);
	struct image_mount *one = mounts_add(ret);
	one->path = tree_path(eng, image.id);
	one->image = image;
	image = (struct image_row){ 0 };
	return 0;
}

/* ---- what is mounted ---- */

static int names_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Ids, sorted. */
static int mounted_ids(const struct engine *eng, char ***ret, struct err *err)
{
	int place = place_open(eng, err);
	struct dirent *entry;

	if (place < 0)
		return place;
	DIR *dir = fdopendir(place);
	if (!dir) {
		int r = err_errno(err, errno, "reading the directory of mounts");
		fd_close(place);
		return r;
	}
	while ((entry = readdir(dir))) {
		cleanup_free char *id = xasprintf("sha256:%s", entry->d_name);
		if (digest_valid(id))
			strv_add(ret, id);
	}
	closedir(dir);
	if (*ret)
		qsort(*ret, strv_len(*ret), sizeof(**ret), names_compare);
	return 0;
}

int image_mount_list(struct engine *eng, struct image_mounts *ret, struct err *err)
{
	cleanup_strv char **ids = NULL;
	int r = mounted_ids(eng, &ids, err);

	for (size_t i = 0; r == 0 && ids && ids[i]; i++) {
		struct image_row image = { 0 };
		struct err own = ERR_INIT;

		r = images_find_whole(eng, ids[i], &image, &own);
		if (r < 0 && own.kind == ERR_NOT_FOUND) {
			image.id = xstrdup(ids[i]);
			r = 0;
		} else if (r < 0 && err) {
			*err = own;
		}
		if (r < 0)
			break;
		struct image_mount *one = mounts_add(ret);
		one->path = tree_path(eng, ids[i]);
		one->image = image;
	}
	return r;
}

/* ---- unmounting ---- */

static int entry_remove(int place, int dir, const char *hex, struct err *err)
{
	cleanup_fd int tree = openat(dir, TREE, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (tree < 0)
		return err_errno(err, errno, "opening the mount");
	int r = is_mount(tree) ? mount_detach(tree, err) : 0;
	if (r < 0)
		return r;
	if ((unlinkat(dir, TREE, AT_REMOVEDIR) < 0 && errno != ENOENT) ||
	    (unlinkat(dir, ROOT, AT_REMOVEDIR) < 0 && errno != ENOENT) ||
	    (unlinkat(dir, COUNT, 0) < 0 && errno != ENOENT) ||
	    (unlinkat(dir, NAMES, 0) < 0 && errno != ENOENT) ||
	    unlinkat(place, hex, AT_REMOVEDIR) < 0)
		return err_errno(err, errno, "removing the directory of the mount");
	return 0;
}

/* 1: it isn't mounted. */
static int unmount_once(struct engine *eng, const char *id, bool force, struct err *err)
{
	const char *hex = digest_hex(id);
	uint64_t count = 0;
	cleanup_fd int place = place_open(eng, err);
	if (place < 0)
		return place;
	cleanup_fd int dir = openat(place, hex, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return errno == ENOENT ? 1 : err_errno(err, errno, "opening the mount");
	int r = count_read(dir, &count, err);
	if (r < 0)
		return r;
	return !force && count > 1 ? count_write(dir, count - 1, err)
				   : entry_remove(place, dir, hex, err);
}

static bool is_among(char *const *ids, const char *id)
{
	return id && strv_has(ids, id);
}

/* Was the mount made of what had that name then? 1, 0 or -errno. */
static int had_name(struct engine *eng, const char *id, const char *name, struct err *err)
{
	cleanup_strv char **names = NULL;
	cleanup_fd int place = place_open(eng, err);
	if (place < 0)
		return place;
	cleanup_fd int dir =
	    openat(place, digest_hex(id), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return errno == ENOENT ? 0 : err_errno(err, errno, "opening the mount");
	int r = names_read(dir, &names, err);
	return r < 0 ? r : strv_has(names, name);
}

/* What word meant when it was mounted, among what is: the name that it had, or the beginning of the
 * id of an image that is gone. */
static int find_mounted(struct engine *eng, char *const *ids, const char *word, char **ret,
			struct err *err)
{
	const char *hex = str_after(word, "sha256:");
	cleanup_free char *name = NULL, *found = NULL;

	hex = hex ? hex : word;
	reference_normalize(word, &name, NULL);
	for (size_t i = 0; ids && ids[i]; i++) {
		int r = name ? had_name(eng, ids[i], name, err) : 0;

		if (r < 0)
			return r;
		if (!r && (strlen(hex) < 2 || !str_starts(digest_hex(ids[i]), hex)))
			continue;
		if (found)
			return err_hint(err,
					err_fail(err, ERR_CONFLICT,
						 "several mounted images were called %s", word),
					"name one by its id: inro image mount");
		found = xstrdup(ids[i]);
	}
	*ret = take_ptr(found);
	return 0;
}

int image_unmount(struct engine *eng, const char *word, bool force, char **ret_id, struct err *err)
{
	cleanup_image_row struct image_row image = { 0 };
	cleanup_free char *id = NULL;
	cleanup_strv char **ids = NULL;
	struct err own = ERR_INIT;

	*ret_id = NULL;
	int r = mounted_ids(eng, &ids, err);
	if (r < 0)
		return err_wrap(err, r, "unmounting image %s", word);
	int found = images_find(eng, word, &image, &own);
	if (found == 0 && is_among(ids, image.id))
		id = xstrdup(image.id);
	else
		r = find_mounted(eng, ids, word, &id, err);
	if (r < 0)
		return r;
	/* An image that isn't mounted is no error, one that isn't known is. */
	if (!id && found < 0 && err)
		*err = own;
	if (!id)
		return found < 0 ? found : 0;
	r = unmount_once(eng, id, force, err);
	if (r < 0)
		return err_wrap(err, r, "unmounting image %s", word);
	if (r == 0)
		*ret_id = take_ptr(id);
	return 0;
}
