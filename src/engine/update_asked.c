/* SPDX-License-Identifier: Apache-2.0 */
/* What `inro update` changes of the options that a container was created with. */
#include <string.h>

#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/health.h"
#include "engine/parse.h"
#include "engine/update.h"

/* 0 leaves a limit as it is. */
static void take_u64(struct opt_u64 *to, const struct opt_u64 *from)
{
	if (from->set && from->value)
		*to = *from;
}

static void take_i64(struct opt_i64 *to, const struct opt_i64 *from)
{
	if (from->set && from->value)
		*to = *from;
}

static void take_str(char **to, const char *from)
{
	if (!from || !from[0])
		return;
	free(*to);
	*to = xstrdup(from);
}

static void take_limits(const struct update_options *o, struct run_options *to)
{
	uint64_t nano = 0;

	take_u64(&to->memory, &o->memory);
	take_u64(&to->memory_reservation, &o->memory_reservation);
	if (o->memory_swappiness.set)
		to->memory_swappiness =
		    (struct opt_i64){ true, (int64_t)o->memory_swappiness.value };
	take_str(&to->memory_swap, o->memory_swap);
	take_u64(&to->cpu_shares, &o->cpu_shares);
	take_u64(&to->cpu_rt_period, &o->cpu_rt_period);
	take_i64(&to->cpu_rt_runtime, &o->cpu_rt_runtime);
	take_u64(&to->blkio_weight, &o->blkio_weight);
	if (o->pids_limit.set)
		to->pids_limit = o->pids_limit;
	take_str(&to->cpuset_cpus, o->cpuset_cpus);
	take_str(&to->cpuset_mems, o->cpuset_mems);
	/* Two words for the same thing, which don't go together. */
	if (o->cpus && str_parse_nano(o->cpus, &nano) == 0 && nano) {
		take_str(&to->cpus, o->cpus);
		to->cpu_period = (struct opt_u64){ 0 };
		to->cpu_quota = (struct opt_i64){ 0 };
	} else if ((o->cpu_quota.set && o->cpu_quota.value) ||
		   (o->cpu_period.set && o->cpu_period.value)) {
		free(take_ptr(to->cpus));
	}
	take_u64(&to->cpu_period, &o->cpu_period);
	take_i64(&to->cpu_quota, &o->cpu_quota);
}

/* What is taken away also when it is the image's. */
static void take_env(const struct update_options *o, char *const *env, struct run_options *to)
{
	for (size_t i = 0; o->unsetenv && o->unsetenv[i]; i++) {
		if (to->env)
			strv_env_unset(to->env, o->unsetenv[i]);
		if (!strv_has(to->unsetenv, o->unsetenv[i]))
			strv_add(&to->unsetenv, o->unsetenv[i]);
	}
	for (; env && *env; env++)
		strv_env_set(&to->env, *env);
}

typedef int (*mount_parser)(const char *text, struct mount_request *ret, struct err *err);

static void drop_mount(char **words, mount_parser parse, const char *target)
{
	char **to = words;

	for (; words && *words; words++) {
		cleanup_mount_request struct mount_request m = { 0 };

		if (parse(*words, &m, NULL) == 0 && str_eq(m.target, target))
			free(*words);
		else
			*to++ = *words;
	}
	if (to)
		*to = NULL;
}

static void drop_device(char **words, const char *path)
{
	char **to = words;

	for (; words && *words; words++) {
		cleanup_device_request struct device_request d = { 0 };

		if (device_parse(*words, &d, NULL) == 0 && str_eq(d.container, path))
			free(*words);
		else
			*to++ = *words;
	}
	if (to)
		*to = NULL;
}

/* A word of -v begins with a path, or with the name of a volume and a colon. */
bool update_is_mount_word(const char *word)
{
	const char *end = word;

	while ((*end >= 'a' && *end <= 'z') || (*end >= 'A' && *end <= 'Z') || *end == '-')
		end++;
	return word[0] == '"' || (end > word && (*end == '=' || *end == ','));
}

