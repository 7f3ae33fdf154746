/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <signal.h>

#include "base/path.h"
#include "base/str.h"
#include "base/strv.h"
#include "engine/parse.h"

static const char *const rlimit_names[] = {
	"core",   "cpu",   "data", "fsize",  "locks",  "memlock",    "msgqueue", "nice",
	"nofile", "nproc", "rss",  "rtprio", "rttime", "sigpending", "stack",    "as",
};

static int limit_value(const char *text, uint64_t *ret)
{
	if (str_eq(text, "unlimited") || str_eq(text, "-1")) {
		*ret = UINT64_MAX;
		return 0;
	}
	return str_parse_u64(text, ret);
}

int ulimit_parse(const char *text, struct spec_rlimit *ret, struct err *err)
{
	const char *eq = strchr(text, '=');
	cleanup_free char *name = eq ? xstrndup(text, (size_t)(eq - text)) : xstrdup(text);
	cleanup_strv char **values = eq ? strv_split(eq + 1, ':') : NULL;
	size_t i, n = strv_len(values);
	struct spec_rlimit limit = { 0 };
	char *p;

	for (i = 0; i < ARRAY_SIZE(rlimit_names); i++)
		if (str_eq(name, rlimit_names[i]))
			break;
	if (i == ARRAY_SIZE(rlimit_names))
		return err_fail(err, ERR_USAGE, "invalid ulimit \"%s\": unknown type \"%s\"", text,
				name);
	if (n < 1 || n > 2 || limit_value(values[0], &limit.soft) < 0 ||
	    limit_value(values[n - 1], &limit.hard) < 0)
		return err_fail(err, ERR_USAGE, "invalid ulimit \"%s\": expected TYPE=SOFT[:HARD]",
				text);
	if (limit.soft > limit.hard)
		return err_fail(err, ERR_USAGE,
				"invalid ulimit \"%s\": the soft limit is above the hard one",
				text);
	limit.type = xasprintf("RLIMIT_%s", name);
	for (p = limit.type; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	*ret = limit;
	return 0;
}

void device_request_done(struct device_request *d)
{
	free(d->host);
	free(d->container);
	free(d->access);
	*d = (struct device_request){ 0 };
}

static bool is_access(const char *word)
{
	size_t len = strlen(word);

	return len >= 1 && len <= 3 && strspn(word, "rwm") == len;
}

int device_parse(const char *text, struct device_request *ret, struct err *err)
{
	cleanup_device_request struct device_request d = { 0 };
	cleanup_strv char **parts = strv_split(text, ':');
	size_t n = strv_len(parts);
	const char *container = parts[0], *access = "rwm";

	if (n == 3) {
		container = parts[1];
		access = parts[2];
	} else if (n == 2 && is_access(parts[1])) {
		access = parts[1];
	} else if (n == 2) {
		container = parts[1];
	}
	if (n > 3 || parts[0][0] != '/' || container[0] != '/' || !is_access(access))
		return err_fail(
		    err, ERR_USAGE,
		    "invalid device \"%s\": expected /HOST/PATH[:/CONTAINER/PATH][:rwm]", text);
	d.host = xstrdup(parts[0]);
	d.container = path_clean(container);
	d.access = xstrdup(access);
	*ret = d;
	d = (struct device_request){ 0 };
	return 0;
}

/* "[+-]SECONDS[.DECIMALS]": secs rounds down, so that nanosecs counts up from it. */
static int offset_value(const char *text, struct spec_time_offset *ret)
{
	bool negative = text[0] == '-';
	const char *digits = text + (text[0] == '-' || text[0] == '+');
	const char *dot = strchr(digits, '.');
	cleanup_free char *whole = dot ? xstrndup(digits, (size_t)(dot - digits)) : xstrdup(digits);
	uint64_t secs, unit = 100000000, nanosecs = 0;
	const char *p;

	if (str_parse_u64(whole, &secs) < 0 || secs > INT64_MAX / 1000000000)
		return -EINVAL;
	if (dot && (!dot[1] || strlen(dot + 1) > 9))
		return -EINVAL;
	for (p = dot ? dot + 1 : ""; *p; p++, unit /= 10) {
		if (*p < '0' || *p > '9')
			return -EINVAL;
		nanosecs += (uint64_t)(*p - '0') * unit;
	}
	ret->secs = negative ? -(int64_t)secs : (int64_t)secs;
	if (negative && nanosecs) {
		ret->secs--;
		nanosecs = 1000000000 - nanosecs;
	}
	ret->nanosecs = (uint32_t)nanosecs;
	return 0;
}

int time_offset_parse(const char *text, struct spec_time_offsets *inout, struct err *err)
{
	const char *eq = strchr(text, '=');
	cleanup_free char *clock = eq ? xstrndup(text, (size_t)(eq - text)) : xstrdup("");
	struct spec_time_offset offset, **dst;

	if (str_eq(clock, "boottime"))
		dst = &inout->boottime;
	else if (str_eq(clock, "monotonic"))
		dst = &inout->monotonic;
	else
		dst = NULL;
	if (!dst || offset_value(eq + 1, &offset) < 0)
		return err_fail(err, ERR_USAGE,
				"invalid time offset \"%s\": expected boottime=SECONDS or "
				"monotonic=SECONDS",
				text);
	free(*dst);
	*dst = xmalloc(sizeof(**dst));
	**dst = offset;
	return 0;
}

static const struct {
	const char *name;
	int number;
} signals[] = {
	{ "ABRT", SIGABRT }, { "ALRM", SIGALRM }, { "BUS", SIGBUS },       { "CHLD", SIGCHLD },
	{ "CONT", SIGCONT }, { "FPE", SIGFPE },   { "HUP", SIGHUP },       { "ILL", SIGILL },
	{ "INT", SIGINT },   { "IO", SIGIO },     { "KILL", SIGKILL },     { "PIPE", SIGPIPE },
	{ "PROF", SIGPROF }, { "PWR", SIGPWR },   { "QUIT", SIGQUIT },     { "SEGV", SIGSEGV },
	{ "STOP", SIGSTOP }, { "SYS", SIGSYS },   { "TERM", SIGTERM },     { "TRAP", SIGTRAP },
	{ "TSTP", SIGTSTP }, { "TTIN", SIGTTIN }, { "TTOU", SIGTTOU },     { "URG", SIGURG },
	{ "USR1", SIGUSR1 }, { "USR2", SIGUSR2 }, { "VTALRM", SIGVTALRM }, { "WINCH", SIGWINCH },
	{ "XCPU", SIGXCPU }, { "XFSZ", SIGXFSZ }, { "STKFLT", SIGSTKFLT },
};

/* RTMIN, RTMIN+n, RTMAX, RTMAX-n with the kernel's and docker's numbers 34 and 64. */
static int realtime_signal(const char *word)
{
	const char *rest;
	uint32_t n = 0;

	rest = str_after(word, "RTMIN");
	if (rest && (!rest[0] || (rest[0] == '+' && str_parse_u32(rest + 1, &n) == 0)) && n <= 30)
		return 34 + (int)n;
	rest = str_after(word, "RTMAX");
	if (rest && (!rest[0] || (rest[0] == '-' && str_parse_u32(rest + 1, &n) == 0)) && n <= 30)
		return 64 - (int)n;
	return -EINVAL;
}

int signal_parse(const char *text, int *ret, struct err *err)
{
	cleanup_free char *upper = xstrdup(text);
	const char *word;
	size_t i;
	char *p;
	int n;

	if (str_parse_int(text, &n) == 0 && n >= 1 && n <= 64) {
		*ret = n;
		return 0;
	}
	for (p = upper; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	word = str_after(upper, "SIG");
	if (!word)
		word = upper;
	for (i = 0; i < ARRAY_SIZE(signals); i++) {
		if (str_eq(word, signals[i].name)) {
			*ret = signals[i].number;
			return 0;
		}
	}
	n = realtime_signal(word);
	if (n < 0)
		return err_fail(err, ERR_USAGE, "invalid signal: %s", text);
	*ret = n;
	return 0;
}
