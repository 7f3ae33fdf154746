/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of devices and of processes, and all of them in a container that runs. */
#include "base/log.h"
#include "base/str.h"
#include "engine/blockio.h"
#include "engine/parse.h"
#include "engine/update_internal.h"
#include "runtime/rlimits.h"

static int plan_rates(const struct run_options *o, struct spec_resources *res, struct err *err)
{
	struct spec_resources got = { 0 };
	int r = block_io_parse(o, &got, err);

	if (r < 0 || !got.block_io) {
		json_free(&spec_resources_desc, &got);
		return r;
	}
	if (res->block_io)
		got.block_io->weight = res->block_io->weight;
	free(res->block_io);
	res->block_io = got.block_io;
	return 0;
}

int update_cgroup_plan(const struct update_options *o, bool swap_limits, struct spec *spec,
		       struct update_limits *ret, struct err *err)
{
	struct spec_linux *l = spec->linux_;
	int r = update_resources(o, &ret->cgroup, err);
	bool any = r == 0;

	if (r >= 0)
		r = plan_rates(&o->run, &ret->cgroup, err);
	if (r < 0 || (!any && !ret->cgroup.block_io))
		return r;
	ret->has_cgroup = true;
	if (!l->resources)
		l->resources = xcalloc(1, sizeof(*l->resources));
	return update_merge(l->resources, &ret->cgroup, swap_limits, err);
}

/* One of each type. */
static struct spec_rlimit *limit_of(struct spec_rlimit *items, size_t n, const char *type)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(items[i].type, type))
			return &items[i];
	return NULL;
}

static void add_rlimit(struct update_limits *to, struct spec_rlimit *limit)
{
	struct spec_rlimit *at = limit_of(to->rlimits, to->n_rlimits, limit->type);

	if (!at) {
		to->rlimits = xrealloc(to->rlimits, (to->n_rlimits + 1) * sizeof(*to->rlimits));
		at = &to->rlimits[to->n_rlimits++];
	} else {
		free(at->type);
	}
	*at = *limit;
}

int update_rlimits_plan(const struct update_options *o, struct spec *spec,
			struct update_limits *ret, struct err *err)
{
	struct spec_process *p = spec->process;

	for (char **w = o->run.ulimit; w && *w; w++) {
		struct spec_rlimit limit = { 0 };
		int r = ulimit_parse(*w, &limit, err);

		if (r < 0)
			return r;
		add_rlimit(ret, &limit);
	}
	for (size_t i = 0; i < ret->n_rlimits; i++) {
		const struct spec_rlimit *from = &ret->rlimits[i];
		struct spec_rlimit *at = limit_of(p->rlimits.items, p->rlimits.n, from->type);

		if (!at) {
			at = LIST_ADD(p->rlimits);
			at->type = xstrdup(from->type);
		}
		at->soft = from->soft;
		at->hard = from->hard;
	}
	return 0;
}

void update_rlimits_differ(const struct spec *old, const struct spec *spec,
			   struct update_limits *ret)
{
	const struct spec_process *was = old->process, *p = spec->process;

	for (size_t i = 0; p && i < p->rlimits.n; i++) {
		const struct spec_rlimit *now = &p->rlimits.items[i];
		const struct spec_rlimit *then =
		    was ? limit_of(was->rlimits.items, was->rlimits.n, now->type) : NULL;
		struct spec_rlimit limit = { xstrdup(now->type), now->hard, now->soft };

		if (then && then->soft == now->soft && then->hard == now->hard)
			free(limit.type);
		else
			add_rlimit(ret, &limit);
	}
}

void update_limits_done(struct update_limits *limits)
{
	for (size_t i = 0; i < limits->n_rlimits; i++)
		free(limits->rlimits[i].type);
	free(limits->rlimits);
	json_free(&spec_resources_desc, &limits->cgroup);
	*limits = (struct update_limits){ 0 };
}

/* ---- what runs ---- */

static void set_rlimits(struct engine *eng, const char *id, const struct update_limits *limits)
{
	struct err err = ERR_INIT;
	int r = container_rlimits_set(&eng->runtime, id, limits->rlimits, limits->n_rlimits, &err);

	/* What has ended meanwhile needs none. */
	if (r < 0 && err.kind != ERR_NOT_FOUND)
		log_warn("not all processes have the new limits: %s", err.msg);
}

/* The configuration first: what is executed meanwhile has the new limits by it. What can't be taken
 * back comes last. */
int update_apply(struct engine *eng, const char *id, const struct buf *text, const struct buf *old,
		 const struct update_limits *limits, struct err *err)
{
	cleanup_rlimits_journal struct rlimits_journal journal = { 0 };
	int r = container_reconfigure(&eng->runtime, id, buf_str(text), text->len, err);

	if (r < 0)
		return r;
	r = container_rlimits_raise(&eng->runtime, id, limits->rlimits, limits->n_rlimits, &journal,
				    err);
	if (r == 0 && limits->has_cgroup)
		r = container_update(&eng->runtime, id, &limits->cgroup, NULL, err);
	if (r >= 0) {
		set_rlimits(eng, id, limits);
		return r;
	}
	container_rlimits_revert(&journal);
	container_reconfigure(&eng->runtime, id, buf_str(old), old->len, NULL);
	return r;
}
