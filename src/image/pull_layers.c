/* SPDX-License-Identifier: Apache-2.0 */
/* The layers of a pull: a small state machine for each, and one loop that waits for all. */
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/timeutil.h"
#include "image/layer_run.h"
#include "image/partial.h"
#include "image/pull_internal.h"
#include "image/unpack.h"
#include "image/verified.h"
#include "oci/digest.h"

#define RUNNING_MAX    32 /* pipelines at once */
#define SHARED_POLL_MS 50 /* looking whether another process is done */
/* Another process that has fetched no more than so much in so long is not waited for: it may have
 * been stopped. With all of it fetched it is unpacking. */
#define SHARED_MIN         (128u << 10)
#define SHARED_PATIENCE_NS (10 * INT64_C(1000000000))
#define UNPACK_PATIENCE_NS (60 * INT64_C(1000000000))

struct task {
	struct pull_layer *layer;
	struct layer_unpack job;
	struct partial partial;
	bool running;
	bool unpacked;    /* in staging, to be committed */
	bool check;       /* another one's blob has the same diff id: that one's tree is kept */
	bool retried;     /* the beginning that was there was bad, and was thrown away */
	bool refetch;     /* the blob in the store is bad */
	bool alone;       /* nobody is waited for any more */
	size_t tries;     /* that came to nothing */
	size_t endpoint;  /* the first that is asked */
	uint64_t request; /* under way; 0: none */
	uint64_t offset;  /* where the download began */
	int64_t seen_ns;  /* when another process had last made progress, to seen_size */
	uint64_t seen_size;
	int failed; /* of the download: -errno of err */
	struct err err;
	struct apply_result info;
};

struct tasks {
	struct pull *pl;
	struct pull_layer *layers;
	struct task *items;
	size_t n, running;
	size_t at_once; /* how many may be running */
};

static bool is_there(const struct task *t)
{
	return t->layer->state == PULL_DONE || t->layer->state == PULL_EXISTS;
}

static char *staged_name(const struct task *t)
{
	const char *hex = digest_hex(t->layer->diff_id);

	return t->check ? xasprintf("check-%s-%s", hex, digest_hex(t->layer->digest))
			: xasprintf(STAGED_LAYER "%s", hex);
}

/* ---- starting ---- */

/* Has the rest of the blob written to a pipe, whose other end is returned. */
static int download_start(struct tasks *ts, struct task *t, struct err *err)
{
	struct registry_request ask = pull_ask(ts->pl, REGISTRY_BLOB, t->endpoint);
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_errno(err, errno, "making a pipe");
	cleanup_fd int in = ends[0];
	cleanup_fd int out = ends[1];
	fcntl(out, F_SETPIPE_SZ, 1 << 20);
	ask.digest = (char *)t->layer->digest;
	ask.size = t->layer->size;
	ask.offset = t->partial.size;
	ask.urls = ts->pl->manifest.layers.items[t - ts->items].urls;
	int r = registry_send(ts->pl->req->conn, &ask, out, err);
	if (r < 0)
		return r;
	t->request = ask.id;
	ts->pl->new_data = true;
	return take_fd(in);
}

static int input_open(struct tasks *ts, struct task *t, struct err *err)
{
	if (t->partial.fd < 0)
		return store_open_blob(ts->pl->store, t->layer->digest);
	if (t->partial.size < t->layer->size)
		return download_start(ts, t, err);
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_errno(err, errno, "opening /dev/null") : fd;
}

static int pipeline_start(struct tasks *ts, struct task *t, struct err *err)
{
	cleanup_free char *name = staged_name(t);
	cleanup_fd int dir = unpack_mkdir(&ts->pl->staging, name, err);

	if (dir < 0)
		return dir;
	cleanup_fd int in = input_open(ts, t, err);
	if (in < 0)
		return in;
	const struct layer_input input = {
		.fd = in,
		.partial_fd = t->partial.fd,
		.plain = str_eq(t->layer->digest, t->layer->diff_id),
	};
	int r = layer_unpack_start(ts->pl->store, &input, dir, &t->job, err);
	if (r < 0)
		return r;
	t->offset = t->partial.size;
	t->running = true;
	ts->running++;
	t->layer->done = t->offset;
	t->layer->state = t->request ? PULL_DOWNLOADING : PULL_UNPACKING;
	return 0;
}

/* Where the blob comes from: the registry itself, whatever mirrors there are. */
static const char *source_of(const struct tasks *ts, const struct task *t)
{
	const struct pull_request *req = ts->pl->req;

	return t->alone || !req->n_endpoints ? NULL : req->endpoints[req->n_endpoints - 1].url;
}

