/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "oci/policy.h"
#include "unit.h"

#define ACCEPT "[{\"type\":\"insecureAcceptAnything\"}]"
#define REJECT "[{\"type\":\"reject\"}]"
#define HEX_63 "123456789012345678901234567890123456789012345678901234567890123"
#define HEX    "0" HEX_63

static void parse(const char *text, struct policy *ret)
{
	struct err err = ERR_INIT;

	assert_ok(policy_parse(text, strlen(text), "p.json", ret, &err));
}

static void refuses(const char *text, const char *message)
{
	struct policy policy = { { NULL } };
	struct err err = ERR_INIT;

	if (policy_parse(text, strlen(text), "p.json", &policy, &err) >= 0)
		fail_msg("accepted: %s", text);
	if (!strstr(err.msg, message) || !str_starts(err.msg, "p.json"))
		fail_msg("%s: %s", text, err.msg);
	assert_null(policy.by_default.items);
}

#define SIGSTORE(members) "{\"default\":[{\"type\":\"sigstoreSigned\"," members "}]}"
#define IDENTITY(members) SIGSTORE("\"keyPath\":\"/k\",\"signedIdentity\":{" members "}")
#define SCOPES(members)   "{\"default\":" REJECT ",\"transports\":{\"docker\":{" members "}}}"

/* What isn't known can't be taken for a yes. */
static void test_refused(void **state)
{
	refuses("", "line 1");
	refuses("[]", "expected an object");
	refuses("{}", "default: missing");
	refuses("{\"default\":[]}", "default: expected an array that is not empty");
	refuses("{\"default\":null}", "default: missing");
	refuses("{\"default\":" ACCEPT ",\"Default\":" REJECT "}", "unknown member \"Default\"");
	refuses("{\"default\":" ACCEPT ",\"default\":" REJECT "}", "twice");
	refuses("{\"default\":[{\"type\":\"accept\"}]}", "default[0].type: expected one of");
	refuses("{\"default\":[{}]}", "default[0].type: missing");
	refuses("{\"default\":[{\"type\":\"reject\",\"keyPath\":\"/k\"}]}",
		"default[0].keyPath: not for type reject");
	refuses("{\"default\":[{\"type\":\"insecureAcceptAnything\",\"x\":1}]}",
		"unknown member \"x\"");
	refuses("{\"default\":[{\"type\":\"sigstoreSigned\"}]}",
		"default[0]: expected one of keyPath");
	refuses(SIGSTORE("\"keyPath\":\"/a\",\"keyData\":\"eA==\""), "expected one of keyPath");
	refuses(SIGSTORE("\"keyPaths\":[]"), "not empty");
	refuses(SIGSTORE("\"keyPath\":\"\""), "not empty");
	refuses(SIGSTORE("\"keyPath\":7"), "expected a string");
	refuses(SIGSTORE("\"keyType\":\"x\",\"keyPath\":\"/a\""), "keyType: not for type");
	refuses(IDENTITY(""), "signedIdentity.type: missing");
	refuses(IDENTITY("\"type\":\"any\""), "signedIdentity.type: expected one of");
	refuses(IDENTITY("\"type\":\"matchExact\",\"prefix\":\"x\""),
		"signedIdentity.prefix: not for type matchExact");
	refuses(IDENTITY("\"type\":\"exactReference\""), "dockerReference: missing");
	refuses(IDENTITY("\"type\":\"exactReference\",\"dockerReference\":\"a.b/c\""),
		"expected a whole name");
	refuses(IDENTITY("\"type\":\"exactRepository\",\"dockerRepository\":\"a.b/c:1\""),
		"expected a name without a tag");
	refuses(IDENTITY("\"type\":\"remapIdentity\",\"prefix\":\"a.b\""), "signedPrefix: missing");
	refuses("{\"default\":" ACCEPT ",\"transports\":[]}", "transports: expected an object");
	refuses("{\"default\":" ACCEPT ",\"transports\":{\"docker\":null}}",
		"p.json: transports.docker");
	refuses(SCOPES("\"a.b\":[]"), "transports.docker.a.b");
	refuses(SCOPES("\"a.b\":{}"), "transports.docker.a.b");
	refuses(SCOPES("\"a.b\":" ACCEPT ",\"A.b:443\":" REJECT), "the same as \"a.b\"");
	refuses(SCOPES("\"a.b/*\":" REJECT), "expected a registry, a repository");
	refuses(SCOPES("\"https://a.b\":" REJECT), "expected a registry, a repository");
	refuses(SCOPES("\"*.a.b/c\":" REJECT), "expected a registry, a repository");
	refuses(SCOPES("\"*\":" REJECT), "expected a registry, a repository");
	refuses(SCOPES("\"team/app\":" REJECT), "expected a registry, a repository");
}

