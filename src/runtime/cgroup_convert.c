/* SPDX-License-Identifier: Apache-2.0 */
/* v1 values, which config.json is made of, to those of v2. The same formulas as runc and crun. */
#include <string.h>

#include "base/str.h"
#include "runtime/cgroup_priv.h"

/* libm would come into the static programs for these two alone. Both are exact to 1e-14. */
static double log2_of(uint64_t x)
{
	int exponent = 63 - __builtin_clzll(x);
	double m = (double)x / (double)(1ULL << exponent); /* 1 <= m < 2 */
	double s = (m - 1) / (m + 1), power = s, sum = 0;

	for (int k = 1; k < 40; k += 2) { /* ln m = 2 artanh s */
		sum += power / k;
		power *= s * s;
	}
	return exponent + 2 * sum / 0.69314718055994530942;
}

static double exp10_of(double x) /* 0 <= x <= 4 */
{
	double y = x * 2.30258509299404568402, term = 1, sum = 1;

	for (int k = 1; k < 60; k++) {
		term *= y / k;
		sum += term;
	}
	return sum;
}

/* A quadratic in the logarithm that goes through the smallest, the default and the largest value of
 * both scales: 2 -> 1, 1024 -> 100, 262144 -> 10000. */
uint64_t cgroup_weight_of_shares(uint64_t shares)
{
	if (shares == 0)
		return 0;
	if (shares <= 2)
		return 1;
	if (shares >= 262144)
		return 10000;
	double l = log2_of(shares);
	double weight = exp10_of((l * l + 125 * l) / 612 - 7.0 / 34);
	uint64_t whole = (uint64_t)weight;
	/* rounded up, but 1024 is 100 in spite of binary fractions */
	return weight - (double)whole > 1e-9 ? whole + 1 : whole;
}

uint64_t cgroup_io_weight(uint32_t blkio_weight)
{
	if (blkio_weight == 0)
		return 0;
	if (blkio_weight <= 10)
		return 1;
	if (blkio_weight >= 1000)
		return 10000;
	return 1 + (uint64_t)(blkio_weight - 10) * 9999 / 990;
}

int cgroup_swap_max(int64_t memory, int64_t memory_and_swap, int64_t *ret)
{
	if (memory == -1 && memory_and_swap == 0) {
		*ret =
		    -1; /* as on v1, unlimited memory means unlimited swap unless told otherwise */
		return 1;
	}
	if (memory_and_swap == 0)
		return 0;
	if (memory_and_swap < 0 || memory < 0) {
		*ret = memory_and_swap;
		return 1;
	}
	if (memory == 0 || memory_and_swap < memory)
		return -EINVAL;
	*ret = memory_and_swap - memory;
	return 1;
}

int cgroup_cpu_max_parse(const char *text, int64_t *ret_quota, uint64_t *ret_period)
{
	const char *space = strchr(text, ' ');
	int64_t quota = -1;
	uint64_t period;

	if (!space || str_parse_u64(space + 1, &period) < 0)
		return -EINVAL;
	cleanup_free char *first = xstrndup(text, (size_t)(space - text));
	if (!str_eq(first, "max") && (str_parse_i64(first, &quota) < 0 || quota < 0))
		return -EINVAL;
	*ret_quota = quota;
	*ret_period = period;
	return 0;
}
