/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of org.freedesktop.systemd1.Manager that a container needs. */
#include <sys/stat.h>

#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "runtime/systemd.h"

#define SYSTEMD        "org.freedesktop.systemd1"
#define MANAGER        SYSTEMD ".Manager"
#define ANSWER_SECONDS 25
#define JOB_SECONDS    30
#define EXISTS_TRIES   4

/* What the private socket of the manager is like, without a bus in between, systemctl(1) knows. */
#define SYSTEM_PRIVATE "/run/systemd/private"
#define SYSTEM_BUS     "/run/dbus/system_bus_socket"

static int64_t deadline_in(int seconds)
{
	return time_monotonic_ns() + seconds * 1000000000LL;
}

/* --- the connection --- */

struct places {
	struct systemd *s;
	struct err *err;
	char **tried;
	int r; /* the error of the place that was there, if any */
};

static bool try_one(struct places *p, const char *path, bool bus)
{
	struct err err = ERR_INIT;
	int r = dbus_connect(path, bus, deadline_in(ANSWER_SECONDS), &p->s->conn, &err);

	if (r >= 0)
		return true;
	log_debug("%s", err.msg);
	strv_add(&p->tried, path);
	if (p->r == 0 && r != -ENOENT && r != -ECONNREFUSED) {
		p->r = r;
		if (p->err)
			*p->err = err;
	}
	return false;
}

static bool try_address(struct places *p, const char *variable)
{
	const char *address = getenv(variable);
	cleanup_strv char **paths = NULL;
	struct err err = ERR_INIT;

	if (!address || !*address)
		return false;
	int r = dbus_address_paths(address, &paths, &err);
	if (r < 0)
		log_warn("$%s: %s", variable, err.msg);
	for (char **path = paths; path && *path; path++)
		if (try_one(p, *path, true))
			return true;
	return false;
}

static bool try_system(struct places *p)
{
	const char *address = getenv("DBUS_SYSTEM_BUS_ADDRESS");

	if (address && *address)
		return try_address(p, "DBUS_SYSTEM_BUS_ADDRESS");
	/* One daemon less on the way, and there before it and after it. For root only. */
	return (geteuid() == 0 && try_one(p, SYSTEM_PRIVATE, false)) ||
	       try_one(p, SYSTEM_BUS, true);
}

static bool try_user(struct places *p)
{
	const char *run = getenv("XDG_RUNTIME_DIR");
	const char *address = getenv("DBUS_SESSION_BUS_ADDRESS");
	cleanup_free char *dir = run && *run ? xstrdup(run) : xasprintf("/run/user/%u", geteuid());
	cleanup_free char *peer = path_join(dir, "systemd/private");
	cleanup_free char *bus = path_join(dir, "bus");
	cleanup_free char *usual = xasprintf("unix:path=%s", bus);

	/* An address that says more than where the bus always is. */
	if (address && !str_starts(address, usual) && try_address(p, "DBUS_SESSION_BUS_ADDRESS"))
		return true;
	return try_one(p, peer, false) || try_one(p, bus, true);
}

static int explain(const struct places *p, bool user, struct err *err)
{
	cleanup_free char *tried = strv_join(p->tried, ", ");
	struct stat st;
	int r = p->r;

	if (r == 0)
		r = err_fail(err, ERR_UNSUPPORTED, "systemd does not listen on %s",
			     *tried ? tried : "any socket");
	r = err_wrap(err, r, "asking systemd for a cgroup");
	if (stat("/run/systemd/system", &st) < 0)
		return err_hint(err, r,
				"systemd is not running here: leave --systemd-cgroup out, or set "
				"the engine's cgroup driver to cgroupfs");
	if (user)
		return err_hint(
		    err, r,
		    "a user's containers need a session: log in, or as root \"loginctl "
		    "enable-linger USER\"; and $XDG_RUNTIME_DIR, and dbus-user-session");
	return err_hint(err, r, "only root may ask the system's instance");
}

int systemd_connect(bool user, struct systemd *ret, struct err *err)
{
	struct systemd s = SYSTEMD_INIT;
	struct places p = { .s = &s, .err = err };
	bool found = false;

	if (user) {
		s.user = true;
		found = try_user(&p);
	}
	/* Root of a container of which systemd is the first process has no user's instance. */
	if (!found && (!user || geteuid() == 0)) {
		s.user = false;
		found = try_system(&p);
	}
	int r = found ? 0 : explain(&p, user, err);
	strv_free(p.tried);
	if (found)
		*ret = s;
	return r;
}

