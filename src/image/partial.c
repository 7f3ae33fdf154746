/* SPDX-License-Identifier: Apache-2.0 */
#include "image/partial.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/hex.h"
#include "base/str.h"
#include "base/timeutil.h"
#include "image/sha256.h"
#include "image/verified.h"
#include "oci/digest.h"

static int dir_open(const struct image_store *store, struct err *err)
{
	if (mkdirat(store->fd, "partial", 0700) < 0 && errno != EEXIST)
		return err_errno(err, errno, "creating %s/partial", store->root);
	return store_open_dir(store, "partial", err);
}

/* Does the name still lead to the file? It may have become the blob, or been removed. */
static bool is_current(int dir, const char *name, int fd, struct stat *st)
{
	struct stat named;

	return fstat(fd, st) == 0 && fstatat(dir, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       st->st_ino == named.st_ino && st->st_dev == named.st_dev;
}

#define KEY_LEN 16 /* enough that no two registries of one machine meet */

static int partial_name(const char *digest, const char *source, char **ret)
{
	char key[SHA256_TEXT_MAX] = "sha256:";

	if (source)
		sha256_text(source, strlen(source), key);
	else if (hex_random_id(key + strlen(key)) < 0)
		return -EIO;
	*ret = xasprintf("%s-%.*s", digest_hex(digest), KEY_LEN, digest_hex(key));
	return 0;
}

int partial_open(struct image_store *store, const char *digest, const char *source,
		 uint64_t max_size, struct partial *ret, uint64_t *ret_size, struct err *err)
{
	cleanup_fd int dir = dir_open(store, err);
	cleanup_free char *name = NULL;
	struct stat st;

	if (dir < 0)
		return dir;
	if (partial_name(digest, source, &name) < 0)
		return err_errno(err, EIO, "getting random bytes");
	cleanup_fd int fd = openat(dir, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno(err, errno, "opening %s/partial/%s", store->root, name);
	if (NO_EINTR(flock(fd, LOCK_EX | LOCK_NB)) < 0) {
		if (errno != EWOULDBLOCK)
			return err_errno(err, errno, "locking %s/partial/%s", store->root, name);
		*ret_size = fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
		return 0;
	}
	*ret_size = 0;
	if (!is_current(dir, name, fd, &st))
		return 0;
	if (!S_ISREG(st.st_mode))
		return err_fail(err, ERR_CORRUPT, "%s/partial/%s is not a file", store->root, name);
	struct partial pa = {
		.fd = fd,
		.size = (uint64_t)st.st_size,
		.digest = xstrdup(digest),
		.name = take_ptr(name),
	};
	int r = pa.size > max_size ? partial_clear(&pa, err) : 0;
	if (r < 0) {
		free(pa.digest);
		free(pa.name);
		return r;
	}
	take_fd(fd);
	*ret = pa;
	return 1;
}

int partial_clear(struct partial *pa, struct err *err)
{
	if (ftruncate(pa->fd, 0) < 0 || lseek(pa->fd, 0, SEEK_SET) < 0)
		return err_errno(err, errno, "clearing what is there of blob %s", pa->digest);
	pa->size = 0;
	return 0;
}

int partial_commit(struct image_store *store, struct partial *pa, struct err *err)
{
	cleanup_fd int dir = dir_open(store, err);

	if (dir < 0)
		return dir;
	if (fchmod(pa->fd, 0644) < 0)
		return err_errno(err, errno, "storing blob %s", pa->digest);
	return store_put_blob(store, dir, pa->name, pa->digest, err);
}

void partial_done(struct partial *pa)
{
	pa->fd = fd_close(pa->fd);
	free(take_ptr(pa->digest));
	free(take_ptr(pa->name));
}

struct partial_visit {
	struct image_partials found;
	bool remove;
	int64_t age_ns; /* at least */
	uint64_t freed;
};

static void visit_one(int dir, const char *name, struct partial_visit *visit)
{
	struct stat st;
	cleanup_fd int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || !is_current(dir, name, fd, &st))
		return;
	/* For a moment: a pull that comes just now looks again. */
	bool active = flock(fd, LOCK_EX | LOCK_NB) < 0;
	uint64_t size = (uint64_t)st.st_blocks * 512;
	visit->found.n++;
	visit->found.size += size;
	visit->found.active += active;
	visit->found.active_size += active ? size : 0;
	if (!active && visit->remove && is_current(dir, name, fd, &st) &&
	    time_now_ns() - st.st_mtim.tv_sec * INT64_C(1000000000) >= visit->age_ns &&
	    unlinkat(dir, name, 0) == 0)
		visit->freed += size;
}

static void visit_all(const struct image_store *store, struct partial_visit *visit)
{
	struct dirent *entry;
	int fd = store_open_dir(store, "partial", NULL);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		fd_close(fd);
		return;
	}
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			visit_one(dirfd(dir), entry->d_name, visit);
	closedir(dir);
}

uint64_t partial_collect(struct image_store *store, int64_t age_ns)
{
	struct partial_visit visit = { .remove = true, .age_ns = age_ns };

	visit_all(store, &visit);
	return visit.freed;
}

void image_partials(const struct image_store *store, struct image_partials *ret)
{
	struct partial_visit visit = { .remove = false };

	visit_all(store, &visit);
	*ret = visit.found;
}

uint64_t image_partials_remove(struct image_store *store)
{
	return partial_collect(store, INT64_MIN);
}