static void finds(const struct policy *policy, const char *name, const char *scope)
{
	cleanup_reference struct reference ref = { NULL };
	struct err err = ERR_INIT;
	const char *found = NULL;

	assert_ok(reference_parse(name, &ref, &err));
	policy_find(policy, &ref, &found);
	if (!str_eq(found, scope))
		fail_msg("%s: found %s instead of %s", name, found, scope);
}

static void test_scopes(void **state)
{
	cleanup_policy struct policy policy = { { NULL } }, all = { { NULL } };
	const char *scope;

	parse(SCOPES("\"docker.io\":" REJECT ",\"docker.io/library\":" ACCEPT
		     ",\"docker.io/library/nginx:1\":" REJECT
		     ",\"docker.io/library/nginx@sha256:" HEX "\":" REJECT
		     ",\"*.example.com\":" REJECT ",\"*.dev.example.com\":" ACCEPT
		     ",\"*.com\":" REJECT ",\"a.example.com:5000\":" ACCEPT
		     ",\"Reg.example:443/team\":" ACCEPT),
	      &policy);
	finds(&policy, "debian", "docker.io/library");
	finds(&policy, "nginx", "docker.io/library");
	finds(&policy, "nginx:1", "docker.io/library/nginx:1");
	finds(&policy, "nginx:1.2", "docker.io/library");
	finds(&policy, "nginx@sha256:" HEX, "docker.io/library/nginx@sha256:" HEX);
	/* with both, what is said of the tag isn't passed by */
	finds(&policy, "nginx:1@sha256:f" HEX_63, "docker.io/library/nginx:1");
	finds(&policy, "team/app", "docker.io");
	finds(&policy, "libraryx/app", "docker.io");
	finds(&policy, "registry-1.docker.io/library/x", "docker.io/library");
	finds(&policy, "REGISTRY-1.docker.io:0443/library/x", "docker.io/library");
	finds(&policy, "x.example.com/a", "*.example.com");
	finds(&policy, "x.y.example.com/a", "*.example.com");
	finds(&policy, "x.dev.example.com:5000/a", "*.dev.example.com");
	finds(&policy, "a.example.com:5000/x", "a.example.com:5000");
	finds(&policy, "a.example.com/x", "*.example.com");
	finds(&policy, "other.com/x", "*.com");
	finds(&policy, "example.org/a", "default");
	finds(&policy, "reg.example/team/app", "Reg.example:443/team");
	finds(&policy, "reg.example/teams/app", "default");
	policy_find_name(&policy, "docker.io", &scope);
	assert_string_equal(scope, "docker.io");
	policy_find_name(&policy, "reg.example", &scope);
	assert_string_equal(scope, "default");
	parse(SCOPES("\"\":" ACCEPT ",\"a.b\":" REJECT), &all);
	finds(&all, "a.b/c", "a.b");
	finds(&all, "c.d/e", "");
	assert_int_equal(policy_find_transport(&all, "docker-archive")->items[0].type,
			 POLICY_REJECT);
}

static void identity(const char *members, const char *image, const char *signed_for, bool fits)
{
	cleanup_free char *text =
	    members ? xasprintf(IDENTITY("%s"), members) : xstrdup(SIGSTORE("\"keyPath\":\"/k\""));
	cleanup_policy struct policy policy = { { NULL } };
	cleanup_reference struct reference ref = { NULL };
	struct err err = ERR_INIT;

	parse(text, &policy);
	assert_ok(reference_parse(image, &ref, &err));
	if (policy_identity_fits(policy.by_default.items[0].identity, &ref, signed_for) != fits)
		fail_msg("%s: %s signed as %s", members ? members : "-", image, signed_for);
}

#define TYPE(name) "\"type\":\"" name "\""

