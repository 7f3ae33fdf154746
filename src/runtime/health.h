/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Health checks: what is probed, when, and what the answers mean. docker's rules, podman's startup
 * probes and actions. Shared by the engine, which writes the settings into the container's run
 * directory, and the monitor, whose probes keep the state there. Pure functions.
 */
#pragma once

#include "base/json.h"

#define HEALTH_SETTINGS_FILE "healthcheck.json" /* struct health, written at each start */
#define HEALTH_STATE_FILE    "health.json"      /* struct health_state, written by rename */
#define HEALTH_SETTINGS_MAX  (1u << 20)
#define HEALTH_STATE_MAX     (1u << 20)
#define HEALTH_LOG_MAX       5    /* answers that are kept */
#define HEALTH_OUTPUT_MAX    4096 /* bytes of each */

enum health_status { HEALTH_STARTING, HEALTH_HEALTHY, HEALTH_UNHEALTHY };
extern const char *const health_status_names[];
enum health_on_failure {
	HEALTH_ACTION_NONE,
	HEALTH_ACTION_KILL,
	HEALTH_ACTION_RESTART,
	HEALTH_ACTION_STOP
};
extern const char *const health_action_names[];

/* Times in nanoseconds. The test is a kind and its arguments: CMD with a command, CMD-SHELL with a
 * line for the shell; TCP, HTTP and FILE with a target each. */
struct health_probe {
	char **test;
	int64_t interval_ns, timeout_ns;
	int64_t retries; /* failures that count as one; of startup 0: any number */
	int64_t success; /* of startup: how many it takes; 0 like 1 */
};
struct health {
	struct health_probe probe;
	int64_t start_period_ns, start_interval_ns;
	struct health_probe startup; /* test NULL: none */
	char **shell;                /* of the image; NULL: /bin/sh -c */
	int on_failure;              /* enum health_on_failure; -1 like none */
	bool manual;                 /* only when somebody asks */
};
extern const struct json_desc health_desc;

struct health_entry {
	char *start, *end; /* RFC 3339 */
	int64_t exit_code; /* 0: well; -1: no answer in time, or the probe could not be made */
	char *output;
};
struct health_state {
	int status; /* enum health_status */
	int64_t failing_streak;
	JSON_LIST(struct health_entry) log; /* oldest first */
	bool started;                       /* startup probes are over */
	int64_t startup_passed, startup_failed;
};
extern const struct json_desc health_state_desc;
/* The same as docker's inspect shows it: without what is ours. */
extern const struct json_desc health_shown_desc;

struct health_answer {
	int exit_code;
	int64_t start_ns, end_ns; /* realtime */
	const char *output;       /* any bytes but NUL */
};
/* Takes an answer in. since_ns: how long the container had run when the probe began. Returns the
 * action that is due now, enum health_on_failure. */
int health_take(const struct health *h, struct health_state *st, const struct health_answer *a,
		int64_t since_ns);
/* The probe whose turn it is. */
const struct health_probe *health_next(const struct health *h, const struct health_state *st);
/* How long to wait for the next one after this one. since_ns: how long the container has run. */
int64_t health_delay_ns(const struct health *h, const struct health_state *st, int64_t since_ns);

/* Where probes without a process go: literal addresses, for names would be looked up. */
#define HEALTH_ADDRESS_MAX 46
struct health_target {
	char address[HEALTH_ADDRESS_MAX]; /* "": the container's loopback, IPv4 or IPv6 */
	bool ipv6;
	uint16_t port;
	const char *path; /* of HTTP, into the text: "/..." ; never NULL */
};
/* "[ADDRESS:]PORT", IPv6 in brackets. -EINVAL. */
int health_parse_tcp(const char *text, struct health_target *ret) MUST_CHECK;
/* "[http://][ADDRESS][:PORT][/PATH]". -EINVAL; -EPROTONOSUPPORT: https. */
int health_parse_http(const char *text, struct health_target *ret) MUST_CHECK;
/* "/PATH[:MAX-AGE]". *ret_path: heap; *ret_age_ns 0: any age. -EINVAL. */
int health_parse_file(const char *text, char **ret_path, int64_t *ret_age_ns) MUST_CHECK;
/* The status of "HTTP/1.1 200 OK", of what a server that may be hostile has sent. -EAGAIN: the line
 * is not whole yet; -EINVAL: it is none. */
#define HEALTH_HTTP_LINE_MAX 1024
int health_http_status(const char *text, size_t len, int *ret_status) MUST_CHECK;
