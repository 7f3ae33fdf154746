/* SPDX-License-Identifier: Apache-2.0 */
/* The modes of inro-layer, each as its caller sees it. */
#include "image/layer_run.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/statvfs.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/str.h"
#include "base/strv.h"
#include "image/layer_job.h"

#define ENTRIES_MAX "4000000"
/* gzip reaches 1030; more than that over all of a big layer is a bomb. */
#define RATIO_MAX "1200"

/* ---- modes ---- */

struct room {
	uint64_t bytes, inodes; /* free; inodes UINT64_MAX: as many as one likes */
};

/* A little of what is free stays free for all others: a twentieth of what there was when this
 * process first looked, for all that it unpacks together. */
static int room_look(int fd, struct image_room *keep, struct room *ret)
{
	struct statvfs st;

	if (fstatvfs(fd, &st) < 0)
		return -errno;
	ret->bytes = (uint64_t)st.f_bavail * st.f_frsize;
	ret->inodes = st.f_files ? st.f_favail : UINT64_MAX;
	if (!keep->known) {
		keep->known = true;
		keep->bytes = ret->bytes / 20;
		keep->inodes = st.f_files ? ret->inodes / 20 : 0;
	}
	return 0;
}

int layer_room_check(struct image_store *store, uint64_t bytes, struct err *err)
{
	struct room room = { 0 };

	if (room_look(store->fd, &store->keep, &room) < 0 ||
	    (room.bytes > store->keep.bytes && bytes <= room.bytes - store->keep.bytes))
		return 0;
	return err_hint(err,
			err_fail(err, ERR_LIMIT,
				 "not enough room in %s: %" PRIu64 " bytes are to come, %" PRIu64
				 " are free",
				 store->root, bytes, room.bytes),
			"`inro system df` shows what takes how much");
}

/* Limits of what one process writes to where fd is, and, because several do at the same time, of
 * what must be left of the disk. */
static void room_args(int fd, struct image_room *keep, char ***args)
{
	struct room room = { 0 };

	strv_add(args, "--max-ratio=" RATIO_MAX);
	if (room_look(fd, keep, &room) < 0) {
		strv_add(args, "--max-bytes=1000000000000");
		return;
	}
	strv_addf(args, "--max-bytes=%" PRIu64,
		  room.bytes > keep->bytes ? room.bytes - keep->bytes : 1);
	strv_addf(args, "--keep-bytes=%" PRIu64, keep->bytes);
	strv_addf(args, "--keep-inodes=%" PRIu64, keep->inodes);
}

int layer_split(struct image_store *store, int in_fd, int dir_fd, struct split_result *ret,
		struct err *err)
{
	cleanup_strv char **args = NULL;
	struct layer_job job;
	cleanup_buf struct buf doc = BUF_INIT;

	strv_add(&args, "split");
	room_args(store->fd, &store->keep, &args);
	int r = layer_start(store, (const char *const *)args, in_fd, dir_fd, false, &job, err);
	if (r < 0)
		return r;
	r = layer_job_poll(&job, store->cancel_fd, err);
	if (r < 0)
		layer_abort(&job);
	else
		r = layer_finish(&job, &doc, err);
	if (r < 0)
		return r;
	return json_parse(&split_result_desc, ret, buf_str(&doc), doc.len,
			  "answer of " LAYER_PROGRAM, err);
}

/* ---- unpack ---- */

static const int stage_targets[LAYER_STAGES] = { LAYER_FD_HASH_IN, LAYER_FD_DECOMPRESS,
						 LAYER_FD_HASH_OUT, LAYER_FD_COMPRESS };
enum { STAGE_HASH_IN, STAGE_DECOMPRESS, STAGE_HASH_OUT, STAGE_COMPRESS };

static bool has_stage(const struct layer_unpack *un, size_t stage)
{
	return stage == STAGE_HASH_IN || (stage == STAGE_COMPRESS ? un->compress : !un->plain);
}

static void stages_close(struct layer_unpack *un)
{
	for (size_t i = 0; i < LAYER_STAGES; i++)
		un->stage_fds[i] = fd_close(un->stage_fds[i]);
}