/* Another process is fetching it: is it getting on? */
static bool is_stuck(struct task *t, uint64_t size)
{
	int64_t now = time_monotonic_ns();

	if (!t->seen_ns || size < t->seen_size || size - t->seen_size >= SHARED_MIN) {
		t->seen_ns = now;
		t->seen_size = size;
	}
	return now - t->seen_ns >
	       (size >= t->layer->size ? UNPACK_PATIENCE_NS : SHARED_PATIENCE_NS);
}

static bool is_whole(const struct tasks *ts, const struct task *t)
{
	return layer_is_whole(ts->pl->store, t->layer->diff_id, t->layer->digest,
			      (int64_t)t->layer->size);
}

/* Makes the file for its blob. 1: it is ours; 0: another process has it. */
static int task_open(struct tasks *ts, struct task *t, struct err *err)
{
	const struct pull_layer *l = t->layer;
	uint64_t size;

	int r = partial_open(ts->pl->store, l->digest, source_of(ts, t), l->size, &t->partial,
			     &size, err);
	if (r == 0 && is_stuck(t, size))
		t->alone = true;
	return r;
}

static int task_start(struct tasks *ts, struct task *t, struct err *err)
{
	struct pull_layer *l = t->layer;
	int r = 1;

	if (is_whole(ts, t) && !t->refetch) {
		l->state = l->state == PULL_SHARED ? PULL_DONE : PULL_EXISTS;
		return 0;
	}
	if (t->refetch || !blob_exists(ts->pl->store, l->digest, (int64_t)l->size))
		r = task_open(ts, t, err);
	if (r == 0)
		l->state = PULL_SHARED;
	if (r <= 0)
		return r;
	/* The one that had it may have been done in between. */
	if (!t->refetch && is_whole(ts, t)) {
		partial_done(&t->partial);
		l->state = PULL_DONE;
		return 0;
	}
	ts->pl->new_data = true;
	return pipeline_start(ts, t, err);
}

/* The largest one that waits. */
static struct task *task_next(struct tasks *ts, enum pull_state state)
{
	struct task *best = NULL;

	for (size_t i = 0; i < ts->n; i++) {
		struct task *t = &ts->items[i];
		if (t->layer->state == state && !t->running && !t->unpacked &&
		    (!best || t->layer->size > best->layer->size))
			best = t;
	}
	return best;
}

static int tasks_start(struct tasks *ts, struct err *err)
{
	struct task *t;
	int r = 0;

	while (r == 0 && ts->running < ts->at_once && (t = task_next(ts, PULL_WAITING)))
		r = task_start(ts, t, err);
	for (size_t i = 0; r == 0 && i < ts->n && ts->running < ts->at_once; i++)
		if (ts->items[i].layer->state == PULL_SHARED)
			r = task_start(ts, &ts->items[i], err);
	return r;
}

/* ---- ending ---- */

static int task_check(const struct task *t, struct err *err)
{
	const struct pull_layer *l = t->layer;

	if (!str_eq(t->info.digest, l->digest))
		return err_fail(err, ERR_CORRUPT, "it has other content (%s)", t->info.digest);
	if (t->info.input_size != l->size)
		return err_fail(err, ERR_CORRUPT, "it has %llu bytes instead of %llu",
				(unsigned long long)t->info.input_size,
				(unsigned long long)l->size);
	if (!str_eq(t->info.diff_id, l->diff_id))
		return err_fail(err, ERR_CORRUPT, "it unpacks to %s, the config says %s",
				t->info.diff_id, l->diff_id);
	return 0;
}

/* Once more from the beginning. */
static int task_again(struct tasks *ts, struct task *t, struct err *err)
{
	cleanup_free char *name = staged_name(t);
	cleanup_free char *bad = xasprintf("bad-%zu-%s", t->tries++, name);

	json_free(&apply_result_desc, &t->info);
	/* staging_done() removes it. */
	if (renameat(ts->pl->staging.fd, name, ts->pl->staging.fd, bad) < 0 && errno != ENOENT)
		return err_errno(err, errno, "putting a bad layer aside");
	partial_done(&t->partial);
	t->failed = 0;
	t->err = (struct err)ERR_INIT;
	t->layer->state = PULL_WAITING;
	return 0;
}

