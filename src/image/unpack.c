/* SPDX-License-Identifier: Apache-2.0 */
#include "image/unpack.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "image/layer_run.h"
#include "image/verified.h"
#include "oci/digest.h"

#define JOBS_MAX 32

struct unpack_job {
	struct layer_unpack job;
	const struct unpack_layer *layer; /* NULL: slot is free */
	char *dir;                        /* name in the staging directory */
};

struct unpack {
	struct image_store *store;
	const struct staging *st;
	struct unpack_job jobs[JOBS_MAX];
	size_t n_slots, running;
};

static size_t cpu_count(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	size_t n = (size_t)CPU_COUNT(&set);
	return n < 1 ? 1 : n > JOBS_MAX ? JOBS_MAX : n;
}

int unpack_mkdir(const struct staging *st, const char *dir, struct err *err)
{
	cleanup_free char *fs = path_join(dir, "fs");

	if (mkdirat(st->fd, dir, 0700) < 0 || mkdirat(st->fd, fs, 0755) < 0)
		return err_errno(err, errno, "creating directory of layer");
	int fd = openat(st->fd, fs, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_errno(err, errno, "opening directory of layer") : fd;
}

static int document_write(int dir, const char *name, const struct apply_result *info,
			  struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;

	json_write(&apply_result_desc, info, JSON_NEWLINE, &text);
	return io_replace_file(dir, name, buf_str(&text), text.len, 0600, false, err);
}

/* What shims are made of. They can be many, and hardly anybody needs them. The root directory is
 * none of them: shim.h. */
static int implied_write(int dir, const struct apply_result *info, struct err *err)
{
	struct apply_result only = { .whiteouts = info->whiteouts };
	char *const *implied = info->implied;
	cleanup_free char **paths = xcalloc(strv_len(implied) + 1, sizeof(*paths));
	size_t n = 0;
	bool noroot = false;

	for (; implied && *implied; implied++) {
		if (str_eq(*implied, "."))
			noroot = true;
		else
			paths[n++] = *implied;
	}
	if (noroot && mknodat(dir, "noroot", S_IFREG | 0600, 0) < 0)
		return err_errno(err, errno, "marking layer without a root directory");
	only.implied = paths;
	return n || info->whiteouts ? document_write(dir, "implied.json", &only, err) : 0;
}

int unpack_seal(const struct staging *st, const char *dir, const struct apply_result *info,
		struct err *err)
{
	struct apply_result brief = *info;
	cleanup_fd int fd = openat(st->fd, dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return err_errno(err, errno, "opening directory of layer");
	if (info->opaque && mknodat(fd, "opaque", S_IFREG | 0600, 0) < 0)
		return err_errno(err, errno, "marking layer as opaque");
	brief.implied = brief.whiteouts = NULL;
	int r = implied_write(fd, info, err);
	return r < 0 ? r : document_write(fd, "info.json", &brief, err);
}

/* ---- known layers ---- */

static int blob_open_any(struct unpack *un, const char *digest, struct err *err)
{
	const char *hex = digest_hex(digest);
	cleanup_free char *path = xasprintf("blobs/sha256/%s", hex);

	int fd = openat(un->st->fd, hex, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		fd = openat(un->store->fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_errno(err, errno, "opening blob %s", digest) : fd;
}

/* Its name in the staging directory: where the layer is taken from, unless that is taken. */
static char *job_dir(const struct unpack *un, const struct unpack_layer *layer)
{
	struct stat st;
	cleanup_free char *name = xasprintf(STAGED_LAYER "%s", digest_hex(layer->diff_id));

	if (fstatat(un->st->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return take_ptr(name);
	return xasprintf("check-%s-%s", digest_hex(layer->diff_id), digest_hex(layer->digest));
}

static int job_start(struct unpack *un, const struct unpack_layer *layer, struct err *err)
{
	struct unpack_job *job = un->jobs;

	while (job->layer)
		job++;
	cleanup_free char *name = job_dir(un, layer);
	cleanup_fd int blob = blob_open_any(un, layer->digest, err);
	cleanup_fd int dir = blob < 0 ? blob : unpack_mkdir(un->st, name, err);
	if (dir < 0)
		return dir;
	const struct layer_input in = {
		.fd = blob,
		.partial_fd = -EBADF,
		.plain = str_eq(layer->digest, layer->diff_id),
	};
	int r = layer_unpack_start(un->store, &in, dir, &job->job, err);
	if (r < 0)
		return r;
	job->layer = layer;
	job->dir = take_ptr(name);
	un->running++;
	return 0;
}

static void job_clear(struct unpack *un, struct unpack_job *job)
{
	job->layer = NULL;
	free(take_ptr(job->dir));
	un->running--;
}

static int job_finish(struct unpack *un, struct unpack_job *job, struct err *err)
{
	struct apply_result info = { 0 };
	const struct unpack_layer *layer = job->layer;

	int r = layer_unpack_finish(&job->job, &info, err);
	if (r == 0 && !str_eq(info.digest, layer->digest))
		r = err_fail(err, ERR_CORRUPT, "it has other content (%s)", info.digest);
	if (r == 0 && info.input_size != layer->size)
		r = err_fail(err, ERR_CORRUPT, "it has %llu bytes instead of %llu",
			     (unsigned long long)info.input_size, (unsigned long long)layer->size);
	if (r == 0 && !str_eq(info.diff_id, layer->diff_id))
		r = err_fail(err, ERR_CORRUPT, "it unpacks to %s, the config says %s", info.diff_id,
			     layer->diff_id);
	if (r == 0)
		r = unpack_seal(un->st, job->dir, &info, err);
	json_free(&apply_result_desc, &info);
	job_clear(un, job);
	return r < 0 ? err_wrap(err, r, "layer %s", layer->digest) : 0;
}

/* Waits until one of them ends. */
static struct unpack_job *job_next(struct unpack *un)
{
	struct pollfd polls[JOBS_MAX];
	struct unpack_job *jobs[JOBS_MAX];
	nfds_t n = 0;

	for (size_t i = 0; i < un->n_slots; i++) {
		if (!un->jobs[i].layer)
			continue;
		polls[n] = (struct pollfd){ .fd = un->jobs[i].job.job.result_fd, .events = POLLIN };
		jobs[n++] = &un->jobs[i];
	}
	while (poll(polls, n, -1) < 0 && errno == EINTR)
		;
	for (nfds_t i = 0; i < n; i++)
		if (polls[i].revents)
			return jobs[i];
	return jobs[0];
}

static int layer_compare(const void *a, const void *b)
{
	const struct unpack_layer *x = a, *y = b;
	int r = strcmp(x->digest, y->digest);

	if (r == 0)
		r = strcmp(x->diff_id, y->diff_id);
	return r != 0 ? r : (x->size > y->size) - (x->size < y->size);
}

size_t unpack_sort(struct unpack_layer *layers, size_t n)
{
	size_t kept = 0;

	if (n > 0)
		qsort(layers, n, sizeof(*layers), layer_compare);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || layer_compare(&layers[i], &layers[kept - 1]) != 0)
			layers[kept++] = layers[i];
	return kept;
}

int unpack_layers(struct image_store *store, const struct staging *st, struct unpack_layer *layers,
		  size_t n, struct err *err)
{
	struct unpack un = { .store = store, .st = st, .n_slots = cpu_count() };
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		layers[i].unpacked = !layer_is_whole(store, layers[i].diff_id, layers[i].digest,
						     (int64_t)layers[i].size);
		if (!layers[i].unpacked)
			continue;
		if (un.running == un.n_slots)
			r = job_finish(&un, job_next(&un), err);
		if (r == 0)
			r = job_start(&un, &layers[i], err);
	}
	while (r == 0 && un.running > 0)
		r = job_finish(&un, job_next(&un), err);
	for (size_t i = 0; i < un.n_slots; i++) {
		if (!un.jobs[i].layer)
			continue;
		layer_unpack_abort(&un.jobs[i].job);
		job_clear(&un, &un.jobs[i]);
	}
	return r;
}

/* ---- a layer to be known by what it unpacks to ---- */

int unpack_unknown(struct image_store *store, const struct staging *st, int in_fd, int blob_fd,
		   int cancel_fd, struct apply_result *ret, struct err *err)
{
	const struct layer_input in = { .fd = in_fd, .partial_fd = blob_fd };
	struct layer_unpack job;
	cleanup_fd int dir = unpack_mkdir(st, "layer", err);

	if (dir < 0)
		return dir;
	int r = layer_unpack_start(store, &in, dir, &job, err);
	if (r < 0)
		return r;
	r = layer_unpack_wait(&job, cancel_fd, err);
	if (r < 0)
		layer_unpack_abort(&job);
	else
		r = layer_unpack_finish(&job, ret, err);
	if (r < 0)
		return r;
	if (!digest_valid(ret->diff_id) || !digest_valid(ret->digest))
		return err_fail(err, ERR_CORRUPT, "inro-layer gave no digests");
	cleanup_free char *name = xasprintf(STAGED_LAYER "%s", digest_hex(ret->diff_id));
	r = unpack_seal(st, "layer", ret, err);
	if (r == 0 && renameat(st->fd, "layer", st->fd, name) < 0)
		r = err_errno(err, errno, "naming layer %s", ret->diff_id);
	return r;
}
