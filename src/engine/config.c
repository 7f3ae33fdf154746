/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/config.h"

#include "base/ini.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "oci/reference.h"

#define TYPO_MAX   2
#define VALUES_MAX 20000
/* Any name of a host counts for more than the longest domain. */
#define WILDCARD_MAX INI_LINE_MAX

/* ---- finding settings ---- */

static bool key_fits(const struct config_setting *s, const char *key)
{
	const char *rest;

	if (s->kind != CONFIG_MAP)
		return str_eq(s->key, key);
	rest = str_after(key, s->key);
	return rest && *rest;
}

static const struct config_setting *setting_find(const char *section, const char *key)
{
	for (size_t i = 0; i < config_n_settings; i++) {
		const struct config_setting *s = &config_settings[i];

		if (str_eq(s->section, section) && (!key || key_fits(s, key)))
			return s;
	}
	return NULL;
}

/* The setting of the section (NULL: the section itself) whose word is nearest to this one. */
static const char *nearest(const char *section, const char *word)
{
	size_t least = TYPO_MAX + 1;
	const char *best = NULL;

	for (size_t i = 0; i < config_n_settings; i++) {
		const struct config_setting *s = &config_settings[i];
		const char *have = section ? s->key : s->section;
		size_t n;

		if (section && !str_eq(s->section, section))
			continue;
		n = str_edits(word, have);
		if (n < least && n < strlen(word)) {
			least = n;
			best = have;
		}
	}
	return best;
}

static int fail_unknown(const char *section, const char *key, struct err *err)
{
	const char *near = nearest(key ? section : NULL, key ? key : section);
	int r;

	if (key)
		r = err_fail(err, ERR_INVALID, "unknown setting \"%.200s\" in [%.200s]", key,
			     section);
	else
		r = err_fail(err, ERR_INVALID, "unknown section [%.200s]", section);
	if (near)
		return err_hint(err, r, "did you mean \"%s\"?", near);
	return err_hint(err, r, "inro.conf(5) lists what can be set");
}

int config_check_name(const char *name, struct err *err)
{
	const char *dot = strchr(name, '.'), *last = strrchr(name, '.');
	cleanup_free char *section = xstrndup(name, dot ? (size_t)(dot - name) : strlen(name));
	const char *key = dot ? dot + 1 : "";

	if (str_eq(section, CONFIG_REGISTRY) && dot != last)
		key = last + 1;
	if (!setting_find(section, NULL))
		return fail_unknown(section, NULL, err);
	return setting_find(section, key) ? 0 : fail_unknown(section, key, err);
}

/* ---- values ---- */

static int set_words(const struct config_setting *s, char ***list, const char *text,
		     struct err *err)
{
	while (*text) {
		size_t n = strcspn(text, ", \t");
		cleanup_free char *word = xstrndup(text, n);
		int r = n && s->check ? s->check(word, err) : 0;

		if (r < 0)
			return r;
		if (n)
			strv_add(list, word);
		text += n + (text[n] != '\0');
	}
	return 0;
}

static int set_number(const struct config_setting *s, int64_t *field, const char *text,
		      struct err *err)
{
	bool is_time = s->kind == CONFIG_DURATION;
	int64_t value;
	int r = str_parse_i64(text, &value);

	if (r < 0 && is_time) {
		r = time_parse_duration(text, &value);
		if (r == 0)
			value /= 1000000000;
	}
	if (r < 0 || value < s->min || value > s->max)
		return err_fail(err, ERR_INVALID,
				is_time ? "expected a time from %lld to %lld seconds, got \"%s\""
					: "expected a number from %lld to %lld, got \"%s\"",
				(long long)s->min, (long long)s->max, text);
	*field = value;
	return 0;
}

/* Puts the text into the field, which is empty or has the default. */
static int value_set(const struct config_setting *s, const char *key, const char *text, void *field,
		     struct err *err)
{
	int r = 0;

	switch (s->kind) {
	case CONFIG_BOOL:
		if (str_parse_bool(text, field) < 0)
			return err_fail(err, ERR_INVALID, "expected true or false, got \"%s\"",
					text);
		return 0;
	case CONFIG_COUNT:
	case CONFIG_DURATION:
		return set_number(s, field, text, err);
	case CONFIG_BYTES:
		if (str_parse_bytes(text, field) < 0)
			return err_fail(err, ERR_INVALID, "expected a size like 20g, got \"%s\"",
					text);
		return 0;
	case CONFIG_LIST:
		return set_words(s, field, text, err);
	case CONFIG_MAP:
		if (*text && s->check)
			r = s->check(text, err);
		if (r == 0 && *text)
			json_map_set(field, key + strlen(s->key), text);
		return r;
	case CONFIG_STR:
		break;
	}
	if (*text && s->check)
		r = s->check(text, err);
	if (r == 0 && *text) {
		free(*(char **)field);
		*(char **)field = xstrdup(text);
	}
	return r;
}

