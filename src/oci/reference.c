/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>

#include "base/str.h"
#include "oci/digest.h"
#include "oci/reference.h"

#define DEFAULT_DOMAIN "docker.io"
#define LEGACY_DOMAIN  "index.docker.io"
#define OFFICIAL_REPO  "library/"
#define DEFAULT_TAG    "latest"
#define TAG_MAX        128
#define TEXT_MAX       (REFERENCE_NAME_MAX + 1 + TAG_MAX + 1 + DIGEST_TEXT_MAX)

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static bool in(const char *set, char c)
{
	return c && strchr(set, c);
}

bool reference_tag_valid(const char *tag)
{
	size_t len = strlen(tag);

	return len > 0 && len <= TAG_MAX && in(LOWER UPPER DIGITS "_", tag[0]) &&
	       strspn(tag, LOWER UPPER DIGITS "_.-") == len;
}

/* One component of a host name: letters, digits and inner hyphens. */
static bool host_label_valid(const char *s, size_t len)
{
	size_t i;

	if (len == 0 || s[0] == '-' || s[len - 1] == '-')
		return false;
	for (i = 0; i < len; i++)
		if (!in(LOWER UPPER DIGITS "-", s[i]))
			return false;
	return true;
}

static bool port_valid(const char *s)
{
	size_t len = strlen(s);

	return len > 0 && len <= 5 && strspn(s, DIGITS) == len && strtoul(s, NULL, 10) <= 65535;
}

static bool domain_valid(const char *domain)
{
	const char *p = domain;
	size_t len;

	if (*p == '[') {
		len = strspn(p + 1, DIGITS "abcdefABCDEF:");
		if (len == 0 || p[len + 1] != ']')
			return false;
		p += len + 2;
	} else {
		for (;;) {
			len = strcspn(p, ".:");
			if (!host_label_valid(p, len))
				return false;
			p += len;
			if (*p != '.')
				break;
			p++;
		}
	}
	return !*p || (*p == ':' && port_valid(p + 1));
}

/* Runs of [a-z0-9] with ".", "_", "__" or hyphens between them, as distribution's grammar has it.
 */
static bool path_component_valid(const char *s, size_t len)
{
	size_t i = 0, run;

	for (;;) {
		for (run = 0; i < len && in(LOWER DIGITS, s[i]); i++)
			run++;
		if (run == 0)
			return false;
		if (i == len)
			return true;
		if (s[i] == '-') {
			while (i < len && s[i] == '-')
				i++;
		} else if (s[i] == '_') {
			i += i + 1 < len && s[i + 1] == '_' ? 2 : 1;
		} else if (s[i] == '.') {
			i++;
		} else {
			return false;
		}
	}
}

static bool path_valid(const char *path)
{
	size_t len;

	for (;;) {
		len = strcspn(path, "/");
		if (!path_component_valid(path, len))
			return false;
		if (!path[len])
			return true;
		path += len + 1;
	}
}

/* Is the part before the first slash a registry, or the first component of a path on the default
 * one? A dot, a colon, "localhost" or an upper-case letter make it a registry. */
static bool looks_like_domain(const char *s, size_t len)
{
	size_t i;

	if (len == strlen("localhost") && memcmp(s, "localhost", len) == 0)
		return true;
	for (i = 0; i < len; i++)
		if (s[i] == '.' || s[i] == ':' || in(UPPER, s[i]))
			return true;
	return false;
}

bool reference_has_domain(const char *text)
{
	const char *slash = strchr(text, '/');

	return slash && looks_like_domain(text, (size_t)(slash - text));
}

static void split_name(const char *name, char **ret_domain, char **ret_path)
{
	const char *slash = strchr(name, '/');
	const char *rest = name;

	if (slash && looks_like_domain(name, (size_t)(slash - name))) {
		*ret_domain = xstrndup(name, (size_t)(slash - name));
		rest = slash + 1;
	} else {
		*ret_domain = xstrdup(DEFAULT_DOMAIN);
	}
	if (strcmp(*ret_domain, LEGACY_DOMAIN) == 0) {
		free(*ret_domain);
		*ret_domain = xstrdup(DEFAULT_DOMAIN);
	}
	if (strcmp(*ret_domain, DEFAULT_DOMAIN) == 0 && !strchr(rest, '/'))
		*ret_path = xasprintf(OFFICIAL_REPO "%s", rest);
	else
		*ret_path = xstrdup(rest);
}

static bool is_bare_id(const char *text)
{
	return strlen(text) == 64 && strspn(text, DIGITS "abcdef") == 64;
}

static int fail(struct err *err, const char *text, const char *why)
{
	cleanup_free char *shown = str_escape(text);

	return err_fail(err, ERR_INVALID, "invalid image reference \"%.200s\": %s", shown, why);
}

/* Takes "@digest" and ":tag" off name, a writable copy of text. */
static int split_suffixes(char *name, const char *text, struct reference *ref, struct err *err)
{
	char *at = strchr(name, '@'), *slash, *colon;

	if (at) {
		*at = '\0';
		if (!digest_valid(at + 1))
			return fail(err, text,
				    "expected a digest like sha256:<64 lower-case hex digits>");
		ref->digest = xstrdup(at + 1);
	}
	slash = strrchr(name, '/');
	colon = strrchr(slash ? slash : name, ':');
	if (colon) {
		*colon = '\0';
		if (!reference_tag_valid(colon + 1))
			return fail(err, text,
				    "expected a tag of at most 128 letters, digits, \"_\", \".\", "
				    "\"-\"");
		ref->tag = xstrdup(colon + 1);
	}
	return 0;
}