/* out_fd: of `convert`; negative: none. */
static int stages_start(struct image_store *store, const char *const *args,
			const struct layer_input *in, int dir_fd, int out_fd,
			struct layer_unpack *ret, struct err *err)
{
	struct layer_unpack un = *ret;
	struct proc_fd more[LAYER_STAGES + 3];
	size_t n = 0;
	int r = 0;

	for (size_t i = 0; i < LAYER_STAGES; i++)
		more[i].fd = -EBADF;
	for (; r == 0 && n < LAYER_STAGES; n++) {
		int pair[2] = { -EBADF, -EBADF };
		if (pipe2(pair, O_CLOEXEC) < 0)
			r = err_errno(err, errno, "starting " LAYER_PROGRAM);
		un.stage_fds[n] = pair[0];
		more[n] = (struct proc_fd){ pair[1], stage_targets[n] };
	}
	if (r == 0 && in->partial_fd >= 0)
		more[n++] = (struct proc_fd){ in->partial_fd, LAYER_FD_PARTIAL };
	if (r == 0 && in->idmap_fd > 0)
		more[n++] = (struct proc_fd){ in->idmap_fd, LAYER_FD_IDMAP };
	if (r == 0 && out_fd >= 0)
		more[n++] = (struct proc_fd){ out_fd, LAYER_FD_OUT };
	const struct layer_start start = {
		.args = args,
		.in_fd = in->fd,
		.dir_fd = dir_fd,
		.userns = store->rootless && out_fd < 0,
		.ids = in->ids,
		.more = more,
		.n_more = n,
	};
	if (r == 0)
		r = layer_job_start(&start, &un.job, err);
	for (size_t i = 0; i < LAYER_STAGES; i++)
		fd_close(more[i].fd);
	if (r < 0)
		stages_close(&un);
	else
		*ret = un;
	return r;
}

int layer_unpack_start(struct image_store *store, const struct layer_input *in, int dir_fd,
		       struct layer_unpack *ret, struct err *err)
{
	struct layer_unpack un = LAYER_UNPACK_INIT;
	struct image_room there = { 0 };
	cleanup_strv char **args = NULL;

	strv_add(&args, "unpack");
	strv_add(&args, "--max-entries=" ENTRIES_MAX);
	if (in->plain)
		strv_add(&args, "--plain");
	if (in->tree)
		strv_add(&args, "--tree");
	if (in->idmap_fd > 0)
		strv_add(&args, "--idmap");
	/* A volume may be on another disk than the store. */
	room_args(in->tree ? dir_fd : store->fd, in->tree ? &there : &store->keep, &args);
	un.plain = in->plain;
	int r = stages_start(store, (const char *const *)args, in, dir_fd, -EBADF, &un, err);
	if (r == 0)
		*ret = un;
	return r;
}

/* One stage's last word. 1: it has none. */
static int stage_result(int fd, struct stage_result *ret, struct err *err)
{
	cleanup_buf struct buf doc = BUF_INIT;
	int r = io_read_all(fd, &doc, sizeof(struct err));

	if (r < 0)
		return err_errno(err, -r, "reading the answer of " LAYER_PROGRAM);
	if (doc.len == sizeof(struct err))
		return layer_record_error(&doc, err);
	if (doc.len != sizeof(*ret))
		return 1;
	memcpy(ret, doc.data, sizeof(*ret));
	ret->digest[sizeof(ret->digest) - 1] = '\0';
	return 0;
}

/* Apply's own answer. When it has given up, a stage before it may still wait for data: they all
 * end, and with them the last writer to a partial file. */
static int apply_answer(struct layer_unpack *un, struct buf *doc, struct err *err)
{
	int r = layer_doc_read(&un->job, doc, err);

	if (r < 0)
		return r;
	if (doc->len != sizeof(struct err) || doc->data[0] == '{')
		return layer_job_wait(&un->job, doc, err);
	layer_job_kill(&un->job);
	layer_job_wait(&un->job, doc, NULL);
	return layer_record_error(doc, err);
}