static void field_done(const struct config_setting *s, void *field)
{
	if (s->kind == CONFIG_STR)
		free(*(char **)field);
	else if (s->kind == CONFIG_LIST)
		strv_free(*(char ***)field);
	else if (s->kind == CONFIG_MAP)
		json_map_done(field);
}

/* Is the text one that value_set() takes? */
static int value_check(const struct config_setting *s, const char *key, const char *text,
		       struct err *err)
{
	union {
		bool b;
		int64_t i;
		uint64_t u;
		char *str, **list;
		struct json_map map;
	} field = { .map = { 0 } };
	int r = value_set(s, key, text, &field, err);

	field_done(s, &field);
	return r;
}

static void value_done(struct config_value *v)
{
	free(v->subject);
	free(v->name);
	free(v->text);
	free(v->file);
}

static struct config_value *value_add(struct config *config, const struct config_value *v)
{
	struct config_value *items = config->values.items;

	items = xrealloc(items, (config->values.n + 1) * sizeof(*items));
	config->values.items = items;
	items[config->values.n] = *v;
	return &items[config->values.n++];
}

/* Forgets what earlier files said. A second time in one file is an error, but for lists. */
static int value_replace(struct config *config, const struct config_setting *s, const char *name,
			 struct err *err)
{
	size_t k = 0;

	for (size_t i = 0; i < config->values.n; i++) {
		struct config_value *v = &config->values.items[i];

		if (!str_eq(v->name, name)) {
			config->values.items[k++] = *v;
			continue;
		}
		if (v->file_no != config->n_files) {
			value_done(v);
			continue;
		}
		if (s->kind != CONFIG_LIST)
			return err_fail(err, ERR_INVALID, "%s is set in line %zu already",
					v->setting->kind == CONFIG_MAP ? strchr(name, '.') + 1
								       : s->key,
					v->line);
		config->values.items[k++] = *v;
	}
	config->values.n = k;
	return 0;
}

/* ---- files ---- */

struct adding {
	struct config *config;
	const char *file;
};

static int check_section(const struct ini_entry *e, struct err *err)
{
	const struct config_setting *location = setting_find(CONFIG_REGISTRY, "location");
	bool wants = str_eq(e->section, CONFIG_REGISTRY);

	if (!setting_find(e->section, NULL))
		return fail_unknown(e->section, NULL, err);
	if (!wants && e->subject)
		return err_fail(err, ERR_INVALID, "[%s] takes no name", e->section);
	if (!wants)
		return 0;
	if (!e->subject)
		return err_fail(err, ERR_INVALID, "[%s] needs a name: [%s \"docker.io\"]",
				e->section, e->section);
	if (str_starts(e->subject, "*.") && !strchr(e->subject, '/')) {
		cleanup_free char *host = xasprintf("any.%s", e->subject + 2);
		if (location->check(host, NULL) == 0)
			return 0;
	}
	return location->check(e->subject, err);
}

static int add_entry(void *ctx, const struct ini_entry *e, struct err *err)
{
	struct adding *a = ctx;
	struct config *config = a->config;
	const struct config_setting *s;
	cleanup_free char *subject = NULL, *name = NULL;
	int r;

	if (!e->key)
		return check_section(e, err);
	if (!*e->section)
		return err_fail(err, ERR_INVALID, "a setting before the first [section]");
	s = setting_find(e->section, e->key);
	if (!s)
		return fail_unknown(e->section, e->key, err);
	r = value_check(s, e->key, e->value, err);
	if (r < 0)
		return err_wrap(err, r, "%s", e->key);
	subject = e->subject ? reference_registry_key(e->subject) : NULL;
	name =
	    xasprintf("%s%s%s.%s", e->section, subject ? "." : "", subject ? subject : "", e->key);
	r = value_replace(config, s, name, err);
	if (r < 0)
		return r;
	if (config->values.n >= VALUES_MAX)
		return err_fail(err, ERR_LIMIT, "more than %d settings", VALUES_MAX);
	value_add(config, &(struct config_value){
			      .setting = s,
			      .subject = take_ptr(subject),
			      .name = take_ptr(name),
			      .text = xstrdup(e->value),
			      .file = xstrdup(a->file),
			      .line = e->line,
			      .file_no = config->n_files,
			  });
	return 0;
}

int config_add(struct config *config, const char *text, size_t len, const char *file,
	       struct err *err)
{
	struct adding a = { config, file };

