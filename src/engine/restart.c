/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/restart.h"

#include "base/str.h"

#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 60000
/* Whoever ran for so long has started well. */
#define BACKOFF_RESET_NS (10 * INT64_C(1000000000))

const char *const restart_policy_names[] = { "no", "on-failure", "always", "unless-stopped", NULL };

int restart_parse(const char *text, int *ret_policy, int64_t *ret_max, struct err *err)
{
	const char *times = strchr(text, ':');
	size_t len = times ? (size_t)(times - text) : strlen(text);
	int policy = len ? -1 : RESTART_NO;
	int64_t max = 0;

	for (int i = 0; restart_policy_names[i]; i++)
		if (strlen(restart_policy_names[i]) == len &&
		    strncmp(restart_policy_names[i], text, len) == 0)
			policy = i;
	if (policy < 0)
		return err_fail(err, ERR_USAGE,
				"invalid restart policy: unknown policy '%.*s'; use one of 'no', "
				"'always', 'on-failure', or 'unless-stopped'",
				(int)len, text);
	if (times && policy != RESTART_ON_FAILURE)
		return err_fail(err, ERR_USAGE,
				"invalid restart policy: maximum retry count can only be used with "
				"'on-failure'");
	if (times && (str_parse_i64(times + 1, &max) < 0 || max > INT32_MAX))
		return err_fail(
		    err, ERR_USAGE,
		    "invalid restart policy: maximum retry count must be an integer: %s",
		    times + 1);
	if (max < 0)
		return err_fail(err, ERR_USAGE,
				"invalid restart policy: maximum retry count cannot be negative");
	*ret_policy = policy;
	*ret_max = max;
	return 0;
}

bool restart_wanted(const struct restart_question *q)
{
	if (q->stopped || q->policy <= RESTART_NO)
		return false;
	if (q->policy == RESTART_ON_FAILURE)
		return q->status != 0 && (!q->max || q->restarts < q->max);
	return true;
}

bool restart_wanted_at_boot(const struct restart_question *q, bool running)
{
	switch (q->policy) {
	case RESTART_ALWAYS:
		return true;
	case RESTART_UNLESS_STOPPED:
		return !q->stopped;
	case RESTART_ON_FAILURE:
		return running || restart_wanted(q);
	default:
		return false;
	}
}

uint32_t restart_backoff(uint32_t last_ms, int64_t ran_ns)
{
	if (!last_ms || ran_ns >= BACKOFF_RESET_NS)
		return BACKOFF_MIN_MS;
	return last_ms >= BACKOFF_MAX_MS / 2 ? BACKOFF_MAX_MS : last_ms * 2;
}
