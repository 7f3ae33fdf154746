/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/io.h"
#include "runtime/cgroup.h"
#include "runtime/state.h"

static bool has_value(const struct opt_i64 *v)
{
	return v->set && v->value != 0;
}

/* Memory and swap are limited together. Who changes memory alone wants the sum to stay. */
static int keep_sum(const struct state *st, struct spec_memory *m, struct err *err)
{
	if (!has_value(&m->limit) || has_value(&m->swap) || st->memory_swap <= 0 ||
	    m->limit.value == -1)
		return 0;
	if (m->limit.value > st->memory_swap) {
		int r = err_fail(err, ERR_INVALID,
				 "setting memory.limit: %lld is more than memory and swap together "
				 "may be (%lld)",
				 (long long)m->limit.value, (long long)st->memory_swap);
		return err_hint(err, r, "change memory.swap (--memory-swap) at the same time");
	}
	m->swap = (struct opt_i64){ .set = true, .value = st->memory_swap };
	return 0;
}

/* The sum as it is configured now. */
static int64_t sum_after(const struct state *st, const struct spec_memory *m)
{
	if (m && has_value(&m->swap))
		return m->swap.value;
	return m && m->limit.set && m->limit.value == -1 ? 0 : st->memory_swap;
}

static int update(const struct runtime *rt, int dir, struct state *st,
		  const struct spec_resources *resources, const struct spec_intel_rdt *rdt,
		  struct err *err)
{
	cleanup_free char *old_schemata = NULL;
	CLEANUP(cgroup_done) struct cgroup cg = { 0 };
	struct spec_resources res = *resources;
	struct spec_memory memory;
	int r = cgroup_open(st->pub.cgroup_paths, &cg, err);

	if (r < 0)
		return r;
	cg.rootless = rt->rootless;
	if (st->systemd_unit)
		cgroup_set_unit(&cg, st->systemd_unit, st->systemd_user);
	if (res.memory) {
		memory = *res.memory;
		r = keep_sum(st, &memory, err);
		res.memory = &memory;
	}
	if (r >= 0 && rdt)
		r = rdt_update(&st->rdt, rdt, &old_schemata, err);
	if (r >= 0)
		r = cgroup_update(&cg, &res, err);
	if (r < 0 && old_schemata)
		rdt_restore(&st->rdt, old_schemata);
	if (r < 0 || sum_after(st, res.memory) == st->memory_swap)
		return r;
	st->memory_swap = sum_after(st, res.memory);
	return state_write(dir, st, err);
}

int container_update(const struct runtime *rt, const char *id,
		     const struct spec_resources *resources, const struct spec_intel_rdt *rdt,
		     struct err *err)
{
	cleanup_state struct state st = { 0 };
	cleanup_fd int dir = state_open(rt, id, 0, &st, err);
	int r;

	if (dir < 0)
		return dir;
	if (st.pub.status == CONTAINER_STOPPED)
		return err_fail(err, ERR_CONFLICT, "container not running");
	r = update(rt, dir, &st, resources, rdt, err);
	return r < 0 ? err_wrap(err, r, "updating container %s", id) : 0;
}

int container_reconfigure(const struct runtime *rt, const char *id, const char *text, size_t len,
			  struct err *err)
{
	cleanup_state struct state st = { 0 };
	cleanup_fd int dir = state_open(rt, id, 0, &st, err);
	int r;

	if (dir < 0)
		return dir;
	if (st.pub.status == CONTAINER_STOPPED || st.pub.status == CONTAINER_CREATING)
		return err_fail(err, ERR_CONFLICT, "container not running");
	/* Of an older inro-runtime: the bundle's is the one. */
	if (faccessat(dir, STATE_CONFIG, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	r = io_replace_file(dir, STATE_CONFIG, text, len, 0600, false, err);
	return r < 0 ? err_wrap(err, r, "updating container %s", id) : 0;
}
