/* SPDX-License-Identifier: Apache-2.0 */
#include "image/mapped.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "image/layer_run.h"
#include "image/shim.h"
#include "image/sync.h"
#include "image/usage.h"
#include "oci/digest.h"

#define PIPE_SIZE    (1 << 20)
#define LOCK_LOOK_MS 20

/* ---- names ---- */

char *mapped_hash(const char *text)
{
	char digest[SHA256_TEXT_MAX];

	return xstrdup(digest_hex(sha256_text(text, strlen(text), digest)));
}

char *mapped_mark(const char *base, const char *hash)
{
	return xasprintf(MAPPED_MARK "%s-%s", hash, strrchr(base, '/') + 1);
}

char *mapped_tree(const struct image_store *store, const char *base, const char *hash)
{
	cleanup_free char *mark = mapped_mark(base, hash);
	cleanup_free char *fs = xasprintf("%s/" MAPPED_DIR "/%s/fs", base, hash);

	if (sync_is_lost(store, mark) || faccessat(store->fd, fs, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return NULL;
	return take_ptr(fs);
}

int mapped_open(struct image_store *store, char *const *diff_ids, const char *text, int **ret_fds,
		size_t *ret_n, struct err *err)
{
	cleanup_free char *hash = mapped_hash(text);

	/* An image without layers has nothing that belongs to anybody. */
	return store_open_layers(store, diff_ids, hash, ret_fds, ret_n, err);
}

/* ---- making one ---- */

struct make {
	struct image_store *store;
	const char *hash, *text;
	struct image_ids ids;
	struct staging staging;
	uint64_t size;
};

/* As a layer: marks become whiteouts, and marks again. */
static int pack_start(struct make *mk, int from_fd, int out_fd, struct layer_job *ret,
		      struct err *err)
{
	static const char *const args[] = { "pack", "--plain", NULL };
	const struct layer_tree tree = { .dir_fd = from_fd, .idmap_fd = -EBADF, .out_fd = out_fd };

	return layer_start_tree(mk->store, args, &tree, ret, err);
}

static int unpack_run(struct make *mk, int in_fd, int to_fd, struct err *err)
{
	const struct layer_input in = {
		.fd = in_fd, .partial_fd = -EBADF, .plain = true, .ids = &mk->ids
	};
	struct layer_unpack un = LAYER_UNPACK_INIT;
	struct apply_result result = { 0 };
	int r = layer_unpack_start(mk->store, &in, to_fd, &un, err);

	if (r < 0)
		return r;
	r = layer_unpack_wait(&un, mk->store->cancel_fd, err);
	if (r < 0) {
		layer_unpack_abort(&un);
		return r;
	}
	r = layer_unpack_finish(&un, &result, err);
	mk->size += result.size;
	json_free(&apply_result_desc, &result);
	return r;
}

/* Packed by one process, in the user namespace that the layers are unpacked in, and unpacked by
 * another, in the container's: so owners, ACLs and the root that file capabilities are bound to
 * come out right, and neither sees more than one of the directories. */
static int tree_map(struct make *mk, int from_fd, int to_fd, struct err *err)
{
	struct layer_job job = LAYER_JOB_INIT;
	int pair[2];

	if (pipe2(pair, O_CLOEXEC) < 0)
		return err_errno(err, errno, "copying files");
	cleanup_fd int in = pair[0];
	cleanup_fd int out = pair[1];
	(void)fcntl(out, F_SETPIPE_SZ, PIPE_SIZE);
	int r = pack_start(mk, from_fd, out, &job, err);
	if (r < 0)
		return r;
	out = fd_close(out);
	r = unpack_run(mk, in, to_fd, err);
	in = fd_close(in);
	return layer_finish_writer(&job, r, err);
}

static int tree_stage(struct make *mk, const char *base, struct err *err)
{
	cleanup_free char *fs = path_join(base, "fs");
	const int flags = O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	cleanup_fd int from = openat(mk->store->fd, fs, O_PATH | flags);

	if (from < 0)
		return err_errno(err, errno, "opening %s/%s", mk->store->root, fs);
	if (mkdirat(mk->staging.fd, "map", 0700) < 0 || mkdirat(mk->staging.fd, "map/fs", 0755) < 0)
		return err_errno(err, errno, "creating a directory in staging");
	cleanup_fd int to = openat(mk->staging.fd, "map/fs", O_RDONLY | flags);
	if (to < 0)
		return err_errno(err, errno, "opening a directory in staging");
	int r = tree_map(mk, from, to, err);
	return r < 0 ? r : take_fd(to);
}

/* For those who look at it later. */
static int tree_describe(struct make *mk, uint64_t size, struct err *err)
{
	cleanup_free char *text = xasprintf("%s\n%" PRIu64 "\n", mk->text, size);

	return io_replace_file(mk->staging.fd, "map/" MAPPED_ABOUT, text, strlen(text), 0600, false,
			       err);
}

static int tree_commit(struct make *mk, const char *base, struct err *err)
{
	cleanup_free char *dir = path_join(base, MAPPED_DIR);
	cleanup_free char *path = path_join(dir, mk->hash);
	cleanup_free char *mark = mapped_mark(base, mk->hash);

	if (mkdirat(mk->store->fd, dir, 0700) < 0 && errno != EEXIST)
		return err_errno(err, errno, "creating %s/%s", mk->store->root, dir);
	/* What was not on the disk when the machine went down. */
	if (renameat(mk->store->fd, path, mk->staging.fd, "lost") < 0 && errno != ENOENT)
		return err_errno(err, errno, "replacing %s/%s", mk->store->root, path);
	int r = sync_mark(mk->store, mark, err);
	if (r == 0 && renameat(mk->staging.fd, "map", mk->store->fd, path) < 0)
		r = err_errno(err, errno, "storing %s/%s", mk->store->root, path);
	return r;
}

/* Whoever has it makes the same, for as long as that takes. */
static int base_lock(const struct make *mk, int dir, const char *base, struct err *err)
{
	const int cancel_fd = mk->store->cancel_fd;
	struct pollfd p = { .fd = cancel_fd > 0 ? cancel_fd : -1, .events = POLLIN };

	while (flock(dir, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_errno(err, errno, "locking %s/%s", mk->store->root, base);
		if (poll(&p, 1, LOCK_LOOK_MS) <= 0)
			continue;
		err_fail(err, ERR_SYSTEM, "interrupted");
		return -ECANCELED;
	}
	return 0;
}

/* base's lock keeps others from doing the same meanwhile; they find it done. */
static int base_make(struct make *mk, const char *base, struct err *err)
{
	cleanup_fd int lock = openat(mk->store->fd, base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = lock < 0 ? err_errno(err, errno, "opening %s/%s", mk->store->root, base)
			 : base_lock(mk, lock, base, err);

	if (r < 0)
		return r;
	cleanup_free char *there = mapped_tree(mk->store, base, mk->hash);
	if (there)
		return 0;
	const uint64_t before = mk->size;
	r = staging_new(mk->store, &mk->staging, err);
	if (r == 0)
		r = tree_stage(mk, base, err);
	if (r >= 0) {
		fd_close(r);
		r = tree_describe(mk, mk->size - before, err);
	}
	if (r == 0)
		r = tree_commit(mk, base, err);
	staging_done(mk->store, &mk->staging);
	return r < 0 ? err_wrap(err, r, "giving the files of %s other owners", base) : 0;
}

static int layer_make(struct make *mk, char *const *diff_ids, size_t k, struct err *err)
{
	cleanup_free char *base = xasprintf("layers/%s", digest_hex(diff_ids[k]));
	int r = base_make(mk, base, err);
	cleanup_fd int shim = r < 0 ? -ENOENT : shim_open(mk->store, diff_ids, k, NULL, err);

	if (shim < 0)
		return r < 0 || shim == -ENOENT ? r : shim;
	cleanup_free char *path = shim_path(diff_ids, k);
	return base_make(mk, path, err);
}

int mapped_make(struct image_store *store, char *const *diff_ids, const char *text,
		uint64_t *ret_size, struct err *err)
{
	cleanup_free char *hash = mapped_hash(text);
	struct make mk = { .store = store, .hash = hash, .text = text, .staging = STAGING_INIT };
	int *fds = NULL;
	size_t n = 0;
	/* They are all there, and so are their shims. */
	int r = image_open_layers(store, diff_ids, &fds, &n, err);

	for (size_t i = 0; i < n; i++)
		fd_close(fds[i]);
	free(fds);
	if (r == 0 && image_ids_parse(text, &mk.ids) < 0)
		r = err_fail(err, ERR_CORRUPT, "the container's record has no mapping: %s", text);
	for (size_t k = 0; r == 0 && diff_ids && diff_ids[k]; k++) {
		r = layer_make(&mk, diff_ids, k, err);
		store_layer_usage_forget(store, diff_ids[k]);
	}
	image_ids_done(&mk.ids);
	*ret_size = mk.size;
	return r;
}

int mapped_stage(struct image_store *store, const struct mapped_item *item, struct staging *staging,
		 struct err *err)
{
	struct make mk = {
		.store = store, .hash = item->hash, .text = item->text, .staging = STAGING_INIT
	};
	int r = image_ids_parse(item->text, &mk.ids) < 0
		    ? err_fail(err, ERR_CORRUPT, "%s is no mapping", item->text)
		    : staging_new(store, &mk.staging, err);

	if (r == 0)
		r = tree_stage(&mk, item->base, err);
	*staging = mk.staging;
	image_ids_done(&mk.ids);
	return r;
}
