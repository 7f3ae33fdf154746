/* SPDX-License-Identifier: Apache-2.0 */
/* inspect, image inspect, container inspect; those of volumes and pods are in volume.c and
 * pod_show.c. */
#include "base/str.h"
#include "base/strv.h"
#include "cli/cli.h"
#include "cli/format.h"
#include "cli/inspect.h"
#include "cli/select.h"
#include "cli/transfer.h"
#include "engine/container_inspect.h"
#include "engine/image_inspect.h"
#include "engine/lists.h"
#include "engine/pod_inspect.h"
#include "engine/volumes_query.h"

struct inspect_options {
	char *format, *type, *platform;
	bool size;
	struct select_options select;
};

#define OPT_FORMAT                                                                                 \
	{                                                                                          \
		.name = "format", .short_name = 'f', .kind = OPT_STR,                              \
		OPT_FIELD(struct inspect_options, format), .arg = "FORMAT",                        \
		.help = "json (in one line), or a Go template"                                     \
	}
#define OPT_SIZE                                                                                   \
	{                                                                                          \
		.name = "size", .short_name = 's', .kind = OPT_FLAG,                               \
		OPT_FIELD(struct inspect_options, size),                                           \
		.help = "of containers, the size of what they have written"                        \
	}

static const char *const types[] = { "all", "artifact", "container", "image", "network",
				     "pod", "secret",   "volume",    NULL };

static const struct opt opts[] = {
	OPT_FORMAT,
	SELECT_LATEST(struct inspect_options),
	OPT_SIZE,
	{ .name = "type",
	  .kind = OPT_STR,
	  OPT_FIELD(struct inspect_options, type),
	  .arg = "TYPE",
	  .help = "what to look for; all, the default: containers first, then images, volumes, "
		  "networks, pods; no secrets nor artifacts",
	  .choices = types },
};
static const struct opt image_opts[] = {
	OPT_FORMAT,
	CLI_PLATFORM_OPT(struct inspect_options, platform,
			 "of a list, the image for this platform; another image must be for it"),
};
static const struct opt container_opts[] = {
	OPT_FORMAT,
	SELECT_LATEST(struct inspect_options),
	OPT_SIZE,
};

static int add_container(struct engine *eng, const char *word, const struct inspect_options *o,
			 struct cli_objects *objects, struct err *err)
{
	cleanup_container_inspect struct container_inspect ci = { 0 };
	int r = container_inspect(eng, word, o->size, &ci, err);

	return r < 0 ? r : cli_objects_add(objects, &container_inspect_desc, &ci, err);
}

static int add_image(struct engine *eng, const char *word, const struct inspect_options *o,
		     struct cli_objects *objects, struct err *err)
{
	cleanup_image_inspect struct image_inspect ii = { 0 };
	cleanup_free char *found = NULL;
	int r = images_for_platform(eng, word, o->platform, &found, err);

	if (r == 0)
		r = image_inspect(eng, found, &ii, err);
	return r < 0 ? r : cli_objects_add(objects, &image_inspect_desc, &ii, err);
}

static int add_volume(struct engine *eng, const char *word, struct cli_objects *objects,
		      struct err *err)
{
	cleanup_volume_inspect struct volume_inspect vi = { 0 };
	int r = volume_inspect(eng, word, &vi, err);

	return r < 0 ? r : cli_objects_add(objects, &volume_inspect_desc, &vi, err);
}

static int add_pod(struct engine *eng, const char *word, struct cli_objects *objects,
		   struct err *err)
{
	cleanup_pod_inspect struct pod_inspect pi = { 0 };
	cleanup_pod_views struct pod_views views = { 0 };
	int r = pod_view(eng, word, &views, err);

	if (r == 0)
		r = pod_inspect(eng, views.items, &pi, err);
	return r < 0 ? r : cli_objects_add(objects, &pod_inspect_desc, &pi, err);
}

static int add(struct engine *eng, const char *word, const struct inspect_options *o,
	       struct cli_objects *objects, struct err *err)
{
	bool all = !o->type || str_eq(o->type, "all");
	struct err one = ERR_INIT;
	int r;

