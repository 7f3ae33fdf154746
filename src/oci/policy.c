/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/policy.h"

#include "base/str.h"
#include "base/strv.h"

/* ---- tables ---- */

const char *const policy_type_names[] = {
	[POLICY_ACCEPT] = "insecureAcceptAnything",
	[POLICY_REJECT] = "reject",
	[POLICY_SIGNED_BY] = "signedBy",
	[POLICY_SIGSTORE] = "sigstoreSigned",
	NULL,
};
static const char *const match_names[] = {
	[POLICY_MATCH_EXACT] = "matchExact",
	[POLICY_MATCH_REPO_DIGEST_OR_EXACT] = "matchRepoDigestOrExact",
	[POLICY_MATCH_REPOSITORY] = "matchRepository",
	[POLICY_EXACT_REFERENCE] = "exactReference",
	[POLICY_EXACT_REPOSITORY] = "exactRepository",
	[POLICY_REMAP] = "remapIdentity",
	NULL,
};

/* A name with a tag or a digest? Parsing adds a tag where there is none. */
static bool is_whole(const char *text)
{
	const char *slash = strrchr(text, '/');

	return strpbrk(slash ? slash : text, ":@") != NULL;
}

static int check_identity(const void *object, struct err *err)
{
	const struct policy_identity *id = object;
	const struct {
		const char *name, *value;
		int match;
	} members[] = {
		{ "dockerReference", id->reference, POLICY_EXACT_REFERENCE },
		{ "dockerRepository", id->repository, POLICY_EXACT_REPOSITORY },
		{ "prefix", id->prefix, POLICY_REMAP },
		{ "signedPrefix", id->signed_prefix, POLICY_REMAP },
	};
	cleanup_reference struct reference ref = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		if (members[i].value && members[i].match != id->match)
			return json_fail(err, members[i].name, "not for type %s",
					 match_names[id->match]);
		if (!members[i].value && members[i].match == id->match)
			return json_fail(err, members[i].name, "missing, expected a string");
	}
	if (id->reference &&
	    (!is_whole(id->reference) || reference_parse(id->reference, &ref, NULL)))
		return json_fail(err, "dockerReference",
				 "expected a whole name with a tag or a digest");
	if (id->repository &&
	    (is_whole(id->repository) || reference_parse(id->repository, &ref, NULL)))
		return json_fail(err, "dockerRepository", "expected a name without a tag");
	return 0;
}

static const struct json_field identity_fields[] = {
	JSON_FIELD(struct policy_identity, match, "type", JSON_ENUM, .names = match_names,
		   .flags = JSON_REQUIRED),
	JSON_FIELD(struct policy_identity, reference, "dockerReference", JSON_STR),
	JSON_FIELD(struct policy_identity, repository, "dockerRepository", JSON_STR),
	JSON_FIELD(struct policy_identity, prefix, "prefix", JSON_STR, .flags = JSON_NOT_EMPTY),
	JSON_FIELD(struct policy_identity, signed_prefix, "signedPrefix", JSON_STR,
		   .flags = JSON_NOT_EMPTY),
};
static const struct json_desc identity_desc =
    JSON_DESC(struct policy_identity, identity_fields, .check = check_identity, .closed = true);

/* Which members a type may have: anything else would be a condition that nobody checks. */
static int check_requirement(const void *object, struct err *err)
{
	const struct policy_requirement *q = object;
	const unsigned int gpg = 1u << POLICY_SIGNED_BY, sigstore = 1u << POLICY_SIGSTORE;
	const struct {
		const char *name;
		const void *value;
		unsigned int types;
		bool source; /* of keys */
	} members[] = {
		{ "keyType", q->key_type, gpg, false },
		{ "keyPath", q->key_path, gpg | sigstore, true },
		{ "keyPaths", q->key_paths, gpg | sigstore, true },
		{ "keyData", q->key_data, gpg | sigstore, true },
		{ "keyDatas", q->key_datas, sigstore, true },
		{ "fulcio", q->fulcio, sigstore, true },
		{ "pki", q->pki, sigstore, true },
		{ "rekorPublicKeyPath", q->rekor_path, sigstore, false },
		{ "rekorPublicKeyPaths", q->rekor_paths, sigstore, false },
		{ "rekorPublicKeyData", q->rekor_data, sigstore, false },
		{ "rekorPublicKeyDatas", q->rekor_datas, sigstore, false },
		{ "signedIdentity", q->identity, gpg | sigstore, false },
	};
	size_t sources = 0;

	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		if (members[i].value && !(members[i].types & 1u << q->type))
			return json_fail(err, members[i].name, "not for type %s",
					 policy_type_names[q->type]);
		sources += members[i].value && members[i].source;
	}
	if (q->type != POLICY_SIGNED_BY && q->type != POLICY_SIGSTORE)
		return 0;
	if (sources != 1)
		return json_fail(err, "", "expected one of keyPath, keyPaths, keyData%s",
				 q->type == POLICY_SIGSTORE ? ", keyDatas, fulcio, pki" : "");
	return 0;
}

