/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an image has at a volume's place comes into the volume. Beside it stands a mark until all is
 * there, which says what was to come: "IMAGE\nPATH". Whoever finds it, of whatever image, has that
 * done to its end, so that a volume never has files of two images.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/diff.h"
#include "engine/mapped.h"
#include "engine/parse.h"
#include "engine/volume_mounts.h"
#include "image/tree.h"
#include "runtime/cancel.h"
#include "sys/mount.h"

#define LOCK_LOOK_MS 20
#define MARK_MAX     16384

struct copy {
	struct engine *eng;
	const struct record *rec;
	const struct record_mount *m;
	const struct volumes_source *from;
	int dir, data;  /* of the volume; dir is locked */
	int data_idmap; /* as tree_copy() wants it */
	int cancel_fd;
};

/* ---- the mark ---- */

/* 1: there is one. *ret_image, *ret_path: what it names; NULL: nothing. */
static int mark_read(const struct copy *c, char **ret_image, char **ret_path, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct err own = ERR_INIT;
	const char *words, *end;
	int r = io_read_file(c->dir, VOLUME_COPYING, &text, MARK_MAX, &own);

	if (r == -ENOENT)
		return 0;
	if (r < 0) {
		if (err)
			*err = own;
		return r;
	}
	words = buf_str(&text);
	end = strchr(words, '\n');
	if (end && end[1] == '/') {
		*ret_image = xstrndup(words, (size_t)(end - words));
		*ret_path = xstrdup(end + 1);
	}
	return 1;
}

static int mark_make(const struct copy *c, struct err *err)
{
	cleanup_free char *text = xasprintf("%s\n%s", c->rec->image, c->m->target);

	return io_replace_file(c->dir, VOLUME_COPYING, text, strlen(text), 0600, false, err);
}

/* ---- whose files ---- */

/* The container's own: its root's ids out here are the image's again. */
static int copy_own(const struct copy *c, const char *path, struct err *err)
{
	cleanup_fd int idmap = container_idmap(c->eng, c->rec->id, err);
	const struct commit_tree tree = { .upper_fd = c->from->upper,
					  .idmap_fd = idmap,
					  .layers = c->from->layers,
					  .n_layers = c->from->n_layers };

	if (idmap < 0 && idmap != -ENOENT)
		return idmap;
	return tree_copy(&c->eng->store, &tree, path, c->data, c->data_idmap, c->cancel_fd, err);
}

/* Those of the image that somebody else's container is made of: the topmost layer is in the upper
 * directory's place. */
static int copy_others(const struct copy *c, const char *image, const char *path, struct err *err)
{
	cleanup_commit_tree struct commit_tree tree = { .upper_fd = -EBADF, .idmap_fd = -EBADF };
	cleanup_image_row struct image_row row = { 0 };
	cleanup_fd int held = image_store_hold(&c->eng->store, err);
	int r = held < 0 ? held : 0;

	/* It was a directory (--rootfs). */
	if (r == 0 && !*image)
		r = err_fail(err, ERR_NOT_FOUND, "it was no image");
	if (r == 0)
		r = images_find(c->eng, image, &row, err);
	if (r == 0)
		r = engine_open_layers(c->eng, row.diff_ids, c->rec->options.mapping, &tree.layers,
				       &tree.n_layers, err);
	if (r < 0 || !tree.n_layers)
		return r;
	tree.upper_fd = tree.layers[0];
	tree.n_layers--;
	memmove(tree.layers, tree.layers + 1, tree.n_layers * sizeof(*tree.layers));
	return tree_copy(&c->eng->store, &tree, path, c->data, c->data_idmap, c->cancel_fd, err);
}

static int copy_marked(const struct copy *c, const char *image, const char *path, struct err *err)
{
	struct err own = ERR_INIT;
	int r;

	if (!image || str_eq(image, c->rec->image))
		return copy_own(c, path ? path : c->m->target, err);
	r = copy_others(c, image, path, &own);
	if (r < 0 && own.kind == ERR_NOT_FOUND) {
		log_warn("volume %s holds a part of what image %s has in %s, which is gone: the "
			 "files of this image are put over it",
			 c->m->source, image, path);
		return copy_own(c, c->m->target, err);
	}
	if (r < 0 && err)
		*err = own;
	return r;
}

