/* SPDX-License-Identifier: Apache-2.0 */
/* Parsing config.json: rules of the document as a whole (runtime-spec config.md), clean-up. */
#include <inttypes.h>

#include "base/str.h"
#include "base/strv.h"
#include "oci/spec_internal.h"

#define UTS_NAME_MAX 64 /* __NEW_UTS_LEN */

int spec_check_id_map(const void *object, struct err *err)
{
	const struct spec_id_map *map = object;

	if (map->size == 0)
		return json_fail(err, "size", "expected at least 1, got 0");
	/* The last id may be 4294967294: the one above is (uid_t)-1. */
	if ((uint64_t)map->container_id + map->size > UINT32_MAX)
		return json_fail(err, "size",
				 "expected a range that ends below 4294967295, got %u "
				 "ids from containerID %u",
				 map->size, map->container_id);
	if ((uint64_t)map->host_id + map->size > UINT32_MAX)
		return json_fail(err, "size",
				 "expected a range that ends below 4294967295, got %u "
				 "ids from hostID %u",
				 map->size, map->host_id);
	return 0;
}

int spec_check_root(const void *object, struct err *err)
{
	const struct spec_root *root = object;

	if (!*root->path)
		return json_fail(err, "path", "expected the path of the root filesystem");
	return 0;
}

int spec_check_mount(const void *object, struct err *err)
{
	const struct spec_mount *m = object;
	bool bind = strv_has(m->options, "bind") || strv_has(m->options, "rbind");
	int r;

	/* A remount changes what is there. */
	if (bind && !strv_has(m->options, "remount") && !(m->source && *m->source))
		return json_fail(err, "source", "expected a path to bind");
	if (!!m->uid_mappings.n != !!m->gid_mappings.n)
		return json_fail(err, m->uid_mappings.n ? "gidMappings" : "uidMappings",
				 "expected both uidMappings and gidMappings");
	r = spec_check_id_maps(err, "uidMappings", &m->uid_mappings);
	if (r < 0)
		return r;
	return spec_check_id_maps(err, "gidMappings", &m->gid_mappings);
}

int spec_check_hook(const void *object, struct err *err)
{
	const struct spec_hook *hook = object;
	int r;

	r = spec_check_absolute(err, "path", hook->path);
	if (r < 0)
		return r;
	if (hook->timeout.set && hook->timeout.value <= 0)
		return json_fail(err, "timeout", "expected at least 1 second, got %d",
				 hook->timeout.value);
	return spec_check_env(err, "env", hook->env);
}

