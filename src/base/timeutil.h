/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks and time text. */
#pragma once

#include <time.h>

#include "base/util.h"

int64_t time_now_ns(void); /* CLOCK_REALTIME, ns since 1970 */
int64_t time_monotonic_ns(void);
/* RFC 3339 UTC with nanoseconds, "2026-01-02T15:04:05.123456789Z". */
#define TIME_RFC3339_MAX 40
const char *time_rfc3339(int64_t realtime_ns, char out[TIME_RFC3339_MAX]);
int time_parse_rfc3339(const char *s, int64_t *ret_ns) MUST_CHECK;
/* "5s", "1m30s", "1.5h", "100ms", "250us": Go's durations without a sign. -EINVAL, or -ERANGE over
 * 292 years. */
int time_parse_duration(const char *s, int64_t *ret_ns) MUST_CHECK;
/* docker's words: "3 seconds", "About a minute", "2 hours", "5 weeks". */
#define TIME_HUMAN_MAX 32
const char *time_human(int64_t duration_ns, char out[TIME_HUMAN_MAX]);
