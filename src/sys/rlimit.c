/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/rlimit.h"

#include "base/str.h"

static const struct {
	const char *name;
	int resource;
} resources[] = {
	{ "RLIMIT_CPU", RLIMIT_CPU },           { "RLIMIT_FSIZE", RLIMIT_FSIZE },
	{ "RLIMIT_DATA", RLIMIT_DATA },         { "RLIMIT_STACK", RLIMIT_STACK },
	{ "RLIMIT_CORE", RLIMIT_CORE },         { "RLIMIT_RSS", RLIMIT_RSS },
	{ "RLIMIT_NPROC", RLIMIT_NPROC },       { "RLIMIT_NOFILE", RLIMIT_NOFILE },
	{ "RLIMIT_MEMLOCK", RLIMIT_MEMLOCK },   { "RLIMIT_AS", RLIMIT_AS },
	{ "RLIMIT_LOCKS", RLIMIT_LOCKS },       { "RLIMIT_SIGPENDING", RLIMIT_SIGPENDING },
	{ "RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE }, { "RLIMIT_NICE", RLIMIT_NICE },
	{ "RLIMIT_RTPRIO", RLIMIT_RTPRIO },     { "RLIMIT_RTTIME", RLIMIT_RTTIME },
};

int rlimit_from_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(resources); i++)
		if (str_eq(name, resources[i].name))
			return resources[i].resource;
	return -EINVAL;
}

const char *rlimit_name(int resource)
{
	for (size_t i = 0; i < ARRAY_SIZE(resources); i++)
		if (resource == resources[i].resource)
			return resources[i].name;
	return NULL;
}

int rlimit_set(pid_t pid, int resource, uint64_t soft, uint64_t hard, struct err *err)
{
	struct rlimit64 limit = { .rlim_cur = soft, .rlim_max = hard };
	const char *name = rlimit_name(resource);

	if (!name)
		return err_fail(err, ERR_INVALID, "unknown resource limit %d", resource);
	if (soft > hard)
		return err_fail(err, ERR_INVALID, "%s: the soft limit is above the hard limit",
				name);
	if (prlimit64(pid, (__rlimit_resource_t)resource, &limit, NULL) < 0)
		return err_errno(err, errno, "setting %s to %llu:%llu", name,
				 (unsigned long long)soft, (unsigned long long)hard);
	return 0;
}

int rlimit_get(pid_t pid, int resource, uint64_t *ret_soft, uint64_t *ret_hard)
{
	struct rlimit64 limit;

	if (prlimit64(pid, (__rlimit_resource_t)resource, NULL, &limit) < 0)
		return -errno;
	*ret_soft = limit.rlim_cur;
	*ret_hard = limit.rlim_max;
	return 0;
}

int rlimit_lower(const struct rlimit_value *limits, size_t n, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t soft, hard, value = limits[i].value;

		if (rlimit_get(0, limits[i].resource, &soft, &hard) == 0 && value >= hard)
			value = hard;
		int r = rlimit_set(0, limits[i].resource, value, value, err);
		if (r < 0)
			return r;
	}
	return 0;
}