void systemd_disconnect(struct systemd *s)
{
	dbus_disconnect(&s->conn);
}

/* --- calls --- */

static uint32_t queue(struct systemd *s, const char *member, const char *signature,
		      const struct buf *body)
{
	const struct dbus_call call = {
		.destination = SYSTEMD,
		.path = "/org/freedesktop/systemd1",
		.interface = MANAGER,
		.member = member,
		.signature = signature,
	};
	uint32_t serial;

	dbus_queue(&s->conn, &call, body, &serial);
	return serial;
}

/* A job of systemd's and how it ended, as the signal JobRemoved says. */
struct job {
	const char *unit;
	char *path, *sender; /* from the reply to the call that made it */
	char *ended_path, *ended_sender, *result;
};

static void job_done(struct job *j)
{
	free(j->path);
	free(j->sender);
	free(j->ended_path);
	free(j->ended_sender);
	free(j->result);
	*j = (struct job){ .unit = j->unit };
}

/* JobRemoved(id, job, unit, result) */
static void look_at_signal(const struct dbus_msg *m, struct job *j)
{
	struct dbus_reader body = m->body;
	const char *path, *unit, *result;
	uint32_t id;

	if (m->type != DBUS_SIGNAL || !str_eq(m->member, "JobRemoved") ||
	    !str_eq(m->interface, MANAGER) || !str_eq(m->signature, "uoss") ||
	    dbus_read_u32(&body, &id) < 0 || dbus_read_string(&body, &path) < 0 ||
	    dbus_read_string(&body, &unit) < 0 || dbus_read_string(&body, &result) < 0 ||
	    !str_eq(unit, j->unit))
		return;
	/* Anybody on a bus may send signals. */
	if (j->path && (!str_eq(path, j->path) || !str_eq(m->sender, j->sender)))
		return;
	free(j->ended_path);
	free(j->ended_sender);
	free(j->result);
	j->ended_path = xstrdup(path);
	j->ended_sender = m->sender ? xstrdup(m->sender) : NULL;
	j->result = xstrdup(result);
}

static bool job_ended(const struct job *j)
{
	return j->result && str_eq(j->ended_path, j->path) && str_eq(j->ended_sender, j->sender);
}

static const struct {
	const char *name;
	enum err_kind kind;
	int r;
	const char *hint;
} known_errors[] = {
	{ SYSTEMD ".UnitExists", ERR_CONFLICT, -EEXIST,
	  "another container has the same name of a unit" },
	{ SYSTEMD ".NoSuchUnit", ERR_NOT_FOUND, -ENOENT, NULL },
	{ "org.freedesktop.DBus.Error.PropertyReadOnly", ERR_UNSUPPORTED, -EROFS, NULL },
	{ "org.freedesktop.DBus.Error.AccessDenied", ERR_DENIED, -EACCES,
	  "only root may ask the system's instance; a user's containers are made by the user's" },
	{ "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", ERR_DENIED, -EACCES,
	  "only root may ask the system's instance; a user's containers are made by the user's" },
	{ "org.freedesktop.DBus.Error.ServiceUnknown", ERR_UNSUPPORTED, -EOPNOTSUPP,
	  "the bus is there, but systemd is not on it" },
	{ "org.freedesktop.DBus.Error.NameHasNoOwner", ERR_UNSUPPORTED, -EOPNOTSUPP,
	  "the bus is there, but systemd is not on it" },
	{ "org.freedesktop.DBus.Error.InvalidArgs", ERR_INVALID, -EINVAL, NULL },
};

static int report(const struct dbus_msg *m, struct err *err)
{
	struct dbus_reader body = m->body;
	const char *text = "";

	if (m->signature[0] == 's')
		dbus_read_string(&body, &text);
	cleanup_free char *shown = str_escape(*text ? text : m->error_name);
	for (size_t i = 0; i < ARRAY_SIZE(known_errors); i++) {
		if (!str_eq(m->error_name, known_errors[i].name))
			continue;
		err_fail(err, known_errors[i].kind, "%.600s", shown);
		if (known_errors[i].hint)
			err_hint(err, known_errors[i].r, "%s", known_errors[i].hint);
		return known_errors[i].r;
	}
	err_fail(err, ERR_SYSTEM, "%.600s", shown);
	return -EREMOTEIO;
}