static int check_name(const struct reference *ref, const char *text, struct err *err)
{
	const char *p;

	if (!domain_valid(ref->domain))
		return fail(err, text, "expected a registry like host.example:5000");
	if (!path_valid(ref->path)) {
		for (p = ref->path; *p; p++)
			if (in(UPPER, *p))
				return fail(err, text, "the repository name must be lower case");
		return fail(err, text, "expected a repository name like name or name/name");
	}
	if (strlen(ref->domain) + 1 + strlen(ref->path) > REFERENCE_NAME_MAX)
		return fail(err, text, "the name is longer than 255 characters");
	return 0;
}

int reference_parse(const char *text, struct reference *ret, struct err *err)
{
	cleanup_reference struct reference ref = { NULL };
	cleanup_free char *name = NULL;
	int r;

	if (!*text)
		return fail(err, text, "it is empty");
	if (strlen(text) > TEXT_MAX)
		return fail(err, text, "it is too long");
	if (is_bare_id(text))
		return fail(err, text, "64 hex digits are an image's id, not a name");
	name = xstrdup(text);
	r = split_suffixes(name, text, &ref, err);
	if (r < 0)
		return r;
	split_name(name, &ref.domain, &ref.path);
	r = check_name(&ref, text, err);
	if (r < 0)
		return r;
	if (!ref.tag && !ref.digest)
		ref.tag = xstrdup(DEFAULT_TAG);
	*ret = ref;
	ref = (struct reference){ NULL };
	return 0;
}

void reference_done(struct reference *ref)
{
	free(ref->domain);
	free(ref->path);
	free(ref->tag);
	free(ref->digest);
	*ref = (struct reference){ NULL };
}

char *reference_repository(const struct reference *ref)
{
	return xasprintf("%s/%s", ref->domain, ref->path);
}

char *reference_familiar_repository(const struct reference *ref)
{
	const char *path = ref->path, *official, *slash;

	if (strcmp(ref->domain, DEFAULT_DOMAIN) != 0)
		return reference_repository(ref);
	official = str_after(path, OFFICIAL_REPO);
	if (official && !strchr(official, '/'))
		path = official;
	/* What would be read back as something else keeps its full form. */
	slash = strchr(path, '/');
	if ((slash && looks_like_domain(path, (size_t)(slash - path))) || is_bare_id(path))
		return reference_repository(ref);
	return xstrdup(path);
}

static char *with_suffixes(const char *name, const struct reference *ref)
{
	return xasprintf("%s%s%s%s%s", name, ref->tag ? ":" : "", ref->tag ? ref->tag : "",
			 ref->digest ? "@" : "", ref->digest ? ref->digest : "");
}

char *reference_format(const struct reference *ref)
{
	cleanup_free char *name = reference_repository(ref);

	return with_suffixes(name, ref);
}

char *reference_familiar(const struct reference *ref)
{
	cleanup_free char *name = reference_familiar_repository(ref);

	return with_suffixes(name, ref);
}

int reference_normalize(const char *text, char **ret, struct err *err)
{
	cleanup_reference struct reference ref = { NULL };
	int r = reference_parse(text, &ref, err);

	if (r < 0)
		return r;
	*ret = reference_format(&ref);
	return 0;
}

/* ---- one spelling of registries ---- */

/* Of an address in the way that connecting would read it; or NULL: it is a name. */
static char *address_key(const char *host)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr v6;
	struct in_addr v4;
	size_t len = strlen(host);

	if (host[0] == '[' && host[len - 1] == ']') {
		cleanup_free char *inner = xstrndup(host + 1, len - 2);
		if (inet_pton(AF_INET6, inner, &v6) != 1)
			return NULL;
		if (!IN6_IS_ADDR_V4MAPPED(&v6)) {
			inet_ntop(AF_INET6, &v6, text, sizeof(text));
			return xasprintf("[%s]", text);
		}
		memcpy(&v4, v6.s6_addr + 12, sizeof(v4));
	} else if (strcspn(host, " \t\n\v\f\r") < len || inet_aton(host, &v4) != 1) {
		return NULL; /* inet_aton() reads up to a space */
	}
	inet_ntop(AF_INET, &v4, text, sizeof(text));
	return xstrdup(text);
}

static char *host_key(char *host)
{
	static const char *const hubs[] = { LEGACY_DOMAIN, "registry-1.docker.io",
					    "registry.hub.docker.com", "hub.docker.com" };
	char *address;

	for (char *c = host; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	for (size_t i = 0; i < ARRAY_SIZE(hubs); i++)
		if (str_eq(host, hubs[i]))
			return xstrdup(DEFAULT_DOMAIN);
	address = address_key(host);
	return address ? address : xstrdup(host);
}

char *reference_registry_key(const char *name)
{
	size_t n = strcspn(name, "/");
	cleanup_free char *domain = xstrndup(name, n);
	char *bracket = strchr(domain, ']');
	char *colon = strchr(bracket ? bracket : domain, ':');
	unsigned long port = 443;
	cleanup_free char *host = NULL;

	if (colon && port_valid(colon + 1)) {
		port = strtoul(colon + 1, NULL, 10);
		*colon = '\0';
	}
	host = host_key(domain);
	if (port == 443)
		return xasprintf("%s%s", host, name + n);
	return xasprintf("%s:%lu%s", host, port, name + n);
}
