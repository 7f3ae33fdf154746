/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "base/strv.h"
#include "unit.h"
#include "units/units.h"

/* --- the format --- */

static void writes(const char *text, const char *expected)
{
	cleanup_unit_file struct unit_file u = { 0 };
	cleanup_buf struct buf out = BUF_INIT;
	struct err err = ERR_INIT;

	assert_ok(unit_file_parse(&u, text, strlen(text), "f", &err));
	unit_file_write(&u, &out);
	assert_string_equal(buf_str(&out), expected);
}

static void fails(const char *text, const char *message)
{
	cleanup_unit_file struct unit_file u = { 0 };
	struct err err = ERR_INIT;

	assert_true(unit_file_parse(&u, text, strlen(text), "f", &err) < 0);
	assert_string_equal(err.msg, message);
}

static void test_format(void **state)
{
	writes("", "");
	writes("# c\n ; c\n\n[Unit]\r\nA = b c \r\nA=\n", "[Unit]\nA=b c\nA=\n");
	writes("[A]\nx=1\n[B]\ny=2\n[A]\nz=3", "[A]\nx=1\nz=3\n\n[B]\ny=2\n");
	writes("[A]\nx=one \\\n# between\n  two\\\nthree\ny=4\n", "[A]\nx=one    two three\ny=4\n");
	writes("[A]\nx=%n $HOME \"a=b\"\n", "[A]\nx=%n $HOME \"a=b\"\n");
	writes("\xef\xbb\xbf[A]\nx=\xc3\xa9\n", "[A]\nx=\xc3\xa9\n");
	/* a backslash that joins nothing joins nothing when it is written, either */
	writes("[A]\nx=a\\ \ny=b\n", "[A]\nx=a\\ \ny=b\n");
	writes("[A]\nx=a\\", "[A]\nx=a\n");

	fails("x=1\n", "f:1: a key before the first section");
	fails("[A]\n\nhello\n", "f:3: expected KEY=VALUE");
	fails("[A]\n=x\n", "f:2: expected KEY=VALUE");
	fails("[A\n", "f:1: expected [SECTION]");
	fails("[]\n", "f:1: expected [SECTION]");
	fails("[A]\nx=\x01\n", "f:2: a control character");
	fails("[A]\nx=\xff\n", "f:2: not UTF-8");
}

static void test_values(void **state)
{
	static const char text[] =
	    "[A]\nl=1\nl=2\nl=\nl=3\nl=4\ns=\"quoted\"\ns2=\ns2=\"\"\nn=1\nn=\n";
	cleanup_unit_file struct unit_file u = { 0 };
	cleanup_free char *s = NULL;
	const struct unit_entry *e;
	struct err err = ERR_INIT;
	size_t at = 0;

	assert_ok(unit_file_parse(&u, text, strlen(text), "f", &err));
	e = unit_file_next(&u, "A", "l", &at);
	assert_string_equal(e->value, "3");
	assert_int_equal(e->line, 5);
	e = unit_file_next(&u, "A", "l", &at);
	assert_string_equal(e->value, "4");
	assert_null(unit_file_next(&u, "A", "l", &at));
	assert_null(unit_file_next(&u, "B", "l", &at));
	s = unit_file_string(&u, "A", "s");
	assert_string_equal(s, "quoted");
	assert_null(unit_file_string(&u, "A", "s2"));
	assert_null(unit_file_string(&u, "A", "n"));
	/* a drop-in takes away what was there */
	assert_ok(unit_file_parse(&u, "[A]\nl=\nl=9\n", 11, "d", &err));
	at = 0;
	e = unit_file_next(&u, "A", "l", &at);
	assert_string_equal(e->value, "9");
	assert_string_equal(e->file, "d");
	assert_null(unit_file_next(&u, "A", "l", &at));
}

static void words(const char *value, const char *expected)
{
	cleanup_strv char **v = NULL;
	cleanup_free char *joined = NULL;
	struct err err = ERR_INIT;

	assert_ok(unit_words(value, &v, &err));
	joined = strv_join(v, "|");
	assert_string_equal(joined, expected);
}

