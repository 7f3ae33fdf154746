/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "base/strv.h"
#include "engine/cdi.h"

static void add_mount(const struct cdi_mount *from, struct spec *spec)
{
	struct spec_mount *m;

	spec_remove_mount(spec, from->container_path);
	m = LIST_ADD(spec->mounts);
	m->destination = xstrdup(from->container_path);
	m->type = xstrdup(from->type);
	m->source = xstrdup(from->host_path);
	m->options = strv_copy(from->options);
}

static void add_hook(const struct cdi_hook *from, struct spec *spec)
{
	spec_hook_list *list;
	struct spec_hook *h;

	if (!spec->hooks)
		spec->hooks = xcalloc(1, sizeof(*spec->hooks));
	list = cdi_hooks_of(spec->hooks, from->hook_name);
	h = LIST_ADD(*list);
	h->path = xstrdup(from->hook.path);
	h->args = strv_copy(from->hook.args);
	h->env = strv_copy(from->hook.env);
	h->timeout = from->hook.timeout;
}

static void add_gid(uint32_t gid, struct json_u32s *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->items[i] == gid)
			return;
	list->items = xrealloc(list->items, (list->n + 1) * sizeof(*list->items));
	list->items[list->n++] = gid;
}

static int add_net_devices(const struct cdi_changes *cdi, struct spec *spec, struct err *err)
{
	if (cdi->net_devices.n && !spec_namespace_find(spec, NS_NETWORK))
		return err_fail(err, ERR_CONFLICT,
				"a device moves the interface %s into the container, which has no "
				"network of its own (--network host)",
				cdi->net_devices.items[0].host_name);
	for (size_t i = 0; i < cdi->net_devices.n; i++) {
		struct spec_net_device *d = LIST_ADD(spec->linux_->net_devices);

		d->host_name = xstrdup(cdi->net_devices.items[i].host_name);
		d->name = xstrdup(cdi->net_devices.items[i].name);
	}
	return 0;
}

/* In the place of --rdt-class. */
static void set_rdt(const struct spec_intel_rdt *from, struct spec_linux *l)
{
	if (l->intel_rdt)
		json_free(&spec_intel_rdt_desc, l->intel_rdt);
	else
		l->intel_rdt = xcalloc(1, sizeof(*l->intel_rdt));
	cdi_rdt_copy(from, l->intel_rdt);
}

int spec_gen_cdi(const struct cdi_changes *cdi, struct spec *spec, struct err *err)
{
	for (size_t i = 0; cdi->env && cdi->env[i]; i++)
		strv_env_set(&spec->process->env, cdi->env[i]);
	for (size_t i = 0; i < cdi->mounts.n; i++)
		add_mount(&cdi->mounts.items[i], spec);
	for (size_t i = 0; i < cdi->hooks.n; i++)
		add_hook(&cdi->hooks.items[i], spec);
	for (size_t i = 0; i < cdi->gids.n; i++)
		add_gid(cdi->gids.items[i], &spec->process->user.additional_gids);
	if (cdi->rdt)
		set_rdt(cdi->rdt, spec->linux_);
	return add_net_devices(cdi, spec, err);
}