#define TEXT(member, key)                                                                          \
	JSON_FIELD(struct policy_requirement, member, key, JSON_STR, .flags = JSON_NOT_EMPTY)
#define TEXTS(member, key)                                                                         \
	JSON_FIELD(struct policy_requirement, member, key, JSON_STRV, .flags = JSON_NOT_EMPTY)

static const struct json_field requirement_fields[] = {
	JSON_FIELD(struct policy_requirement, type, "type", JSON_ENUM, .names = policy_type_names,
		   .flags = JSON_REQUIRED),
	TEXT(key_type, "keyType"),
	TEXT(key_path, "keyPath"),
	TEXTS(key_paths, "keyPaths"),
	TEXT(key_data, "keyData"),
	TEXTS(key_datas, "keyDatas"),
	JSON_FIELD(struct policy_requirement, fulcio, "fulcio", JSON_RAW),
	JSON_FIELD(struct policy_requirement, pki, "pki", JSON_RAW),
	TEXT(rekor_path, "rekorPublicKeyPath"),
	TEXTS(rekor_paths, "rekorPublicKeyPaths"),
	TEXT(rekor_data, "rekorPublicKeyData"),
	TEXTS(rekor_datas, "rekorPublicKeyDatas"),
	JSON_FIELD(struct policy_requirement, identity, "signedIdentity", JSON_OBJ,
		   .desc = &identity_desc),
};
static const struct json_desc requirement_desc = JSON_DESC(
    struct policy_requirement, requirement_fields, .check = check_requirement, .closed = true);

struct requirements_doc {
	struct policy_requirements list;
};
static const struct json_field requirements_fields[] = {
	JSON_FIELD(struct requirements_doc, list, NULL, JSON_ARRAY, .desc = &requirement_desc,
		   .flags = JSON_REQUIRED | JSON_NOT_EMPTY),
};
static const struct json_desc requirements_desc =
    JSON_DESC(struct requirements_doc, requirements_fields);

/* An object of arrays by name has no kind of its own: the arrays are parsed one by one. */
struct names_doc {
	struct json_map members;
};
static const struct json_field names_fields[] = {
	JSON_FIELD(struct names_doc, members, NULL, JSON_RAW_MAP, .flags = JSON_REQUIRED),
};
static const struct json_desc names_desc = JSON_DESC(struct names_doc, names_fields);

struct top_doc {
	struct policy_requirements by_default;
	struct json_map transports;
};
static const struct json_field top_fields[] = {
	JSON_FIELD(struct top_doc, by_default, "default", JSON_ARRAY, .desc = &requirement_desc,
		   .flags = JSON_REQUIRED | JSON_NOT_EMPTY),
	JSON_FIELD(struct top_doc, transports, "transports", JSON_RAW_MAP),
};
static const struct json_desc top_desc = JSON_DESC(struct top_doc, top_fields, .closed = true);

/* ---- parsing ---- */

/* A whole reference in the scope, in which its host stands first. */
static char *scope_example(const char *scope)
{
	const char *domain = str_after(scope, "*.");

	if (domain)
		return strpbrk(domain, "/:") ? NULL : xasprintf("any.%s/any", domain);
	return xasprintf("%s%s", scope, strchr(scope, '/') ? "" : "/any");
}

int policy_check_scope(const char *scope, struct err *err)
{
	cleanup_free char *example = scope_example(scope);
	cleanup_reference struct reference ref = { 0 };

	if (example && reference_has_domain(example) && reference_parse(example, &ref, NULL) == 0)
		return 0;
	cleanup_free char *shown = str_escape(scope);
	return err_fail(err, ERR_INVALID,
			"expected a registry, a repository or an image like "
			"host.example:5000/team, or *.domain, got \"%.200s\"",
			shown);
}

static bool same_scope(const char *a, const char *b)
{
	cleanup_free char *one = reference_registry_key(a), *other = reference_registry_key(b);

	return str_eq(one, other);
}

static int parse_scope(struct policy_transport *to, const struct json_pair *from, const char *what,
		       struct err *err)
{
	bool registries = str_eq(to->name, POLICY_REGISTRIES);
	cleanup_free char *shown = str_escape(from->key);
	cleanup_free char *place = xasprintf("%s.%s", what, shown);
	struct requirements_doc doc = { { NULL } };
	int r;

	r = registries && *from->key ? policy_check_scope(from->key, err) : 0;
	if (r < 0)
		return err_wrap(err, r, "%s", what);
	for (size_t i = 0; registries && i < to->n; i++)
		if (same_scope(to->scopes[i].name, from->key))
			return err_fail(err, ERR_INVALID, "%s: the same as \"%s\"", place,
					to->scopes[i].name);
	r = json_parse(&requirements_desc, &doc, from->value, strlen(from->value), place, err);
	if (r < 0)
		return r;
	to->scopes = xrealloc(to->scopes, (to->n + 1) * sizeof(*to->scopes));
	to->scopes[to->n++] = (struct policy_scope){ xstrdup(from->key), doc.list };
	return 0;
}

