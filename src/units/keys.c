/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of a section as options of a command line. */
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "units/internal.h"

int units_fail(const struct unit_entry *e, struct err *err, int r)
{
	if (!e || !*e->file)
		return r;
	return err_wrap(err, r, "%s:%zu: %s", e->file, e->line, e->key);
}

int units_option(struct conversion *c, const struct unit_entry *e, const char *option,
		 const char *value, struct err *err)
{
	int r = c->checked ? c->set->env->check(option, value, err) : 0;

	if (r < 0)
		return units_fail(e, err, r);
	if (value)
		strv_addf(&c->args, "%s=%s", option, value);
	else
		strv_add(&c->args, option);
	return 0;
}

static int add_value(struct conversion *c, const struct key *k, const struct unit_entry *e,
		     const char *value, struct err *err)
{
	cleanup_free char *whole = xasprintf("%s%s", k->prefix ? k->prefix : "", value);

	return units_option(c, e, k->option, whole, err);
}

static int add_bool(struct conversion *c, const struct key *k, const struct unit_entry *e,
		    struct err *err)
{
	bool on;

	if (unit_bool(e->value, &on) < 0)
		return units_fail(e, err, err_fail(err, ERR_INVALID, "expected true or false"));
	if (k->kind == KEY_SWITCH && k->prefix)
		return on ? units_option(c, e, k->option, k->prefix, err) : 0;
	if (k->kind == KEY_SWITCH)
		return on ? units_option(c, e, k->option, NULL, err) : 0;
	return units_option(c, e, k->option, on ? NULL : "false", err);
}

static int add_words(struct conversion *c, const struct key *k, const struct unit_entry *e,
		     struct err *err)
{
	cleanup_strv char **words = NULL;
	int r = unit_words(e->value, &words, err);

	if (r < 0)
		return units_fail(e, err, r);
	for (size_t i = 0; r == 0 && words && words[i]; i++)
		r = add_value(c, k, e, words[i], err);
	return r;
}

static int add_list(struct conversion *c, const struct key *k, struct err *err)
{
	const char *section = c->u->kind->section;
	const struct unit_entry *e;
	size_t at = 0;
	int r = 0;

	while (r == 0 && (e = unit_file_next(&c->u->file, section, k->name, &at)) != NULL) {
		if (!e->value[0])
			continue;
		r = k->kind == KEY_ALL ? add_value(c, k, e, e->value, err)
				       : add_words(c, k, e, err);
	}
	return r;
}

static int add_key(struct conversion *c, const struct key *k, struct err *err)
{
	const char *section = c->u->kind->section;
	const struct unit_entry *e = unit_file_find(&c->u->file, section, k->name);
	cleanup_free char *value = NULL;

	if (!e || k->kind == KEY_OTHER)
		return 0;
	if (k->kind == KEY_ALL || k->kind == KEY_WORDS)
		return add_list(c, k, err);
	if (!e->value[0]) /* as if it were not there */
		return 0;
	if (k->kind == KEY_NO)
		return units_fail(e, err, err_fail(err, ERR_UNSUPPORTED, "%s", k->why));
	if (k->kind == KEY_BOOL || k->kind == KEY_SWITCH)
		return add_bool(c, k, e, err);
	value = unit_file_string(&c->u->file, section, k->name);
	return value ? add_value(c, k, e, value, err) : 0;
}

static const struct key *key_find(const struct key *keys, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(keys[i].name, name))
			return &keys[i];
	return NULL;
}

int units_keys(struct conversion *c, const struct key *keys, size_t n, struct err *err)
{
	const struct unit_section *s = unit_file_section(&c->u->file, c->u->kind->section);
	int r = 0;

	for (size_t i = 0; s && i < s->n; i++)
		if (!key_find(keys, n, s->entries[i].key))
			return units_fail(
			    &s->entries[i], err,
			    err_fail(err, ERR_INVALID, "[%s] has no such key", s->name));
	for (size_t i = 0; r == 0 && i < n; i++)
		r = add_key(c, &keys[i], err);
	return r;
}

int units_raw(struct conversion *c, const char *key, struct err *err)
{
	const struct unit_entry *e;
	size_t at = 0;
	int r = 0;

	while (r == 0 && (e = unit_file_next(&c->u->file, c->u->kind->section, key, &at)) != NULL) {
		cleanup_strv char **words = NULL;

		r = unit_words(e->value, &words, err);
		for (size_t i = 0; r == 0 && words && words[i]; i++) {
			const char *equals = strchr(words[i], '=');
			cleanup_free char *option =
			    equals ? xstrndup(words[i], (size_t)(equals - words[i]))
				   : xstrdup(words[i]);

			/* GlobalArgs come before the verb and are none of its options. */
			if (c->checked && str_starts(option, "--"))
				r = c->set->env->check(option, NULL, err);
			if (r == 0)
				strv_add(&c->args, words[i]);
		}
		if (r < 0)
			units_fail(e, err, r);
	}
	return r;
}

