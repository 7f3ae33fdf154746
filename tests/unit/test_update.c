/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of `inro update`: what the options mean, and whether they go with those that there are. */
#include "unit.h"

#include "base/str.h"
#include "engine/update.h"

#define MIB (UINT64_C(1) << 20)
#define U64(v)                                                                                     \
	{                                                                                          \
		true, v                                                                            \
	}

/* A limit that is there, as "now", and the options: *ret_now, or the error's text. */
static int change(const char *now, const struct update_options *o, bool swap, struct buf *ret,
		  struct err *err)
{
	struct spec_resources res = { 0 }, delta = { 0 };
	int r = json_parse(&spec_resources_desc, &res, now, strlen(now), "now", err);

	if (r == 0)
		r = update_resources(o, &delta, err);
	if (r == 0)
		r = update_merge(&res, &delta, swap, err);
	json_write(&spec_resources_desc, r < 0 ? &delta : &res, 0, ret);
	json_free(&spec_resources_desc, &res);
	json_free(&spec_resources_desc, &delta);
	return r;
}

static void test_merge(void **state)
{
	static char swap300[] = "300m", unlimited[] = "-1", cpus[] = "1.5", list[] = "0-1";
	static const struct {
		const char *now;
		struct update_options o;
		bool swap;
		const char *want;
	} rows[] = {
		/* as with run, as much swap as memory */
		{ "{}",
		  { .memory = U64(100 * MIB) },
		  true,
		  "{\"memory\":{\"limit\":104857600,\"swap\":209715200}}" },
		{ "{}", { .memory = U64(100 * MIB) }, false, "{\"memory\":{\"limit\":104857600}}" },
		/* what is not named stays */
		{ "{\"memory\":{\"limit\":104857600,\"swap\":209715200,\"reservation\":1000}}",
		  { .memory = U64(200 * MIB) },
		  true,
		  "{\"memory\":{\"limit\":209715200,\"reservation\":1000,\"swap\":209715200}}" },
		{ "{\"memory\":{\"limit\":104857600,\"swap\":209715200}}",
		  { .memory = U64(250 * MIB), .memory_swap = swap300 },
		  true,
		  "{\"memory\":{\"limit\":262144000,\"swap\":314572800}}" },
		{ "{\"memory\":{\"limit\":104857600,\"swap\":209715200}}",
		  { .memory = U64(250 * MIB), .memory_swap = unlimited },
		  true,
		  "{\"memory\":{\"limit\":262144000,\"swap\":-1}}" },
		{ "{\"cpu\":{\"shares\":512},\"pids\":{\"limit\":5}}",
		  { .cpus = cpus },
		  true,
		  "{\"cpu\":{\"shares\":512,\"quota\":150000,\"period\":100000},\"pids\":{"
		  "\"limit\":5}}" },
		{ "{\"cpu\":{\"cpus\":\"0\"},\"pids\":{\"limit\":5}}",
		  { .cpuset_cpus = list, .pids_limit = { true, 0 } },
		  true,
		  "{\"cpu\":{\"cpus\":\"0-1\"},\"pids\":{\"limit\":-1}}" },
		{ "{\"devices\":[{\"allow\":true,\"access\":\"rwm\"}]}",
		  { .blkio_weight = U64(500) },
		  true,
		  "{\"devices\":[{\"allow\":true,\"access\":\"rwm\"}],\"blockIO\":{\"weight\":500}"
		  "}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_buf struct buf got = BUF_INIT;
		struct err err = ERR_INIT;

		assert_int_equal(change(rows[i].now, &rows[i].o, rows[i].swap, &got, &err), 0);
		assert_string_equal(buf_str(&got), rows[i].want);
	}
}

static void test_refused(void **state)
{
	static char small[] = "50m", two[] = "2", none[] = "0.001", bad[] = "much";
	static const struct {
		const char *now;
		struct update_options o;
		const char *want;
	} rows[] = {
		{ "{}", { .memory = U64(MIB) }, "minimum memory limit allowed is 6MB" },
		{ "{}", { .memory_swap = small }, "always set the memory limit" },
		{ "{}", { .memory_swap = bad }, "--memory-swap: invalid size: much" },
		{ "{\"memory\":{\"limit\":104857600,\"swap\":209715200}}",
		  { .memory = U64(300 * MIB) },
		  "smaller than already set memory swap limit" },
		{ "{\"memory\":{\"limit\":104857600,\"swap\":209715200}}",
		  { .memory_swap = small },
		  "should be larger than memory limit" },
		{ "{\"memory\":{\"limit\":104857600}}",
		  { .memory_reservation = U64(200 * MIB) },
		  "can not be less than memory reservation" },
		{ "{}", { .memory_swappiness = U64(101) }, "--memory-swappiness: expected 0 to" },
		{ "{}", { .cpus = two, .cpu_quota = { true, 1000 } }, "conflicting options" },
		{ "{}", { .cpus = none }, "--cpus: at least 0.01" },
		{ "{}", { .cpus = bad }, "--cpus: expected a number" },
		{ "{}", { .blkio_weight = U64(5) }, "range of blkio weight" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_buf struct buf got = BUF_INIT;
		struct err err = ERR_INIT;

		assert_true(change(rows[i].now, &rows[i].o, true, &got, &err) < 0);
		assert_non_null(strstr(err.msg, rows[i].want));
	}
}

/* 0 is docker's word for "as it is". */
static void test_nothing(void **state)
{
	static char zero[] = "0", empty[] = "";
	static const struct update_options o = {
		.memory = U64(0),
		.memory_swap = zero,
		.cpus = zero,
		.cpuset_cpus = empty,
		.blkio_weight = U64(0),
	};
	struct spec_resources res = { 0 };
	struct err err = ERR_INIT;

	assert_int_equal(update_resources(&o, &res, &err), 1);
	assert_null(res.memory);
	assert_null(res.cpu);
}

static void test_forms_of_mounts(void **state)
{
	static const char *const mounts[] = { "type=bind,src=/a,dest=/b", "type=glob,src=/a/*",
					      "ro,target=/a,src=v", "\"src=/a,b\",dst=/c",
					      "bind-propagation=rslave,src=/a,dst=/b" };
	static const char *const volumes[] = { "/a:/b",  "./target=x:/b",     "/dst=a:/b:ro",
					       "vol:/a", "vol:/target=a:O,U", "/a",
					       "vol" };

	for (size_t i = 0; i < ARRAY_SIZE(mounts); i++)
		if (!update_is_mount_word(mounts[i]))
			fail_msg("%s", mounts[i]);
	for (size_t i = 0; i < ARRAY_SIZE(volumes); i++)
		if (update_is_mount_word(volumes[i]))
			fail_msg("%s", volumes[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_forms_of_mounts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
