/* SPDX-License-Identifier: Apache-2.0 */
/* --device-add and --device-rm: of the configuration, and of what runs. */
#include <string.h>

#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/devices.h"
#include "engine/update_internal.h"
#include "runtime/live.h"

/* ---- the configuration ---- */

void update_devices_done(struct update_devices *ud)
{
	for (size_t i = 0; i < ud->n_removed; i++) {
		free(ud->removed[i].device.path);
		free(ud->removed[i].device.type);
		free(ud->removed[i].access);
	}
	free(ud->removed);
	*ud = (struct update_devices){ 0 };
}

static bool same_number(const struct opt_i64 *a, const struct opt_i64 *b)
{
	return a->set == b->set && a->value == b->value;
}

static bool is_rule_of(const struct spec_device_rule *rule, const struct spec_device *d)
{
	return rule->allow && str_eq(rule->type, d->type) && same_number(&rule->major, &d->major) &&
	       same_number(&rule->minor, &d->minor);
}

/* The last rule, and only when no other device needs it: its access, or NULL. */
static char *drop_rule(struct spec_linux *l, const struct spec_device *d)
{
	struct spec_resources *res = l->resources;
	char *access;
	size_t i;

	for (i = 0; i < l->devices.n; i++)
		if (str_eq(l->devices.items[i].type, d->type) &&
		    same_number(&l->devices.items[i].major, &d->major) &&
		    same_number(&l->devices.items[i].minor, &d->minor))
			return NULL;
	for (i = res ? res->devices.n : 0; i > 0 && !is_rule_of(&res->devices.items[i - 1], d); i--)
		;
	if (i == 0)
		return NULL;
	access = res->devices.items[i - 1].access;
	free(res->devices.items[i - 1].type);
	res->devices.n--;
	memmove(&res->devices.items[i - 1], &res->devices.items[i],
		(res->devices.n - (i - 1)) * sizeof(*res->devices.items));
	return access;
}

static int take_out(struct update_devices *ud, struct spec *spec, const char *path, struct err *err)
{
	cleanup_free char *clean = path_clean(path);
	struct spec_linux *l = spec->linux_;
	struct spec_device_pair *pair;
	size_t at = 0;

	while (at < l->devices.n && !str_eq(l->devices.items[at].path, clean))
		at++;
	if (at == l->devices.n)
		return err_fail(err, ERR_NOT_FOUND,
				"--device-rm %s: no device that the container was given", clean);
	ud->removed = xrealloc(ud->removed, (ud->n_removed + 1) * sizeof(*ud->removed));
	pair = &ud->removed[ud->n_removed++];
	*pair = (struct spec_device_pair){ .device = l->devices.items[at] };
	l->devices.n--;
	memmove(&l->devices.items[at], &l->devices.items[at + 1],
		(l->devices.n - at) * sizeof(*l->devices.items));
	pair->access = drop_rule(l, &pair->device);
	return 0;
}

static int put_one(struct spec *spec, const struct spec_device_pair *pair, struct err *err)
{
	const struct spec_device *from = &pair->device;
	struct spec_linux *l = spec->linux_;
	struct spec_device_rule *rule;
	struct spec_device *d;

	for (size_t i = 0; i < l->devices.n; i++)
		if (str_eq(l->devices.items[i].path, from->path))
			return err_fail(err, ERR_EXISTS, "--device-add: the container has %s",
					from->path);
	d = LIST_ADD(l->devices);
	*d = *from;
	d->path = xstrdup(from->path);
	d->type = xstrdup(from->type);
	if (!l->resources || !l->resources->devices.n)
		return 0;
	rule = LIST_ADD(l->resources->devices);
	*rule = (struct spec_device_rule){
		.allow = true,
		.type = xstrdup(from->type),
		.major = from->major,
		.minor = from->minor,
		.access = xstrdup(pair->access),
	};
	return 0;
}

static int put_in(struct spec *spec, const char *text, struct err *err)
{
	cleanup_device_request struct device_request req = { 0 };
	CLEANUP(device_list_done) struct device_list list = { 0 };
	int r = device_parse(text, &req, err);

	if (r < 0)
		return r;
	if (spec_namespace_find(spec, NS_USER) && !str_eq(req.host, req.container))
		return err_fail(err, ERR_UNSUPPORTED,
				"--device-add %s: in a user namespace a device has the path that "
				"it has on the host",
				text);
	r = devices_add(&list, &req, err);
	for (size_t i = 0; r == 0 && i < list.n; i++)
		r = put_one(spec, &list.items[i], err);
	return r;
}

