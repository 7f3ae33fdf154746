/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/strv.h"
#include "runtime/checkpoint.h"

static void assert_bytes(const struct criu_req *req, const char *bytes, size_t len)
{
	struct buf b = BUF_INIT;

	criu_req_encode(req, &b);
	assert_int_equal(b.len, len);
	assert_memory_equal(b.data, bytes, len);
	buf_done(&b);
}

#define ASSERT_BYTES(req, bytes) assert_bytes(req, bytes, sizeof(bytes) - 1)

/* By hand, from the encoding's description. */
static void test_requests(void **state)
{
	struct criu_opts opts = { .images_dir_fd = { true, 7 }, .leave_running = true };
	struct criu_page_server server = { "h", { true, 300 } };
	struct criu_features features = { .lazy_pages = true };
	struct criu_req req = { .type = { true, CRIU_VERSION }, .keep_open = true };

	(void)state;
	ASSERT_BYTES(&req, "\x08\x0a\x20\x01");
	req = (struct criu_req){ .type = { true, CRIU_NOTIFY }, .notify_success = true };
	ASSERT_BYTES(&req, "\x08\x06\x18\x01");
	req = (struct criu_req){ .type = { true, CRIU_FEATURE_CHECK }, .features = &features };
	ASSERT_BYTES(&req, "\x08\x09\x2a\x02\x10\x01");
	req = (struct criu_req){ .type = { true, CRIU_DUMP }, .opts = &opts };
	ASSERT_BYTES(&req, "\x08\x01\x12\x04\x08\x07\x18\x01");
	opts = (struct criu_opts){ .page_server = &server };
	ASSERT_BYTES(&req, "\x08\x01\x12\x08\x5a\x06\x0a\x01h\x10\xac\x02");
	opts = (struct criu_opts){ .images_dir_fd = { true, -1 } };
	ASSERT_BYTES(&req, "\x08\x01\x12\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
	opts = (struct criu_opts){ 0 };
	json_map_set(&opts.ext_mnt, "a", "b");
	criu_opts_add_fd(&opts, "k", 2);
	ASSERT_BYTES(&req, "\x08\x01\x12\x11"
			   "\xba\x01\x06\x0a\x01"
			   "a\x12\x01"
			   "b"
			   "\xda\x01\x05\x0a\x01"
			   "k\x10\x02"
			   "");
	criu_opts_done(&opts);
}

static int decode(const char *bytes, size_t len, struct criu_resp *resp)
{
	struct err err = ERR_INIT;

	return criu_resp_decode(bytes, len, resp, &err);
}

#define DECODE(bytes, resp) decode(bytes, sizeof(bytes) - 1, resp)

static void test_responses(void **state)
{
	struct criu_resp r;

	(void)state;
	assert_int_equal(DECODE("\x08\x0a\x10\x01\x52\x06\x08\x03\x10\x11\x20\x01", &r), 0);
	assert_int_equal(r.type, CRIU_VERSION);
	assert_true(r.success);
	assert_int_equal(r.version.major, 3);
	assert_int_equal(r.version.minor, 17);
	assert_int_equal(r.version.sublevel, 1);
	assert_int_equal(DECODE("\x08\x06\x10\x01\x2a\x06\x0a\x01x\x10\xac\x02", &r), 0);
	assert_string_equal(r.notify.script, "x");
	assert_int_equal(r.notify.pid, 300);
	/* unknown fields of each kind */
	assert_int_equal(DECODE("\x08\x01\xfa\x01\x01z\xf8\x01\x05\xf9\x01"
				"12345678\xfd\x01"
				"1234\x10\x00",
				&r),
			 0);
	assert_false(r.success);
	/* the last one of several counts, and text is made safe to print */
	assert_int_equal(DECODE("\x08\x01\x08\x02\x4a\x03"
				"a\x1b"
				"b",
				&r),
			 0);
	assert_int_equal(r.type, CRIU_RESTORE);
	assert_string_equal(r.errmsg, "a?b");
}

static void test_broken_responses(void **state)
{
	static const char nested[] = "\x08\x01\x2a\x02\x0a\x05";
	struct criu_resp r;

	(void)state;
	assert_true(DECODE("", &r) < 0);
	assert_true(DECODE("\x08", &r) < 0);
	assert_true(DECODE("\x08\x00", &r) < 0);         /* no type */
	assert_true(DECODE("\x0a\x01\x01", &r) < 0);     /* a type that is text */
	assert_true(DECODE("\x08\x01\x28\x01", &r) < 0); /* a message that is a number */
	assert_true(DECODE("\x08\x01\x0b", &r) < 0);     /* a group */
	assert_true(DECODE("\x08\x01\x4a\x05xxxx", &r) < 0);
	assert_true(DECODE("\x08\x01\x4a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", &r) < 0);
	assert_true(DECODE("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", &r) < 0);
	assert_true(decode(nested, sizeof(nested) - 1, &r) < 0);
}

static void assert_log(const char *text, const char *expected)
{
	struct buf b = BUF_INIT;

	criu_log_errors(text, strlen(text), &b);
	assert_string_equal(buf_str(&b), expected);
	buf_done(&b);
}

static void test_log(void **state)
{
	(void)state;
	assert_log("", "");
	assert_log("(00.1) Warn  (criu/x.c:1): w\n", "");
	assert_log(
	    "(00.1)  42: Error (x.c:1): a\n(00.2) info\n(00.3) Error (x.c:9): Dumping FAILED.\n",
	    "Error (x.c:1): a");
	assert_log("Error (1)\nError (2)\nError (3)\nError (4)", "Error (2); Error (3); Error (4)");
	assert_log("Error (\x1b[0m)\n", "Error (?[0m)");
}

static void test_descriptors(void **state)
{
	static const char text[] = "[\"/dev/null\",\"pipe:[42]\"]";
	struct err err = ERR_INIT;
	char **links = NULL;

	(void)state;
	assert_ok(criu_descriptors_parse(text, sizeof(text) - 1, &links, &err));
	assert_int_equal(strv_len(links), 2);
	assert_string_equal(links[1], "pipe:[42]");
	strv_free(links);
	assert_true(criu_descriptors_parse("[1]", 3, &links, &err) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),         cmocka_unit_test(test_responses),
		cmocka_unit_test(test_broken_responses), cmocka_unit_test(test_log),
		cmocka_unit_test(test_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
