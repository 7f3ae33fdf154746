/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/login.h"

#include "base/str.h"

#define HUB "docker.io"

int login_name(const char *text, char **ret, struct err *err)
{
	static const char *const hubs[] = { "index.docker.io", "registry-1.docker.io",
					    "index.docker.io/v1", "registry.hub.docker.com",
					    "hub.docker.com" };
	cleanup_reference struct reference ref = { 0 };
	cleanup_free char *name = NULL;
	cleanup_free char *probe = NULL;
	const char *rest;
	size_t n;

	if (!text) {
		*ret = xstrdup(HUB);
		return 0;
	}
	rest = str_after(text, "https://");
	if (!rest)
		rest = str_after(text, "http://");
	name = xstrdup(rest ? rest : text);
	for (n = strlen(name); n > 0 && name[n - 1] == '/'; n--)
		name[n - 1] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(hubs); i++) {
		if (str_eq(name, hubs[i])) {
			free(name);
			name = xstrdup(HUB);
		}
	}
	probe = xasprintf("%s/any/path", name);
	if (!reference_has_domain(probe) || reference_parse(probe, &ref, NULL) < 0)
		return err_fail(err, ERR_USAGE,
				"expected a registry like host.example:5000, got \"%s\"", text);
	*ret = take_ptr(name);
	return 0;
}

static int ping(struct engine *eng, const struct registry_endpoints *endpoints, struct err *err)
{
	cleanup_registry struct registry_conn conn = REGISTRY_CONN_INIT;
	struct registry_request req = { .op = REGISTRY_PING };
	int r;

	req.endpoints.items = endpoints->items;
	req.endpoints.n = endpoints->n;
	r = registries_start(eng, &conn, err);
	return r < 0 ? r : registry_call(&conn, &req, -1, NULL, err);
}

int login_check(struct engine *eng, const char *name, const struct registry_access *access,
		const struct registry_auth *auth, struct err *err)
{
	/* no file is asked for credentials, there are these */
	const struct registry_access ours = { .authfile = "/dev/null",
					      .cert_dir = access->cert_dir,
					      .tls_verify = access->tls_verify };
	cleanup_endpoints struct registry_endpoints endpoints = { 0 };
	struct registry_auth copy = *auth;
	int r;

	r = registries_registry(eng, name, &ours, &endpoints, err);
	if (r < 0)
		return r;
	endpoints.items[0].auth = &copy;
	r = ping(eng, &endpoints, err);
	endpoints.items[0].auth = NULL;
	return r;
}

int login(struct engine *eng, const char *name, const struct registry_access *access,
	  const struct registry_auth *auth, bool docker, char **ret_path, struct err *err)
{
	int r = login_check(eng, name, access, auth, err);

	if (r == 0)
		r = auth_store(access->authfile, name, auth, docker, ret_path, err);
	return r < 0 ? err_wrap(err, r, "logging in to %s", name) : 0;
}

int logout(const char *authfile, const char *name, struct err *err)
{
	struct registry_auth auth = { 0 };
	cleanup_free char *where = NULL;
	int r = auth_remove(authfile, name, err);

	if (r != 0)
		return r < 0 ? err_wrap(err, r, "logging out of %s", name) : 0;
	r = auth_find(authfile, name, &auth, &where, err);
	registry_auth_done(&auth);
	if (r < 0)
		return r;
	r = err_fail(err, ERR_NOT_FOUND, "not logged in to %s", name);
	if (!where)
		return r;
	return err_hint(err, r, "%s has credentials for it; log out there, or with --authfile %s",
			where, where);
}