/* What the first stage in the row says is the reason; the others follow from it. */
static int unpack_results(struct layer_unpack *un, struct stage_result results[LAYER_STAGES],
			  struct buf *doc, struct err *err)
{
	struct err applied = ERR_INIT;
	bool missing = false;
	int last = apply_answer(un, doc, &applied), r = 0;

	for (size_t i = 0; r >= 0 && i < LAYER_STAGES; i++) {
		if (!has_stage(un, i))
			continue;
		r = stage_result(un->stage_fds[i], &results[i], err);
		missing = missing || r > 0;
	}
	if (r < 0)
		return r;
	if (last < 0 && err)
		*err = applied;
	if (last == 0 && missing)
		last = err_fail(err, ERR_CORRUPT, LAYER_PROGRAM " has lost a stage");
	if (un->plain)
		results[STAGE_HASH_OUT] = results[STAGE_HASH_IN];
	return last;
}

int layer_unpack_finish(struct layer_unpack *un, struct apply_result *ret, struct err *err)
{
	struct stage_result results[LAYER_STAGES] = { 0 };
	const struct stage_result *in = &results[STAGE_HASH_IN], *out = &results[STAGE_HASH_OUT];
	cleanup_buf struct buf doc = BUF_INIT;

	int r = unpack_results(un, results, &doc, err);
	stages_close(un);
	if (r == 0)
		r = json_parse(&apply_result_desc, ret, buf_str(&doc), doc.len,
			       "answer of " LAYER_PROGRAM, err);
	if (r < 0)
		return r;
	/* What reads the tar must not say what its digest is. */
	free(ret->digest);
	free(ret->diff_id);
	ret->digest = xstrdup(in->digest);
	ret->diff_id = xstrdup(out->digest);
	ret->input_size = in->bytes;
	ret->tar_size = out->bytes;
	return 0;
}

int layer_unpack_wait(const struct layer_unpack *un, int cancel_fd, struct err *err)
{
	return layer_job_poll(&un->job, cancel_fd, err);
}

void layer_unpack_abort(struct layer_unpack *un)
{
	layer_abort(&un->job);
	stages_close(un);
}

/* ---- convert ---- */

int layer_convert(struct image_store *store, const struct layer_input *in, int dir_fd,
		  const struct layer_convert *how, struct apply_result *ret_in,
		  struct convert_result *ret, struct err *err)
{
	cleanup_strv char **args = NULL;
	struct stage_result results[LAYER_STAGES] = { 0 };
	struct layer_unpack un = LAYER_UNPACK_INIT;
	cleanup_buf struct buf doc = BUF_INIT;

	un.plain = in->plain;
	un.compress = !str_eq(how->to, "none");
	strv_add(&args, "convert");
	strv_addf(&args, "--to=%s", how->to);
	strv_addf(&args, "--level=%d", how->level);
	if (in->plain)
		strv_add(&args, "--plain");
	room_args(store->fd, &store->keep, &args);
	int r = stages_start(store, (const char *const *)args, in, dir_fd, how->out_fd, &un, err);
	if (r < 0)
		return r;
	r = unpack_results(&un, results, &doc, err);
	stages_close(&un);
	if (r == 0)
		r = json_parse(&convert_result_desc, ret, buf_str(&doc), doc.len,
			       "answer of " LAYER_PROGRAM, err);
	if (r < 0)
		return r;
	ret_in->digest = xstrdup(results[STAGE_HASH_IN].digest);
	ret_in->diff_id = xstrdup(results[STAGE_HASH_OUT].digest);
	ret_in->input_size = results[STAGE_HASH_IN].bytes;
	ret_in->tar_size = results[STAGE_HASH_OUT].bytes;
	return 0;
}

/* ---- small jobs ---- */

/* What a mode that reads a directory says of it. */
static int dir_ask(struct image_store *store, const char *mode, int dir_fd,
		   struct apply_result *ret, struct err *err)
{
	const char *const args[] = { mode, NULL };
	cleanup_buf struct buf doc = BUF_INIT;
	struct layer_job job;

	int r = layer_start(store, args, -EBADF, dir_fd, true, &job, err);
	if (r == 0)
		r = layer_finish(&job, &doc, err);
	return r < 0 ? r
		     : json_parse(&apply_result_desc, ret, buf_str(&doc), doc.len,
				  "answer of " LAYER_PROGRAM, err);
}

