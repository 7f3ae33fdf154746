/* SPDX-License-Identifier: Apache-2.0 */
#include <strings.h>

#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "engine/health.h"

#define NS_PER_S         INT64_C(1000000000)
#define NS_MIN           INT64_C(1000000) /* docker's */
#define DEFAULT_INTERVAL (30 * NS_PER_S)
#define DEFAULT_TIMEOUT  (30 * NS_PER_S)
#define DEFAULT_START    (5 * NS_PER_S)
#define DEFAULT_RETRIES  3
#define WORDS_MAX        (64u << 10)

void health_free(struct health *h)
{
	if (h)
		json_free(&health_desc, h);
	free(h);
}

struct words_doc {
	char **words;
};
static const struct json_field words_fields[] = {
	JSON_FIELD(struct words_doc, words, "w", JSON_STRV),
};
static const struct json_desc words_desc = JSON_DESC(struct words_doc, words_fields);

/* A JSON array of strings, or NULL. */
static char **parse_array(const char *text)
{
	cleanup_free char *object = xasprintf("{\"w\":%s}", text);
	struct words_doc doc = { 0 };

	if (text[0] != '[' || json_parse(&words_desc, &doc, object, strlen(object), "", NULL) < 0)
		return NULL;
	return doc.words;
}

static void add_fields(char ***to, const char *text)
{
	cleanup_strv char **fields = strv_split(text, ' ');

	for (size_t i = 0; fields[i]; i++)
		if (fields[i][0])
			strv_add(to, fields[i]);
}

/* docker's: a line for the shell. podman's besides: "none", a JSON array, and "CMD ..." as a
 * HEALTHCHECK has it. */
static char **parse_command(const char *text)
{
	cleanup_strv char **array = parse_array(text);
	const char *rest;
	char **test = NULL;

	if (strcasecmp(text, "none") == 0) {
		strv_add(&test, "NONE");
	} else if (array && (str_eq(array[0], "CMD") || str_eq(array[0], "CMD-SHELL") ||
			     str_eq(array[0], "NONE"))) {
		strv_extend(&test, array);
	} else if (array && array[0]) {
		strv_add(&test, array[1] ? "CMD" : "CMD-SHELL");
		strv_extend(&test, array);
	} else if ((rest = str_after(text, "CMD "))) {
		strv_add(&test, "CMD");
		add_fields(&test, rest);
	} else {
		rest = str_after(text, "CMD-SHELL ");
		strv_add(&test, "CMD-SHELL");
		strv_add(&test, rest ? rest : text);
	}
	return test;
}

static int check_target(const char *kind, const char *text, struct err *err)
{
	cleanup_free char *path = NULL;
	struct health_target target;
	int64_t age_ns;
	int r;

	if (str_eq(kind, "TCP") && health_parse_tcp(text, &target) < 0)
		return err_fail(err, ERR_USAGE,
				"--health-tcp %s: expected PORT or ADDRESS:PORT, and no name",
				text);
	if (str_eq(kind, "HTTP")) {
		r = health_parse_http(text, &target);
		if (r == -EPROTONOSUPPORT)
			return err_fail(err, ERR_UNSUPPORTED,
					"--health-http %s: https is not supported: use "
					"--health-cmd, or --health-tcp",
					text);
		if (r < 0)
			return err_fail(err, ERR_USAGE,
					"--health-http %s: expected "
					"[http://][ADDRESS][:PORT][/PATH], and no name",
					text);
	}
	if (str_eq(kind, "FILE") && health_parse_file(text, &path, &age_ns) < 0)
		return err_fail(err, ERR_USAGE,
				"--health-file %s: expected /PATH or /PATH:MAX-AGE, as "
				"/run/alive:30s",
				text);
	return 0;
}

/* *ret NULL: none is asked for. */
static int parse_test(const struct run_options *o, char ***ret, struct err *err)
{
	const struct {
		const char *kind, *text;
	} targets[] = {
		{ "TCP", o->health_tcp },
		{ "HTTP", o->health_http },
		{ "FILE", o->health_file },
	};
	bool has_cmd = o->health_cmd && o->health_cmd[0];
	char **test = has_cmd ? parse_command(o->health_cmd) : NULL;
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(targets); i++) {
		if (!targets[i].text)
			continue;
		r = test ? err_fail(err, ERR_USAGE,
				    "only one of --health-cmd, --health-tcp, --health-http and "
				    "--health-file can be given")
			 : check_target(targets[i].kind, targets[i].text, err);
		strv_add(&test, targets[i].kind);
		strv_add(&test, targets[i].text);
	}
	if (r == 0)
		*ret = test;
	else
		strv_free(test);
	return r;
}

struct time_option {
	const char *name, *text;
	int64_t image_ns; /* 0: the image says nothing */
	int64_t default_ns;
	int64_t *to;
};

static int parse_time(const struct time_option *t, struct err *err)
{
	int64_t ns = 0;

	if (t->text && time_parse_duration(t->text, &ns) < 0)
		return err_fail(err, ERR_USAGE,
				"invalid argument \"%s\" for --%s: expected a duration, as 30s",
				t->text, t->name);
	if (ns == 0)
		ns = t->image_ns;
	if (ns > 0 && ns < NS_MIN)
		return err_fail(err, ERR_USAGE, "--%s cannot be less than 1ms", t->name);
	*t->to = ns ? ns : t->default_ns;
	return 0;
}

