/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of the image documents; every one of them comes from someone else. */
#include <inttypes.h>

#include "base/str.h"
#include "base/strv.h"
#include "oci/digest.h"
#include "oci/image_internal.h"
#include "oci/reference.h"
#include "oci/spec_internal.h"

#define WORD_MAX   64  /* architecture, os, variant, created, StopSignal */
#define MEDIA_MAX  255 /* RFC 6838: 127 for each half */
#define USER_MAX   512
#define PATH_LIMIT 4096

#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

static bool has_control_before(const char *s, const char *end)
{
	for (; s < end; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return true;
	return false;
}

static bool has_control(const char *s)
{
	return has_control_before(s, s + strlen(s));
}

/* Absent, or made of these characters and not longer than max. */
static int check_chars(struct err *err, const char *member, const char *value, const char *chars,
		       size_t max, const char *expected)
{
	if (!value || (strlen(value) <= max && strspn(value, chars) == strlen(value)))
		return 0;
	return spec_fail_value(err, member, value, expected);
}

static int check_word_chars(struct err *err, const char *member, const char *value)
{
	return check_chars(err, member, value, ALNUM "._-+", WORD_MAX,
			   "a word of letters and digits");
}

static int check_count(struct err *err, const char *member, size_t n, size_t max)
{
	if (n <= max)
		return 0;
	return json_fail(err, member, "expected at most %zu entries, got %zu", max, n);
}

static int check_args(struct err *err, const char *member, char *const *args)
{
	char name[64];
	size_t i;
	int r;

	r = check_count(err, member, strv_len(args), OCI_ARGS_MAX);
	for (i = 0; r == 0 && args && args[i]; i++) {
		if (strlen(args[i]) <= OCI_STRING_MAX)
			continue;
		snprintf(name, sizeof(name), "%s[%zu]", member, i);
		r = json_fail(err, name, "expected at most %u bytes", OCI_STRING_MAX);
	}
	return r;
}

static int check_map(struct err *err, const char *member, const struct json_map *map)
{
	size_t i;
	int r;

	r = check_count(err, member, map->n, OCI_KEYS_MAX);
	for (i = 0; r == 0 && i < map->n; i++) {
		if (!*map->items[i].key || has_control(map->items[i].key))
			r = spec_fail_value(
			    err, member, map->items[i].key,
			    "names that are not empty and hold no control characters");
		else if (strlen(map->items[i].value) > OCI_STRING_MAX)
			r = json_fail(err, member, "expected values of at most %u bytes",
				      OCI_STRING_MAX);
	}
	return r;
}

int image_check_platform(const void *object, struct err *err)
{
	const struct oci_platform *p = object;
	int r;

	r = check_word_chars(err, "architecture", p->architecture);
	if (r < 0)
		return r;
	r = check_word_chars(err, "os", p->os);
	if (r < 0)
		return r;
	return check_word_chars(err, "variant", p->variant);
}

static int check_media_type(struct err *err, const char *member, const char *type)
{
	return check_chars(err, member, type, ALNUM "!#$&-^_.+/; =", MEDIA_MAX, "a media type");
}

int image_check_descriptor(const void *object, struct err *err)
{
	const struct oci_descriptor *d = object;
	int r;

	r = check_media_type(err, "mediaType", d->media_type);
	if (r < 0)
		return r;
	r = check_media_type(err, "artifactType", d->artifact_type);
	if (r < 0)
		return r;
	if (!digest_valid(d->digest))
		return spec_fail_value(err, "digest", d->digest,
				       "a digest like sha256:<64 lower-case hex digits>");
	r = spec_check_range(err, "size", d->size, 0, INT64_MAX);
	if (r < 0)
		return r;
	return check_map(err, "annotations", &d->annotations);
}

static int check_version(struct err *err, int64_t version)
{
	if (version == 2)
		return 0;
	return json_fail(err, "schemaVersion", "expected 2, got %" PRId64, version);
}

int image_check_manifest(const void *object, struct err *err)
{
	const struct oci_manifest *m = object;
	int r;

	r = check_version(err, m->schema_version);
	if (r < 0)
		return r;
	if (m->media_type && oci_media_kind(m->media_type) != OCI_IS_MANIFEST)
		return spec_fail_value(err, "mediaType", m->media_type, "an image manifest's");
	r = check_media_type(err, "artifactType", m->artifact_type);
	if (r < 0)
		return r;
	if (m->not_manifests)
		return json_fail(err, "manifests", "expected none in an image manifest");
	r = spec_check_range(err, "config.size", m->config->size, 0, OCI_BLOB_MAX);
	if (r < 0)
		return r;
	r = check_count(err, "layers", m->layers.n, OCI_LAYERS_MAX);
	if (r < 0)
		return r;
	return check_map(err, "annotations", &m->annotations);
}

int image_check_index(const void *object, struct err *err)
{
	const struct oci_index *index = object;
	int r;

	r = check_version(err, index->schema_version);
	if (r < 0)
		return r;
	if (index->media_type && oci_media_kind(index->media_type) != OCI_IS_INDEX)
		return spec_fail_value(err, "mediaType", index->media_type, "an image index's");
	r = check_media_type(err, "artifactType", index->artifact_type);
	if (r < 0)
		return r;
	if (index->not_config || index->not_layers)
		return json_fail(err, index->not_config ? "config" : "layers",
				 "expected none in an image index");
	r = check_count(err, "manifests", index->manifests.n, OCI_MANIFESTS_MAX);
	if (r < 0)
		return r;
	return check_map(err, "annotations", &index->annotations);
}

int image_check_healthcheck(const void *object, struct err *err)
{
	static const char *const kinds[] = { "NONE", "CMD", "CMD-SHELL", NULL };
	const struct oci_healthcheck *h = object;
	const struct {
		const char *name;
		int64_t value;
	} numbers[] = {
		{ "Interval", h->interval },        { "Timeout", h->timeout },
		{ "StartPeriod", h->start_period }, { "StartInterval", h->start_interval },
		{ "Retries", h->retries },
	};
	size_t i;
	int r;

	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		r = spec_check_range(err, numbers[i].name, numbers[i].value, 0, INT64_MAX);
		if (r < 0)
			return r;
	}
	r = check_args(err, "Test", h->test);
	if (r < 0)
		return r;
	return h->test && h->test[0] ? spec_check_word(err, "Test[0]", h->test[0], kinds) : 0;
}

