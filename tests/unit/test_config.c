/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "base/strv.h"
#include "engine/config.h"
#include "unit.h"

static void add(struct config *c, const char *file, const char *text)
{
	struct err err = ERR_INIT;

	assert_ok(config_add(c, text, strlen(text), file, &err));
}

static void is_list(char **list, const char *expected)
{
	cleanup_free char *joined = strv_join(list, "|");

	assert_string_equal(joined, expected);
}

static void test_defaults(void **state)
{
	cleanup_config struct config c = { 0 };

	config_finish(&c);
	is_list(c.image.short_names, "docker.io");
	assert_int_equal(c.image.max_size, 0);
	assert_int_equal(c.transfer.parallel, 6);
	assert_int_equal(c.transfer.retries, 5);
	assert_int_equal(c.transfer.timeout_s, 60);
	assert_null(c.transfer.http_proxy);
	assert_int_equal(c.registries.n, 0);
	/* a default's text is one that a file may have */
	for (size_t i = 0; i < c.values.n; i++)
		assert_null(c.values.items[i].file);
}

static void test_values(void **state)
{
	cleanup_config struct config c = { 0 };

	add(&c, "a",
	    "[image]\nshort_names = quay.io, docker.io/team\tlocalhost:5000\nmax_size = 20g\n"
	    "alias.web = quay.io/team/web:1\nalias.team/x = ghcr.io/team/x\n"
	    "[transfer]\nretries=0\ntimeout = 2m\nhttps_proxy = http://proxy:3128\n"
	    "[registry \"r.example:5000/team\"]\nmirror = https://m.example/a\n"
	    "mirror = n.example, http://o.example\ninsecure = yes\ntls_dir = /etc/x\n"
	    "location = s.example/y\nblocked = false\n");
	config_finish(&c);
	is_list(c.image.short_names, "quay.io|docker.io/team|localhost:5000");
	assert_int_equal(c.image.max_size, 20ull << 30);
	assert_string_equal(json_map_get(&c.image.aliases, "web"), "quay.io/team/web:1");
	assert_string_equal(json_map_get(&c.image.aliases, "team/x"), "ghcr.io/team/x");
	assert_int_equal(c.transfer.retries, 0);
	assert_int_equal(c.transfer.timeout_s, 120);
	assert_string_equal(c.transfer.https_proxy, "http://proxy:3128");
	assert_int_equal(c.registries.n, 1);
	const struct config_registry *r = c.registries.items;
	assert_string_equal(r->name, "r.example:5000/team");
	is_list(r->mirrors, "https://m.example/a|n.example|http://o.example");
	assert_true(r->insecure);
	assert_false(r->blocked);
	assert_string_equal(r->tls_dir, "/etc/x");
	assert_string_equal(r->location, "s.example/y");
	assert_true(config_registry_has(&c, r, "blocked"));
}

/* A later file replaces what earlier ones say; within one, lists add up. */
static void test_files(void **state)
{
	cleanup_config struct config c = { 0 };

	add(&c, "a",
	    "[registry \"x.example\"]\nmirror=a.example\nmirror=b.example\nblocked=true\n"
	    "[image]\nmax_size=1g\nshort_names=a.example\n");
	add(&c, "b", "[registry \"x.example\"]\nmirror = c.example\n[image]\nshort_names =\n");
	add(&c, "c", "\n[image]\nmax_size = 2g\n");
	config_finish(&c);
	is_list(c.registries.items[0].mirrors, "c.example");
	assert_true(c.registries.items[0].blocked);
	is_list(c.image.short_names, "");
	assert_int_equal(c.image.max_size, 2ull << 30);
	cleanup_free char *blocked = config_origin(&c, "x.example", "blocked");
	cleanup_free char *size = config_origin(&c, NULL, "max_size");
	cleanup_free char *retries = config_origin(&c, NULL, "retries");
	assert_string_equal(blocked, "a:4");
	assert_string_equal(size, "c:3");
	assert_null(retries);
}

static void fails(const char *text, const char *message, const char *hint)
{
	cleanup_config struct config c = { 0 };
	struct err err = ERR_INIT;

	assert_true(config_add(&c, text, strlen(text), "f", &err) < 0);
	assert_string_equal(err.msg, message);
	if (hint)
		assert_string_equal(err.hint, hint);
}

#define LIKE "expected a registry like host.example:5000 or host.example/path, got "