	config->n_files++;
	return ini_parse(text, len, file, add_entry, &a, err);
}

/* ---- the struct ---- */

static bool is_set(const struct config *config, const struct config_setting *s)
{
	for (size_t i = 0; i < config->values.n; i++)
		if (config->values.items[i].setting == s)
			return true;
	return false;
}

static void add_default(struct config *config, const struct config_setting *s)
{
	if (s->kind == CONFIG_MAP || str_eq(s->section, CONFIG_REGISTRY) || is_set(config, s))
		return;
	value_add(config, &(struct config_value){
			      .setting = s,
			      .name = xasprintf("%s.%s", s->section, s->key),
			      .text = xstrdup(s->initial ? s->initial : ""),
			  });
}

static int compare_values(const void *pa, const void *pb)
{
	const struct config_value *a = pa, *b = pb;
	int r = a->subject && b->subject ? strcmp(a->subject, b->subject) : 0;

	if (r == 0 && a->setting != b->setting)
		r = a->setting < b->setting ? -1 : 1;
	if (r == 0 && a->setting->kind == CONFIG_MAP)
		r = strcmp(a->name, b->name);
	if (r == 0 && a->line != b->line)
		r = a->line < b->line ? -1 : 1;
	return r;
}

static struct config_registry *registry_get(struct config *config, const char *name)
{
	struct config_registry *items = config->registries.items;

	for (size_t i = 0; i < config->registries.n; i++)
		if (str_eq(items[i].name, name))
			return &items[i];
	items = xrealloc(items, (config->registries.n + 1) * sizeof(*items));
	config->registries.items = items;
	items += config->registries.n++;
	*items = (struct config_registry){ .name = xstrdup(name) };
	return items;
}

void config_finish(struct config *config)
{
	config->transfer.retry_delay_ms = -1;
	for (size_t i = 0; i < config_n_settings; i++)
		add_default(config, &config_settings[i]);
	qsort(config->values.items, config->values.n, sizeof(*config->values.items),
	      compare_values);
	for (size_t i = 0; i < config->values.n; i++) {
		const struct config_value *v = &config->values.items[i];
		char *base = v->subject ? (char *)registry_get(config, v->subject) : (char *)config;

		value_set(v->setting, strchr(v->name, '.') + 1, v->text, base + v->setting->offset,
			  NULL);
	}
}

void config_done(struct config *config)
{
	for (size_t i = 0; i < config_n_settings; i++) {
		const struct config_setting *s = &config_settings[i];

		if (!str_eq(s->section, CONFIG_REGISTRY)) {
			field_done(s, (char *)config + s->offset);
			continue;
		}
		for (size_t k = 0; k < config->registries.n; k++)
			field_done(s, (char *)&config->registries.items[k] + s->offset);
	}
	for (size_t i = 0; i < config->registries.n; i++)
		free(config->registries.items[i].name);
	free(config->registries.items);
	for (size_t i = 0; i < config->values.n; i++)
		value_done(&config->values.items[i]);
	free(config->values.items);
	*config = (struct config){ .n_files = 0 };
}

void config_free(struct config *config)
{
	if (config)
		config_done(config);
	free(config);
}

/* ---- questions ---- */

/* How much of "host/path" the section's name covers; 0: it is about something else. */
static size_t registry_fits(const char *section, const char *name)
{
	size_t n = strlen(section), host = strcspn(name, "/");

	if (str_starts(section, "*.")) {
		section++;
		n--;
		return n < host && strncmp(name + host - n, section, n) == 0 ? n : 0;
	}
	if (strncmp(section, name, n) != 0 || (name[n] && name[n] != '/'))
		return 0;
	return n + WILDCARD_MAX;
}

const struct config_registry *config_registry_find(const struct config *config, const char *given)
{
	cleanup_free char *name = reference_registry_key(given);
	const struct config_registry *best = NULL;
	size_t most = 0;

	for (size_t i = 0; i < config->registries.n; i++) {
		size_t n = registry_fits(config->registries.items[i].name, name);

		if (n > most) {
			most = n;
			best = &config->registries.items[i];
		}
	}
	return best;
}

char *config_origin(const struct config *config, const char *subject, const char *key)
{
	for (size_t i = 0; i < config->values.n; i++) {
		const struct config_value *v = &config->values.items[i];

		if (str_eq(v->subject, subject) && str_eq(v->setting->key, key) && v->file)
			return xasprintf("%s:%zu", v->file, v->line);
	}
	return NULL;
}

bool config_registry_has(const struct config *config, const struct config_registry *reg,
			 const char *key)
{
	cleanup_free char *origin = config_origin(config, reg->name, key);

	return origin;
}