	if (str_eq(o->type, "image"))
		return add_image(eng, word, o, objects, err);
	if (str_eq(o->type, "volume"))
		return add_volume(eng, word, objects, err);
	if (str_eq(o->type, "network"))
		return cli_inspect_network(eng, word, objects, err);
	if (str_eq(o->type, "pod"))
		return add_pod(eng, word, objects, err);
	if (str_eq(o->type, "secret"))
		return cli_inspect_secret(eng, word, false, objects, err);
	if (str_eq(o->type, "artifact"))
		return cli_inspect_artifact(eng, word, objects, err);
	r = add_container(eng, word, o, objects, &one);
	if (r == 0)
		return 0;
	if (!all || one.kind != ERR_NOT_FOUND) {
		*err = one;
		return r;
	}
	r = add_image(eng, word, o, objects, &one);
	/* what is no name of an image may be one of a volume */
	if (r < 0 && (one.kind == ERR_NOT_FOUND || one.kind == ERR_INVALID))
		r = add_volume(eng, word, objects, &one);
	if (r < 0 && one.kind == ERR_NOT_FOUND)
		r = cli_inspect_network(eng, word, objects, &one);
	if (r < 0 && one.kind == ERR_NOT_FOUND)
		r = add_pod(eng, word, objects, &one);
	if (r < 0 && one.kind == ERR_NOT_FOUND)
		return err_fail(err, ERR_NOT_FOUND, "No such object: %s", word);
	if (r < 0)
		*err = one;
	return r;
}

static int inspect(const void *globals, const struct inspect_options *o, char **args,
		   struct err *err)
{
	cleanup_cli_objects struct cli_objects *objects = NULL;
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_strv char **words = NULL;
	int status = 0, r;

	if (o->select.latest == (args[0] != NULL))
		return err_fail(err, ERR_USAGE, "give what to inspect, or --latest");
	r = cli_objects_new(o->format, &objects, err);
	if (r == 0)
		r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = cli_select(&eng, &o->select, SELECT_ANY, args, &words, err);
	if (r < 0)
		return r;
	/* what is found is shown, also when something else is not */
	for (args = words; args && *args; args++) {
		struct err one = ERR_INIT;

		if (add(&eng, *args, o, objects, &one) == 0)
			continue;
		cli_report(&one);
		status = 1;
	}
	r = cli_objects_print(objects, err);
	return r < 0 ? r : status;
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	return inspect(globals, options, args, err);
}

static int run_as(const void *globals, const void *options, const char *type, char **args,
		  struct err *err)
{
	struct inspect_options o = *(const struct inspect_options *)options;
	cleanup_free char *word = xstrdup(type);

	o.type = word;
	return inspect(globals, &o, args, err);
}

static int run_image(const void *globals, void *options, char **args, struct err *err)
{
	return run_as(globals, options, "image", args, err);
}

static int run_container(const void *globals, void *options, char **args, struct err *err)
{
	return run_as(globals, options, "container", args, err);
}

const struct cmd cmd_inspect = {
	.name = "inspect",
	.args = "[OPTIONS] [NAME|ID...]",
	.summary = "Show all that is known of containers, images, volumes, networks and pods",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct inspect_options),
	.max_args = -1,
	.run = run,
};

const struct cmd cmd_image_inspect = {
	.name = "inspect",
	.args = "[OPTIONS] IMAGE [IMAGE...]",
	.summary = "Show all that is known of images",
	.opts = image_opts,
	.n_opts = ARRAY_SIZE(image_opts),
	.opts_size = sizeof(struct inspect_options),
	.min_args = 1,
	.max_args = -1,
	.run = run_image,
};

const struct cmd cmd_container_inspect = {
	.name = "inspect",
	.args = "[OPTIONS] [CONTAINER...]",
	.summary = "Show all that is known of containers",
	.opts = container_opts,
	.n_opts = ARRAY_SIZE(container_opts),
	.opts_size = sizeof(struct inspect_options),
	.max_args = -1,
	.run = run_container,
};
