/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/rlimits.h"

#include <stdlib.h>

#include "base/log.h"
#include "runtime/pids.h"
#include "sys/procfs.h"
#include "sys/rlimit.h"

/* While processes appear as fast as they are changed. */
#define ROUNDS_MAX 100

struct rlimits_old {
	pid_t pid;
	uint64_t start;
	int resource;
	uint64_t soft, hard;
};

void rlimits_journal_done(struct rlimits_journal *j)
{
	free(j->items);
	*j = (struct rlimits_journal){ 0 };
}

static bool is_alive(pid_t pid, uint64_t start)
{
	uint64_t now;

	return procfs_stat(pid, NULL, &now) == 0 && now == start;
}

/* j NULL: all, else only what grows. 1: it was changed; 0: it had been before, or it has ended. */
static int change_one(pid_t pid, uint64_t start, const struct spec_rlimit *l,
		      struct rlimits_journal *j, struct err *err)
{
	struct rlimits_old old = { pid, start, rlimit_from_name(l->type), 0, 0 };
	bool grows;
	int r;

	if (old.resource < 0)
		return err_fail(err, ERR_INVALID, "process.rlimits: unknown type %s", l->type);
	r = rlimit_get(pid, old.resource, &old.soft, &old.hard);
	if (r == 0 && old.soft == l->soft && old.hard == l->hard)
		return 0;
	grows = r == 0 && l->hard > old.hard;
	if (r == 0)
		r = j && !grows ? rlimit_set(pid, old.resource, old.soft, old.hard, NULL)
				: rlimit_set(pid, old.resource, l->soft, l->hard, NULL);
	if (r < 0 && !is_alive(pid, start))
		return 0;
	if (r < 0) {
		err_errno(err, -r, "setting %s of process %d to %llu:%llu", l->type, pid,
			  (unsigned long long)l->soft, (unsigned long long)l->hard);
		return r != -EPERM ? r
				   : err_hint(err, r,
					      "raising a hard limit, and limits of other users' "
					      "processes, need CAP_SYS_RESOURCE");
	}
	if (!j || !grows)
		return !j;
	j->items = xrealloc(j->items, (j->n + 1) * sizeof(*j->items));
	j->items[j->n++] = old;
	return 1;
}

/* ---- rounds ---- */

struct known {
	pid_t pid;
	uint64_t start;
};
struct known_list {
	struct known *items; /* sorted by pid */
	size_t n;
};

static void known_done(struct known_list *list)
{
	free(list->items);
	*list = (struct known_list){ 0 };
}
#define cleanup_known CLEANUP(known_done)

static int compare(const void *a, const void *b)
{
	const struct known *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

static const struct known *find(const struct known_list *list, pid_t pid)
{
	const struct known key = { .pid = pid };

	return list->n ? bsearch(&key, list->items, list->n, sizeof(key), compare) : NULL;
}

static bool is_known(const struct known_list *list, const struct known *k)
{
	const struct known *was = find(list, k->pid);

	return was && was->start == k->start;
}

/* Those that were the container's before and after it was looked when they started. *ret_lost: one
 * that was not in done has ended meanwhile. */
static int list(const struct runtime *rt, const char *id, const struct known_list *done,
		struct known_list *ret, bool *ret_lost, struct err *err)
{
	cleanup_known struct known_list before = { 0 };
	cleanup_pids struct pids first = { 0 };
	cleanup_pids struct pids then = { 0 };
	int r = container_pids(rt, id, &first, err);

	if (r < 0)
		return r;
	before.items = xcalloc(first.n + 1, sizeof(*before.items));
	for (size_t i = 0; i < first.n; i++) {
		struct known *k = &before.items[before.n];

		k->pid = first.items[i];
		if (procfs_stat(k->pid, NULL, &k->start) == 0)
			before.n++;
		else
			*ret_lost |= !find(done, k->pid);
	}
	r = container_pids(rt, id, &then, err);
	if (r < 0)
		return r;
	ret->items = xcalloc(then.n + 1, sizeof(*ret->items));
	for (size_t i = 0; i < then.n; i++) {
		const struct known *k = find(&before, then.items[i]);

		if (k)
			ret->items[ret->n++] = *k;
	}
	for (size_t i = 0; i < before.n; i++)
		*ret_lost |= !find(ret, before.items[i].pid) && !is_known(done, &before.items[i]);
	return 0;
}

/* How many limits were changed, or -errno. done: those of the round before, which becomes this one.
 */
static int change_round(const struct runtime *rt, const char *id, const struct spec_rlimit *limits,
			size_t n, struct known_list *done, bool *ret_lost,
			struct rlimits_journal *j, struct err *err)
{
	struct known_list now = { 0 };
	int r, changed = 0;

	*ret_lost = false;
	r = list(rt, id, done, &now, ret_lost, err);
	for (size_t i = 0; r >= 0 && i < now.n; i++) {
		const struct known *k = &now.items[i];

		if (is_known(done, k))
			continue;
		for (size_t m = 0; r >= 0 && m < n && is_alive(k->pid, k->start); m++) {
			r = change_one(k->pid, k->start, &limits[m], j, err);
			changed += r > 0;
		}
		*ret_lost |= !is_alive(k->pid, k->start);
	}
	known_done(done);
	*done = now;
	return r < 0 ? r : changed;
}

static int change_all(const struct runtime *rt, const char *id, const struct spec_rlimit *limits,
		      size_t n, struct rlimits_journal *j, struct err *err)
{
	cleanup_known struct known_list done = { 0 };
	int r = n ? 1 : 0;
	bool lost = false;

	/* What nobody has changed has the limits of its parent. One that ended before it was seen
	 * may have left others. */
	for (int round = 0; (r > 0 || (r == 0 && lost)) && round < ROUNDS_MAX; round++)
		r = change_round(rt, id, limits, n, &done, &lost, j, err);
	if (r > 0)
		r = err_fail(err, ERR_CONFLICT,
			     "its processes multiply faster than their limits can be changed");
	return r < 0 ? err_wrap(err, r, "updating container %s", id) : 0;
}

int container_rlimits_raise(const struct runtime *rt, const char *id,
			    const struct spec_rlimit *limits, size_t n, struct rlimits_journal *ret,
			    struct err *err)
{
	struct rlimits_journal j = { 0 };
	int r = change_all(rt, id, limits, n, &j, err);

	if (r < 0) {
		container_rlimits_revert(&j);
		rlimits_journal_done(&j);
		return r;
	}
	*ret = j;
	return 0;
}

int container_rlimits_set(const struct runtime *rt, const char *id,
			  const struct spec_rlimit *limits, size_t n, struct err *err)
{
	return change_all(rt, id, limits, n, NULL, err);
}

void container_rlimits_revert(const struct rlimits_journal *j)
{
	for (size_t i = j->n; i > 0; i--) {
		const struct rlimits_old *old = &j->items[i - 1];
		struct err err = ERR_INIT;

		if (is_alive(old->pid, old->start) &&
		    rlimit_set(old->pid, old->resource, old->soft, old->hard, &err) < 0 &&
		    is_alive(old->pid, old->start))
			log_warn("taking back a limit of process %d: %s", old->pid, err.msg);
	}
}
