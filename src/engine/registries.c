/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/registries.h"

#include <arpa/inet.h>

#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/auth.h"
#include "engine/config.h"

#define HUB      "docker.io"
#define HUB_HOST "registry-1.docker.io"

extern char **environ;

static void endpoint_done(struct registry_endpoint *e)
{
	free(e->url);
	free(e->repository);
	free(e->tls_dir);
	if (e->auth)
		registry_auth_done(e->auth);
	free(e->auth);
}

void registry_endpoints_done(struct registry_endpoints *endpoints)
{
	for (size_t i = 0; i < endpoints->n; i++)
		endpoint_done(&endpoints->items[i]);
	free(endpoints->items);
	*endpoints = (struct registry_endpoints){ 0 };
}

/* ---- one endpoint ---- */

/* docker takes the registries of this machine as insecure ones. */
static bool is_loopback(const char *host)
{
	cleanup_free char *name = NULL;
	struct in_addr addr;

	if (host[0] == '[')
		return str_starts(host, "[::1]");
	name = xstrndup(host, strcspn(host, ":"));
	if (str_eq(name, "localhost"))
		return true;
	return inet_pton(AF_INET, name, &addr) == 1 && ntohl(addr.s_addr) >> 24 == 127;
}

/* Its directory among the user's and the machine's, or those kept for podman and docker; or NULL.
 */
static char *tls_dir_find(const struct engine *eng, const char *host)
{
	static const char *const names[] = { "inro", "containers", "docker" };
	const char *home = eng->rootless ? getenv("HOME") : NULL;
	bool has_home = home && home[0] == '/';

	for (size_t i = has_home ? 0 : ARRAY_SIZE(names); i < 2 * ARRAY_SIZE(names); i++) {
		const char *name = names[i % ARRAY_SIZE(names)];
		cleanup_free char *dir =
		    i < ARRAY_SIZE(names) ? xasprintf("%s/.config/%s/certs.d/%s", home, name, host)
					  : xasprintf("/etc/%s/certs.d/%s", name, host);

		if (access(dir, F_OK) == 0)
			return take_ptr(dir);
	}
	return NULL;
}

/* Where something is: "host[:port][/path]", by https or as asked for. */
struct place {
	char *host;
	char *path; /* "" for none */
	bool plain; /* http:// was asked for */
};

static void place_done(struct place *p)
{
	free(p->host);
	free(p->path);
}
#define cleanup_place CLEANUP(place_done)

static void place_parse(const char *text, struct place *ret)
{
	const char *rest = str_after(text, "http://");
	size_t n;

	ret->plain = rest;
	if (!rest)
		rest = str_after(text, "https://");
	if (!rest)
		rest = text;
	n = strcspn(rest, "/");
	ret->host = xstrndup(rest, n);
	ret->path = xstrdup(rest[n] ? rest + n + 1 : "");
}

/* Puts what is behind the section's prefix in name behind the place's path. The two may spell the
 * host differently, never the path. */
static void place_extend(struct place *p, const char *prefix, const char *name)
{
	const char *rest = name + strcspn(name, "/");
	char *path;

	rest += strlen(prefix + strcspn(prefix, "/"));
	while (*rest == '/')
		rest++;
	path = xasprintf("%s%s%s", p->path, *p->path && *rest ? "/" : "", rest);
	free(p->path);
	p->path = path;
}

static int fail_blocked(const struct config *config, const struct config_registry *reg,
			const char *name, struct err *err)
{
	cleanup_free char *origin = config_origin(config, reg->name, "blocked");
	int r = err_fail(err, ERR_DENIED, "%s: the registry %s is blocked", name, reg->name);

	return err_hint(err, r, "see %s", origin ? origin : "inro.conf(5)");
}

static int creds_split(const char *creds, struct registry_auth *ret, struct err *err)
{
	const char *colon = strchr(creds, ':');

	if (!colon || colon == creds)
		return err_fail(err, ERR_USAGE, "--creds: expected USER:PASSWORD");
	ret->username = xstrndup(creds, (size_t)(colon - creds));
	ret->password = xstrdup(colon + 1);
	return 0;
}

static int fill_auth(const struct registry_access *access, const char *name,
		     struct registry_endpoint *e, struct err *err)
{
	struct registry_auth auth = { 0 };
	int r;

	if (access->anonymous)
		return 0;
	if (access->creds) {
		r = creds_split(access->creds, &auth, err);
		if (r < 0)
			return r;
	} else {
		r = auth_find(access->authfile, name, &auth, NULL, err);
		if (r <= 0)
			return r;
	}
	e->auth = xmalloc(sizeof(*e->auth));
	*e->auth = auth;
	return 0;
}

