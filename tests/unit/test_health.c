/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/str.h"
#include "base/strv.h"
#include "engine/health.h"

#define S    INT64_C(1000000000)
#define W(s) ((char *)(s))

static char *words(const struct health *h)
{
	return h ? strv_join(h->probe.test, "|") : xstrdup("-");
}

static void test_commands(void **state)
{
	static const struct {
		const char *cmd, *test;
	} rows[] = {
		{ "test -f /x || exit 1", "CMD-SHELL|test -f /x || exit 1" },
		{ "none", "-" },
		{ "NONE", "-" },
		{ "", "-" },
		{ "CMD curl  -f x", "CMD|curl|-f|x" },
		{ "CMD-SHELL a b", "CMD-SHELL|a b" },
		{ "[\"CMD\", \"a b\", \"c\"]", "CMD|a b|c" },
		{ "[\"a\", \"b\"]", "CMD|a|b" },
		{ "[\"a b\"]", "CMD-SHELL|a b" },
		{ "[ -f /x ]", "CMD-SHELL|[ -f /x ]" },
		{ "[]", "CMD-SHELL|[]" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct run_options o = { .health_cmd = (char *)rows[i].cmd };
		cleanup_free char *got = NULL;
		struct err err = ERR_INIT;
		struct health *h;

		assert_ok(health_options_parse(&o, NULL, &h, &err));
		got = words(h);
		assert_string_equal(got, rows[i].test);
		health_free(h);
	}
}

static void test_image_and_options(void **state)
{
	static char *test[] = { W("CMD"), W("probe"), NULL }, *none[] = { W("NONE"), NULL };
	static char *shell[] = { W("/bin/bash"), W("-c"), NULL };
	struct oci_healthcheck check = { .test = test, .interval = 7 * S, .retries = 9 };
	struct oci_config config = { .healthcheck = &check, .shell = shell };
	struct run_options o = { .health_timeout = W("2s") };
	struct err err = ERR_INIT;
	struct health *h;

	assert_ok(health_options_parse(&o, &config, &h, &err));
	assert_string_equal(h->probe.test[1], "probe");
	assert_int_equal(h->probe.interval_ns, 7 * S);
	assert_int_equal(h->probe.timeout_ns, 2 * S);
	assert_int_equal(h->probe.retries, 9);
	assert_int_equal(h->start_interval_ns, 5 * S);
	assert_string_equal(h->shell[0], "/bin/bash");
	health_free(h);
	check.test = none;
	assert_ok(health_options_parse(&o, &config, &h, &err));
	assert_null(h);
	o = (struct run_options){ .health_tcp = W("80"), .health_interval = W("disable") };
	assert_ok(health_options_parse(&o, &config, &h, &err));
	assert_string_equal(h->probe.test[0], "TCP");
	assert_true(h->manual);
	health_free(h);
	check.test = test;
	o = (struct run_options){ .no_healthcheck = true };
	assert_ok(health_options_parse(&o, &config, &h, &err));
	assert_null(h);
}

static void test_wrong_options(void **state)
{
	static const struct run_options rows[] = {
		{ .no_healthcheck = true, .health_cmd = W("x") },
		{ .health_cmd = W("x"), .health_tcp = W("80") },
		{ .health_tcp = W("80"), .health_http = W(":80") },
		{ .health_tcp = W("web:80") },
		{ .health_tcp = W("0") },
		{ .health_tcp = W("65536") },
		{ .health_http = W("https://127.0.0.1/") },
		{ .health_http = W("http://example.com/") },
		{ .health_http = W(":80/a b") },
		{ .health_file = W("run/x") },
		{ .health_cmd = W("x"), .health_interval = W("5") },
		{ .health_cmd = W("x"), .health_interval = W("-5s") },
		{ .health_cmd = W("x"), .health_timeout = W("10us") },
		{ .health_cmd = W("x"), .health_retries = { true, -1 } },
		{ .health_on_failure = W("kill") },
		{ .health_startup_cmd = W("x") },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = ERR_INIT;
		struct health *h;

		if (health_options_parse(&rows[i], NULL, &h, &err) >= 0)
			fail_msg("row %zu is accepted", i);
		assert_true(err.msg[0]);
	}
}

static void test_targets(void **state)
{
	static const struct {
		const char *text, *address;
		uint16_t port;
		const char *path;
	} rows[] = {
		{ ":8080/ready?x=1", "", 8080, "/ready?x=1" },
		{ "8080/ready", "", 8080, "/ready" },
		{ "/ready", "", 80, "/ready" },
		{ "http://127.0.0.2", "127.0.0.2", 80, "/" },
		{ "http://localhost:81/", "", 81, "/" },
		{ "http://[::1]:81/x", "::1", 81, "/x" },
		{ "[::1]", "::1", 80, "/" },
	};
	struct err err = ERR_INIT;
	struct health_target t;
	int64_t age_ns;
	char *path;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_ok(health_parse_http(rows[i].text, &t));
		assert_string_equal(t.address, rows[i].address);
		assert_int_equal(t.port, rows[i].port);
		assert_string_equal(t.path, rows[i].path);
	}
	assert_ok(health_parse_tcp("[::1]:5432", &t));
	assert_string_equal(t.address, "::1");
	assert_true(t.ipv6);
	assert_int_equal(health_parse_tcp("127.0.0.1", &t), -EINVAL);
	assert_int_equal(health_parse_tcp("::1:80", &t), -EINVAL);
	assert_ok(health_parse_file("/run/alive:1m30s", &path, &age_ns));
	assert_string_equal(path, "/run/alive");
	assert_int_equal(age_ns, 90 * S);
	free(path);
	assert_ok(health_parse_file("/run/a:b", &path, &age_ns));
	assert_string_equal(path, "/run/a:b");
	assert_int_equal(age_ns, 0);
	free(path);
}