static void test_errors(void **state)
{
	fails("max_size = 1", "f:1: a setting before the first [section]", NULL);
	fails("[imge]", "f:1: unknown section [imge]", "did you mean \"image\"?");
	fails("[something]", "f:1: unknown section [something]",
	      "inro.conf(5) lists what can be set");
	fails("[image]\nmaxsize=1", "f:2: unknown setting \"maxsize\" in [image]",
	      "did you mean \"max_size\"?");
	/* a setting of another section is none here */
	fails("[image]\nmirror=x", "f:2: unknown setting \"mirror\" in [image]", NULL);
	fails("[image]\nalias. = a.example/b", "f:2: unknown setting \"alias.\" in [image]", NULL);
	fails("[image \"x\"]", "f:1: [image] takes no name", NULL);
	fails("[registry]", "f:1: [registry] needs a name: [registry \"docker.io\"]", NULL);
	fails("[registry \"index.docker.io\"]", "f:1: " LIKE "\"index.docker.io\"", NULL);
	fails("[registry \"*.a b\"]", "f:1: " LIKE "\"*.a b\"", NULL);
	fails("[registry \"host.example/a:tag\"]", "f:1: " LIKE "\"host.example/a:tag\"", NULL);
	fails("[registry \"*.a.example/b\"]", "f:1: " LIKE "\"*.a.example/b\"", NULL);
	fails("[image]\nmax_size=1\nmax_size=2", "f:3: max_size is set in line 2 already", NULL);
	fails("[image]\nalias.a=b.example/c\nalias.a=b.example/d",
	      "f:3: alias.a is set in line 2 already", NULL);
	fails("[image]\nalias.a=debian",
	      "f:2: alias.a: expected a whole reference like docker.io/library/debian, got "
	      "\"debian\"",
	      NULL);
	fails("[transfer]\nretries=101",
	      "f:2: retries: expected a number from 0 to 100, got \"101\"", NULL);
	fails("[transfer]\ntimeout=0s",
	      "f:2: timeout: expected a time from 1 to 86400 seconds, got \"0s\"", NULL);
	fails("[transfer]\nhttp_proxy=proxy:80",
	      "f:2: http_proxy: expected an address like http://proxy.example:3128, got "
	      "\"proxy:80\"",
	      NULL);
	fails("[registry \"a.b\"]\nblocked=", "f:2: blocked: expected true or false, got \"\"",
	      NULL);
	fails("[registry \"a.b\"]\ntls_dir=x", "f:2: tls_dir: expected an absolute path, got \"x\"",
	      NULL);
}

static void finds(const struct config *c, const char *name, const char *section)
{
	const struct config_registry *r = config_registry_find(c, name);

	assert_string_equal(r ? r->name : "-", section);
}

static void test_find(void **state)
{
	cleanup_config struct config c = { 0 };

	add(&c, "a",
	    "[registry \"a.example\"]\ninsecure=1\n[registry \"a.example/team\"]\ninsecure=1\n"
	    "[registry \"*.example\"]\ninsecure=1\n[registry \"*.corp.example\"]\ninsecure=1\n"
	    "[registry \"a.example:5000\"]\ninsecure=1\n");
	config_finish(&c);
	finds(&c, "a.example/x", "a.example");
	finds(&c, "a.example", "a.example");
	finds(&c, "a.example/team", "a.example/team");
	finds(&c, "a.example/team/x", "a.example/team");
	finds(&c, "a.example/teams", "a.example");
	finds(&c, "a.example:5000/x", "a.example:5000");
	finds(&c, "a.example:5001/x", "-");
	finds(&c, "b.example/x", "*.example");
	finds(&c, "b.corp.example/x", "*.corp.example");
	finds(&c, "bcorp.example/x", "*.example");
	finds(&c, "example/x", "-");
	finds(&c, "other.test/b.example", "-");
	finds(&c, "A.Example:443/x", "a.example");
	finds(&c, "a.example:443/team/x", "a.example/team");
	finds(&c, "B.CORP.example:443/x", "*.corp.example");
}

static void test_names(void **state)
{
	struct err err = ERR_INIT;

	assert_ok(config_check_name("image.max_size", &err));
	assert_ok(config_check_name("image.alias.a.b", &err));
	assert_ok(config_check_name("registry.docker.io.mirror", &err));
	assert_true(config_check_name("image", &err) < 0);
	assert_true(config_check_name("imag.max_size", &err) < 0);
	assert_string_equal(err.hint, "did you mean \"image\"?");
	assert_true(config_check_name("registry.docker.io.mirrors", &err) < 0);
	assert_string_equal(err.msg, "unknown setting \"mirrors\" in [registry]");
}

/* The example is a file that says nothing, and one that says the defaults when uncommented. */
static void test_example(void **state)
{
	cleanup_buf struct buf text = BUF_INIT;
	cleanup_config struct config c = { 0 };
	size_t n = 0;

	config_write_example(&text);
	add(&c, "example", buf_str(&text));
	assert_int_equal(c.values.n, 0);
	for (size_t i = 0; i < config_n_settings; i++) {
		const struct config_setting *s = &config_settings[i];
		cleanup_free char *line =
		    xasprintf("\n#%s%s = ", s->key, s->kind == CONFIG_MAP ? "NAME" : "");
		assert_non_null(strstr(buf_str(&text), line));
		if (s->initial) {
			cleanup_free char *file =
			    xasprintf("[%s]\n%s = %s\n", s->section, s->key, s->initial);
			add(&c, "defaults", file);
			n++;
		}
	}
	assert_int_equal(c.values.n, n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults), cmocka_unit_test(test_values),
		cmocka_unit_test(test_files),    cmocka_unit_test(test_errors),
		cmocka_unit_test(test_find),     cmocka_unit_test(test_names),
		cmocka_unit_test(test_example),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
