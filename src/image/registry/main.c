/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inro-registry: talks to registries so that the engine need not. Started by the engine only
 * (image/registry_run.c), with its end of a socket as file descriptor 3; see proto.h.
 *   inro-registry [--retries=N] [--retry-delay=MS] [--timeout=SECONDS] [--debug]
 */
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "image/registry/confine.h"
#include "image/registry/session.h"

#define RETRIES   5
#define TIMEOUT_S 60

struct args {
	uint32_t retries, timeout_s;
	int retry_delay_ms;
	bool debug;
};

static int args_parse(char **argv, struct args *args, struct err *err)
{
	for (; *argv; argv++) {
		const char *retries = str_after(*argv, "--retries=");
		const char *delay = str_after(*argv, "--retry-delay=");
		const char *timeout = str_after(*argv, "--timeout=");
		if (retries && str_parse_u32(retries, &args->retries) == 0 && args->retries <= 100)
			continue;
		if (delay && str_parse_int(delay, &args->retry_delay_ms) == 0 &&
		    args->retry_delay_ms >= 0)
			continue;
		if (timeout && str_parse_u32(timeout, &args->timeout_s) == 0 &&
		    args->timeout_s > 0 && args->timeout_s <= 86400)
			continue;
		if (!str_eq(*argv, "--debug"))
			return err_fail(err, ERR_USAGE, "unknown argument %s", *argv);
		args->debug = true;
	}
	return 0;
}

static int run(const struct args *args, struct err *err)
{
	static struct session session;

	/* Each thread's own heap would keep what it has once had. */
	mallopt(M_ARENA_MAX, 2);
	mallopt(M_MMAP_THRESHOLD, 128 << 10);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_fail(err, ERR_SYSTEM, "setting up libcurl");
	const char *const certificates[] = { getenv("SSL_CERT_FILE"), getenv("SSL_CERT_DIR") };
	int r = confine(certificates, ARRAY_SIZE(certificates), err);
	if (r < 0)
		return r;
	session_init(&session, REGISTRY_FD, (int)args->retries, (int)args->timeout_s, environ);
	session.retry_delay_ms = args->retry_delay_ms;
	return session_serve(&session, err);
}

int main(int argc, char **argv)
{
	struct args args = { .retries = RETRIES, .retry_delay_ms = -1, .timeout_s = TIMEOUT_S };
	struct err err = ERR_INIT;

	if (fcntl(REGISTRY_FD, F_GETFD) < 0) {
		log_setup("inro", STDERR_FILENO, LOG_PLAIN, LOG_WARN);
		log_error("inro-registry is run by inro, not by hand");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	int r = args_parse(argc > 0 ? argv + 1 : argv, &args, &err);
	log_setup("inro", STDERR_FILENO, LOG_PLAIN, args.debug ? LOG_DEBUG : LOG_WARN);
	if (r == 0)
		r = run(&args, &err);
	if (r < 0)
		log_error("inro-registry: %s", err.msg);
	/* Threads are at work: nothing is torn down under them. */
	_exit(r < 0 ? 1 : 0);
}
