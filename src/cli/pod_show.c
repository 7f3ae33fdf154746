/* SPDX-License-Identifier: Apache-2.0 */
/* pod exists, inspect. */
#include "base/strv.h"
#include "cli/cli.h"
#include "cli/format.h"
#include "cli/pod.h"
#include "engine/pod_inspect.h"

static int run_exists(const void *globals, void *options, char **args, struct err *err)
{
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_pod struct pod pod = { 0 };
	int r = cli_engine(globals, &eng, err);

	if (r == 0)
		r = pod_find(&eng, args[0], &pod, err);
	return cli_exists(r, err);
}

const struct cmd cmd_pod_exists = {
	.name = "exists",
	.args = "POD",
	.summary = "Tell by the exit status whether there is a pod",
	.details = "Exit status: 0, it is there; 1, it is not; 125, inro failed.",
	.min_args = 1,
	.max_args = 1,
	.run = run_exists,
};

struct inspect_options {
	struct pod_select select;
	char *format;
};

static const struct opt inspect_opts[] = {
	{ .name = "format",
	  .short_name = 'f',
	  .kind = OPT_STR,
	  OPT_FIELD(struct inspect_options, format),
	  .arg = "FORMAT",
	  .help = "json (in one line), or a Go template" },
	POD_LATEST(struct inspect_options),
};

static int add(struct engine *eng, const char *word, const void *data, struct cli_objects *objects,
	       struct err *err)
{
	cleanup_pod_views struct pod_views views = { 0 };
	cleanup_pod_inspect struct pod_inspect pi = { 0 };
	int r = pod_view(eng, word, &views, err);

	if (r == 0)
		r = pod_inspect(eng, views.items, &pi, err);
	return r < 0 ? r : cli_objects_add(objects, &pod_inspect_desc, &pi, err);
}

static int run_inspect(const void *globals, void *options, char **args, struct err *err)
{
	const struct inspect_options *o = options;
	cleanup_cli_objects struct cli_objects *objects = NULL;
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_strv char **words = NULL;
	int r = cli_objects_new(o->format, &objects, err);

	if (r == 0)
		r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = cli_pods(&eng, &o->select, args, &words, err);
	return r < 0 ? r : cli_objects_of(objects, &eng, words, add, NULL, 125, err);
}

const struct cmd cmd_pod_inspect = {
	.name = "inspect",
	.args = "[OPTIONS] POD [POD...]",
	.summary = "Show all that is known of pods",
	.opts = inspect_opts,
	.n_opts = ARRAY_SIZE(inspect_opts),
	.opts_size = sizeof(struct inspect_options),
	.max_args = -1,
	.run = run_inspect,
};
