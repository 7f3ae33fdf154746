/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The systemd driver. The unit is started while the container's init mounts: systemd moves the init
 * by its pid, which is where the time goes (the kernel waits for RCU). Behind that the cgroup is
 * used like one of our own: limits without a property, device rules, the v1 hierarchies that
 * systemd leaves alone.
 */
#include <signal.h>

#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "runtime/cgroup_priv.h"
#include "runtime/systemd.h"

struct cgroup_unit {
	struct unit_name name; /* after cgroup_set_unit() only the unit */
	struct unit_properties props;
	struct systemd systemd;
	bool user;    /* which instance */
	bool started; /* or asked for */
};

void cgroup_unit_done(struct cgroup *cg)
{
	struct cgroup_unit *u = take_ptr(cg->unit);

	if (!u)
		return;
	unit_name_done(&u->name);
	unit_properties_done(&u->props);
	systemd_disconnect(&u->systemd);
	free(u);
}

static struct cgroup_unit *unit_new(bool user)
{
	struct cgroup_unit *u = xmalloc(sizeof(*u));

	*u = (struct cgroup_unit){ .systemd = SYSTEMD_INIT, .user = user };
	return u;
}

static int connect_again(struct cgroup_unit *u, struct err *err)
{
	if (u->systemd.conn.fd >= 0)
		return 0;
	systemd_disconnect(&u->systemd);
	return systemd_connect(u->user, &u->systemd, err);
}

const char *cgroup_unit_name(const struct cgroup *cg, bool *ret_user)
{
	*ret_user = cg->unit && cg->unit->user;
	return cg->unit ? cg->unit->name.unit : NULL;
}

void cgroup_set_unit(struct cgroup *cg, const char *unit, bool user)
{
	cgroup_unit_done(cg);
	cg->unit = unit_new(user);
	cg->unit->name.unit = xstrdup(unit);
	cg->unit->started = true;
}

/* --- making --- */

static int fill_properties(struct cgroup *cg, const struct cgroup_request *req, struct err *err)
{
	struct cgroup_unit *u = cg->unit;
	struct unit_properties *p = &u->props;
	bool v2 = cg->layout == CGROUP_V2;
	const char *const yes[] = { "Delegate", "CPUAccounting", "MemoryAccounting",
				    "TasksAccounting", v2 ? "IOAccounting" : "BlockIOAccounting" };
	cleanup_free char *description = xasprintf("inro container %s", req->id);
	int r;

	unit_properties_add(p, "Description", dbus_text('s', description), false);
	unit_properties_add(p, "Slice", dbus_text('s', u->name.slice), false);
	unit_properties_add(p, "DefaultDependencies", dbus_number('b', false), false);
	/* Nobody has to tell systemd to forget a unit whose runtime was killed while it was made.
	 */
	unit_properties_add(p, "CollectMode", dbus_text('s', "inactive-or-failed"), true);
	for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
		unit_properties_add(p, yes[i], dbus_number('b', true), i > 0);
	r = unit_properties_annotated(req->annotations, p, err);
	/* Behind the annotations: a limit of config.json goes before them, as with runc. */
	return r < 0 ? r : unit_properties_limits(req->resources, v2, true, p, err);
}

static int begin(const struct cgroup_request *req, struct cgroup *cg, struct err *err)
{
	struct cgroup_unit *u = cg->unit;
	int r = cgroup_system_read(cg->pending, err);

	if (r < 0)
		return err_wrap(err, r, "looking for cgroups");
	cg->layout = cg->pending->layout;
	if (cg->layout == CGROUP_NONE)
		return err_fail(err, ERR_UNSUPPORTED, "no cgroup hierarchy is mounted here");
	/* The name first: its errors are the user's, whether systemd is there or not. */
	r = unit_name_parse(req->cgroups_path, req->id, req->rootless, &u->name, err);
	if (r >= 0)
		r = fill_properties(cg, req, err);
	if (r >= 0)
		r = systemd_connect(req->rootless, &u->systemd, err);
	if (r < 0)
		return r;
	u->user = u->systemd.user;
	if (u->user && cg->layout != CGROUP_V2) {
		r = err_fail(err, ERR_UNSUPPORTED,
			     "systemd gives a user's containers cgroups on cgroup v2 only");
		return err_hint(err, r, "leave --systemd-cgroup out");
	}
	return 0;
}

int cgroup_unit_begin(const struct cgroup_request *req, struct cgroup *ret, struct err *err)
{
	struct cgroup cg = { .rootless = req->rootless };
	int r;

	cg.unit = unit_new(req->rootless);
	cg.pending = xcalloc(1, sizeof(*cg.pending));
	r = begin(req, &cg, err);
	if (r < 0) {
		cgroup_done(&cg);
		return r;
	}
	*ret = cg;
	return 0;
}

static bool is_in_unit(const struct cgroup_unit *u, const struct cgroup_hierarchy *h)
{
	const char *last = strrchr(h->own_path, '/');

	return last && str_eq(last + 1, u->name.unit);
}

bool cgroup_unit_has(const struct cgroup *cg, const struct cgroup_hierarchy *h)
{
	return is_in_unit(cg->unit, h);
}

/* Where systemd keeps its own account of processes. */
static const struct cgroup_hierarchy *main_hierarchy(const struct cgroup_system *sys)
{
	for (size_t i = 0; i < sys->n; i++) {
		const struct cgroup_hierarchy *h = &sys->h[i];
		if (sys->layout == CGROUP_V2 ? h->v2 : strv_has(h->controllers, "name=systemd"))
			return h;
	}
	return NULL;
}

/* The kernel says where the process is now: the user's instance is somewhere below the system's,
 * and that of a container below its cgroup. */
