/* SPDX-License-Identifier: Apache-2.0 */
#include "base/timeutil.h"

#define NS_PER_S INT64_C(1000000000)

static int64_t now(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

int64_t time_now_ns(void)
{
	return now(CLOCK_REALTIME);
}

int64_t time_monotonic_ns(void)
{
	return now(CLOCK_MONOTONIC);
}

const char *time_rfc3339(int64_t realtime_ns, char out[TIME_RFC3339_MAX])
{
	int64_t ns = realtime_ns % NS_PER_S;
	time_t sec = (time_t)(realtime_ns / NS_PER_S);
	struct tm tm;
	size_t n;

	if (ns < 0) {
		ns += NS_PER_S;
		sec--;
	}
	gmtime_r(&sec, &tm);
	n = strftime(out, TIME_RFC3339_MAX, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + n, TIME_RFC3339_MAX - n, ".%09dZ", (int)ns);
	return out;
}

/* Reads exactly n digits at *s into *ret and moves *s behind them. */
static int digits(const char **s, int n, int *ret)
{
	int v = 0;

	for (int i = 0; i < n; i++, (*s)++) {
		if (**s < '0' || **s > '9')
			return -EINVAL;
		v = v * 10 + (**s - '0');
	}
	*ret = v;
	return 0;
}

static int literal(const char **s, char c)
{
	if (**s != c)
		return -EINVAL;
	(*s)++;
	return 0;
}

static int days_in_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

/* ".1" to ".123456789", more digits are dropped. */
static int fraction(const char **s, int64_t *ret_ns)
{
	int64_t unit = NS_PER_S / 10, ns = 0;

	if (**s == '.') {
		(*s)++;
		if (**s < '0' || **s > '9')
			return -EINVAL;
		for (; **s >= '0' && **s <= '9'; (*s)++, unit /= 10)
			ns += (**s - '0') * unit;
	}
	*ret_ns = ns;
	return 0;
}

/* "Z" or "+hh:mm": the offset from UTC in seconds. */
static int zone(const char **s, int *ret_s)
{
	int sign, h, m;

	if (**s == 'Z' || **s == 'z') {
		(*s)++;
		*ret_s = 0;
		return 0;
	}
	if (**s != '+' && **s != '-')
		return -EINVAL;
	sign = *(*s)++ == '-' ? -1 : 1;
	if (digits(s, 2, &h) < 0 || literal(s, ':') < 0 || digits(s, 2, &m) < 0 || h > 23 || m > 59)
		return -EINVAL;
	*ret_s = sign * (h * 3600 + m * 60);
	return 0;
}

static int date_and_time(const char **s, struct tm *tm)
{
	int year, month;

	if (digits(s, 4, &year) < 0 || literal(s, '-') < 0 || digits(s, 2, &month) < 0 ||
	    literal(s, '-') < 0 || digits(s, 2, &tm->tm_mday) < 0)
		return -EINVAL;
	if (month < 1 || month > 12 || tm->tm_mday < 1 || tm->tm_mday > days_in_month(year, month))
		return -EINVAL;
	tm->tm_year = year - 1900;
	tm->tm_mon = month - 1;
	if (**s != 'T' && **s != 't' && **s != ' ')
		return -EINVAL;
	(*s)++;
	if (digits(s, 2, &tm->tm_hour) < 0 || literal(s, ':') < 0 ||
	    digits(s, 2, &tm->tm_min) < 0 || literal(s, ':') < 0 || digits(s, 2, &tm->tm_sec) < 0)
		return -EINVAL;
	return tm->tm_hour > 23 || tm->tm_min > 59 || tm->tm_sec > 60 ? -EINVAL : 0;
}

int time_parse_rfc3339(const char *s, int64_t *ret_ns)
{
	struct tm tm = { 0 };
	int64_t ns, sec;
	int offset;

	if (date_and_time(&s, &tm) < 0 || fraction(&s, &ns) < 0 || zone(&s, &offset) < 0 || *s)
		return -EINVAL;
	sec = (int64_t)timegm(&tm) - offset;
	if (__builtin_mul_overflow(sec, NS_PER_S, &sec) || __builtin_add_overflow(sec, ns, &ns))
		return -ERANGE;
	*ret_ns = ns;
	return 0;
}

const char *time_human(int64_t duration_ns, char out[TIME_HUMAN_MAX])
{
	static const struct {
		int64_t below; /* in units of div seconds */
		int64_t div;
		const char *text; /* with %lld: the count */
	} steps[] = {
		{ 1, 1, "Less than a second" }, { 2, 1, "1 second" },
		{ 60, 1, "%lld seconds" },      { 2, 60, "About a minute" },
		{ 60, 60, "%lld minutes" },
	};
	static const struct {
		int64_t below, div;
		const char *unit;
	} longer[] = {
		{ 48, 1, "hours" },
		{ 24 * 7 * 2, 24, "days" },
		{ 24 * 30 * 2, 24 * 7, "weeks" },
		{ 24 * 365 * 2, 24 * 30, "months" },
		{ INT64_MAX, 24 * 365, "years" },
	};
	int64_t sec = duration_ns < 0 ? 0 : duration_ns / NS_PER_S, hours;

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		if (sec / steps[i].div < steps[i].below) {
			/* the unused argument is harmless where the text has no count */
			if (strchr(steps[i].text, '%'))
				snprintf(out, TIME_HUMAN_MAX, "%lld %s",
					 (long long)(sec / steps[i].div),
					 steps[i].text + sizeof("%lld"));
			else
				snprintf(out, TIME_HUMAN_MAX, "%s", steps[i].text);
			return out;
		}
	}
	/* docker rounds hours, all else is cut */
	hours = (sec + 1800) / 3600;
	if (hours == 1)
		snprintf(out, TIME_HUMAN_MAX, "About an hour");
	for (size_t i = 0; hours > 1 && i < ARRAY_SIZE(longer); i++) {
		if (hours < longer[i].below) {
			snprintf(out, TIME_HUMAN_MAX, "%lld %s", (long long)(hours / longer[i].div),
				 longer[i].unit);
			break;
		}
	}
	return out;
}