static int parse_times(const struct run_options *o, const struct oci_healthcheck *image,
		       struct health *h, struct err *err)
{
	static const struct oci_healthcheck nothing = { 0 };
	const struct oci_healthcheck *i = image ? image : &nothing;
	const char *interval = o->health_interval;
	const struct time_option times[] = {
		{ "health-interval", h->manual ? NULL : interval, i->interval, DEFAULT_INTERVAL,
		  &h->probe.interval_ns },
		{ "health-timeout", o->health_timeout, i->timeout, DEFAULT_TIMEOUT,
		  &h->probe.timeout_ns },
		{ "health-start-period", o->health_start_period, i->start_period, 0,
		  &h->start_period_ns },
		{ "health-start-interval", o->health_start_interval, i->start_interval,
		  DEFAULT_START, &h->start_interval_ns },
		{ "health-startup-interval", o->health_startup_interval, 0, DEFAULT_INTERVAL,
		  &h->startup.interval_ns },
		{ "health-startup-timeout", o->health_startup_timeout, 0, DEFAULT_TIMEOUT,
		  &h->startup.timeout_ns },
	};
	int r = 0;

	for (size_t k = 0; r == 0 && k < ARRAY_SIZE(times); k++)
		r = parse_time(&times[k], err);
	return r;
}

static int parse_counts(const struct run_options *o, const struct oci_healthcheck *image,
			struct health *h, struct err *err)
{
	const struct {
		const char *name;
		int64_t value, *to;
	} counts[] = {
		{ "health-retries", o->health_retries.value, &h->probe.retries },
		{ "health-startup-retries", o->health_startup_retries.value, &h->startup.retries },
		{ "health-startup-success", o->health_startup_success.value, &h->startup.success },
	};

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		if (counts[i].value < 0)
			return err_fail(err, ERR_USAGE, "--%s cannot be negative", counts[i].name);
		*counts[i].to = counts[i].value;
	}
	if (!h->probe.retries)
		h->probe.retries = image && image->retries ? image->retries : DEFAULT_RETRIES;
	return 0;
}

bool health_options_given(const struct run_options *o)
{
	return o->health_cmd || o->health_tcp || o->health_http || o->health_file ||
	       o->health_interval || o->health_timeout || o->health_start_period ||
	       o->health_start_interval || o->health_retries.set || o->health_on_failure ||
	       o->health_startup_cmd || o->health_startup_interval || o->health_startup_timeout ||
	       o->health_startup_retries.set || o->health_startup_success.set;
}

static bool is_test(char *const *test)
{
	return test && test[0] && !str_eq(test[0], "NONE") && test[1];
}

static int parse_action(const struct run_options *o, struct health *h, struct err *err)
{
	h->on_failure = HEALTH_ACTION_NONE;
	for (int i = 0; o->health_on_failure && health_action_names[i]; i++)
		if (str_eq(o->health_on_failure, health_action_names[i]))
			h->on_failure = i;
	if (o->health_startup_cmd && o->health_startup_cmd[0])
		h->startup.test = parse_command(o->health_startup_cmd);
	if (h->startup.test && !is_test(h->startup.test)) {
		strv_free(h->startup.test);
		h->startup.test = NULL;
	}
	if (is_test(h->probe.test))
		return 0;
	if (h->on_failure != HEALTH_ACTION_NONE)
		return err_fail(err, ERR_USAGE,
				"cannot set on-failure action to %s without a health check",
				o->health_on_failure);
	return h->startup.test ? err_fail(err, ERR_USAGE,
					  "--health-startup-cmd: there is no health check to "
					  "follow it, add --health-cmd")
			       : 0;
}

static int parse(const struct run_options *o, const struct oci_config *config, struct health *h,
		 struct err *err)
{
	const struct oci_healthcheck *image = config ? config->healthcheck : NULL;
	int r = parse_test(o, &h->probe.test, err);

	if (r < 0)
		return r;
	if (!h->probe.test && image)
		h->probe.test = strv_copy(image->test);
	h->manual = str_eq(o->health_interval, "disable");
	r = parse_times(o, image, h, err);
	if (r == 0)
		r = parse_counts(o, image, h, err);
	if (r == 0)
		r = parse_action(o, h, err);
	if (r == 0 && config && strv_len(config->shell))
		h->shell = strv_copy(config->shell);
	return r;
}

int health_options_parse(const struct run_options *o, const struct oci_config *image,
			 struct health **ret, struct err *err)
{
	struct health *h;
	int r;

	*ret = NULL;
	if (o->no_healthcheck)
		return health_options_given(o)
			   ? err_fail(err, ERR_USAGE,
				      "--no-healthcheck conflicts with --health-* options")
			   : 0;
	h = xcalloc(1, sizeof(*h));
	r = parse(o, image, h, err);
	if (r == 0 && is_test(h->probe.test))
		*ret = h;
	else
		health_free(h);
	return r;
}