/* Its content is bad. Where it came from decides whether another try can do better. */
static bool task_may_try(struct tasks *ts, struct task *t, const struct err *why)
{
	/* What was told to be there is there: no other copy of it unpacks to anything else. */
	if (str_eq(t->info.digest, t->layer->digest) || why->kind == ERR_SYSTEM)
		return false;
	if (t->partial.fd < 0) {
		t->refetch = true;
		return true;
	}
	if (t->offset > 0 && !t->retried) {
		t->retried = true;
		return true;
	}
	if (!pull_try_next(ts->pl, t->endpoint, why))
		return false;
	t->endpoint++;
	return true;
}

/* The answer to its request: it says why there was no more data. */
static int answer_take(struct tasks *ts, struct registry_answer *answer)
{
	const struct pull_watch *watch = ts->pl->req->watch;

	if (answer->notice && watch && watch->notice)
		watch->notice(watch->data, answer->notice);
	for (size_t i = 0; i < ts->n && !answer->partial; i++) {
		struct task *t = &ts->items[i];
		if (t->request != answer->id || !answer->id)
			continue;
		t->request = 0;
		if (!answer->ok)
			t->failed = registry_answer_error(answer, &t->err);
		else if (t->running)
			t->layer->state = PULL_UNPACKING;
	}
	registry_answer_done(answer);
	return 0;
}

static int answers_take(struct tasks *ts, int timeout_ms, struct err *err)
{
	struct registry_answer answer = { 0 };
	int r;

	while ((r = registry_next(ts->pl->req->conn, timeout_ms, &answer, err)) > 0) {
		answer_take(ts, &answer);
		timeout_ms = 0;
	}
	return r;
}

static int task_fail(struct tasks *ts, struct task *t, int r, struct err *why, struct err *err)
{
	struct err lost = ERR_INIT;

	/* Is the network the reason, then its answer is on the way. */
	while (t->request && answers_take(ts, -1, &lost) == 0)
		;
	if (t->failed && t->failed != -EPIPE) { /* not that we read no more */
		if (err)
			*err = t->err;
		return err_wrap(err, t->failed, "layer %s", t->layer->digest);
	}
	r = err_wrap(why, r, "layer %s", t->layer->digest);
	bool again = task_may_try(ts, t, why);
	/* Nobody should go on with it. */
	int cleared = t->partial.fd >= 0 ? partial_clear(&t->partial, again ? err : NULL) : 0;
	if (again)
		return cleared < 0 ? cleared : task_again(ts, t, err);
	if (err)
		*err = *why;
	return r;
}

static int task_finish(struct tasks *ts, struct task *t, struct err *err)
{
	cleanup_free char *name = staged_name(t);
	struct err why = ERR_INIT;

	t->running = false;
	ts->running--;
	int r = layer_unpack_finish(&t->job, &t->info, &why);
	if (r == 0)
		r = task_check(t, &why);
	if (r < 0)
		return task_fail(ts, t, r, &why, err);
	t->layer->done = t->layer->size;
	t->layer->state = PULL_UNPACKING;
	t->unpacked = true;
	return unpack_seal(&ts->pl->staging, name, &t->info, err);
}

/* ---- into the store ---- */

static int task_commit(struct tasks *ts, struct task *t, struct err *err)
{
	struct pull *pl = ts->pl;
	const char *diff_id = t->layer->diff_id;
	int r = 0;

	if (!t->check)
		r = store_add_layer(pl->store, &pl->staging, diff_id, err);
	/* Whoever sees layer and blob is to see this, too. */
	if (r == 0)
		r = layer_note_blob(pl->store, diff_id, t->layer->digest, err);
	if (r == 0 && t->partial.fd >= 0)
		r = partial_commit(pl->store, &t->partial, err);
	if (r < 0)
		return err_wrap(err, r, "layer %s", t->layer->digest);
	partial_done(&t->partial);
	t->unpacked = false;
	t->layer->state = PULL_DONE;
	return 0;
}

static int tasks_commit(struct tasks *ts, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ts->n; i++) {
		struct task *t = &ts->items[i];
		/* Another blob of a layer comes after the one that brings the tree. */
		if (t->unpacked && (!t->check || layer_exists(ts->pl->store, t->layer->diff_id)))
			r = task_commit(ts, t, err);
	}
	return r;
}

/* ---- the loop ---- */

static void watch_call(struct tasks *ts)
{
	const struct pull_watch *watch = ts->pl->req->watch;
	struct stat st;

	if (!watch || !watch->layers)
		return;
	for (size_t i = 0; i < ts->n; i++) {
		struct task *t = &ts->items[i];
		if (t->running && t->partial.fd >= 0 && fstat(t->partial.fd, &st) == 0)
			t->layer->done = (uint64_t)st.st_size;
	}
	watch->layers(watch->data, ts->layers, ts->n);
}

