/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "base/io.h"
#include "base/strv.h"
#include "net/pasta.h"
#include "unit.h"

static void allowed(const char *text, const char *words)
{
	cleanup_strv char **v = NULL;
	struct err err = ERR_INIT;

	assert_ok(pasta_options_parse(text, &v, &err));
	cleanup_free char *joined = strv_join(v, " ");
	assert_string_equal(joined, words);
}

static void refused(const char *text)
{
	char **v = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(pasta_options_parse(text, &v, &err), -EINVAL);
	assert_int_equal(err.kind, ERR_USAGE);
	assert_null(v);
}

static void test_options(void **state)
{
	allowed(NULL, "");
	allowed("", "");
	allowed("-t,8080:80,--map-gw", "-t 8080:80 --map-gw");
	allowed("-4,-I,tap0,--mtu=1500", "-4 -I tap0 --mtu=1500");
	allowed("-t8080,-q", "-t8080 -q");
	/* no namespaces, files, ids of others, and no way of never being ready; however they are
	 * spelled */
	static const char *const bad[] = {
		"--netns,/proc/1/ns/net",
		"--netns=/x",
		"--userns=/x",
		"--userns",
		"--net",
		"-P,/etc/x",
		"-P/etc/x",
		"-qP/etc/x",
		"--pid=/x",
		"--pi=/x",
		"-l,/x",
		"-4l/x",
		"--log-f=/x",
		"-p,/x",
		"--pcap=/x",
		"--runas=0",
		"-f",
		"-4qf",
		"--foregr",
		"-F3",
		"-d",
		"--trace",
		"--",
		"--socket",
		"-s/x",
		"-h",
		"--version",
		"1",
		"80,-t,all",
		"-4,,-t",
	};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		refused(bad[i]);
}

/* A pid that is another's by now is not ended. */
static void test_stale(void **state)
{
	char dir[] = "/tmp/test_pasta.XXXXXX", text[32];
	struct err err = ERR_INIT;

	assert_non_null(mkdtemp(dir));
	cleanup_free char *file = xasprintf("%s/pid", dir);
	assert_int_equal(pasta_find(file), -ESRCH);
	snprintf(text, sizeof(text), "%d\n", (int)getpid());
	assert_ok(io_replace_file(AT_FDCWD, file, text, strlen(text), 0600, false, &err));
	assert_int_equal(pasta_find(file), -ESRCH);
	pasta_end(file);
	assert_int_equal(access(file, F_OK), -1);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_stale),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