static void test_identities(void **state)
{
	static const char exact_reference[] =
	    TYPE("exactReference") ",\"dockerReference\":\"a.b/other:2\"";
	static const char exact_repository[] =
	    TYPE("exactRepository") ",\"dockerRepository\":\"a.b/other\"";
	static const char remap[] =
	    TYPE("remapIdentity") ",\"prefix\":\"m.b/hub\",\"signedPrefix\":\"docker.io/library\"";
	static const char remap_host[] =
	    TYPE("remapIdentity") ",\"prefix\":\"m.b\",\"signedPrefix\":\"a.b\"";

	for (size_t i = 0; i < 2; i++) {
		const char *usual = i ? TYPE("matchRepoDigestOrExact") : NULL;

		identity(usual, "a.b/c:1", "a.b/c:1", true);
		identity(usual, "a.b/c:1", "a.b/c:2", false);
		identity(usual, "a.b/c:1", "a.b/c", false);
		/* nor is it the tag that is added where there is none */
		identity(usual, "a.b/c", "a.b/c", false);
		identity(usual, "a.b/c@sha256:" HEX, "a.b/c:2", true);
		identity(usual, "a.b/c@sha256:" HEX, "a.b/c", true);
		identity(usual, "a.b/c@sha256:" HEX, "a.b/d", false);
		identity(usual, "debian:1", "debian:1", true);
		identity(usual, "A.b:443/c:1", "a.b/c:1", true);
		identity(usual, "a.b/c:1", "", false);
		identity(usual, "a.b/c:1", "a.b/c:1 ", false);
	}
	identity(TYPE("matchExact"), "a.b/c:1", "a.b/c:1", true);
	identity(TYPE("matchExact"), "a.b/c:latest", "a.b/c", false);
	identity(TYPE("matchExact"), "a.b/c@sha256:" HEX, "a.b/c:1", false);
	identity(TYPE("matchExact"), "a.b/c@sha256:" HEX, "a.b/c@sha256:" HEX, true);
	identity(TYPE("matchRepository"), "a.b/c:1", "a.b/c", true);
	identity(TYPE("matchRepository"), "a.b/c:1", "a.b/c:2", true);
	identity(TYPE("matchRepository"), "a.b/c:1", "a.b/cc", false);
	identity(TYPE("matchRepository"), "a.b/c:1", "a.b/c/d", false);
	identity(TYPE("matchRepository"), "a.b:5000/c:1", "a.b/c", false);
	identity(exact_reference, "a.b/c:1", "a.b/other:2", true);
	identity(exact_reference, "a.b/c:1", "a.b/c:1", false);
	identity(exact_reference, "a.b/c:1", "a.b/other", false);
	identity(exact_repository, "a.b/c:1", "a.b/other", true);
	identity(exact_repository, "a.b/c:1", "a.b/other:9", true);
	identity(exact_repository, "a.b/c:1", "a.b/c", false);
	identity(remap, "m.b/hub/nginx:1", "docker.io/library/nginx:1", true);
	identity(remap, "m.b/hub/nginx:1", "nginx:1", true);
	identity(remap, "m.b/hub/nginx:1", "m.b/hub/nginx:1", false);
	identity(remap, "m.b/hubs/nginx:1", "m.b/hubs/nginx:1", true);
	identity(remap, "m.b/hubs/nginx:1", "docker.io/library/s/nginx:1", false);
	identity(remap_host, "m.b/c:1", "a.b/c:1", true);
	identity(remap_host, "m.b:5000/c:1", "a.b:5000/c:1", false);
}

static void test_changes(void **state)
{
	static const char written[] =
	    "{\n"
	    "    \"default\": [\n"
	    "        {\"type\":\"reject\"}\n"
	    "    ],\n"
	    "    \"transports\": {\n"
	    "        \"docker\": {\n"
	    "            \"a.b\": [\n"
	    "                {\"type\":\"sigstoreSigned\",\"keyPath\":\"/k\"}\n"
	    "            ],\n"
	    "            \"c.d/e\": [\n"
	    "                {\"type\":\"insecureAcceptAnything\"}\n"
	    "            ]\n"
	    "        }\n"
	    "    }\n"
	    "}\n";
	cleanup_policy struct policy policy = { { NULL } };
	cleanup_buf struct buf out = BUF_INIT;

	parse("{\"default\":" ACCEPT "}", &policy);
	const struct {
		const char *scope;
		struct policy_requirement wanted;
	} rows[] = {
		{ NULL, { .type = POLICY_REJECT } },
		{ "a.b", { .type = POLICY_REJECT } },
		{ "c.d/e", { .type = POLICY_ACCEPT } },
		{ "A.b:443", { .type = POLICY_SIGSTORE, .key_path = xstrdup("/k") } },
	};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct policy_requirements wanted = { xcalloc(1, sizeof(rows[i].wanted)), 1 };

		wanted.items[0] = rows[i].wanted;
		policy_set(&policy, rows[i].scope ? POLICY_REGISTRIES : NULL, rows[i].scope,
			   &wanted);
		assert_null(wanted.items);
	}
	policy_write(&policy, &out);
	assert_string_equal(buf_str(&out), written);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_scopes),
		cmocka_unit_test(test_identities),
		cmocka_unit_test(test_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