/* Waits for the reply to a call. Signals that end the job are remembered; j may be NULL. */
static int wait_reply(struct systemd *s, uint32_t serial, struct job *j, struct dbus_msg *ret,
		      struct err *err)
{
	int64_t deadline = deadline_in(ANSWER_SECONDS);

	for (;;) {
		int r = dbus_next(&s->conn, deadline, ret, err);

		if (r < 0)
			return r;
		if (j)
			look_at_signal(ret, j);
		if (ret->reply_serial != serial)
			continue;
		if (ret->type == DBUS_REPLY)
			return 0;
		if (ret->type == DBUS_ERROR)
			return report(ret, err);
	}
}

/* The reply to a call that makes a job is the job's path. */
static int wait_job_made(struct systemd *s, uint32_t serial, struct job *j, struct err *err)
{
	struct dbus_msg m;
	const char *path;
	int r = wait_reply(s, serial, j, &m, err);

	if (r < 0)
		return r;
	if (!str_eq(m.signature, "o") || dbus_read_string(&m.body, &path) < 0)
		return err_errno(err, EBADMSG, "reading the answer");
	j->path = xstrdup(path);
	j->sender = m.sender ? xstrdup(m.sender) : NULL;
	return 0;
}

static int wait_job_ended(struct systemd *s, struct job *j, struct err *err)
{
	int64_t deadline = deadline_in(JOB_SECONDS);

	while (!job_ended(j)) {
		struct dbus_msg m;
		int r = dbus_next(&s->conn, deadline, &m, err);

		if (r < 0)
			return r;
		look_at_signal(&m, j);
	}
	return 0;
}

/* On a bus signals come to those who ask for them; a peer sends all. Errors come with the calls
 * behind it. */
static void queue_match(struct systemd *s, const char *unit)
{
	static const struct dbus_call call = {
		.destination = "org.freedesktop.DBus",
		.path = "/org/freedesktop/DBus",
		.interface = "org.freedesktop.DBus",
		.member = "AddMatch",
		.signature = "s",
	};
	cleanup_buf struct buf body = BUF_INIT;
	cleanup_free char *rule = xasprintf("type='signal',sender='" SYSTEMD "',interface='" MANAGER
					    "',member='JobRemoved',arg2='%s'",
					    unit);
	uint32_t serial;

	if (!s->conn.bus)
		return;
	dbus_put_string(&body, rule);
	dbus_queue(&s->conn, &call, &body, &serial);
}

static void put_property(struct buf *b, const char *name, const struct dbus_value *value)
{
	dbus_put_align(b, 8);
	dbus_put_string(b, name);
	dbus_put_variant(b, value);
}

/* pid: the process that a new scope starts with, or 0. */
static void put_properties(struct buf *b, const struct unit_properties *props, pid_t pid)
{
	size_t mark = dbus_open_array(b, 8);

	for (size_t i = 0; i < props->n; i++)
		put_property(b, props->items[i].name, &props->items[i].value);
	if (pid > 0) {
		struct dbus_value pids = dbus_array("u");
		dbus_value_add(&pids, dbus_number('u', (uint64_t)pid));
		put_property(b, "PIDs", &pids);
		dbus_value_done(&pids);
	}
	dbus_close_array(b, mark);
}

/* "Cannot set property NAME, or unknown property." Older systemds know fewer of them. */
static bool drop_unknown(struct unit_properties *props, const struct err *err)
{
	const char *name = strstr(err->msg, "property ");
	bool dropped = false;

	if (!name)
		return false;
	name += strlen("property ");
	size_t len = strcspn(name, ", ");
	for (size_t i = props->n; i-- > 0;) {
		const struct unit_property *p = &props->items[i];
		if (!p->optional || strlen(p->name) != len || strncmp(p->name, name, len) != 0)
			continue;
		log_debug("this systemd has no property %s", p->name);
		unit_properties_drop(props, i);
		dropped = true;
	}
	return dropped;
}

int systemd_forget(struct systemd *s, const char *unit, struct err *err)
{
	cleanup_buf struct buf body = BUF_INIT;
	struct dbus_msg m;

	dbus_put_string(&body, unit);
	return wait_reply(s, queue(s, "ResetFailedUnit", "s", &body), NULL, &m, err);
}