static void take_files(const struct update_options *o, const char *cwd, struct run_options *to)
{
	for (char **w = o->mount_rm; w && *w; w++) {
		cleanup_free char *target = path_clean(*w);

		drop_mount(to->volume, volume_parse, target);
		drop_mount(to->mount, mount_parse, target);
		drop_mount(to->tmpfs, tmpfs_parse, target);
	}
	for (char **w = o->mount_add; w && *w; w++) {
		if (update_is_mount_word(*w))
			strv_take(&to->mount, asked_mount(*w, cwd));
		else
			strv_take(&to->volume, asked_volume(*w, cwd));
	}
	for (char **w = o->device_rm; w && *w; w++) {
		cleanup_free char *path = path_clean(*w);

		drop_device(to->device, path);
	}
	strv_extend(&to->device, o->device_add);
}

/* ---- words that begin with a key ---- */

/* Is the word about the same as the other one? So much of it is its key. */
static size_t device_key(const char *word)
{
	const char *colon = strrchr(word, ':');

	return colon ? (size_t)(colon - word) + 1 : strlen(word);
}

static size_t ulimit_key(const char *word)
{
	size_t n = strcspn(word, "=");

	return n + (word[n] == '=');
}

/* The last one with a key counts; off: it says that there is none. */
static void take_keyed(char *const *from, size_t (*key)(const char *word),
		       bool (*off)(const char *value), char ***to)
{
	for (; from && *from; from++) {
		size_t len = key(*from);
		char **w = *to, **kept = *to;

		for (; w && *w; w++) {
			if (strncmp(*w, *from, len) == 0)
				free(*w);
			else
				*kept++ = *w;
		}
		if (kept)
			*kept = NULL;
		if (!off || !off(*from + len))
			strv_add(to, *from);
	}
}

static bool is_zero(const char *value)
{
	uint64_t n = 1;

	return str_parse_bytes(value, &n) == 0 && n == 0;
}

static void take_rates(const struct run_options *o, struct run_options *to)
{
	take_keyed(o->blkio_weight_device, device_key, is_zero, &to->blkio_weight_device);
	take_keyed(o->device_read_bps, device_key, is_zero, &to->device_read_bps);
	take_keyed(o->device_write_bps, device_key, is_zero, &to->device_write_bps);
	take_keyed(o->device_read_iops, device_key, is_zero, &to->device_read_iops);
	take_keyed(o->device_write_iops, device_key, is_zero, &to->device_write_iops);
}

static void take_ulimits(const struct run_options *o, struct run_options *to)
{
	take_keyed(o->ulimit, ulimit_key, NULL, &to->ulimit);
}

/* ---- health checks ---- */

static void clear(const struct json_field *f, struct run_options *o)
{
	void *at = (char *)o + f->offset;

	if (f->kind == JSON_STR)
		free(take_ptr(*(char **)at));
	else
		*(struct opt_i64 *)at = (struct opt_i64){ 0 };
}

static void take_field(const struct json_field *f, const struct run_options *from,
		       struct run_options *to)
{
	const void *given = (const char *)from + f->offset;
	void *at = (char *)to + f->offset;

	if (f->kind == JSON_STR && *(char *const *)given) {
		clear(f, to);
		*(char **)at = xstrdup(*(char *const *)given);
	} else if (f->kind == JSON_OPT_I64 && ((const struct opt_i64 *)given)->set) {
		*(struct opt_i64 *)at = *(const struct opt_i64 *)given;
	}
}

/* One probe takes the place of another one, of whatever kind that is. */
static void take_health(const struct run_options *o, struct run_options *to)
{
	bool probe = o->health_cmd || o->health_tcp || o->health_http || o->health_file;

	if (probe) {
		free(take_ptr(to->health_cmd));
		free(take_ptr(to->health_tcp));
		free(take_ptr(to->health_http));
		free(take_ptr(to->health_file));
		to->no_healthcheck = false;
	}
	for (size_t i = 0; i < run_options_desc.n_fields; i++) {
		const struct json_field *f = &run_options_desc.fields[i];

		if (!str_starts(f->name, "health_"))
			continue;
		if (o->no_healthcheck && !health_options_given(o))
			clear(f, to);
		take_field(f, o, to);
	}
	to->no_healthcheck = to->no_healthcheck || o->no_healthcheck;
}

void update_asked(const struct update_options *opts, char *const *env, const char *cwd,
		  struct asked *inout)
{
	struct run_options *to = &inout->options;

	take_limits(opts, to);
	take_str(&to->restart, opts->restart);
	take_env(opts, env, to);
	take_files(opts, cwd, to);
	take_health(&opts->run, to);
	take_rates(&opts->run, to);
	take_ulimits(&opts->run, to);
}