/* NAME=value, never a bare name: nobody's environment but the image's decides its value
 * (CVE-2026-57231). */
static int check_image_env(struct err *err, char *const *env)
{
	char member[64];
	const char *eq;
	bool control;
	size_t i;
	int r;

	r = check_count(err, "Env", strv_len(env), OCI_ENV_MAX);
	if (r < 0)
		return r;
	r = spec_check_env(err, "Env", env);
	if (r < 0)
		return r;
	for (i = 0; env && env[i]; i++) {
		eq = strchr(env[i], '=');
		control = has_control_before(env[i], eq);
		if (!control && strlen(env[i]) <= OCI_STRING_MAX)
			continue;
		snprintf(member, sizeof(member), "Env[%zu]", i);
		if (control)
			return spec_fail_value(err, member, env[i],
					       "a name without control characters");
		return json_fail(err, member, "expected at most %u bytes", OCI_STRING_MAX);
	}
	return 0;
}

/* Reads "1" to "65535" at *p. */
static bool port_number(const char **p, uint32_t *ret)
{
	size_t len = strspn(*p, "0123456789");
	char text[6];

	if (len == 0 || len >= sizeof(text))
		return false;
	memcpy(text, *p, len);
	text[len] = '\0';
	*p += len;
	return str_parse_u32(text, ret) == 0 && *ret >= 1 && *ret <= 65535;
}

static bool port_valid(const char *s)
{
	static const char *const protocols[] = { "tcp", "udp", "sctp", "TCP", "UDP", "SCTP", NULL };
	uint32_t first, last;

	if (!port_number(&s, &first))
		return false;
	if (*s == '-') {
		s++;
		if (!port_number(&s, &last) || last < first)
			return false;
	}
	return !*s || (*s == '/' && spec_word_in(s + 1, protocols));
}

static int check_ports(struct err *err, const oci_keys *ports)
{
	size_t i;
	int r;

	r = check_count(err, "ExposedPorts", ports->n, OCI_KEYS_MAX);
	for (i = 0; r == 0 && i < ports->n; i++)
		if (!port_valid(ports->items[i].key))
			r = spec_fail_value(err, "ExposedPorts", ports->items[i].key,
					    "a port like 8080, 8080/tcp or 53/udp");
	return r;
}

static int check_volumes(struct err *err, const oci_keys *volumes)
{
	const char *path;
	size_t i;
	int r;

	r = check_count(err, "Volumes", volumes->n, OCI_KEYS_MAX);
	for (i = 0; r == 0 && i < volumes->n; i++) {
		path = volumes->items[i].key;
		if (path[0] != '/' || strspn(path, "/.") == strlen(path) || has_control(path) ||
		    strlen(path) >= PATH_LIMIT)
			r = spec_fail_value(err, "Volumes", path, "an absolute path below /");
	}
	return r;
}