static void test_words(void **state)
{
	static const char *const samples[] = { "",     "a",          "a b", "\"",      "'",
					       "\\",   "a\nb\tc",    ";",   "$X",      "%n",
					       "\x01", "\xc3\xa9 b", "a;b", "\xc4\x31" };
	static const char *const bad[] = { "\"a",   "'",       "a\\",         "\\q",  "\\x0",
					   "\\000", "\\ud800", "\\U00110000", "\\777" };
	struct err err = ERR_INIT;

	words("", "");
	words("  a  b\tc ", "a|b|c");
	words("\"a b\" 'c \"d'", "a b|c \"d");
	words("A=\"x y\" B='z'", "A=x y|B=z");
	words("a\\x20b \\101\\n \\u00e9 \\U0001F600", "a b|A\n|\xc3\xa9|\xf0\x9f\x98\x80");
	words("\"\" ''", "|");
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		cleanup_buf struct buf quoted = BUF_INIT;

		unit_quote(&quoted, samples[i]);
		words(buf_str(&quoted), samples[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		cleanup_strv char **v = NULL;

		assert_true(unit_words(bad[i], &v, &err) < 0);
	}
}

/* --- services --- */

static int check(const char *option, const char *value, struct err *err)
{
	if (str_eq(option, "--publish"))
		return err_fail(err, ERR_UNSUPPORTED, "no such option");
	return 0;
}

static bool exists(const char *path)
{
	return str_eq(path, "/dev/null");
}

static const struct units_env env = { .inro = "/bin/inro", .check = check, .exists = exists };
static const struct units_env user_env = {
	.inro = "/bin/inro", .check = check, .exists = exists, .user = true
};

static void add(struct units *set, const char *name, const char *text)
{
	cleanup_unit_file struct unit_file file = { 0 };
	cleanup_free char *path = xasprintf("/u/%s", name);
	struct err err = ERR_INIT;

	assert_ok(unit_file_parse(&file, text, strlen(text), path, &err));
	units_add(set, name, path, &file);
}

static void converts(struct units *set, const char *name, const char *expected)
{
	cleanup_unit_file struct unit_file out = { 0 };
	cleanup_buf struct buf text = BUF_INIT;
	struct err err = ERR_INIT;

	assert_ok(units_convert(set, units_find(set, name), &out, &err));
	unit_file_write(&out, &text);
	assert_string_equal(buf_str(&text), expected);
}

static void test_container(void **state)
{
	struct units set = { .env = &env };

	add(&set, "web.container", "[Container]\nImage=box\nExec=sleep \"1 0\"\n");
	converts(&set, "web.container",
		 "[X-Container]\nImage=box\nExec=sleep \"1 0\"\n\n"
		 "[Unit]\nWants=network-online.target\nAfter=network-online.target\n"
		 "SourcePath=/u/web.container\nRequiresMountsFor=%t/inro\n\n"
		 "[Service]\nKillMode=mixed\nType=notify\nNotifyAccess=all\nDelegate=yes\n"
		 "SyslogIdentifier=%N\n"
		 "ExecStop=/bin/inro stop --ignore systemd-%N\n"
		 "ExecStopPost=-/bin/inro rm -v -f -i systemd-%N\n"
		 "ExecStart=/bin/inro run --name=systemd-%N --replace --rm "
		 "--label=PODMAN_SYSTEMD_UNIT=%n --log-driver=journald --log-opt=tag=%N "
		 "--cgroups=split -d --sdnotify=conmon box sleep "
		 "\"1 0\"\n");
	set.env = &user_env;
	add(&set, "job@.container",
	    "[Unit]\nDescription=x\n[Container]\nImage=box\nContainerName=job-%i\n"
	    "[Service]\nType=oneshot\n[Quadlet]\nDefaultDependencies=no\n");
	converts(
	    &set, "job@.container",
	    "[Unit]\nDescription=x\nSourcePath=/u/job@.container\nRequiresMountsFor=%t/inro\n\n"
	    "[X-Container]\nImage=box\nContainerName=job-%i\n\n"
	    "[Service]\nType=oneshot\nKillMode=mixed\nDelegate=yes\nSyslogIdentifier=%N\n"
	    "ExecStop=/bin/inro stop --ignore job-%i\n"
	    "ExecStopPost=-/bin/inro rm -v -f -i job-%i\n"
	    "ExecStart=/bin/inro run --name=job-%i --replace --rm "
	    "--label=PODMAN_SYSTEMD_UNIT=%n --log-driver=journald --log-opt=tag=%N --cgroups=split "
	    "box\n\n"
	    "[X-Quadlet]\nDefaultDependencies=no\n");
	units_done(&set);
}

static void test_links(void **state)
{
	static const char install[] =
	    "[Container]\nImage=box\n[Install]\nWantedBy=a.target b.target\nRequiredBy=c.target\n"
	    "UpheldBy=d.target\nAlias=other.service\nDefaultInstance=7\n";
	struct units set = { .env = &env };
	cleanup_strv char **one = NULL, **template = NULL, **none = NULL;
	cleanup_free char *text = NULL, *text2 = NULL;
	struct err err = ERR_INIT;

	add(&set, "web.container", install);
	add(&set, "web@.container", install);
	add(&set, "bad.container", "[Container]\nImage=x\n[Install]\nAlias=../x\n");
	assert_ok(units_links(&set.items[0], "web.service", &one, &err));
	text = strv_join(one, " ");
	assert_string_equal(text, "a.target.wants/web.service ../web.service "
				  "b.target.wants/web.service ../web.service "
				  "c.target.requires/web.service ../web.service "
				  "d.target.upholds/web.service ../web.service "
				  "other.service web.service");
	assert_ok(units_links(&set.items[1], "web@.service", &template, &err));
	text2 = strv_join(template, " ");
	assert_true(str_starts(text2, "a.target.wants/web@7.service ../web@.service "));
	assert_true(units_links(&set.items[2], "bad.service", &none, &err) < 0);
	assert_string_equal(err.msg, "/u/bad.container:4: Alias: \"../x\" can't name a unit");
	units_done(&set);
}

static void test_directories(void **state)
{
	struct units_who who = { .uid = 1000 };
	cleanup_strv char **root = NULL, **user = NULL, **foreign = NULL, **dropins = NULL;
	cleanup_free char *text = NULL, *text2 = NULL, *text3 = NULL, *text4 = NULL;

	units_dirs(&who, &root);
	text = strv_join(root, " ");
	assert_string_equal(text, "/run/inro/systemd /run/containers/systemd /etc/inro/systemd "
				  "/etc/containers/systemd /usr/share/inro/systemd "
				  "/usr/share/containers/systemd");
	who.foreign = true;
	units_dirs(&who, &foreign);
	text2 = strv_join(foreign, " ");
	assert_string_equal(text2, "/run/inro/systemd /etc/inro/systemd /usr/share/inro/systemd");
	who.user = true;
	who.config_home = "/h/.config";
	units_dirs(&who, &user);
	text3 = strv_join(user, " ");
	assert_string_equal(text3, "/h/.config/inro/systemd /etc/inro/systemd/users/1000 "
				   "/etc/inro/systemd/users /usr/share/inro/systemd/users/1000 "
				   "/usr/share/inro/systemd/users");
	units_dropin_dirs("a-b@1.container", &dropins);
	text4 = strv_join(dropins, " ");
	assert_string_equal(text4, "container.d a-.container.d a-b@.container.d "
				   "a-b@1.container.d");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format), cmocka_unit_test(test_values),
		cmocka_unit_test(test_words),  cmocka_unit_test(test_container),
		cmocka_unit_test(test_links),  cmocka_unit_test(test_directories),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