int update_devices_plan(const struct update_options *o, struct spec *spec,
			struct update_devices *ret, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && o->device_rm && o->device_rm[i]; i++)
		r = take_out(ret, spec, o->device_rm[i], err);
	ret->first_added = spec->linux_->devices.n;
	for (size_t i = 0; r == 0 && o->device_add && o->device_add[i]; i++)
		r = put_in(spec, o->device_add[i], err);
	return r;
}

/* ---- what runs ---- */

static struct spec_device_rule rule_of(const struct spec_device *d, char *access)
{
	return (struct spec_device_rule){
		.allow = true,
		.type = d->type,
		.major = d->major,
		.minor = d->minor,
		.access = access,
	};
}

/* The configuration with the first so many of those that are added: of their rules, too. */
struct view {
	struct spec spec;
	struct spec_linux linux_;
	struct spec_resources res;
};
static const struct spec *view_of(struct view *v, const struct spec *spec,
				  const struct update_devices *ud, size_t n_added)
{
	const struct spec_linux *l = spec->linux_;
	size_t all = l->devices.n - ud->first_added;

	*v = (struct view){ .spec = *spec, .linux_ = *l };
	v->spec.linux_ = &v->linux_;
	if (!l->resources)
		return &v->spec;
	v->res = *l->resources;
	v->linux_.resources = &v->res;
	if (v->res.devices.n)
		v->res.devices.n -= all - n_added;
	return &v->spec;
}

static int put_back(struct engine *eng, const char *id, const struct spec *spec,
		    const struct update_devices *ud, size_t i, struct err *err)
{
	const struct spec_device_pair *pair = &ud->removed[i];
	struct spec_device_rule rule = rule_of(&pair->device, pair->access);
	struct view v;

	return container_device_add(&eng->runtime, id, view_of(&v, spec, ud, 0), &pair->device,
				    pair->access ? &rule : NULL, err);
}

static int take_away(struct engine *eng, const char *id, const struct spec *spec,
		     const struct update_devices *ud, size_t i, struct err *err)
{
	const struct spec_device_pair *pair = &ud->removed[i];
	struct spec_device_rule rule = rule_of(&pair->device, pair->access);
	struct view v;

	return container_device_remove(&eng->runtime, id, view_of(&v, spec, ud, 0), &pair->device,
				       pair->access ? &rule : NULL, err);
}

/* Number i of those that are added comes, or goes again. */
static int change_added(struct engine *eng, const char *id, const struct spec *spec,
			const struct update_devices *ud, size_t i, bool comes, struct err *err)
{
	const struct spec_device *d = &spec->linux_->devices.items[ud->first_added + i];
	struct spec_device_rule *rule = NULL;
	struct view v;

	view_of(&v, spec, ud, i);
	if (v.res.devices.n)
		rule = &v.res.devices.items[v.res.devices.n]; /* behind those of the view */
	return (comes ? container_device_add : container_device_remove)(&eng->runtime, id, &v.spec,
									d, rule, err);
}

static void undo(struct engine *eng, const char *id, const struct spec *spec,
		 const struct update_devices *ud, size_t n_removed, size_t n_added)
{
	struct err err = ERR_INIT;
	int r = 0;

	while (n_added > 0 && r >= 0)
		r = change_added(eng, id, spec, ud, --n_added, false, &err);
	while (n_removed > 0 && r >= 0)
		r = put_back(eng, id, spec, ud, --n_removed, &err);
	/* With what has ended nothing is left to be taken back. */
	if (r < 0 && err.kind != ERR_NOT_FOUND && err.kind != ERR_CONFLICT)
		log_warn("taking back what was changed: %s", err.msg);
}

int update_devices_apply(struct engine *eng, const char *id, const struct spec *spec,
			 const struct update_devices *ud, struct err *err)
{
	size_t removed = 0, added = 0, n_added = spec->linux_->devices.n - ud->first_added;
	int r = 0;

	for (; r == 0 && removed < ud->n_removed; removed += r == 0)
		r = take_away(eng, id, spec, ud, removed, err);
	for (; r == 0 && added < n_added; added += r == 0)
		r = change_added(eng, id, spec, ud, added, true, err);
	if (r < 0)
		undo(eng, id, spec, ud, removed, added);
	return r;
}

void update_devices_revert(struct engine *eng, const char *id, const struct spec *spec,
			   const struct update_devices *ud)
{
	undo(eng, id, spec, ud, ud->n_removed, spec->linux_->devices.n - ud->first_added);
}

void update_devices_ensure(struct engine *eng, const char *id, const struct spec *spec,
			   const struct update_devices *ud)
{
	size_t n_added = spec->linux_->devices.n - ud->first_added;

	for (size_t i = 0; i < ud->n_removed; i++)
		take_away(eng, id, spec, ud, i, NULL);
	for (size_t i = 0; i < n_added; i++)
		change_added(eng, id, spec, ud, i, true, NULL);
}