static int find_place(struct cgroup *cg, pid_t pid, struct err *err)
{
	const struct cgroup_hierarchy *h;
	int r;

	cgroup_system_done(cg->pending);
	r = cgroup_system_read_of(pid, cg->pending, err);
	if (r < 0)
		return err_wrap(err, r, "looking for the cgroup of process %d", pid);
	h = main_hierarchy(cg->pending);
	if (!h || !is_in_unit(cg->unit, h))
		return err_fail(err, ERR_SYSTEM,
				"systemd has started %s, but process %d is in cgroup %s",
				cg->unit->name.unit, pid, h ? h->own_path : "(none)");
	free(cg->rel_path);
	cg->rel_path = cgroup_own_below_mount(h);
	return 0;
}

int cgroup_enter_unit(struct cgroup *cg, pid_t pid, struct err *err)
{
	struct cgroup_unit *u = cg->unit;
	struct err broken = ERR_INIT;
	int r;

	if (!u)
		return 0;
	r = systemd_start(&u->systemd, &u->name, &u->props, pid, &broken);
	/* When it was asked and there was no clear no, there may be a unit now. */
	u->started =
	    u->systemd.conn.authenticated && (r >= 0 || r == -EIO || r == -ETIMEDOUT ||
					      r == -EBADMSG || r == -EFBIG || r == -ECONNRESET);
	if (r < 0 && r != -ECONNRESET) {
		if (err)
			*err = broken;
		return r;
	}
	/* systemd or the bus was restarted before the answer: the process's place is one, too. */
	int p = find_place(cg, pid, err);
	if (p < 0 && r < 0 && err)
		*err = broken;
	return p;
}

/* --- limits --- */

const struct spec_resources *cgroup_unit_round(const struct spec_resources *res,
					       struct cgroup_rounded *space)
{
	const struct spec_cpu *cpu = res ? res->cpu : NULL;
	int64_t quota;

	if (!cpu || !cpu->quota.set)
		return res;
	quota = unit_quota_round(cpu->quota.value, cpu->period.set ? cpu->period.value : 0);
	if (quota == cpu->quota.value)
		return res;
	space->cpu = *cpu;
	space->cpu.quota.value = quota;
	space->res = *res;
	space->res.cpu = &space->cpu;
	return &space->res;
}

int cgroup_unit_update(struct cgroup *cg, const struct spec_resources *res, struct err *err)
{
	struct cgroup_unit *u = cg->unit;
	CLEANUP(unit_properties_done) struct unit_properties props = { 0 };
	int r = unit_properties_limits(res, cg->layout == CGROUP_V2, false, &props, err);

	if (r == 0 && props.n)
		r = connect_again(u, err);
	return r == 0 && props.n ? systemd_set(&u->systemd, u->name.unit, &props, err) : r;
}

int cgroup_unit_attach(const struct cgroup *cg, pid_t pid, struct err *err)
{
	struct cgroup_unit *u = cg->unit;
	int r = connect_again(u, err);

	return r < 0 ? r : systemd_attach(&u->systemd, u->name.unit, pid, err);
}

int cgroup_unit_move(const char *unit, bool user, pid_t pid, struct err *err)
{
	CLEANUP(systemd_disconnect) struct systemd s = SYSTEMD_INIT;
	int r = systemd_connect(user, &s, err);

	return r < 0 ? r : systemd_attach(&s, unit, pid, err);
}

/* --- the end --- */

void cgroup_unit_stop(struct cgroup *cg)
{
	struct cgroup_unit *u = cg->unit;
	struct err err = ERR_INIT;
	int r;

	if (!u->started)
		return;
	/* systemd would ask politely, and wait for the answer 90 seconds. */
	cgroup_kill(cg, SIGKILL, NULL);
	r = connect_again(u, &err);
	if (r >= 0)
		r = systemd_stop(&u->systemd, u->name.unit, &err);
	if (r < 0)
		log_warn("%s", err.msg);
	u->started = false;
}

static bool is_empty(const char *path)
{
	const struct cgroup_dir dir = { .fd = -EBADF, .path = (char *)(uintptr_t)path };
	cleanup_free pid_t *pids = NULL;
	size_t n = 0;

	return cgroup_pids_read(&dir, &pids, &n) < 0 || n == 0;
}

/* Whether nothing is in the unit's cgroups: one that lives may be another container's. Removes
 * those that systemd does not manage. Its own it must remove itself, or it would wait for ever to
 * hear that they are empty. */
static bool remove_empty(const char *path)
{
	CLEANUP(cgroup_system_done) struct cgroup_system sys = { 0 };
	const struct cgroup_hierarchy *own;
	bool empty = true;

	if (cgroup_system_read(&sys, NULL) < 0)
		return false;
	own = main_hierarchy(&sys);
	for (size_t i = 0; i < sys.n; i++) {
		cleanup_free char *dir = cgroup_path_in(&sys.h[i], path);
		empty = empty && is_empty(dir);
		if (empty && &sys.h[i] != own)
			cgroup_path_rmdir(dir);
	}
	return empty;
}

void cgroup_unit_forget(const char *cgroups_path, const char *id, bool user)
{
	CLEANUP(unit_name_done) struct unit_name name = { 0 };
	CLEANUP(systemd_disconnect) struct systemd s = SYSTEMD_INIT;
	struct err err = ERR_INIT;
	int r = unit_name_parse(cgroups_path, id, user, &name, &err);

	/* Where a user's instance has its units it would have to be asked: it sees to them itself.
	 */
	bool empty = r >= 0 && !user && remove_empty(name.path);
	if (r >= 0)
		r = systemd_connect(user, &s, &err);
	if (r >= 0)
		r = empty ? systemd_stop(&s, name.unit, &err) : systemd_forget(&s, name.unit, &err);
	if (r < 0)
		log_debug("%s", err.msg);
}
