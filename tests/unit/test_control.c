/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/control.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/timeutil.h"
#include "runtime/monitor_proto.h"
#include "unit.h"

/* A monitor that is stopped, or busy, does not hold up who asks for a probe. */
static void test_probe_without_an_answer(void **state)
{
	const struct monitor_msg other = { .type = MONITOR_STARTED };
	const struct monitor_msg answer = { .type = MONITOR_PROBED, .value = MONITOR_PROBED_WELL };
	int64_t begun = time_monotonic_ns();
	int s[2], result = -1;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s), 0);
	assert_int_equal(send(s[1], &other, sizeof(other), 0), sizeof(other));
	assert_int_equal(control_probe(s[0], 20, &result), -ETIME);
	assert_int_equal(result, -1);
	assert_true(time_monotonic_ns() - begun >= 15 * INT64_C(1000000));
	assert_int_equal(send(s[1], &answer, sizeof(answer), 0), sizeof(answer));
	assert_int_equal(control_probe(s[0], 1000, &result), 0);
	assert_int_equal(result, MONITOR_PROBED_WELL);
	close(s[1]);
	assert_int_equal(control_probe(s[0], -1, &result), -EPIPE);
	close(s[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_probe_without_an_answer) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
