/* SPDX-License-Identifier: Apache-2.0 */
#include "units/units.h"

#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "units/internal.h"

static const struct units_kind kinds[] = {
	{ ".container", "Container", "", "ContainerName", NULL },
	{ ".volume", "Volume", "-volume", "VolumeName", NULL },
	{ ".image", "Image", "-image", NULL, NULL },
	{ ".artifact", "Artifact", "-artifact", NULL, NULL },
	{ ".network", "Network", "-network", "NetworkName", NULL },
	{ ".pod", "Pod", "-pod", "PodName", NULL },
	{ ".kube", "Kube", "", NULL, "inro does not play Kubernetes files" },
	{ ".build", "Build", "-build", NULL, "inro builds no images" },
};

const struct units_kind *units_kind_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (str_ends(name, kinds[i].extension) && strlen(name) > strlen(kinds[i].extension))
			return &kinds[i];
	return NULL;
}

void units_done(struct units *set)
{
	for (size_t i = 0; i < set->n; i++) {
		free(set->items[i].name);
		free(set->items[i].path);
		unit_file_done(&set->items[i].file);
	}
	free(set->items);
	set->items = NULL;
	set->n = 0;
}

void units_add(struct units *set, const char *name, const char *path, struct unit_file *file)
{
	set->items = xrealloc(set->items, (set->n + 1) * sizeof(*set->items));
	set->items[set->n++] = (struct units_unit){
		.name = xstrdup(name),
		.path = xstrdup(path),
		.kind = units_kind_of(name),
		.file = *file,
	};
	*file = (struct unit_file){ 0 };
}

const struct units_unit *units_find(const struct units *set, const char *name)
{
	for (size_t i = 0; i < set->n; i++)
		if (str_eq(set->items[i].name, name))
			return &set->items[i];
	return NULL;
}

static bool is_unit_name(const char *s)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789:-_.\\@";

	return *s && *s != '.' && strspn(s, letters) == strlen(s) && strlen(s) < 240;
}

/* "web", "web@", "web@1". */
static char *base_name(const struct units_unit *u)
{
	return xstrndup(u->name, strlen(u->name) - strlen(u->kind->extension));
}

int units_service(const struct units_unit *u, char **ret, struct err *err)
{
	const struct unit_entry *e = unit_file_find(&u->file, u->kind->section, "ServiceName");
	cleanup_free char *given = unit_file_string(&u->file, u->kind->section, "ServiceName");
	cleanup_free char *base = base_name(u);
	const char *at = strchr(base, '@');
	cleanup_free char *name = NULL;

	if (given)
		name = xstrdup(given);
	else if (at)
		name = xasprintf("%.*s%s%s", (int)(at - base), base, u->kind->suffix, at);
	else
		name = xasprintf("%s%s", base, u->kind->suffix);
	if (!is_unit_name(name))
		return units_fail(e, err,
				  err_fail(err, ERR_INVALID, "\"%s\" can't name a service", name));
	*ret = xasprintf("%s.service", name);
	return 0;
}

char *units_resource(const struct units_unit *u)
{
	const char *key = u->kind->name_key;
	char *given = key ? unit_file_string(&u->file, u->kind->section, key) : NULL;
	cleanup_free char *base = base_name(u);
	char *at = strchr(base, '@');

	if (given)
		return given;
	if (str_eq(u->kind->section, "Container"))
		return xstrdup(at ? "systemd-%p_%i" : "systemd-%N");
	if (at)
		*at = '\0';
	if (at && !at[1])
		return xasprintf("systemd-%s-%%i", base);
	return at ? xasprintf("systemd-%s-%s", base, at + 1) : xasprintf("systemd-%s", base);
}

/* --- what all kinds have in common --- */

static const char *const dependencies[] = { "Wants",     "Requires", "Requisite",
					    "BindsTo",   "PartOf",   "Upholds",
					    "Conflicts", "Before",   "After" };

/* The name of the service, of one that an instance is of, too. */
static int service_of(const struct units *set, const char *name, char **ret, struct err *err)
{
	const struct units_unit *u = units_find(set, name);
	const char *at = strchr(name, '@'), *dot = strrchr(name, '.');
	cleanup_free char *template = NULL, *service = NULL;
	int r;

	if (!u && at && dot > at) {
		template = xasprintf("%.*s%s", (int)(at + 1 - name), name, dot);
		u = units_find(set, template);
	}
	if (!u)
		return err_fail(err, ERR_NOT_FOUND, "there is no file %s", name);
	r = units_service(u, &service, err);
	if (r < 0)
		return r;
	at = strchr(service, '@');
	if (template && at) /* web@1 of web@ */
		*ret = xasprintf("%.*s%.*s.service", (int)(at + 1 - service), service,
				 (int)(dot - strchr(name, '@') - 1), strchr(name, '@') + 1);
	else
		*ret = take_ptr(service);
	return 0;
}

static int translate(const struct units *set, struct unit_entry *e, struct err *err)
{
	cleanup_strv char **words = NULL;
	cleanup_buf struct buf out = BUF_INIT;
	int r = unit_words(e->value, &words, err);
	bool any = false;

	for (size_t i = 0; r == 0 && words && words[i]; i++) {
		cleanup_free char *service = NULL;

		if (units_kind_of(words[i])) {
			any = true;
			r = service_of(set, words[i], &service, err);
		}
		if (i)
			buf_addc(&out, ' ');
		unit_quote(&out, service ? service : words[i]);
	}
	if (r < 0)
		return units_fail(e, err, r);
	if (any) {
		free(e->value);
		e->value = buf_take(&out);
	}
	return 0;
}