static const struct {
	const char *name;
	int64_t ns;
} duration_units[] = {
	{ "ns", 1 },       { "us", 1000 },         { "\xc2\xb5s", 1000 },    { "ms", 1000000 },
	{ "s", NS_PER_S }, { "m", 60 * NS_PER_S }, { "h", 3600 * NS_PER_S },
};

/* The unit that the letters up to the next digit are. */
static int64_t duration_unit(const char **s)
{
	size_t len = strcspn(*s, "0123456789.");

	for (size_t i = 0; i < ARRAY_SIZE(duration_units); i++) {
		const char *name = duration_units[i].name;

		if (strlen(name) == len && strncmp(name, *s, len) == 0) {
			*s += len;
			return duration_units[i].ns;
		}
	}
	return -EINVAL;
}

/* Digits, perhaps a fraction, a unit. */
static int duration_part(const char **s, int64_t *total)
{
	size_t len = strspn(*s, "0123456789");
	char digits[20] = "";
	const char *frac = NULL;
	int64_t whole = 0, unit;

	if (len >= sizeof(digits))
		return -ERANGE;
	memcpy(digits, *s, len);
	for (const char *p = digits; *p; p++)
		if (__builtin_mul_overflow(whole, 10, &whole) ||
		    __builtin_add_overflow(whole, *p - '0', &whole))
			return -ERANGE;
	*s += len;
	if (**s == '.') {
		frac = ++*s;
		*s += strspn(*s, "0123456789");
	}
	if (len == 0 && (!frac || *s == frac))
		return -EINVAL;
	const char *frac_end = *s;
	unit = duration_unit(s);
	if (unit < 0)
		return -EINVAL;
	if (__builtin_mul_overflow(whole, unit, &whole) ||
	    __builtin_add_overflow(*total, whole, total))
		return -ERANGE;
	for (; frac && frac < frac_end; frac++) {
		unit /= 10;
		if (__builtin_add_overflow(*total, (*frac - '0') * unit, total))
			return -ERANGE;
	}
	return 0;
}

int time_parse_duration(const char *s, int64_t *ret_ns)
{
	int64_t total = 0;

	if (strcmp(s, "0") == 0) {
		*ret_ns = 0;
		return 0;
	}
	if (!*s)
		return -EINVAL;
	while (*s) {
		int r = duration_part(&s, &total);

		if (r < 0)
			return r;
	}
	*ret_ns = total;
	return 0;
}