int image_check_config(const void *object, struct err *err)
{
	const struct oci_config *c = object;
	const char *dir = c->working_dir;
	int r;

	if (c->user && (strlen(c->user) > USER_MAX || has_control(c->user)))
		return spec_fail_value(err, "User", c->user, "user[:group]");
	if (dir && *dir && (*dir != '/' || has_control(dir) || strlen(dir) >= PATH_LIMIT))
		return spec_fail_value(err, "WorkingDir", dir, "an absolute path");
	r = check_chars(err, "StopSignal", c->stop_signal, ALNUM "+-", WORD_MAX, "a signal");
	if (r < 0)
		return r;
	r = check_image_env(err, c->env);
	if (r < 0)
		return r;
	r = check_args(err, "Entrypoint", c->entrypoint);
	if (r < 0)
		return r;
	r = check_args(err, "Cmd", c->cmd);
	if (r < 0)
		return r;
	r = check_args(err, "Shell", c->shell);
	if (r < 0)
		return r;
	r = check_ports(err, &c->exposed_ports);
	if (r < 0)
		return r;
	r = check_volumes(err, &c->volumes);
	if (r < 0)
		return r;
	return check_map(err, "Labels", &c->labels);
}

int image_check_rootfs(const void *object, struct err *err)
{
	const struct oci_rootfs *rootfs = object;
	char member[64];
	size_t i;
	int r;

	if (strcmp(rootfs->type, "layers") != 0)
		return spec_fail_value(err, "type", rootfs->type, "\"layers\"");
	r = check_count(err, "diff_ids", strv_len(rootfs->diff_ids), OCI_LAYERS_MAX);
	for (i = 0; r == 0 && rootfs->diff_ids && rootfs->diff_ids[i]; i++) {
		if (digest_valid(rootfs->diff_ids[i]))
			continue;
		snprintf(member, sizeof(member), "diff_ids[%zu]", i);
		r = spec_fail_value(err, member, rootfs->diff_ids[i],
				    "a digest like sha256:<64 lower-case hex digits>");
	}
	return r;
}

int image_check_image_config(const void *object, struct err *err)
{
	const struct oci_image_config *c = object;
	int r;

	r = check_word_chars(err, "architecture", c->architecture);
	if (r < 0)
		return r;
	r = check_word_chars(err, "os", c->os);
	if (r < 0)
		return r;
	r = check_word_chars(err, "variant", c->variant);
	if (r < 0)
		return r;
	r = check_chars(err, "created", c->created, ALNUM ":.+-", WORD_MAX,
			"a time like 2026-01-02T15:04:05Z");
	if (r < 0)
		return r;
	return check_count(err, "history", c->history.n, OCI_KEYS_MAX);
}

/* A member of the archive: relative, and lexically below it. */
static bool member_path_valid(const char *path)
{
	size_t len;

	if (strlen(path) >= PATH_LIMIT || has_control(path))
		return false;
	for (;;) {
		len = strcspn(path, "/");
		if (len == 0 || (len == 1 && path[0] == '.') ||
		    (len == 2 && path[0] == '.' && path[1] == '.'))
			return false;
		if (!path[len])
			return true;
		path += len + 1;
	}
}

int image_check_archive_entry(const void *object, struct err *err)
{
	const struct docker_archive_entry *e = object;
	struct err why = ERR_INIT;
	struct reference ref;
	char member[64];
	size_t i;
	int r;

	if (!member_path_valid(e->config))
		return spec_fail_value(err, "Config", e->config,
				       "the path of a member of the archive");
	r = check_count(err, "Layers", strv_len(e->layers), OCI_LAYERS_MAX);
	if (r < 0)
		return r;
	for (i = 0; e->layers && e->layers[i]; i++) {
		if (member_path_valid(e->layers[i]))
			continue;
		snprintf(member, sizeof(member), "Layers[%zu]", i);
		return spec_fail_value(err, member, e->layers[i],
				       "the path of a member of the archive");
	}
	r = check_count(err, "RepoTags", strv_len(e->repo_tags), OCI_KEYS_MAX);
	for (i = 0; r == 0 && e->repo_tags && e->repo_tags[i]; i++) {
		if (reference_parse(e->repo_tags[i], &ref, &why) < 0) {
			snprintf(member, sizeof(member), "RepoTags[%zu]", i);
			return json_fail(err, member, "%s", why.msg);
		}
		reference_done(&ref);
	}
	return r;
}

int image_check_archive(const void *object, struct err *err)
{
	const struct docker_archive *a = object;

	return check_count(err, "", a->entries.n, OCI_MANIFESTS_MAX);
}
