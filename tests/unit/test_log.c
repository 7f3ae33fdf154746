/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/mman.h>

#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/str.h"
#include "unit.h"

/* What logging the message writes, with the time cut out. */
static char *logged(enum log_format format, enum log_level least, enum log_level level,
		    const char *msg)
{
	int fd = memfd_create("log", MFD_CLOEXEC);
	struct buf b = BUF_INIT;
	char *stamp;

	log_setup("prog", fd, format, least);
	log_msg(level, "%s", msg);
	log_setup("prog", -1, LOG_PLAIN, LOG_ERROR);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(io_read_all(fd, &b, 10000), 0);
	fd_close(fd);
	stamp = strstr(buf_str(&b), "20");
	if (stamp) {
		assert_int_equal(stamp[10], 'T');
		assert_int_equal(stamp[19], 'Z');
		memmove(stamp, stamp + 20, strlen(stamp + 20) + 1);
	}
	return buf_take(&b);
}

#define assert_logged(expected, ...)                                                               \
	do {                                                                                       \
		char *logged_ = logged(__VA_ARGS__);                                               \
		assert_string_equal(logged_, expected);                                            \
		free(logged_);                                                                     \
	} while (0)

static void test_formats(void **state)
{
	assert_logged("prog: warning: a b\n", LOG_PLAIN, LOG_INFO, LOG_WARN, "a b");
	assert_logged("prog: a\n", LOG_PLAIN, LOG_INFO, LOG_ERROR, "a");
	assert_logged("time=\"\" level=warning msg=\"a \\\"b\\\"\\n\"\n", LOG_TEXT, LOG_DEBUG,
		      LOG_WARN, "a \"b\"\n");
	assert_logged("{\"level\":\"error\",\"msg\":\"\\\\\\u001b\xef\xbf\xbd\",\"time\":\"\"}\n",
		      LOG_JSON, LOG_DEBUG, LOG_ERROR, "\\\x1b\xff");
}

static void test_levels(void **state)
{
	assert_logged("", LOG_TEXT, LOG_WARN, LOG_INFO, "x");
	assert_logged("prog: x\n", LOG_PLAIN, LOG_DEBUG, LOG_DEBUG, "x");
	log_setup("prog", -1, LOG_PLAIN, LOG_DEBUG);
	log_error("nowhere");
}

static void test_warnings_are_limited(void **state)
{
	log_limit_warnings(2);
	assert_logged("prog: warning: x\n", LOG_PLAIN, LOG_WARN, LOG_WARN, "x");
	assert_logged("prog: warning: x\n", LOG_PLAIN, LOG_WARN, LOG_WARN, "x");
	assert_logged("prog: warning: further warnings are left out\n", LOG_PLAIN, LOG_WARN,
		      LOG_WARN, "x");
	assert_logged("", LOG_PLAIN, LOG_WARN, LOG_WARN, "x");
	assert_logged("prog: x\n", LOG_PLAIN, LOG_WARN, LOG_ERROR, "x");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_formats),
					    cmocka_unit_test(test_levels),
					    cmocka_unit_test(test_warnings_are_limited) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