/* access: never NULL; of a mirror an empty one but for authfile. */
static int endpoint_add(struct engine *eng, const struct config *config, const struct place *p,
			bool with_repository, const struct registry_access *access,
			struct registry_endpoints *to, struct err *err)
{
	cleanup_free char *name = xasprintf("%s%s%s", p->host, *p->path ? "/" : "", p->path);
	const struct config_registry *reg = config_registry_find(config, name);
	struct registry_endpoint e = { 0 };
	bool set = reg && config_registry_has(config, reg, "insecure");
	int r;

	if (reg && reg->blocked)
		return fail_blocked(config, reg, name, err);
	e.insecure = set ? reg->insecure : is_loopback(p->host) || p->plain;
	if (access->tls_verify.set)
		e.insecure = !access->tls_verify.value;
	e.url = xasprintf("%s://%s", p->plain ? "http" : "https",
			  str_eq(p->host, HUB) ? HUB_HOST : p->host);
	e.repository = with_repository ? xstrdup(p->path) : NULL;
	if (access->cert_dir)
		e.tls_dir = xstrdup(access->cert_dir);
	else
		e.tls_dir =
		    reg && reg->tls_dir ? xstrdup(reg->tls_dir) : tls_dir_find(eng, p->host);
	r = fill_auth(access, name, &e, err);
	if (r < 0) {
		endpoint_done(&e);
		return r;
	}
	to->items = xrealloc(to->items, (to->n + 1) * sizeof(*to->items));
	to->items[to->n++] = e;
	return 0;
}

/* ---- a name ---- */

static int add_mirrors(struct engine *eng, const struct config *config,
		       const struct config_registry *reg, const char *name,
		       const struct registry_access *access, struct registry_endpoints *to,
		       struct err *err)
{
	const struct registry_access theirs = { .authfile = access->authfile,
						.anonymous = access->anonymous };

	for (size_t i = 0; reg->mirrors && reg->mirrors[i]; i++) {
		cleanup_place struct place p = { 0 };
		int r;

		place_parse(reg->mirrors[i], &p);
		place_extend(&p, reg->name, name);
		r = endpoint_add(eng, config, &p, true, &theirs, to, err);
		if (r < 0)
			return err_wrap(err, r, "mirror %s", reg->mirrors[i]);
	}
	return 0;
}

static int resolve(struct engine *eng, const char *name, bool push, bool with_repository,
		   const struct registry_access *access, struct registry_endpoints *to,
		   struct err *err)
{
	static const struct registry_access none = { 0 };
	const struct config_registry *reg;
	cleanup_place struct place p = { 0 };
	const struct config *config;
	int r;

	r = config_get(eng, &config, err);
	if (r < 0)
		return r;
	access = access ? access : &none;
	reg = config_registry_find(config, name);
	if (reg && reg->blocked)
		return fail_blocked(config, reg, name, err);
	if (reg && !push) {
		r = add_mirrors(eng, config, reg, name, access, to, err);
		if (r < 0)
			return r;
	}
	place_parse(reg && reg->location ? reg->location : name, &p);
	if (reg && reg->location)
		place_extend(&p, reg->name, name);
	return endpoint_add(eng, config, &p, with_repository, access, to, err);
}

int registries_resolve(struct engine *eng, const struct reference *ref, bool push,
		       const struct registry_access *access, struct registry_endpoints *ret,
		       struct err *err)
{
	cleanup_free char *name = reference_repository(ref);
	struct registry_endpoints endpoints = { 0 };
	int r = resolve(eng, name, push, true, access, &endpoints, err);

	if (r < 0)
		registry_endpoints_done(&endpoints);
	else
		*ret = endpoints;
	return r;
}

int registries_registry(struct engine *eng, const char *registry,
			const struct registry_access *access, struct registry_endpoints *ret,
			struct err *err)
{
	struct registry_endpoints endpoints = { 0 };
	/* push: what a mirror has is not what was asked for */
	int r = resolve(eng, registry, true, false, access, &endpoints, err);

	if (r < 0)
		registry_endpoints_done(&endpoints);
	else
		*ret = endpoints;
	return r;
}

/* ---- short names ---- */

static int add_candidate(char ***list, const char *text, struct err *err)
{
	cleanup_free char *full = NULL;
	int r = reference_normalize(text, &full, err);

	if (r == 0 && !strv_has(*list, full))
		strv_take(list, take_ptr(full));
	return r;
}