/* "1.2.3", "1.0.2-dev", "1.2.0+dev": semantic versioning, of which the major number must be 1. */
static bool version_valid(const char *v)
{
	size_t digits;
	int i;

	if (!str_starts(v, "1."))
		return false;
	for (i = 0; i < 3; i++) {
		digits = strspn(v, "0123456789");
		if (digits == 0 || digits > 9 || (digits > 1 && *v == '0'))
			return false;
		v += digits;
		if (i < 2 && *v++ != '.')
			return false;
	}
	if (!*v)
		return true;
	return (*v == '-' || *v == '+') && v[1] &&
	       strspn(v + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.+-") ==
		   strlen(v + 1);
}

static int check_uts_name(const struct spec *spec, const char *member, const char *name,
			  struct err *err)
{
	if (!name || !*name)
		return 0;
	if (!spec_namespace_find(spec, NS_UTS))
		return json_fail(err, member,
				 "expected a uts namespace in linux.namespaces beside it");
	if (strlen(name) > UTS_NAME_MAX)
		return json_fail(err, member, "expected at most %d bytes, got %zu", UTS_NAME_MAX,
				 strlen(name));
	return 0;
}

/* An id-mapped mount needs mappings of its own or those of the container's user namespace. */
static int check_idmapped(const struct spec *spec, struct err *err)
{
	bool have_user = spec_namespace_find(spec, NS_USER) != NULL;
	const struct spec_mount *m;
	char member[64];
	size_t i;

	for (i = 0; i < spec->mounts.n; i++) {
		m = &spec->mounts.items[i];
		if (have_user || m->uid_mappings.n ||
		    (!strv_has(m->options, "idmap") && !strv_has(m->options, "ridmap")))
			continue;
		snprintf(member, sizeof(member), "mounts[%zu].options", i);
		return json_fail(err, member,
				 "expected uidMappings and gidMappings or a user "
				 "namespace for an id-mapped mount");
	}
	return 0;
}

int spec_check_spec(const void *object, struct err *err)
{
	const struct spec *spec = object;
	size_t i;
	int r;

	if (!version_valid(spec->oci_version))
		return spec_fail_value(err, "ociVersion", spec->oci_version, "a version 1.x.y");
	r = check_uts_name(spec, "hostname", spec->hostname, err);
	if (r < 0)
		return r;
	r = check_uts_name(spec, "domainname", spec->domainname, err);
	if (r < 0)
		return r;
	for (i = 0; i < spec->annotations.n; i++)
		if (!*spec->annotations.items[i].key)
			return json_fail(err, "annotations", "expected names that are not empty");
	return check_idmapped(spec, err);
}

const struct spec_namespace *spec_namespace_find(const struct spec *spec, enum spec_ns type)
{
	size_t i;

	for (i = 0; spec->linux_ && i < spec->linux_->namespaces.n; i++)
		if (spec->linux_->namespaces.items[i].type == (int)type)
			return &spec->linux_->namespaces.items[i];
	return NULL;
}

/* One form for what may be written in several: relative destinations count from "/", an empty
 * namespace path is none, the mode of a device has permission bits alone. */
static void spec_tidy(struct spec *spec)
{
	struct spec_namespace *ns;
	struct spec_device *dev;
	struct spec_mount *m;
	char *absolute;
	size_t i;

	for (i = 0; i < spec->mounts.n; i++) {
		m = &spec->mounts.items[i];
		if (m->destination[0] == '/')
			continue;
		absolute = xasprintf("/%s", m->destination);
		free(m->destination);
		m->destination = absolute;
	}
	for (i = 0; spec->linux_ && i < spec->linux_->namespaces.n; i++) {
		ns = &spec->linux_->namespaces.items[i];
		if (ns->path && !*ns->path) {
			free(ns->path);
			ns->path = NULL;
		}
	}
	for (i = 0; spec->linux_ && i < spec->linux_->devices.n; i++) {
		dev = &spec->linux_->devices.items[i];
		dev->file_mode.value &= 07777;
	}
}

int spec_parse(const char *text, size_t len, struct spec *ret, struct err *err)
{
	struct spec spec = { 0 };
	int r;

	if (len > SPEC_BYTES_MAX) {
		err_fail(err, ERR_LIMIT, "config.json: expected at most %u bytes, got %zu",
			 SPEC_BYTES_MAX, len);
		return -EFBIG;
	}
	r = json_parse(&spec_desc, &spec, text, len, "config.json", err);
	if (r < 0)
		return r;
	spec_tidy(&spec);
	*ret = spec;
	return 0;
}

void spec_free(struct spec *spec)
{
	json_free(&spec_desc, spec);
}

/* A component of a sysctl's path; '.' inside one is what a '/' in the dotted form stands for. */
static bool sysctl_component_valid(const char *s, size_t len)
{
	if (len == 0 || (len == 1 && s[0] == '.') || (len == 2 && s[0] == '.' && s[1] == '.'))
		return false;
	return true;
}

char *spec_sysctl_path(const char *key)
{
	static const char ok[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@*+";
	size_t first = strcspn(key, "./"), len = strlen(key), i;
	bool dotted = key[first] == '.';
	cleanup_free char *path = xstrdup(key);
	char *start, *p;

	if (len == 0 || strspn(key, ok) != len)
		return NULL;
	for (i = 0; dotted && i < len; i++)
		path[i] = (char)(key[i] == '.' ? '/' : key[i] == '/' ? '.' : key[i]);
	for (start = path; start; start = p ? p + 1 : NULL) {
		p = strchr(start, '/');
		if (!sysctl_component_valid(start, p ? (size_t)(p - start) : strlen(start)))
			return NULL;
	}
	return take_ptr(path);
}