static int copy_locked(const struct copy *c, struct err *err)
{
	cleanup_free char *image = NULL, *path = NULL;
	struct err own = ERR_INIT;
	int r = mark_read(c, &image, &path, err);

	if (r == 0) {
		r = tree_is_empty(&c->eng->store, c->data, err);
		if (r > 0)
			r = mark_make(c, err);
		else if (r == 0)
			return 0;
	}
	if (r < 0)
		return r;
	r = copy_marked(c, image, path, &own);
	if (r < 0 && r != -ENOENT && r != -ENOTDIR) {
		if (err)
			*err = own;
		return err_wrap(err, r, "copying the image's %s to volume %s",
				path ? path : c->m->target, c->m->source);
	}
	if (unlinkat(c->dir, VOLUME_COPYING, 0) < 0)
		return err_errno(err, errno, "unmarking volume %s", c->m->source);
	return 0;
}

/* ---- one at a time ---- */

/* Whoever exports it has it for as long as its reader takes. */
static int lock_dir(int dir, int cancel_fd)
{
	int r = 0;

	while (r == 0 && flock(dir, LOCK_EX | LOCK_NB) < 0)
		r = errno == EWOULDBLOCK || errno == EINTR
			? cancel_poll(cancel_fd, -EBADF, LOCK_LOOK_MS)
			: -errno;
	return r;
}

/* The signals that may end it are blocked, or become so: nothing is left of a start then. */
static int lock_and_copy(struct copy *c, struct err *err)
{
	cleanup_fd int cancel = -EBADF;
	sigset_t before;
	int r = 0;

	sigprocmask(SIG_BLOCK, NULL, &before);
	if (c->from->cancel)
		r = cancel = cancel_begin(err);
	c->cancel_fd = cancel;
	if (r >= 0) {
		r = lock_dir(c->dir, cancel);
		if (r < 0)
			err_errno(err, -r, "locking volume %s", c->m->source);
	}
	if (r == 0)
		r = copy_locked(c, err);
	if (r == -ECANCELED)
		cancel_error(cancel, err);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return r;
}

/* In a directory of the machine root of a user namespace is not root: files come there with the ids
 * that the container would write them with. 1: they do; 0: its file system can't have that. */
static int choose_ids(struct copy *c, const struct volume *v, struct err *err)
{
	cleanup_mount_request struct mount_request of = { 0 };
	cleanup_fd int mnt = -EBADF;
	int idmap, r;

	if (volume_opts_parse(&v->options, &of, NULL) < 0 || of.kind != MOUNT_BIND || c->m->idmap)
		return 1;
	idmap = container_idmap(c->eng, c->rec->id, err);
	if (idmap < 0)
		return idmap == -ENOENT ? 1 : idmap;
	c->data_idmap = idmap;
	mnt = mount_clone(c->data, "", false, err);
	if (mnt < 0)
		return mnt;
	r = mount_set(mnt, "", false, 0, 0, 0, idmap, NULL);
	if (r == 0)
		return 1;
	log_warn("volume %s: the file system of %s can't map ids (%s): what the image has in %s is "
		 "not copied there",
		 v->name, of.source, strerror(-r), c->m->target);
	return 0;
}

int volume_copy(struct engine *eng, const struct record *rec, const struct record_mount *m,
		const struct volumes_source *from, struct err *err)
{
	struct copy c = { .eng = eng,
			  .rec = rec,
			  .m = m,
			  .from = from,
			  .data_idmap = -EBADF,
			  .cancel_fd = -EBADF };
	cleanup_volume struct volume v = { 0 };
	cleanup_fd int dir = volume_open(eng, m->source, err);
	int r = dir < 0 ? dir : volume_find(eng, m->source, &v, err);

	if (r < 0)
		return r;
	cleanup_fd int data = volume_open_data(&v, dir, err);
	if (data == -ENOTDIR)
		return 0;
	if (data < 0)
		return data;
	c.dir = dir;
	c.data = data;
	r = choose_ids(&c, &v, err);
	if (r > 0)
		r = lock_and_copy(&c, err);
	fd_close(c.data_idmap);
	return r < 0 ? r : mapped_give_volume(eng, rec->options.mapping, dir, err);
}
