/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/service_scale.h"

#include <signal.h>
#include <time.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/asked.h"
#include "engine/live.h"
#include "engine/remove.h"
#include "engine/run.h"
#include "engine/service_internal.h"
#include "engine/service_update.h"
#include "engine/start.h"
#include "engine/stop.h"
#include "net/netspec.h"
#include "runtime/cancel.h"

/* ---- what can't be of several ---- */

static int check_network(const struct run_options *o, struct err *err)
{
	struct netspec *list = NULL;
	size_t n = 0;
	int r = o->network ? netspec_list_parse(o->network, &list, &n, err) : 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		const struct netspec *s = &list[i];

		if (s->kind != NETSPEC_NETWORK)
			r = err_fail(err, ERR_USAGE, "--replicas needs networks of inro's, not %s",
				     o->network[i]);
		else if (s->ip.family || s->ip6.family || s->has_mac || s->host_interface)
			r = err_fail(
			    err, ERR_USAGE,
			    "--network %s: replicas have addresses and interfaces of their "
			    "own",
			    o->network[i]);
	}
	netspec_list_free(list, n);
	return r;
}

static int check(const struct run_options *o, struct err *err)
{
	const struct {
		const char *name;
		bool given;
	} never[] = {
		{ "--rm", o->rm },
		{ "--replace", o->replace },
		{ "--pod", o->pod || o->pod_id_file },
		{ "--ip", o->ip != NULL },
		{ "--ip6", o->ip6 != NULL },
		{ "--mac-address", o->mac_address != NULL },
		{ "--link-local-ip", o->link_local_ip != NULL },
		{ "--cidfile", o->cidfile != NULL },
		{ "--pidfile", o->pidfile != NULL },
		{ "--conmon-pidfile", o->conmon_pidfile != NULL },
		{ "--rootfs", o->rootfs },
	};

	if (!o->replicas.value || o->replicas.value > SERVICE_REPLICAS_MAX)
		return err_fail(err, ERR_USAGE, "--replicas: expected 1 to %d",
				SERVICE_REPLICAS_MAX);
	if (!o->detach || !o->name)
		return err_fail(err, ERR_USAGE, "--replicas needs %s",
				!o->name ? "--name" : "-d: nobody could be attached to all");
	for (size_t i = 0; i < ARRAY_SIZE(never); i++)
		if (never[i].given)
			return err_fail(err, ERR_USAGE, "conflicting options: --replicas and %s",
					never[i].name);
	return check_network(o, err);
}

/* ---- making ---- */

static void take_away(struct engine *eng, char *const *ids)
{
	for (; ids && *ids; ids++) {
		struct err err = ERR_INIT;

		if (engine_remove(eng, *ids, true, true, &err) < 0 && err.kind != ERR_NOT_FOUND)
			log_warn("%s", err.msg);
	}
}

/* One that can't be started is gone again, with its name. */
static int make_one(struct engine *eng, const struct run_options *opts, char *const *args,
		    const char *name, const struct service_part *part, char **ret_id,
		    struct err *err)
{
	cleanup_free char *own =
	    name ? xstrdup(name) : xasprintf("%s-%d", part->name, part->number);
	char *const networks[] = { (char *)(uintptr_t)NETWORK_DEFAULT, NULL };
	struct run_options o = *opts;
	int r;

	o.name = own;
	o.part = part;
	o.replicas = (struct opt_u64){ .set = false };
	o.detach = true;
	if (!o.network)
		o.network = (char **)(uintptr_t)networks;
	r = engine_run(eng, &o, args, ret_id, err);
	if (r < 0 && *ret_id) {
		char *const ids[] = { *ret_id, NULL };

		take_away(eng, ids);
		free(*ret_id);
		*ret_id = NULL;
	}
	return r;
}

/* All of them have their time at once. */
static void wait_ready(struct engine *eng, char *const *ids)
{
	for (; ids && *ids; ids++) {
		cleanup_record struct record rec = { 0 };

		if (record_get(eng, *ids, &rec, NULL) == 0)
			service_started(eng, &rec);
	}
}