static int tasks_wait(struct tasks *ts, struct err *err)
{
	const struct pull_watch *watch = ts->pl->req->watch;
	struct pollfd polls[RUNNING_MAX + 1];
	struct task *running[RUNNING_MAX + 1];
	int timeout = watch && watch->interval_ms > 0 ? watch->interval_ms : -1, r = 0;
	nfds_t n = 0;

	for (size_t i = 0; i < ts->n; i++) {
		if (!ts->items[i].running)
			continue;
		running[n] = &ts->items[i];
		polls[n++] =
		    (struct pollfd){ .fd = ts->items[i].job.job.result_fd, .events = POLLIN };
	}
	if (task_next(ts, PULL_SHARED) && (timeout < 0 || timeout > SHARED_POLL_MS))
		timeout = SHARED_POLL_MS;
	polls[n] = (struct pollfd){ .fd = ts->pl->req->conn->fd, .events = POLLIN };
	if (poll(polls, n + 1, timeout) < 0 && errno != EINTR)
		return err_errno(err, errno, "waiting for layers");
	if (polls[n].revents)
		r = answers_take(ts, 0, err);
	for (nfds_t i = 0; r == 0 && i < n; i++)
		if (polls[i].revents)
			r = task_finish(ts, running[i], err);
	return r;
}

static bool all_there(const struct tasks *ts)
{
	for (size_t i = 0; i < ts->n; i++)
		if (!is_there(&ts->items[i]))
			return false;
	return true;
}

static int tasks_run(struct tasks *ts, struct err *err)
{
	int r = 0;

	watch_call(ts);
	while (r == 0) {
		r = tasks_start(ts, err);
		if (r == 0)
			r = tasks_commit(ts, err);
		watch_call(ts);
		if (r < 0 || all_there(ts))
			return r;
		if (ts->running > 0 || task_next(ts, PULL_SHARED))
			r = tasks_wait(ts, err);
	}
	return r;
}

/* Each layer once, however often the image has it. */
static void tasks_make(struct tasks *ts)
{
	struct pull *pl = ts->pl;
	char *const *diff_ids = pl->config.rootfs->diff_ids;

	ts->n = pl->manifest.layers.n;
	ts->layers = xcalloc(ts->n + 1, sizeof(*ts->layers));
	ts->items = xcalloc(ts->n + 1, sizeof(*ts->items));
	for (size_t i = 0; i < ts->n; i++) {
		const struct oci_descriptor *desc = &pl->manifest.layers.items[i];
		ts->layers[i] = (struct pull_layer){
			.digest = desc->digest,
			.diff_id = diff_ids[i],
			.size = (uint64_t)desc->size,
		};
		ts->items[i].layer = &ts->layers[i];
		ts->items[i].partial = (struct partial)PARTIAL_INIT;
		for (size_t k = 0; k < i; k++) {
			if (!str_eq(diff_ids[k], diff_ids[i]))
				continue;
			ts->items[i].check = true;
			if (str_eq(ts->layers[k].digest, desc->digest) &&
			    ts->layers[k].size == (uint64_t)desc->size)
				ts->layers[i].state = PULL_EXISTS;
		}
	}
}

/* Has the disk room for all that is to be downloaded? What it unpacks to will be seen. */
static int room_check(const struct tasks *ts, struct err *err)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < ts->n; i++) {
		const struct pull_layer *l = &ts->layers[i];

		if (l->state != PULL_WAITING || layer_exists(ts->pl->store, l->diff_id) ||
		    blob_exists(ts->pl->store, l->digest, -1))
			continue;
		sum = l->size > UINT64_MAX - sum ? UINT64_MAX : sum + l->size;
	}
	return layer_room_check(ts->pl->store, sum, err);
}

int pull_layers(struct pull *pl, struct err *err)
{
	struct tasks ts = { .pl = pl };

	ts.at_once = pl->req->parallel ? pl->req->parallel : PULL_PARALLEL;
	if (ts.at_once > RUNNING_MAX)
		ts.at_once = RUNNING_MAX;
	tasks_make(&ts);
	int r = room_check(&ts, err);
	if (r == 0)
		r = tasks_run(&ts, err);
	for (size_t i = 0; i < ts.n; i++) {
		struct task *t = &ts.items[i];
		if (t->running)
			layer_unpack_abort(&t->job);
		partial_done(&t->partial);
		json_free(&apply_result_desc, &t->info);
	}
	free(ts.items);
	free(ts.layers);
	return r;
}