int units_command(struct conversion *c, struct err *err)
{
	c->checked = false;
	strv_add(&c->args, c->set->env->inro);
	return units_raw(c, "GlobalArgs", err);
}

void units_command_done(struct conversion *c, const char *key, const char *prefix)
{
	cleanup_buf struct buf line = BUF_INIT;

	buf_adds(&line, prefix);
	unit_quote_all(&line, c->args);
	unit_file_add(c->out, "Service", key, buf_str(&line));
	strv_free(c->args);
	c->args = NULL;
}

int units_needs(struct conversion *c, const struct unit_entry *e, const char *name,
		char **ret_resource, struct err *err)
{
	const struct units_unit *u = units_find(c->set, name);
	cleanup_free char *service = NULL, *instance = NULL;
	const char *at;
	int r;

	if (!u)
		return units_fail(e, err,
				  err_fail(err, ERR_NOT_FOUND, "there is no file %s", name));
	if (u->kind->refused)
		return units_fail(e, err,
				  err_fail(err, ERR_UNSUPPORTED, "%s: %s", name, u->kind->refused));
	r = units_service(u, &service, err);
	if (r < 0)
		return r;
	/* One template's instance needs the other's of the same name. */
	at = strstr(service, "@.service");
	if (at)
		instance = xasprintf("%.*s@%%i.service", (int)(at - service), service);
	unit_file_add(c->out, "Unit", "Requires", instance ? instance : service);
	unit_file_add(c->out, "Unit", "After", instance ? instance : service);
	if (ret_resource)
		*ret_resource = units_resource(u);
	return 0;
}

char *units_path(const struct conversion *c, const char *path)
{
	const char *slash = strrchr(c->u->path, '/');
	cleanup_free char *dir = NULL, *whole = NULL;

	if (*path == '/' || *path == '%' || !*path || !slash)
		return xstrdup(path);
	dir = xstrndup(c->u->path, (size_t)(slash - c->u->path));
	whole = path_join(dir, path);
	return path_clean(whole);
}

void units_mounts_for(struct conversion *c, const char *path)
{
	cleanup_buf struct buf quoted = BUF_INIT;

	unit_quote(&quoted, path);
	unit_file_add(c->out, "Unit", "RequiresMountsFor", buf_str(&quoted));
}

int units_source(struct conversion *c, const struct unit_entry *e, char **source, struct err *err)
{
	const struct units_kind *kind = units_kind_of(*source);
	char *found = NULL;

	if (**source == '/') {
		units_mounts_for(c, *source);
	} else if (**source == '.') {
		found = units_path(c, *source);
		units_mounts_for(c, found);
	} else if (kind && (str_eq(kind->section, "Volume") || str_eq(kind->section, "Image"))) {
		int r = units_needs(c, e, *source, &found, err);

		if (r < 0)
			return r;
		if (str_eq(kind->section, "Image")) {
			const struct units_unit *u = units_find(c->set, *source);

			free(found);
			found = unit_file_string(&u->file, "Image", "ImageTag");
			if (!found)
				found = unit_file_string(&u->file, "Image", "Image");
			if (!found)
				return units_fail(
				    e, err,
				    err_fail(err, ERR_INVALID, "%s names no image", *source));
		}
	}
	if (found) {
		free(*source);
		*source = found;
	}
	return 0;
}

static int add_volume(struct conversion *c, const struct unit_entry *e, const char *value,
		      struct err *err)
{
	const char *colon = strchr(value, ':');
	cleanup_free char *source = NULL, *whole = NULL;
	int r;

	if (!colon) /* an anonymous one */
		return units_option(c, e, "--volume", value, err);
	source = xstrndup(value, (size_t)(colon - value));
	r = units_source(c, e, &source, err);
	if (r < 0)
		return r;
	whole = xasprintf("%s%s", source, colon);
	return units_option(c, e, "--volume", whole, err);
}

int units_volumes(struct conversion *c, struct err *err)
{
	const struct unit_entry *e;
	size_t at = 0;
	int r = 0;

	while (r == 0 && (e = unit_file_next(&c->u->file, c->u->kind->section, "Volume", &at)))
		if (e->value[0])
			r = add_volume(c, e, e->value, err);
	return r;
}
