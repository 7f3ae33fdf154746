/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/transport.h"

#include "base/str.h"

static const struct {
	const char *prefix;
	enum transport kind;
	bool is_name, has_ref;
} transports[] = {
	{ "docker://", TRANSPORT_DOCKER, true, false },
	{ "inro:", TRANSPORT_STORE, true, false },
	{ "oci:", TRANSPORT_OCI, false, true },
	{ "oci-archive:", TRANSPORT_OCI_ARCHIVE, false, true },
	{ "docker-archive:", TRANSPORT_DOCKER_ARCHIVE, false, true },
	{ "dir:", TRANSPORT_DIR, false, false },
};

static const struct {
	const char *prefix, *hint;
} others[] = {
	{ "containers-storage:", "podman's store: `podman save` it to an oci-archive first" },
	{ "docker-daemon:", "docker's store: `docker save` it to a docker-archive first" },
	{ "ostree:", NULL },
	{ "sif:", NULL },
	{ "tarball:", "a root filesystem is read by `inro import`" },
};

static int other_transport(const char *word, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		if (!str_starts(word, others[i].prefix))
			continue;
		int r = err_fail(err, ERR_UNSUPPORTED, "transport %s is not supported",
				 others[i].prefix);
		return others[i].hint ? err_hint(err, r, "%s", others[i].hint) : r;
	}
	return 0;
}

int transport_parse(const char *word, struct transport_name *ret, struct err *err)
{
	struct transport_name name = { .kind = TRANSPORT_STORE };
	size_t i = 0;

	int r = other_transport(word, err);
	if (r < 0)
		return r;
	while (i < ARRAY_SIZE(transports) && !str_starts(word, transports[i].prefix))
		i++;
	const char *rest =
	    i < ARRAY_SIZE(transports) ? str_after(word, transports[i].prefix) : word;
	if (!*rest)
		return err_fail(err, ERR_USAGE, "%s",
				*word ? "there is nothing behind the colon" : "an empty name");
	if (i < ARRAY_SIZE(transports))
		name.kind = transports[i].kind;
	if (i == ARRAY_SIZE(transports) || transports[i].is_name) {
		name.name = xstrdup(rest);
		*ret = name;
		return 0;
	}
	/* As containers/image does it: a path can't have a colon. */
	const char *colon = transports[i].has_ref ? strchr(rest, ':') : NULL;
	if (colon == rest)
		return err_fail(err, ERR_USAGE, "%s names no path", word);
	name.path = colon ? xstrndup(rest, (size_t)(colon - rest)) : xstrdup(rest);
	if (colon && colon[1])
		name.ref = xstrdup(colon + 1);
	*ret = name;
	return 0;
}

char *transport_format(const struct transport_name *name)
{
	const char *prefix = "";

	for (size_t i = 0; i < ARRAY_SIZE(transports); i++)
		if (transports[i].kind == name->kind && name->kind != TRANSPORT_STORE)
			prefix = transports[i].prefix;
	if (name->name)
		return xasprintf("%s%s", prefix, name->name);
	return xasprintf("%s%s%s%s", prefix, name->path, name->ref ? ":" : "",
			 name->ref ? name->ref : "");
}

void transport_name_done(struct transport_name *name)
{
	free(name->name);
	free(name->path);
	free(name->ref);
	*name = (struct transport_name){ 0 };
}