static int translate_all(const struct units *set, struct unit_file *out, struct err *err)
{
	const struct unit_section *s = unit_file_section(out, "Unit");
	int r = 0;

	for (size_t i = 0; r == 0 && s && i < s->n; i++)
		for (size_t k = 0; r == 0 && k < ARRAY_SIZE(dependencies); k++)
			if (str_eq(s->entries[i].key, dependencies[k]))
				r = translate(set, &s->entries[i], err);
	return r;
}

static void copy(const struct units_unit *u, struct unit_file *out)
{
	for (size_t i = 0; i < u->file.n; i++) {
		const struct unit_section *s = &u->file.sections[i];
		bool own = str_eq(s->name, u->kind->section) || str_eq(s->name, "Quadlet");
		cleanup_free char *name = xasprintf("%s%s", own ? "X-" : "", s->name);

		/* with where it stands, for errors */
		for (size_t k = 0; k < s->n; k++)
			unit_file_copy(out, name, &s->entries[k]);
	}
}

/* [Quadlet]: whether the service waits for the network. */
static int default_dependencies(struct conversion *c, struct err *err)
{
	const struct unit_section *s = unit_file_section(&c->u->file, "Quadlet");
	bool wanted = true;

	for (size_t i = 0; s && i < s->n; i++) {
		const struct unit_entry *e = &s->entries[i];

		if (!str_eq(e->key, "DefaultDependencies"))
			return units_fail(e, err, err_fail(err, ERR_INVALID, "unknown key"));
		if (unit_bool(e->value, &wanted) < 0)
			return units_fail(e, err,
					  err_fail(err, ERR_INVALID, "expected true or false"));
	}
	/* A user's systemd has no such target. */
	if (wanted && !c->set->env->user) {
		unit_file_add_first(c->out, "Unit", "After", "network-online.target");
		unit_file_add_first(c->out, "Unit", "Wants", "network-online.target");
	}
	return 0;
}

static int convert(struct conversion *c, struct err *err)
{
	static const struct {
		const char *section;
		int (*fn)(struct conversion *c, struct err *err);
	} makers[] = {
		{ "Container", units_container },  { "Volume", units_volume },
		{ "Image", units_image_unit },     { "Artifact", units_artifact },
		{ "Network", units_network_unit }, { "Pod", units_pod },
	};

	for (size_t i = 0; i < ARRAY_SIZE(makers); i++)
		if (str_eq(makers[i].section, c->u->kind->section))
			return makers[i].fn(c, err);
	return err_fail(err, ERR_UNSUPPORTED, "%s", c->u->kind->refused);
}

int units_convert(const struct units *set, const struct units_unit *u, struct unit_file *ret,
		  struct err *err)
{
	struct unit_file out = { 0 };
	struct conversion c = { .set = set, .u = u, .out = &out };
	int r = 0;

	if (u->kind->refused)
		return err_fail(err, ERR_UNSUPPORTED, "%s: %s", u->path, u->kind->refused);
	if (!unit_file_section(&u->file, u->kind->section))
		return err_fail(err, ERR_INVALID, "%s: it has no section [%s]", u->path,
				u->kind->section);
	copy(u, &out);
	r = translate_all(set, &out, err);
	if (r == 0)
		r = default_dependencies(&c, err);
	if (r == 0) {
		unit_file_add(&out, "Unit", "SourcePath", u->path);
		unit_file_add(&out, "Unit", "RequiresMountsFor", "%t/inro");
		r = convert(&c, err);
		if (r < 0 && !str_starts(err->msg, "/"))
			err_wrap(err, r, "%s", u->path);
	}
	strv_free(c.args);
	if (r < 0) {
		unit_file_done(&out);
		return r;
	}
	*ret = out;
	return 0;
}

/* --- [Install] --- */

static int add_link(const struct unit_entry *e, char *where, const char *target, char ***links,
		    struct err *err)
{
	const char *slash = strchr(where, '/');
	cleanup_free char *dir = slash ? xstrndup(where, (size_t)(slash - where)) : NULL;

	if ((dir && !is_unit_name(dir)) || !is_unit_name(slash ? slash + 1 : where)) {
		int r = err_fail(err, ERR_INVALID, "\"%s\" can't name a unit", where);

		free(where);
		return units_fail(e, err, r);
	}
	strv_take(links, where);
	strv_addf(links, "%s%s", slash ? "../" : "", target);
	return 0;
}

int units_links(const struct units_unit *u, const char *service, char ***links, struct err *err)
{
	static const struct {
		const char *key, *suffix;
	} ways[] = { { "WantedBy", ".wants/" },
		     { "RequiredBy", ".requires/" },
		     { "UpheldBy", ".upholds/" },
		     { "Alias", NULL } };
	cleanup_free char *instance = unit_file_string(&u->file, "Install", "DefaultInstance");
	const char *at = strstr(service, "@.service");
	cleanup_free char *name = NULL;
	int r = 0;

	/* A template as such can't be started, but other names of it can be made. */
	if (at && instance)
		name = xasprintf("%.*s@%s.service", (int)(at - service), service, instance);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		const struct unit_entry *e;
		size_t pos = 0;

		while (r == 0 &&
		       (e = unit_file_next(&u->file, "Install", ways[i].key, &pos)) != NULL) {
			cleanup_strv char **words = NULL;

			r = unit_words(e->value, &words, err);
			if (r < 0)
				units_fail(e, err, r);
			if (at && !name && ways[i].suffix)
				continue;
			for (size_t k = 0; r == 0 && words && words[k]; k++)
				r = ways[i].suffix
					? add_link(e,
						   xasprintf("%s%s%s", words[k], ways[i].suffix,
							     name ? name : service),
						   service, links, err)
					: add_link(e, xstrdup(words[k]), service, links, err);
		}
	}
	return r;
}