static void test_http_status(void **state)
{
	static const struct {
		const char *text;
		int r;
	} rows[] = {
		{ "HTTP/1.1 200 OK\r\n", 200 },
		{ "HTTP/1.0 503\n", 503 },
		{ "HTTP/1.1 404 Not Found\r\nHTTP/1.1 200 OK\r\n", 404 },
		{ "HTTP/1.1 200 OK", -EAGAIN },
		{ "H", -EAGAIN },
		{ "HTTP/1.1 2000\n", -EINVAL },
		{ "HTTP/1.1 20\n", -EINVAL },
		{ "HTTP/2 200\n", -EINVAL },
		{ "SSH-2.0-x", -EINVAL },
		{ "\n", -EINVAL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int status = 0, r = health_http_status(rows[i].text, strlen(rows[i].text), &status);

		assert_int_equal(r < 0 ? r : status, rows[i].r);
	}
}

static int take(const struct health *h, struct health_state *st, int exit_code, int64_t since_s)
{
	const struct health_answer a = { .exit_code = exit_code, .output = "said" };

	return health_take(h, st, &a, since_s * S);
}

static void test_streaks(void **state)
{
	const struct health h = { .probe = { .retries = 2, .interval_ns = 30 * S },
				  .start_period_ns = 10 * S,
				  .start_interval_ns = S,
				  .on_failure = HEALTH_ACTION_KILL };
	struct health_state st = { 0 };

	/* what fails while it starts does not count */
	assert_int_equal(take(&h, &st, 1, 1), HEALTH_ACTION_NONE);
	assert_int_equal(st.failing_streak, 0);
	assert_int_equal(health_delay_ns(&h, &st, 2 * S), S);
	assert_int_equal(health_delay_ns(&h, &st, 11 * S), 30 * S);
	take(&h, &st, 0, 2);
	assert_int_equal(st.status, HEALTH_HEALTHY);
	assert_int_equal(health_delay_ns(&h, &st, 2 * S), 30 * S);
	/* once it was healthy, it does */
	take(&h, &st, 1, 3);
	assert_int_equal(st.failing_streak, 1);
	assert_int_equal(st.status, HEALTH_HEALTHY);
	assert_int_equal(take(&h, &st, -1, 4), HEALTH_ACTION_KILL);
	assert_int_equal(st.status, HEALTH_UNHEALTHY);
	/* the action follows from the change only */
	assert_int_equal(take(&h, &st, 1, 5), HEALTH_ACTION_NONE);
	assert_int_equal(st.failing_streak, 3);
	take(&h, &st, 0, 6);
	assert_int_equal(st.status, HEALTH_HEALTHY);
	assert_int_equal(st.failing_streak, 0);
	assert_int_equal(st.log.n, HEALTH_LOG_MAX);
	assert_int_equal(st.log.items[HEALTH_LOG_MAX - 1].exit_code, 0);
	assert_int_equal(st.log.items[0].exit_code, 0); /* that of second 2 */
	json_free(&health_state_desc, &st);
}

static void test_startup(void **state)
{
	static char *test[] = { W("CMD"), W("x"), NULL };
	const struct health h = {
		.probe = { .test = test, .retries = 1, .interval_ns = 30 * S },
		.startup = { .test = test, .retries = 2, .success = 2, .interval_ns = S },
		.on_failure = HEALTH_ACTION_NONE,
	};
	struct health_state st = { 0 };

	assert_ptr_equal(health_next(&h, &st), &h.startup);
	assert_int_equal(take(&h, &st, 1, 1), HEALTH_ACTION_NONE);
	take(&h, &st, 0, 1);
	assert_int_equal(take(&h, &st, 1, 1), HEALTH_ACTION_NONE);
	assert_int_equal(take(&h, &st, 1, 1), HEALTH_ACTION_RESTART);
	take(&h, &st, 0, 1);
	assert_ptr_equal(health_next(&h, &st), &h.startup);
	take(&h, &st, 0, 1);
	assert_int_equal(st.status, HEALTH_STARTING);
	assert_ptr_equal(health_next(&h, &st), &h.probe);
	assert_int_equal(health_delay_ns(&h, &st, 0), 30 * S);
	take(&h, &st, 1, 1);
	assert_int_equal(st.status, HEALTH_UNHEALTHY);
	json_free(&health_state_desc, &st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands),      cmocka_unit_test(test_image_and_options),
		cmocka_unit_test(test_wrong_options), cmocka_unit_test(test_targets),
		cmocka_unit_test(test_http_status),   cmocka_unit_test(test_streaks),
		cmocka_unit_test(test_startup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
