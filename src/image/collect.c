/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "image/layer_run.h"
#include "image/partial.h"
#include "image/shim.h"
#include "image/store.h"
#include "image/sync.h"
#include "oci/digest.h"
#include "sys/clone.h"
#include "sys/prctl.h"

/* ---- removing trees ---- */

/* Removing files is waiting for the file system's journal: eight take a fifth of the time of one.
 * Below so many, making processes takes longer. */
#define REMOVERS     8
#define REMOVERS_MIN 500

/* As root of the user namespace that the tree's files belong to. */
static int remove_mapped(struct image_store *store, int dir, const char *name, struct err *err)
{
	const char *args[] = { "remove", name, NULL };
	struct layer_job job;
	cleanup_buf struct buf doc = BUF_INIT;

	int r = layer_start(store, args, -EBADF, dir, true, &job, err);
	return r < 0 ? r : layer_finish(&job, &doc, err);
}

int image_remove_tree(struct image_store *store, const char *rel_path, struct err *err)
{
	cleanup_free char *name = NULL;
	cleanup_fd int parent = path_parent_in(store->fd, rel_path, false, &name, err);

	if (parent == -ENOENT)
		return 0;
	if (parent < 0)
		return parent;
	cleanup_fd int dir = openat(parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_errno(err, errno, "opening directory of %s", rel_path);
	/* Most trees hold nothing of subordinate ids, and starting a program takes longer. */
	int r = path_remove_tree(dir, name, err);
	if ((r == -EACCES || r == -EPERM) && store->rootless)
		r = remove_mapped(store, dir, name, err);
	return r;
}

/* Begins it with several processes. What they leave, for whatever reason, is staging_done()'s. */
static void remove_together(struct image_store *store, const char *name)
{
	const struct clone_spec spec = { .cgroup_fd = -EBADF };
	pid_t pids[REMOVERS], parent = getpid();
	int pidfd = -EBADF;

	for (unsigned int i = 0; i < REMOVERS; i++) {
		pids[i] = clone_process(&spec, &pidfd);
		if (pids[i] != 0) {
			pidfd = fd_close(pidfd);
			continue;
		}
		cleanup_fd int dir =
		    openat(store->fd, "staging", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (dir >= 0 && prctl_parent_death_signal(SIGKILL, parent) == 0)
			path_remove_part(dir, name, i, REMOVERS, NULL);
		_exit(0);
	}
	for (unsigned int i = 0; i < REMOVERS; i++)
		if (pids[i] > 0)
			NO_EINTR(waitpid(pids[i], NULL, 0));
}

/* ---- when ---- */

#define MARKER         "collect"
#define MARKER_TAKEN   "collect.taken"
#define PARTIAL_AGE_NS (7 * 24 * 3600 * INT64_C(1000000000))

int image_collect_begin(struct image_store *store, struct err *err)
{
	int r = store_lock_exclusive(store, err);

	if (r < 0)
		return r;
	/* Another file than before: who collects just now, and has asked the database already,
	 * must do it again. */
	if (r == 0 && unlinkat(store->fd, MARKER, 0) < 0 && errno != ENOENT)
		return err_errno(err, errno, "replacing %s/" MARKER, store->root);
	cleanup_fd int fd =
	    openat(store->fd, MARKER, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno(err, errno, "creating %s/" MARKER, store->root);
	/* Whoever has the lock looks for the mark when it has given it back: is that before it was
	 * there, then the lock can be had now. */
	if (r == 0)
		r = store_lock_exclusive(store, err);
	if (r == 0)
		log_debug("images are being added to %s: what does that will collect", store->root);
	if (r > 0)
		store->marker_fd = take_fd(fd);
	return r;
}

/* Last of all, so that somebody goes on when this is killed. A mark that another process has made
 * meanwhile stays. */
static void marker_remove(struct image_store *store)
{
	struct stat ours, found;

	if (renameat(store->fd, MARKER, store->fd, MARKER_TAKEN) < 0 ||
	    fstatat(store->fd, MARKER_TAKEN, &found, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	if (fstat(store->marker_fd, &ours) < 0 || ours.st_ino != found.st_ino)
		fd_close(
		    openat(store->fd, MARKER, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600));
	unlinkat(store->fd, MARKER_TAKEN, 0);
}

bool image_collect_wanted(struct image_store *store)
{
	return faccessat(store->fd, MARKER, F_OK, 0) == 0;
}

/* ---- collecting ---- */

struct collect {
	struct image_store *store;
	const struct image_keep *keep;
	size_t n_blobs, n_diff_ids;
	struct shim_chains chains; /* of what stays; ids NULL: nobody has asked yet */
	struct staging trash;
	uint64_t freed, entries;
};

static int name_compare(const void *hex, const void *digest)
{
	return strcmp(hex, digest_hex(*(char *const *)digest));
}

static bool is_kept(char *const *digests, size_t n, const char *hex)
{
	return n > 0 && bsearch(hex, digests, n, sizeof(*digests), name_compare);
}

static int collect_blob(struct collect *co, int dir, const char *name, struct err *err)
{
	struct stat st;

	if (is_kept(co->keep->blobs, co->n_blobs, name))
		return 0;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		co->freed += (uint64_t)st.st_size;
	int r = unlinkat(dir, name, 0) < 0 ? -errno : 0;
	/* Somebody has put a directory there. */
	if (r == -EISDIR) {
		cleanup_free char *trash = xasprintf("blob-%s", name);
		r = renameat(dir, name, co->trash.fd, trash) < 0 ? -errno : 0;
	}
	if (r < 0 && r != -ENOENT)
		return err_errno(err, -r, "removing blob %s", name);
	sync_forget(co->store, name);
	return 0;
}

/* Those of a layer that stays, on top of others than any image has below it now. */
static int collect_shims(struct collect *co, int layers, const char *layer, struct err *err)
{
	cleanup_free char *path = path_join(layer, "shims");
	struct dirent *entry;
	int r = openat(layers, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (r < 0)
		return errno == ENOENT ? 0 : err_errno(err, errno, "reading layers/%s", path);
	DIR *dir = fdopendir(r);
	if (!dir) {
		fd_close(r);
		return err_errno(err, ENOMEM, "reading layers/%s", path);
	}
	/* Almost no store has a layer with shims, which alone want this. */
	if (!co->chains.ids)
		shim_chains_read(co->keep->stacks, &co->chains);
	r = 0;
	while (r == 0 && (entry = readdir(dir))) {
		const char *name = entry->d_name;

		if (name[0] == '.' || shim_chains_have(&co->chains, name))
			continue;
		cleanup_free char *trash = xasprintf("shim-%s", name);
		if (renameat(dirfd(dir), name, co->trash.fd, trash) < 0 && errno != ENOENT)
			r = err_errno(err, errno, "removing layers/%s/%s", path, name);
	}
	closedir(dir);
	return r;
}

/* Moved out of the way first: a layer is there whole or not at all. */
static int collect_layer(struct collect *co, int dir, const char *name, struct err *err)
{
	struct apply_result info = { 0 };
	cleanup_free char *diff_id = xasprintf("sha256:%s", name);

	if (is_kept(co->keep->diff_ids, co->n_diff_ids, name))
		return collect_shims(co, dir, name, err);
	if (layer_info(co->store, diff_id, &info, NULL) == 0)
		co->freed += info.size;
	co->entries += info.entries;
	json_free(&apply_result_desc, &info);
	if (renameat(dir, name, co->trash.fd, name) < 0 && errno != ENOENT)
		return err_errno(err, errno, "removing layer %s", name);
	cleanup_free char *mark = xasprintf(STAGED_LAYER "%s", name);
	sync_forget(co->store, mark);
	return 0;
}

static int collect_dir(struct collect *co, const char *path,
		       int (*one)(struct collect *co, int dir, const char *name, struct err *err),
		       struct err *err)
{
	struct dirent *entry;
	int r = store_open_dir(co->store, path, err);

	if (r < 0)
		return r;
	DIR *dir = fdopendir(r);
	if (!dir) {
		fd_close(r);
		return err_errno(err, ENOMEM, "reading %s", path);
	}
	r = 0;
	while (r == 0 && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			r = one(co, dirfd(dir), entry->d_name, err);
	closedir(dir);
	return r;
}

int image_collect(struct image_store *store, const struct image_keep *keep, uint64_t *ret_freed,
		  struct err *err)
{
	struct collect co = {
		.store = store,
		.keep = keep,
		.n_blobs = strv_len(keep->blobs),
		.n_diff_ids = strv_len(keep->diff_ids),
		.trash = STAGING_INIT,
	};

	int r = staging_new(store, &co.trash, err);
	/* Blobs first: a layer without its blob is unpacked again by the next load, while a
	 * manifest without its layers would look whole. */
	if (r == 0)
		r = collect_dir(&co, "blobs/sha256", collect_blob, err);
	if (r == 0)
		r = collect_dir(&co, "layers", collect_layer, err);
	co.freed += partial_collect(store, PARTIAL_AGE_NS);
	if (r == 0)
		marker_remove(store);
	/* What lies in the trash is out of everybody's way. */
	image_store_unlock(store);
	if (co.entries >= REMOVERS_MIN)
		remove_together(store, co.trash.name);
	staging_done(store, &co.trash);
	shim_chains_done(&co.chains);
	*ret_freed = co.freed;
	return r < 0 ? err_wrap(err, r, "collecting garbage in %s", store->root) : 0;
}
