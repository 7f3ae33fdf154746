/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blobs from the source to the destination, several at a time: asked for, fetched into a file that
 * has no name while a process of its own hashes them, and handed on when the digest is right.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/str.h"
#include "engine/config.h"
#include "engine/copy_internal.h"
#include "image/sync.h"
#include "oci/digest.h"

#define AT_ONCE_MAX 32
#define TICK_MS     200

static void blob_tell(const struct copy *c, const struct copy_blob *b, enum push_event_kind kind,
		      uint64_t done)
{
	copy_tell(c, &(struct push_event){ .kind = kind,
					   .digest = b->digest,
					   .from = c->source.repository,
					   .size = b->size,
					   .done = done < b->size ? done : b->size });
}

static void blob_end(struct copy *c, struct copy_blob *b, enum push_event_kind kind)
{
	b->step = BLOB_DONE;
	layout_drop(c->sink.blobs_fd, &b->file);
	blob_tell(c, b, kind, b->size);
}

/* ---- to the destination ---- */

static int blob_upload(struct copy *c, struct copy_blob *b, int fd, struct err *err)
{
	struct registry_request req = {
		.op = REGISTRY_UPLOAD, .digest = b->digest, .size = b->size, .absent = true
	};

	req.endpoints.items = c->sink.endpoints.items;
	req.endpoints.n = c->sink.endpoints.n;
	int r = registry_send(&c->sink.conn, &req, fd, err);
	b->to_id = req.id;
	b->step = BLOB_SENDING;
	return r;
}

/* What the file holds has been hashed. */
static int blob_hand_on(struct copy *c, struct copy_blob *b, struct err *err)
{
	if (copy_to_registry(c))
		return blob_upload(c, b, b->file.fd, err);
	int r = layout_name(c->sink.blobs_fd, &b->file, digest_hex(b->digest), err);
	if (r == 0)
		blob_end(c, b, PUSH_PUSHED);
	return r;
}

/* From our own store, where it was hashed when it came. */
static int blob_take(struct copy *c, struct copy_blob *b, int fd, struct err *err)
{
	if (copy_to_registry(c))
		return blob_upload(c, b, fd, err);
	int r = sink_check_room(c, b, err);
	if (r == 0)
		r = layout_create(c->sink.blobs_fd, &b->file, err);
	if (r < 0)
		return r;
	int64_t n = io_copy(fd, b->file.fd);
	if (n < 0)
		return err_errno(err, (int)-n, "copying blob %s", b->digest);
	return blob_hand_on(c, b, err);
}

/* ---- from the source ---- */

static int job_start(struct copy *c, struct copy_blob *b, int in_fd, struct err *err)
{
	int r = sink_check_room(c, b, err);

	if (r == 0)
		r = layout_create(c->sink.blobs_fd, &b->file, err);
	if (r == 0)
		r = layer_digest_start(&c->eng->store, in_fd, b->file.fd, b->size, &b->job, err);
	b->running = r == 0;
	b->step = BLOB_FETCHING;
	return r;
}

static int fetch_from_registry(struct copy *c, struct copy_blob *b, struct err *err)
{
	struct registry_request req = {
		.op = REGISTRY_BLOB, .digest = b->digest, .size = b->size, .limit = b->size
	};
	int pair[2];

	if (pipe2(pair, O_CLOEXEC) < 0)
		return err_errno(err, errno, "fetching blob %s", b->digest);
	cleanup_fd int in = pair[0];
	cleanup_fd int out = pair[1];
	(void)fcntl(out, F_SETPIPE_SZ, 1 << 20); /* refused to a user with many pipes */
	req.endpoints.items = c->source.endpoints.items + b->skip;
	req.endpoints.n = c->source.endpoints.n - b->skip;
	req.urls = b->urls;
	int r = job_start(c, b, in, err);
	if (r == 0)
		r = registry_send(&c->source.conn, &req, out, err);
	b->from_id = req.id;
	return r;
}

static int fetch_from_file(struct copy *c, struct copy_blob *b, struct err *err)
{
	uint64_t size = 0;

	if (c->source.trusted && sync_is_lost(&c->eng->store, digest_hex(b->digest)))
		return err_hint(err,
				err_fail(err, ERR_CORRUPT,
					 "it was not on the disk yet when the machine went down"),
				"get the image again: `inro pull` or `inro load`");
	cleanup_fd int fd = layout_open_file(c->source.blobs_fd, digest_hex(b->digest), &size, err);
	if (fd < 0)
		return fd;
	if (size != b->size)
		return err_fail(err, ERR_CORRUPT, "it has %" PRIu64 " bytes instead of %" PRIu64,
				size, b->size);
	return c->source.trusted ? blob_take(c, b, fd, err) : job_start(c, b, fd, err);
}

static int blob_fetch(struct copy *c, struct copy_blob *b, struct err *err)
{
	int r = copy_from_registry(c) ? fetch_from_registry(c, b, err) : fetch_from_file(c, b, err);

	return r < 0 ? err_wrap(err, r, "blob %s", b->digest) : 0;
}