/* What a signal interrupts is the start of one, and then there are none; or none is left of all. */
static int run_all(struct engine *eng, const struct run_options *opts, char *const *args,
		   struct service_part *part, char ***ids, struct err *err)
{
	const struct timespec now = { .tv_sec = 0 };
	sigset_t enders, before;
	int r = 0;

	cancel_signals(&enders);
	sigprocmask(SIG_BLOCK, &enders, &before);
	for (part->number = 1; r == 0 && part->number <= (int)opts->replicas.value;
	     part->number++) {
		cleanup_free char *one = NULL;

		r = make_one(eng, opts, args, NULL, part, &one, err);
		if (one)
			strv_add(ids, one);
	}
	if (r == 0)
		wait_ready(eng, *ids);
	if (r == 0 && sigtimedwait(&enders, NULL, &now) > 0)
		r = err_fail(err, ERR_SYSTEM, "starting service %s: interrupted", part->name);
	if (r < 0)
		take_away(eng, *ids);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return r;
}

int service_run(struct engine *eng, const struct run_options *opts, char *const *args,
		char **ret_id, struct err *err)
{
	struct service_part part = { .name = opts->name, .sticky = opts->sticky };
	cleanup_record struct record there = { 0 };
	cleanup_free char *image = NULL;
	struct run_options own = *opts;
	cleanup_strv char **ids = NULL;
	cleanup_fd int lock = -EBADF;
	char id[HEX_ID_LEN + 1];
	int r = check(opts, err);

	if (r == 0)
		r = engine_db(eng, err);
	if (r == 0)
		r = service_name_check(eng, opts->name, err);
	if (r == 0 && record_find(eng, opts->name, &there, NULL) == 0 &&
	    str_eq(there.name, opts->name))
		r = err_fail(err, ERR_EXISTS,
			     "the container name \"%s\" is already in use by container %.12s",
			     opts->name, there.id);
	if (r < 0)
		return r;
	r = hex_random_id(id);
	if (r < 0)
		return err_errno(err, -r, "choosing an id");
	part.id = id;
	r = lock = service_change_lock(eng, id, opts->name, err);
	if (r < 0)
		return r;
	/* Here a signal may end it, and it is got once. */
	r = engine_run_image(eng, opts, args[0], &image, err);
	own.pull = (char[]){ "missing" };
	if (r == 0)
		r = run_all(eng, &own, args, &part, &ids, err);
	if (r == 0)
		*ret_id = strv_join(ids, "\n");
	return r;
}

/* ---- scale ---- */

static int is_taken(const struct replicas *list, int number)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->items[i].number == number)
			return true;
	return false;
}

int service_make_like(struct engine *eng, const char *model, const char *image, const char *name,
		      const struct service_part *part, char **ret_id, struct err *err)
{
	cleanup_asked struct asked asked = { 0 };
	cleanup_record struct record rec = { 0 };
	cleanup_strv char **args = NULL;
	int r = record_get(eng, model, &rec, err);

	if (r == 0)
		r = asked_read(eng, model, &asked, err);
	if (r != 0)
		return r < 0 && r != -ENOENT
			   ? r
			   : err_fail(err, ERR_NOT_FOUND, "No such container: %.12s", model);
	strv_add(&args, image ? image : rec.image_name);
	strv_extend(&args, asked.args);
	return make_one(eng, &asked.options, args, name, part, ret_id, err);
}

/* Those that don't run do again, but what somebody has paused stays so; and who has made the last
 * one may have been killed before it got connections. */
static int start_all(struct engine *eng, const struct replicas *list, struct err *err)
{
	const struct start_options how = { .attach = false };
	cleanup_strv char **ids = NULL;
	int r = 0;

	for (size_t i = 0; r == 0 && i < list->n; i++) {
		cleanup_record struct record rec = { 0 };

		if (record_get(eng, list->items[i].id, &rec, NULL) == 0 &&
		    live_is_paused(eng, &rec))
			continue;
		r = engine_start(eng, list->items[i].id, &how, err);
		if (r == 0 && service_is_ready(eng, list->items[i].id, NULL) == 0)
			strv_add(&ids, list->items[i].id);
	}
	wait_ready(eng, ids);
	return r;
}