static uint32_t queue_start(struct systemd *s, const struct unit_name *name,
			    const struct unit_properties *props, pid_t pid)
{
	cleanup_buf struct buf body = BUF_INIT;
	size_t mark;

	dbus_put_string(&body, name->unit);
	dbus_put_string(&body, "fail");
	put_properties(&body, props, pid);
	mark = dbus_open_array(&body, 8); /* auxiliary units */
	dbus_close_array(&body, mark);
	return queue(s, "StartTransientUnit", "ssa(sv)a(sa(sv))", &body);
}

static int start_once(struct systemd *s, const struct unit_name *name,
		      const struct unit_properties *props, pid_t pid, struct err *err)
{
	CLEANUP(job_done) struct job j = { .unit = name->unit };
	int r = wait_job_made(s, queue_start(s, name, props, pid), &j, err);

	if (r >= 0)
		r = wait_job_ended(s, &j, err);
	if (r < 0 || str_eq(j.result, "done"))
		return r;
	systemd_forget(s, name->unit, NULL);
	cleanup_free char *shown = str_escape(j.result);
	return err_fail(err, ERR_SYSTEM, "the job ended as \"%.40s\" (see journalctl -u %s)", shown,
			name->unit);
}

int systemd_start(struct systemd *s, const struct unit_name *name, struct unit_properties *props,
		  pid_t pid, struct err *err)
{
	const struct timespec pause = { .tv_nsec = 20 * 1000 * 1000 };
	struct err own = ERR_INIT;
	int r = -EEXIST;

	queue_match(s, name->unit);
	for (int tries = 0; tries < EXISTS_TRIES;) {
		own = (struct err)ERR_INIT;
		r = start_once(s, name, props, pid, &own);
		if (r == -EROFS && drop_unknown(props, &own))
			continue;
		if (r != -EEXIST)
			break;
		/* One that failed and was left, or that is just going away. */
		if (tries++ > 0)
			nanosleep(&pause, NULL);
		systemd_forget(s, name->unit, NULL);
	}
	if (r >= 0)
		return 0;
	if (err)
		*err = own;
	return err_wrap(err, r, "starting %s by systemd", name->unit);
}

int systemd_stop(struct systemd *s, const char *unit, struct err *err)
{
	CLEANUP(job_done) struct job j = { .unit = unit };
	cleanup_buf struct buf body = BUF_INIT;
	int r;

	queue_match(s, unit);
	dbus_put_string(&body, unit);
	dbus_put_string(&body, "replace");
	r = wait_job_made(s, queue(s, "StopUnit", "ss", &body), &j, err);
	if (r >= 0)
		r = wait_job_ended(s, &j, err);
	if (r == -ENOENT)
		return 0;
	if (r >= 0)
		systemd_forget(s, unit, NULL);
	return r < 0 ? err_wrap(err, r, "stopping %s by systemd", unit) : 0;
}

int systemd_set(struct systemd *s, const char *unit, struct unit_properties *props, struct err *err)
{
	for (;;) {
		cleanup_buf struct buf body = BUF_INIT;
		struct err own = ERR_INIT;
		struct dbus_msg m;

		if (props->n == 0)
			return 0;
		dbus_put_string(&body, unit);
		dbus_put_bool(&body, true); /* not beyond the next boot */
		put_properties(&body, props, 0);
		int r =
		    wait_reply(s, queue(s, "SetUnitProperties", "sba(sv)", &body), NULL, &m, &own);
		if (r == -EROFS && drop_unknown(props, &own))
			continue;
		if (r < 0 && err)
			*err = own;
		return r < 0 ? err_wrap(err, r, "setting properties of %s by systemd", unit) : 0;
	}
}

int systemd_attach(struct systemd *s, const char *unit, pid_t pid, struct err *err)
{
	cleanup_buf struct buf body = BUF_INIT;
	struct dbus_msg m;
	size_t mark;

	dbus_put_string(&body, unit);
	dbus_put_string(&body, "/");
	mark = dbus_open_array(&body, 4);
	dbus_put_u32(&body, (uint32_t)pid);
	dbus_close_array(&body, mark);
	int r = wait_reply(s, queue(s, "AttachProcessesToUnit", "ssau", &body), NULL, &m, err);
	return r < 0 ? err_wrap(err, r, "moving process %d to %s by systemd", pid, unit) : 0;
}
