/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "base/strv.h"
#include "engine/config.h"
#include "engine/registries.h"
#include "unit.h"

static const char settings[] = "[image]\n"
			       "short_names = quay.io/team, docker.io\n"
			       "alias.web = r.example/apps/web:1\n"
			       "[registry \"docker.io\"]\n"
			       "mirror = https://m.example/hub\n"
			       "mirror = http://127.0.0.1:5000\n"
			       "[registry \"docker.io/library\"]\n"
			       "mirror = m.example/official\n"
			       "[registry \"m.example\"]\n"
			       "tls_dir = /etc/certs-of-m\n"
			       "[registry \"*.corp.example\"]\n"
			       "location = real.example/corp\n"
			       "[registry \"evil.example\"]\n"
			       "blocked = true\n"
			       "[registry \"evil.example/good\"]\n"
			       "blocked = false\n"
			       "[registry \"moved.example\"]\n"
			       "location = evil.example\n"
			       "[registry \"localhost:5001\"]\n"
			       "insecure = false\n"
			       "[registry \"open.example\"]\n"
			       "insecure = true\n";

static struct engine engine(void)
{
	struct engine eng = ENGINE_INIT;
	struct err err = ERR_INIT;

	/* nothing of the user's who runs the tests */
	setenv("REGISTRY_AUTH_FILE", "/dev/null/none", 1);
	eng.config = xcalloc(1, sizeof(*eng.config));
	assert_ok(config_add(eng.config, settings, strlen(settings), "f", &err));
	config_finish(eng.config);
	return eng;
}

/* "url repository [insecure]" of each, with ";" between. */
static void resolves_with(const char *name, bool push, const struct registry_access *access,
			  const char *expected)
{
	cleanup_endpoints struct registry_endpoints endpoints = { 0 };
	cleanup_reference struct reference ref = { 0 };
	struct engine eng = engine();
	cleanup_buf struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	assert_ok(reference_parse(name, &ref, &err));
	assert_ok(registries_resolve(&eng, &ref, push, access, &endpoints, &err));
	for (size_t i = 0; i < endpoints.n; i++) {
		const struct registry_endpoint *e = &endpoints.items[i];

		buf_addf(&out, "%s%s %s%s", i ? ";" : "", e->url, e->repository,
			 e->insecure ? " insecure" : "");
		if (e->tls_dir)
			buf_addf(&out, " %s", e->tls_dir);
		if (e->auth)
			buf_addf(&out, " %s:%s", e->auth->username, e->auth->password);
	}
	assert_string_equal(buf_str(&out), expected);
	engine_done(&eng);
}

static void resolves(const char *name, const char *expected)
{
	resolves_with(name, false, NULL, expected);
}

#define HUB "https://registry-1.docker.io"

static void test_resolve(void **state)
{
	resolves("r.example:5000/a/b", "https://r.example:5000 a/b");
	resolves("team/app", "https://m.example hub/team/app /etc/certs-of-m;"
			     "http://127.0.0.1:5000 team/app insecure;" HUB " team/app");
	/* the longest name alone counts */
	resolves("debian",
		 "https://m.example official/debian /etc/certs-of-m;" HUB " library/debian");
	resolves_with("team/app", true, NULL, HUB " team/app");
	resolves("x.corp.example/a/b", "https://real.example corp/a/b");
	resolves("evil.example/good/x", "https://evil.example good/x");
	/* whose rules hold for other spellings, and what is behind the host stays what it is */
	resolves("registry-1.docker.io/library/debian",
		 "https://m.example official/debian /etc/certs-of-m;" HUB " library/debian");
	resolves("X.Corp.Example:443/a/b", "https://real.example corp/a/b");
	resolves("Evil.example:443/good/x", "https://Evil.example:443 good/x");
}