static int grow(struct engine *eng, const struct service *s, const struct replicas *list,
		uint64_t n, struct err *err)
{
	const char *model = list->items[list->n - 1].id;
	struct service_part part = { .id = s->id, .name = s->name, .sticky = s->sticky };
	cleanup_strv char **ids = NULL;
	int r = start_all(eng, list, err);

	for (part.number = 1; r == 0 && part.number <= (int)n; part.number++) {
		cleanup_free char *one = NULL;

		if (is_taken(list, part.number))
			continue;
		r = service_make_like(eng, model, NULL, NULL, &part, &one, err);
		if (r < 0)
			err_wrap(err, r, "making %s-%d", s->name, part.number);
		if (one)
			strv_add(&ids, one);
	}
	wait_ready(eng, ids);
	return r;
}

/* Somebody else may have removed it. */
static int unless_gone(int r, const struct err *own, struct err *err)
{
	if (r >= 0 || own->kind == ERR_NOT_FOUND)
		return 0;
	if (err)
		*err = *own;
	return r;
}

static int begin_end(struct engine *eng, const char *id, struct stop *stop, struct err *err)
{
	const struct stop_options how = { .timed = false };
	struct err own = ERR_INIT;
	int r = stop_begin(eng, id, &how, stop, &own);

	stop->done = stop->done || r < 0;
	return unless_gone(r, &own, err);
}

static int finish_end(struct engine *eng, const char *id, struct stop *stop, struct err *err)
{
	struct err own = ERR_INIT;
	int r = stop_finish(eng, stop, &own);

	if (r >= 0)
		r = engine_remove(eng, id, true, true, &own);
	return unless_gone(r, &own, err);
}

static int shrink(struct engine *eng, const struct replicas *list, uint64_t n, struct err *err)
{
	size_t extra = 0, first;
	int r = 0;

	for (size_t i = 0; i < list->n; i++)
		extra += list->items[i].number > (int)n;
	first = list->n - extra;
	cleanup_free struct stop *stops = xcalloc(extra + 1, sizeof(*stops));
	for (size_t i = first; r == 0 && i < list->n; i++)
		r = service_leave(eng, list->items[i].id, err);
	if (r == 0 && extra)
		service_drain();
	for (size_t i = 0; i < extra; i++) {
		stops[i] = (struct stop)STOP_INIT;
		if (r == 0)
			r = begin_end(eng, list->items[first + i].id, &stops[i], err);
	}
	for (size_t i = 0; i < extra; i++) {
		if (r == 0)
			r = finish_end(eng, list->items[first + i].id, &stops[i], err);
		stop_done(&stops[i]);
	}
	return r;
}

static int no_service(const char *name, struct err *err)
{
	return err_hint(err, err_fail(err, ERR_NOT_FOUND, "No such service: %s", name),
			"inro run -d --name %s --replicas N makes one", name);
}

int service_scale(struct engine *eng, const char *name, uint64_t n, struct err *err)
{
	cleanup_replicas struct replicas list = { 0 };
	cleanup_service struct service s = { 0 };
	cleanup_fd int lock = -EBADF;
	int r = service_get(eng, name, &s, err);

	if (r == -ENOENT)
		return no_service(name, err);
	if (r == 0 && (!n || n > SERVICE_REPLICAS_MAX))
		return err_hint(err,
				err_fail(err, ERR_USAGE, "service %s: expected 1 to %d replicas",
					 name, SERVICE_REPLICAS_MAX),
				"`inro stop %s` stops all, `inro rm -f %s` removes them", name,
				name);
	if (r == 0)
		r = lock = service_change_lock(eng, s.id, s.name, err);
	if (r >= 0)
		r = service_settle(eng, s.id, err);
	if (r == 0)
		r = service_replicas(eng, s.id, &list, err);
	/* Who made the only one was killed over it. */
	if (r == 0 && !list.n)
		return no_service(name, err);
	if (r == 0) {
		r = shrink(eng, &list, n, err);
		/* Those that have not been told to end are in the balance again. */
		if (r < 0)
			service_settle(eng, s.id, NULL);
	}
	replicas_done(&list);
	if (r == 0)
		r = service_replicas(eng, s.id, &list, err);
	return r < 0 || !list.n ? r : grow(eng, &s, &list, n, err);
}