static int parse_transport(struct policy *to, const struct json_pair *from, const char *what,
			   struct err *err)
{
	cleanup_free char *shown = str_escape(from->key);
	cleanup_free char *place = xasprintf("%s: transports.%s", what, shown);
	struct names_doc doc = { { NULL } };
	struct policy_transport *t;
	int r;

	r = json_parse(&names_desc, &doc, from->value, strlen(from->value), place, err);
	if (r < 0)
		return r;
	to->transports = xrealloc(to->transports, (to->n + 1) * sizeof(*to->transports));
	t = &to->transports[to->n++];
	*t = (struct policy_transport){ .name = xstrdup(from->key) };
	for (size_t i = 0; r == 0 && i < doc.members.n; i++)
		r = parse_scope(t, &doc.members.items[i], place, err);
	json_free(&names_desc, &doc);
	return r;
}

int policy_parse(const char *text, size_t len, const char *what, struct policy *ret,
		 struct err *err)
{
	cleanup_policy struct policy policy = { { NULL } };
	struct top_doc top = { { NULL } };
	int r;

	r = json_parse(&top_desc, &top, text, len, what, err);
	if (r < 0)
		return r;
	policy.by_default = top.by_default;
	top.by_default = (struct policy_requirements){ NULL };
	for (size_t i = 0; r == 0 && i < top.transports.n; i++)
		r = parse_transport(&policy, &top.transports.items[i], what, err);
	json_free(&top_desc, &top);
	if (r < 0)
		return r;
	*ret = policy;
	policy = (struct policy){ { NULL } };
	return 0;
}

static void requirements_done(struct policy_requirements *requirements)
{
	struct requirements_doc doc = { *requirements };

	json_free(&requirements_desc, &doc);
	*requirements = (struct policy_requirements){ NULL };
}

void policy_done(struct policy *policy)
{
	requirements_done(&policy->by_default);
	for (size_t i = 0; i < policy->n; i++) {
		struct policy_transport *t = &policy->transports[i];

		for (size_t k = 0; k < t->n; k++) {
			free(t->scopes[k].name);
			requirements_done(&t->scopes[k].requirements);
		}
		free(t->scopes);
		free(t->name);
	}
	free(policy->transports);
	*policy = (struct policy){ { NULL } };
}

/* ---- writing ---- */

static void write_requirements(const struct policy_requirements *list, const char *indent,
			       struct buf *out)
{
	buf_adds(out, "[");
	for (size_t i = 0; i < list->n; i++) {
		buf_addf(out, "%s\n%s    ", i ? "," : "", indent);
		json_write(&requirement_desc, &list->items[i], 0, out);
	}
	buf_addf(out, "\n%s]", indent);
}

static void write_transport(const struct policy_transport *t, struct buf *out)
{
	json_write_string(out, t->name);
	buf_adds(out, ": {");
	for (size_t i = 0; i < t->n; i++) {
		buf_addf(out, "%s\n            ", i ? "," : "");
		json_write_string(out, t->scopes[i].name);
		buf_adds(out, ": ");
		write_requirements(&t->scopes[i].requirements, "            ", out);
	}
	buf_adds(out, t->n ? "\n        }" : "}");
}

void policy_write(const struct policy *policy, struct buf *out)
{
	buf_adds(out, "{\n    \"default\": ");
	write_requirements(&policy->by_default, "    ", out);
	if (policy->n)
		buf_adds(out, ",\n    \"transports\": {");
	for (size_t i = 0; i < policy->n; i++) {
		buf_addf(out, "%s\n        ", i ? "," : "");
		write_transport(&policy->transports[i], out);
	}
	buf_adds(out, policy->n ? "\n    }\n}\n" : "\n}\n");
}

/* ---- changing ---- */

static struct policy_transport *transport_get(struct policy *policy, const char *name)
{
	struct policy_transport *t;

	for (size_t i = 0; i < policy->n; i++)
		if (str_eq(policy->transports[i].name, name))
			return &policy->transports[i];
	policy->transports =
	    xrealloc(policy->transports, (policy->n + 1) * sizeof(*policy->transports));
	t = &policy->transports[policy->n++];
	*t = (struct policy_transport){ .name = xstrdup(name) };
	return t;
}

static struct policy_requirements *scope_get(struct policy_transport *t, const char *name)
{
	struct policy_scope *scope;

	for (size_t i = 0; i < t->n; i++)
		if (same_scope(t->scopes[i].name, name))
			return &t->scopes[i].requirements;
	t->scopes = xrealloc(t->scopes, (t->n + 1) * sizeof(*t->scopes));
	scope = &t->scopes[t->n++];
	*scope = (struct policy_scope){ .name = xstrdup(name) };
	return &scope->requirements;
}

void policy_set(struct policy *policy, const char *transport, const char *scope,
		struct policy_requirements *requirements)
{
	struct policy_requirements *at = &policy->by_default;

	if (transport)
		at = scope_get(transport_get(policy, transport), scope);
	requirements_done(at);
	*at = *requirements;
	*requirements = (struct policy_requirements){ NULL };
}