static void test_insecure(void **state)
{
	struct registry_access on = { .tls_verify = { true, true } };
	struct registry_access off = { .tls_verify = { true, false } };

	resolves("localhost:5000/a", "https://localhost:5000 a insecure");
	resolves("127.5.6.7/a", "https://127.5.6.7 a insecure");
	resolves("[::1]:5000/a", "https://[::1]:5000 a insecure");
	resolves("localhost:5001/a", "https://localhost:5001 a");
	resolves("128.0.0.1/a", "https://128.0.0.1 a");
	resolves("127.0.0.1.example/a", "https://127.0.0.1.example a");
	resolves("localhost.example/a", "https://localhost.example a");
	resolves("open.example/a", "https://open.example a insecure");
	resolves_with("localhost:5000/a", false, &on, "https://localhost:5000 a");
	resolves_with("open.example/a", false, &on, "https://open.example a");
	resolves_with("r.example/a", false, &off, "https://r.example a insecure");
	/* a word about the registry is none about its mirrors */
	resolves_with("debian", false, &off,
		      "https://m.example official/debian /etc/certs-of-m;" HUB
		      " library/debian insecure");
}

static void test_access(void **state)
{
	struct registry_access access = { .creds = "me:pass:word", .cert_dir = "/c" };

	resolves_with("debian", false, &access,
		      "https://m.example official/debian /etc/certs-of-m;" HUB
		      " library/debian /c me:pass:word");
}

static void refused(const char *name, const struct registry_access *access, const char *message,
		    const char *hint)
{
	cleanup_endpoints struct registry_endpoints endpoints = { 0 };
	cleanup_reference struct reference ref = { 0 };
	struct engine eng = engine();
	struct err err = ERR_INIT;

	assert_ok(reference_parse(name, &ref, &err));
	assert_true(registries_resolve(&eng, &ref, false, access, &endpoints, &err) < 0);
	assert_string_equal(err.msg, message);
	assert_string_equal(err.hint, hint);
	assert_int_equal(endpoints.n, 0);
	engine_done(&eng);
}

static void test_refused(void **state)
{
	struct registry_access access = { .creds = "me" };

	refused("evil.example/a", NULL, "evil.example/a: the registry evil.example is blocked",
		"see f:14");
	refused("moved.example/a", NULL, "evil.example/a: the registry evil.example is blocked",
		"see f:14");
	/* however it is spelled */
	refused("EVIL.example:443/a", NULL,
		"EVIL.example:443/a: the registry evil.example is blocked", "see f:14");
	refused("evil.Example:0443/a", NULL,
		"evil.Example:0443/a: the registry evil.example is blocked", "see f:14");
	refused("r.example/a", &access, "--creds: expected USER:PASSWORD", "");
}

static void may_be(const char *word, const char *expected)
{
	struct engine eng = engine();
	cleanup_strv char **list = NULL;
	struct err err = ERR_INIT;

	assert_ok(registries_candidates(&eng, word, &list, &err));
	cleanup_free char *joined = strv_join(list, " ");
	assert_string_equal(joined, expected);
	engine_done(&eng);
}

#define DIGEST "sha256:0123456789012345678901234567890123456789012345678901234567890123"

static void test_short_names(void **state)
{
	may_be("r.example/a", "r.example/a:latest");
	may_be("localhost/a:1", "localhost/a:1");
	may_be("docker.io/debian", "docker.io/library/debian:latest");
	may_be("debian:12", "quay.io/team/debian:12 docker.io/library/debian:12");
	may_be("a/b", "quay.io/team/a/b:latest docker.io/a/b:latest");
	may_be("debian@" DIGEST, "quay.io/team/debian@" DIGEST " docker.io/library/debian@" DIGEST);
	may_be("web", "r.example/apps/web:1");
	may_be("web:2", "r.example/apps/web:2");
	may_be("web@" DIGEST, "r.example/apps/web@" DIGEST);
	may_be("team/web", "quay.io/team/team/web:latest docker.io/team/web:latest");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resolve),     cmocka_unit_test(test_insecure),
		cmocka_unit_test(test_access),      cmocka_unit_test(test_refused),
		cmocka_unit_test(test_short_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
