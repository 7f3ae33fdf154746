/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/str.h"
#include "base/strv.h"
#include "engine/stats.h"
#include "engine/top_words.h"

static void assert_row(char *const *row, const char *want)
{
	cleanup_free char *got = strv_join(row, "|");

	assert_string_equal(got, want);
}

static void test_lines_of_ps(void **state)
{
	struct top top;

	top_parse("UID   PID TTY  CMD\nroot   12 ?    sh -c  a  b \n  alice 13\n\n", &top);
	assert_row(top.titles, "UID|PID|TTY|CMD");
	assert_int_equal(top.n_rows, 2);
	assert_row(top.rows[0], "root|12|?|sh -c  a  b ");
	assert_row(top.rows[1], "alice|13||");
	top_done(&top);
	assert_int_equal(top.n_rows, 0);
}

static void test_no_lines(void **state)
{
	static const char *const texts[] = { "", "\n", " \t\n12 ?\n" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct top top;

		top_parse(texts[i], &top);
		assert_int_equal(strv_len(top.titles), 0);
		assert_int_equal(top.n_rows, 0);
		top_done(&top);
	}
}

/* The container's file: whatever is in it, a look at it is short. */
static void test_names_of_ids(void **state)
{
	static const struct {
		const char *text;
		uint32_t id;
		const char *want;
	} rows[] = {
		{ "root:x:0:0::/:/bin/sh\nweb:x:7:9::/:\n", 7, "web" },
		{ "a:x:7\nb:x:7:", 7, "a" },
		{ "a:x\n:x:7:\nb::7:", 7, "b" },
		{ "a:x:07:\nb:x:+7\nc:x: 7:\nd:x:42949672960007:\ne:x\n:7:\n", 7, NULL },
		{ "", 0, NULL },
		{ "a:b:", 0, NULL },
	};
	const size_t size = 4 << 20;
	cleanup_free char *colons = xmalloc(size + 1);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_free char *name = top_id_name(rows[i].text, rows[i].id);

		if (!str_eq(name, rows[i].want) && (name || rows[i].want))
			fail_msg("%zu: %s", i, name ? name : "none");
	}
	memset(colons, ':', size);
	colons[size] = '\0';
	for (int i = 0; i < 100; i++)
		assert_null(top_id_name(colons, 0));
}

static void test_net_dev(void **state)
{
	uint64_t in, out;

	stats_parse_net_dev("Inter-|   Receive     |  Transmit\n"
			    " face |bytes packets errs|bytes packets errs\n"
			    "    lo:  100 1 0 0 0 0 0 0 200 2 0 0 0 0 0 0\n"
			    "  eth0: 1200 1 0 0 0 0 0 0 345 2 0 0 0 0 0 0\n"
			    "eth1:    34 1 0 0 0 0 0 0   5 2 0 0 0 0 0 0\n",
			    &in, &out);
	assert_int_equal(in, 1234);
	assert_int_equal(out, 350);
	stats_parse_net_dev("eth0: 7 1", &in, &out);
	assert_int_equal(in, 7);
	assert_int_equal(out, 0);
}

static void test_rates(void **state)
{
	struct engine_stats before = { .running = true, .at_ns = 1000, .cpu_ns = 50 };
	struct engine_stats now = {
		.running = true, .at_ns = 2000, .cpu_ns = 550, .throttled_ns = 250
	};

	engine_stats_rate(&before, &now);
	assert_int_equal((int)(now.cpu_percent + 0.5), 50);
	assert_int_equal((int)(now.throttled_percent + 0.5), 25);
	/* started anew between the two looks: its counters begin at 0 */
	now = (struct engine_stats){ .running = true, .at_ns = 2000, .cpu_ns = 20 };
	engine_stats_rate(&before, &now);
	assert_int_equal((int)now.cpu_percent, 0);
	now = (struct engine_stats){ .at_ns = 2000 };
	engine_stats_rate(&before, &now);
	assert_int_equal((int)now.cpu_percent, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_of_ps),  cmocka_unit_test(test_no_lines),
		cmocka_unit_test(test_names_of_ids), cmocka_unit_test(test_net_dev),
		cmocka_unit_test(test_rates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