int layer_dir_empty(struct image_store *store, int dir_fd, struct err *err)
{
	struct apply_result found = { 0 };
	int r = dir_ask(store, "empty", dir_fd, &found, err);

	if (r == 0)
		r = found.entries == 0;
	json_free(&apply_result_desc, &found);
	return r;
}

int layer_usage(struct image_store *store, int dir_fd, struct usage *ret, struct err *err)
{
	struct apply_result found = { 0 };
	int r = dir_ask(store, "usage", dir_fd, &found, err);

	if (r == 0)
		*ret = (struct usage){ .bytes = found.size, .inodes = found.entries };
	json_free(&apply_result_desc, &found);
	return r;
}

int layer_own(struct image_store *store, int like_fd, int dir_fd, char *const *paths,
	      char ***ret_missing, struct err *err)
{
	static const char *const args[] = { "own", NULL };
	cleanup_buf struct buf doc = BUF_INIT;
	struct apply_result missing = { 0 };
	struct layer_job job;
	int r = 0;

	cleanup_fd int list = memfd_create("paths", MFD_CLOEXEC);
	for (size_t i = 0; r == 0 && list >= 0 && paths[i]; i++)
		r = io_write(list, paths[i], strlen(paths[i]) + 1);
	if (list < 0 || r < 0 || lseek(list, 0, SEEK_SET) < 0)
		return err_errno(err, r < 0 ? -r : errno, "listing directories");
	const struct proc_fd more = { list, LAYER_FD_PATHS };
	const struct layer_start start = {
		.args = args,
		.in_fd = like_fd,
		.dir_fd = dir_fd,
		.userns = store->rootless,
		.more = &more,
		.n_more = 1,
	};
	r = layer_job_start(&start, &job, err);
	if (r == 0)
		r = layer_finish(&job, &doc, err);
	if (r == 0)
		r = json_parse(&apply_result_desc, &missing, buf_str(&doc), doc.len,
			       "answer of " LAYER_PROGRAM, err);
	if (r == 0)
		*ret_missing = take_ptr(missing.implied);
	json_free(&apply_result_desc, &missing);
	return r;
}

int layer_digest_start(struct image_store *store, int in_fd, int out_fd, uint64_t max,
		       struct layer_job *ret, struct err *err)
{
	/* 0 would be no limit: then a byte more than there may be, which is found by its size. */
	cleanup_free char *max_bytes = xasprintf("--max-bytes=%" PRIu64, max ? max : 1);
	const char *args[] = { "digest", max_bytes, NULL };
	const struct proc_fd more = { out_fd, LAYER_FD_COPY };
	const struct layer_start start = {
		.args = args,
		.in_fd = in_fd,
		.dir_fd = store->fd, /* not used: the fence is up before */
		.more = &more,
		.n_more = 1,
	};

	return layer_job_start(&start, ret, err);
}

int layer_digest_finish(struct layer_job *job, char **ret_digest, uint64_t *ret_size,
			struct err *err)
{
	cleanup_buf struct buf doc = BUF_INIT;
	struct apply_result result = { 0 };

	int r = layer_finish(job, &doc, err);
	if (r == 0)
		r = json_parse(&apply_result_desc, &result, buf_str(&doc), doc.len,
			       "answer of " LAYER_PROGRAM, err);
	if (r < 0)
		return r;
	*ret_digest = result.digest ? take_ptr(result.digest) : xstrdup("");
	*ret_size = result.input_size;
	json_free(&apply_result_desc, &result);
	return 0;
}

int layer_entries_start(struct image_store *store, int in_fd, int out_fd, struct layer_job *ret,
			struct err *err)
{
	static const char *const args[] = { "entries", "--max-ratio=" RATIO_MAX, NULL };
	const struct proc_fd more = { out_fd, LAYER_FD_COPY };
	const struct layer_start start = {
		.args = args,
		.in_fd = in_fd,
		.dir_fd = store->fd, /* as above */
		.more = &more,
		.n_more = 1,
	};

	return layer_job_start(&start, ret, err);
}
