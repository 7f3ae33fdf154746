/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cli/cli.h"
#include "engine/service_scale.h"

static int scale_one(struct engine *eng, const char *word, struct err *err)
{
	cleanup_free char *name = xstrndup(word, strcspn(word, "="));
	const char *number = strchr(word, '=');
	uint32_t n;
	int r;

	if (!number || !*name || str_parse_u32(number + 1, &n) < 0)
		return err_fail(err, ERR_USAGE, "invalid scale \"%s\": expected SERVICE=N", word);
	r = service_scale(eng, name, n, err);
	if (r == 0)
		printf("%s scaled to %u\n", name, n);
	return r;
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	cleanup_engine struct engine eng = ENGINE_INIT;
	int r = cli_engine(globals, &eng, err);

	if (r == 0)
		r = engine_dirs(&eng, err);
	if (r == 0)
		r = engine_db(&eng, err);
	for (; r == 0 && *args; args++)
		r = scale_one(&eng, *args, err);
	return r;
}

const struct cmd cmd_scale = {
	.name = "scale",
	.args = "SERVICE=N [SERVICE=N...]",
	.summary = "Change how many replicas a service has",
	.details =
	    "More are made as its newest one was made, and get connections when they are ready: "
	    "healthy, or without a health check when they listen at the published ports. Fewer: "
	    "those with the highest numbers get no new connections, are stopped, and removed. The "
	    "others run afterwards.",
	.min_args = 1,
	.max_args = -1,
	.run = run,
};