static int content_check(const struct copy_blob *b, struct err *err)
{
	if (b->found_size != b->size)
		return err_fail(err, ERR_CORRUPT, "it has %" PRIu64 " bytes instead of %" PRIu64,
				b->found_size, b->size);
	if (!str_eq(b->found, b->digest))
		return err_fail(err, ERR_CORRUPT, "it has other content (%s)", b->found);
	return 0;
}

/* Of what was fetched nothing is used. */
static int fetch_again(struct copy *c, struct copy_blob *b, struct err *err)
{
	layout_drop(c->sink.blobs_fd, &b->file);
	free(take_ptr(b->found));
	b->found_size = 0;
	return blob_fetch(c, b, err);
}

/* Both who sends and who hashes have said their last word. */
static int blob_fetched(struct copy *c, struct copy_blob *b, struct err *err)
{
	struct err own = ERR_INIT;
	int r;

	/* When the reader gave up, the writer only saw that. */
	if (b->from_failed && (b->from_failed != -EPIPE || !b->job_failed)) {
		r = b->from_failed;
		own = b->from_err;
	} else if (b->job_failed) {
		r = b->job_failed;
		own = b->job_err;
	} else {
		r = content_check(b, &own);
		if (r == 0)
			return blob_hand_on(c, b, err);
		if (copy_from_registry(c) && copy_try_next(c, b->skip, &own)) {
			b->skip++;
			return fetch_again(c, b, err);
		}
	}
	if (err)
		*err = own;
	return err_wrap(err, r, "blob %s", b->digest);
}

static int fetch_check(struct copy *c, struct copy_blob *b, struct err *err)
{
	return b->running || b->from_id ? 0 : blob_fetched(c, b, err);
}

/* ---- what is there already ---- */

/* Somebody else's directory may hold anything under the name: it counts when it has the digest. */
static int check_start(struct copy *c, struct copy_blob *b, int fd, struct err *err)
{
	cleanup_fd int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (null < 0)
		return err_errno(err, errno, "opening /dev/null");
	int r = layer_digest_start(&c->eng->store, fd, null, b->size, &b->job, err);
	b->running = r == 0;
	b->step = BLOB_CHECKING;
	return r;
}

/* What is not the blob is replaced. */
static int check_end(struct copy *c, struct copy_blob *b, struct err *err)
{
	if (b->job_failed || content_check(b, NULL) < 0) {
		b->job_failed = 0;
		return fetch_again(c, b, err);
	}
	blob_end(c, b, PUSH_EXISTS);
	return 0;
}

static int job_end(struct copy *c, struct copy_blob *b, struct err *err)
{
	b->running = false;
	b->job_failed = layer_digest_finish(&b->job, &b->found, &b->found_size, &b->job_err);
	return b->step == BLOB_CHECKING ? check_end(c, b, err) : fetch_check(c, b, err);
}

/* ---- one blob's beginning ---- */

/* Of the same registry the blob can be mounted. */
static const char *mount_from(const struct copy *c)
{
	const struct registry_endpoints *from = &c->source.endpoints, *to = &c->sink.endpoints;

	if (!copy_from_registry(c) || !from->n || !to->n)
		return NULL;
	const struct registry_endpoint *origin = &from->items[from->n - 1]; /* behind its mirrors */
	if (!str_eq(origin->url, to->items[0].url) ||
	    str_eq(origin->repository, to->items[0].repository))
		return NULL;
	return origin->repository;
}

static int blob_begin(struct copy *c, struct copy_blob *b, struct err *err)
{
	const char *from = mount_from(c);
	struct registry_request req = { .op = REGISTRY_MOUNT,
					.digest = b->digest,
					.size = b->size,
					.from = (char *)(uintptr_t)from };

	if (!copy_to_registry(c)) {
		if (sink_has(c, b)) {
			blob_end(c, b, PUSH_EXISTS);
			return 0;
		}
		cleanup_fd int there = sink_open_there(c, b);
		return there >= 0 ? check_start(c, b, there, err) : blob_fetch(c, b, err);
	}
	req.endpoints.items = c->sink.endpoints.items;
	req.endpoints.n = c->sink.endpoints.n;
	int r = registry_send(&c->sink.conn, &req, -1, err);
	b->to_id = req.id;
	b->step = BLOB_ASKED;
	return r;
}

/* ---- answers ---- */

static struct copy_blob *blob_of(struct copy *c, uint64_t id, bool to)
{
	for (size_t i = 0; i < c->n_blobs; i++)
		if (id && (to ? c->blobs[i].to_id : c->blobs[i].from_id) == id)
			return &c->blobs[i];
	return NULL;
}

static void notice(const struct copy *c, const struct registry_answer *a)
{
	if (a->notice)
		copy_tell(c, &(struct push_event){ .kind = PUSH_NOTICE, .text = a->notice });
}

static int from_answer(struct copy *c, const struct registry_answer *a, struct err *err)
{
	struct copy_blob *b = blob_of(c, a->id, false);

	notice(c, a);
	if (!b || a->partial)
		return 0;
	b->from_id = 0;
	if (!a->ok)
		b->from_failed = registry_answer_error(a, &b->from_err);
	return fetch_check(c, b, err);
}

