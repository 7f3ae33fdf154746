/* SPDX-License-Identifier: Apache-2.0 */
/* What of a policy is about an image, and whether a signature is for it. */
#include "base/str.h"
#include "oci/policy.h"

/* ---- scopes ---- */

static const struct policy_transport *transport_find(const struct policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->n; i++)
		if (str_eq(policy->transports[i].name, name))
			return &policy->transports[i];
	return NULL;
}

static const struct policy_scope *scope_find(const struct policy_transport *t, const char *key)
{
	for (size_t i = 0; i < t->n; i++) {
		cleanup_free char *name = reference_registry_key(t->scopes[i].name);

		if (str_eq(name, key))
			return &t->scopes[i];
	}
	return NULL;
}

static const struct policy_scope *scope_find_suffix(const struct policy_transport *t,
						    const char *name, char mark, const char *suffix)
{
	cleanup_free char *text = suffix ? xasprintf("%s%c%s", name, mark, suffix) : NULL;

	return text ? scope_find(t, text) : NULL;
}

/* From the longest to the shortest name that the repository has; name is cut. */
static const struct policy_scope *scope_search(const struct policy_transport *t, char *name)
{
	const struct policy_scope *found = scope_find(t, name);
	char *slash;

	while (!found && (slash = strrchr(name, '/'))) {
		*slash = '\0';
		found = scope_find(t, name);
	}
	if (found)
		return found;
	/* only the host is left; a domain has no port */
	name[strcspn(name, ":")] = '\0';
	for (char *dot = strchr(name, '.'); !found && dot; dot = strchr(dot + 1, '.')) {
		cleanup_free char *domain = xasprintf("*%s", dot);

		found = scope_find(t, domain);
	}
	return found ? found : scope_find(t, "");
}

const struct policy_requirements *policy_find(const struct policy *policy,
					      const struct reference *ref, const char **ret_scope)
{
	const struct policy_transport *t = transport_find(policy, POLICY_REGISTRIES);
	const struct policy_scope *found = NULL;

	if (t) {
		cleanup_free char *given = reference_repository(ref);
		cleanup_free char *name = reference_registry_key(given);

		found = scope_find_suffix(t, name, '@', ref->digest);
		if (!found)
			found = scope_find_suffix(t, name, ':', ref->tag);
		if (!found)
			found = scope_search(t, name);
	}
	if (ret_scope)
		*ret_scope = found ? found->name : "default";
	return found ? &found->requirements : &policy->by_default;
}

const struct policy_requirements *policy_find_name(const struct policy *policy, const char *name,
						   const char **ret_scope)
{
	const struct policy_transport *t = transport_find(policy, POLICY_REGISTRIES);
	cleanup_free char *key = reference_registry_key(name);
	const struct policy_scope *found = t ? scope_search(t, key) : NULL;

	*ret_scope = found ? found->name : "default";
	return found ? &found->requirements : &policy->by_default;
}

const struct policy_requirements *policy_find_transport(const struct policy *policy,
							const char *transport)
{
	const struct policy_transport *t = transport_find(policy, transport);
	const struct policy_scope *found = t ? scope_find(t, "") : NULL;

	return found ? &found->requirements : &policy->by_default;
}

bool policy_has_scopes(const struct policy *policy, const char *transport)
{
	const struct policy_transport *t = transport_find(policy, transport);

	for (size_t i = 0; t && i < t->n; i++)
		if (*t->scopes[i].name)
			return true;
	return false;
}

/* ---- identities ---- */

/* A name in a signature, of which it counts whether it has a tag. */
struct identity {
	char *repository; /* as reference_registry_key() spells it */
	char *whole;      /* with tag and digest; NULL: it has none */
	bool digest;
};

static void identity_done(struct identity *id)
{
	free(id->repository);
	free(id->whole);
}
#define cleanup_identity CLEANUP(identity_done)

static int identity_parse(const char *text, struct identity *ret)
{
	cleanup_reference struct reference ref = { 0 };
	const char *slash = strrchr(text, '/');
	bool bare = !strpbrk(slash ? slash : text, ":@");

	if (reference_parse(text, &ref, NULL) < 0)
		return -EINVAL;
	cleanup_free char *repository = reference_repository(&ref);
	cleanup_free char *whole = reference_format(&ref);
	ret->repository = reference_registry_key(repository);
	ret->whole = bare ? NULL : reference_registry_key(whole);
	ret->digest = ref.digest;
	return 0;
}

/* What the image is called where it was signed: what begins with prefix at a "/", ":" or "@". */
static char *remap(const char *prefix, const char *signed_prefix, const char *name)
{
	cleanup_free char *key = reference_registry_key(prefix);
	const char *rest = str_after(name, key);

	if (!rest || (*rest && !strchr("/:@", *rest)) ||
	    /* a port is no tag */
	    (*rest == ':' && !strchr(key, '/')))
		return xstrdup(name);
	return xasprintf("%s%s", signed_prefix, rest);
}

bool policy_identity_fits(const struct policy_identity *identity, const struct reference *ref,
			  const char *signed_for)
{
	static const struct policy_identity usual = { .match = POLICY_MATCH_REPO_DIGEST_OR_EXACT };
	const struct policy_identity *want = identity ? identity : &usual;
	cleanup_identity struct identity image = { 0 }, theirs = { 0 }, named = { 0 };
	cleanup_free char *given = reference_format(ref);
	cleanup_free char *name = reference_registry_key(given);
	const char *exact = want->reference ? want->reference : want->repository;

	if (want->match == POLICY_REMAP) {
		cleanup_free char *old = name;
		name = remap(want->prefix, want->signed_prefix, old);
	}
	if (identity_parse(name, &image) < 0 || identity_parse(signed_for, &theirs) < 0 ||
	    (exact && identity_parse(exact, &named) < 0))
		return false;
	switch ((enum policy_match)want->match) {
	case POLICY_MATCH_EXACT:
		return theirs.whole && str_eq(theirs.whole, image.whole);
	case POLICY_MATCH_REPOSITORY:
		return str_eq(theirs.repository, image.repository);
	case POLICY_EXACT_REFERENCE:
		return theirs.whole && str_eq(theirs.whole, named.whole);
	case POLICY_EXACT_REPOSITORY:
		return str_eq(theirs.repository, named.repository);
	case POLICY_MATCH_REPO_DIGEST_OR_EXACT:
	case POLICY_REMAP:
		if (image.digest)
			return str_eq(theirs.repository, image.repository);
		return theirs.whole && str_eq(theirs.whole, image.whole);
	}
	return false;
}