/* The alias's reference, in which the word's own tag and digest stand in place of the alias's. */
static int add_alias(char ***list, const char *alias, const char *suffix, struct err *err)
{
	cleanup_reference struct reference ref = { 0 };
	cleanup_free char *repository = NULL;
	cleanup_free char *text = NULL;
	int r;

	if (!*suffix)
		return add_candidate(list, alias, err);
	r = reference_parse(alias, &ref, err);
	if (r < 0)
		return r;
	repository = reference_repository(&ref);
	text = xasprintf("%s%s", repository, suffix);
	return add_candidate(list, text, err);
}

/* Where ":tag" or "@digest" begins in a word whose first component is no registry. */
static const char *suffix_of(const char *word)
{
	const char *at = strchr(word, '@'), *slash = strrchr(word, '/');
	const char *colon = strchr(slash ? slash : word, ':');

	if (colon && (!at || colon < at))
		return colon;
	return at ? at : word + strlen(word);
}

int registries_candidates(struct engine *eng, const char *word, char ***ret, struct err *err)
{
	cleanup_reference struct reference ref = { 0 };
	cleanup_strv char **list = NULL;
	const struct config *config;
	int r;

	r = reference_parse(word, &ref, err);
	if (r < 0)
		return r;
	if (reference_has_domain(word)) {
		r = add_candidate(&list, word, err);
	} else {
		const char *suffix = suffix_of(word), *alias;
		cleanup_free char *name = xstrndup(word, (size_t)(suffix - word));

		r = config_get(eng, &config, err);
		if (r < 0)
			return r;
		alias = json_map_get(&config->image.aliases, name);
		if (alias)
			r = add_alias(&list, alias, suffix, err);
		for (size_t i = 0;
		     !alias && r == 0 && config->image.short_names && config->image.short_names[i];
		     i++) {
			cleanup_free char *text =
			    xasprintf("%s/%s", config->image.short_names[i], word);
			r = add_candidate(&list, text, err);
		}
	}
	if (r < 0)
		return r;
	if (!list)
		return err_hint(err,
				err_fail(err, ERR_INVALID,
					 "%s names no registry, and image.short_names is empty",
					 word),
				"name one: docker.io/%s", ref.path);
	*ret = take_ptr(list);
	return 0;
}

char *registries_choose(struct engine *eng, const char *word, char *const *names)
{
	cleanup_strv char **words = NULL;
	cleanup_free char *name = NULL;

	/* What is here is looked for like that before the settings are asked. */
	if (reference_normalize(word, &name, NULL) == 0 && strv_has(names, name))
		return take_ptr(name);
	if (registries_candidates(eng, word, &words, NULL) < 0)
		return NULL;
	for (size_t i = 0; words && words[i]; i++)
		if (strv_has(names, words[i]))
			return xstrdup(words[i]);
	return NULL;
}

/* ---- inro-registry ---- */

/* What the environment has goes before the settings: it is nearer to the user. */
static void proxy_env(char ***env, const char *name, const char *value)
{
	static const char lower[] = "abcdefghijklmnopqrstuvwxyz";
	char upper[32];
	size_t i;

	for (i = 0; name[i] && i + 1 < sizeof(upper); i++)
		upper[i] = strchr(lower, name[i]) ? (char)(name[i] - 'a' + 'A') : name[i];
	upper[i] = '\0';
	if (!value || strv_env_get(*env, name) || strv_env_get(*env, upper))
		return;
	strv_addf(env, "%s=%s", name, value);
}

static void warn(void *data, const char *text)
{
	log_warn("%s", text);
}

int registries_start(struct engine *eng, struct registry_conn *ret, struct err *err)
{
	struct registry_options options = REGISTRY_OPTIONS_INIT;
	cleanup_strv char **env = strv_copy(environ);
	const struct config *config;
	int r = config_get(eng, &config, err);

	if (r < 0)
		return r;
	proxy_env(&env, "http_proxy", config->transfer.http_proxy);
	proxy_env(&env, "https_proxy", config->transfer.https_proxy);
	proxy_env(&env, "no_proxy", config->transfer.no_proxy);
	options.env = env;
	options.retries = (int)config->transfer.retries;
	options.timeout_s = (int)config->transfer.timeout_s;
	options.retry_delay_ms = (int)config->transfer.retry_delay_ms;
	options.debug = eng->debug;
	r = registry_start(&options, ret, err);
	ret->notice = warn;
	return r;
}
