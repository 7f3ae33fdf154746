/* SPDX-License-Identifier: Apache-2.0 */
/* container cleanup: what a container that has ended may have left. */
#include "base/strv.h"
#include "cli/cli.h"
#include "cli/select.h"
#include "engine/images.h"
#include "engine/life.h"
#include "engine/remove.h"

struct container_cleanup_options {
	struct select_options select;
	bool rm, rmi;
};

static const struct opt opts[] = {
	SELECT_ALL(struct container_cleanup_options, "all containers that do not run"),
	OPT_REFUSE("exec", "what exec has started ends and leaves nothing"),
	SELECT_LATEST(struct container_cleanup_options),
	{ .name = "rm",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct container_cleanup_options, rm),
	  .help = "remove the container" },
	{ .name = "rmi",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct container_cleanup_options, rmi),
	  .help = "remove the container and its image" },
};

static int cleanup_one(struct engine *eng, const char *word, const void *data, struct err *err)
{
	const struct container_cleanup_options *o = data;
	cleanup_record struct record rec = { 0 };
	cleanup_strv char **lines = NULL;
	/* Looking at it takes away what a killed monitor has left. */
	int r = life_find(eng, word, &rec, err);

	if (r == 0 && rec.running)
		return err_fail(err, ERR_CONFLICT,
				"container %s is running or paused, refusing to clean up",
				rec.name);
	if (r == 0 && (o->rm || o->rmi))
		r = engine_remove(eng, rec.id, false, false, err);
	if (r == 0 && o->rmi)
		r = images_remove(eng, rec.image_name, false, &lines, err);
	return r;
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct container_cleanup_options *o = options;
	const struct cli_verb verb = { .which = SELECT_STOPPED, .fn = cleanup_one, .data = o };

	return cli_verb(globals, &o->select, &verb, args, err);
}

const struct cmd cmd_container_cleanup = {
	.name = "cleanup",
	.args = "[OPTIONS] CONTAINER [CONTAINER...]",
	.summary = "Take away what containers that have ended have left",
	.details = "There is nothing left but what a killed monitor could not see to: processes, "
		   "cgroups, a record that says it runs. Every command that looks at a container "
		   "does this, too.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct container_cleanup_options),
	.max_args = -1,
	.run = run,
};