static int to_answer(struct copy *c, const struct registry_answer *a, struct err *err)
{
	struct copy_blob *b = blob_of(c, a->id, true);

	notice(c, a);
	if (b && a->partial && !a->notice)
		blob_tell(c, b, PUSH_PROGRESS, a->done);
	if (!b || a->partial)
		return 0;
	b->to_id = 0;
	if (!a->ok)
		return registry_answer_error(a, err);
	if (a->mounted)
		blob_end(c, b, PUSH_MOUNTED);
	else if (a->exists)
		blob_end(c, b, PUSH_EXISTS);
	else if (b->step == BLOB_SENDING)
		blob_end(c, b, PUSH_PUSHED);
	else
		return blob_fetch(c, b, err);
	return 0;
}

static int answers_take(struct copy *c, struct registry_conn *conn,
			int (*take)(struct copy *c, const struct registry_answer *a,
				    struct err *err),
			struct err *err)
{
	struct registry_answer answer = { 0 };
	int r;

	while ((r = registry_next(conn, 0, &answer, err)) > 0) {
		r = take(c, &answer, err);
		registry_answer_done(&answer);
		if (r < 0)
			return r;
	}
	return r;
}

/* ---- the loop ---- */

static bool is_under_way(const struct copy_blob *b)
{
	return b->step != BLOB_WAITING && b->step != BLOB_DONE;
}

static void watch(const struct copy *c)
{
	struct stat st;

	for (size_t i = 0; i < c->n_blobs && !copy_to_registry(c); i++) {
		const struct copy_blob *b = &c->blobs[i];
		if (b->running && fstat(b->file.fd, &st) == 0)
			blob_tell(c, b, PUSH_PROGRESS, (uint64_t)st.st_size);
	}
}

static int blobs_wait(struct copy *c, struct err *err)
{
	struct pollfd polls[AT_ONCE_MAX + 3];
	struct copy_blob *jobs[AT_ONCE_MAX];
	struct registry_conn *from = &c->source.conn, *to = &c->sink.conn;
	nfds_t n = 0, end;
	int r = 0;

	for (size_t i = 0; i < c->n_blobs; i++) {
		if (!c->blobs[i].running)
			continue;
		jobs[n] = &c->blobs[i];
		polls[n++] = (struct pollfd){ .fd = c->blobs[i].job.result_fd, .events = POLLIN };
	}
	/* Without a registry the fd is negative: poll(2) leaves it out. */
	polls[n] = (struct pollfd){ .fd = from->fd, .events = POLLIN };
	polls[n + 1] = (struct pollfd){ .fd = to->fd, .events = POLLIN };
	end = n + 2;
	if (c->options->cancel_fd > 0)
		polls[end++] = (struct pollfd){ .fd = c->options->cancel_fd, .events = POLLIN };
	if (poll(polls, end, c->options->event ? TICK_MS : -1) < 0)
		return errno == EINTR ? 0 : err_errno(err, errno, "waiting for blobs");
	if (end > n + 2 && polls[n + 2].revents)
		return err_errno(err, ECANCELED, "copying");
	if (polls[n].revents)
		r = answers_take(c, from, from_answer, err);
	if (r == 0 && polls[n + 1].revents)
		r = answers_take(c, to, to_answer, err);
	for (nfds_t i = 0; r == 0 && i < n; i++)
		if (polls[i].revents && jobs[i]->running)
			r = job_end(c, jobs[i], err);
	watch(c);
	return r;
}

/* Where nothing is waited for. */
static int check_cancelled(const struct copy *c, struct err *err)
{
	struct pollfd p = { .fd = c->options->cancel_fd, .events = POLLIN };

	return p.fd > 0 && poll(&p, 1, 0) > 0 ? err_errno(err, ECANCELED, "copying") : 0;
}

static int blobs_run(struct copy *c, size_t at_once, struct err *err)
{
	size_t next = 0;

	for (;;) {
		size_t under_way = 0;
		int r = 0;

		for (size_t i = 0; i < next; i++)
			under_way += is_under_way(&c->blobs[i]);
		for (; r == 0 && next < c->n_blobs && under_way < at_once; next++) {
			r = check_cancelled(c, err);
			if (r == 0)
				r = blob_begin(c, &c->blobs[next], err);
			under_way += is_under_way(&c->blobs[next]);
		}
		if (r == 0 && under_way == 0 && next == c->n_blobs)
			return 0;
		if (r == 0 && under_way > 0)
			r = blobs_wait(c, err);
		if (r < 0)
			return r;
	}
}

int copy_blobs(struct copy *c, struct err *err)
{
	const struct config *config;
	struct err own = ERR_INIT;

	int r = config_get(c->eng, &config, err);
	if (r < 0)
		return r;
	size_t at_once = (size_t)config->transfer.parallel;
	for (size_t i = 0; i < c->n_blobs; i++)
		blob_tell(c, &c->blobs[i], PUSH_WAITING, 0);
	r = blobs_run(c, at_once < AT_ONCE_MAX ? at_once : AT_ONCE_MAX, &own);
	if (r < 0 && err)
		*err = own;
	return r;
}
