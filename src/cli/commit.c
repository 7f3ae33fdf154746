/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "cli/transport.h"
#include "engine/commit.h"
#include "runtime/cancel.h"

struct commit_cli_options {
	char *author, *format, *iidfile, *message, *pause;
	char **change;
	struct opt_u64 timestamp;
	bool quiet, no_pause;
};

static const char *const formats[] = { "oci", "docker", NULL };
static const char *const pause_words[] = { "true", "false", NULL };

static const struct opt opts[] = {
	{ .name = "author",
	  .short_name = 'a',
	  .kind = OPT_STR,
	  OPT_FIELD(struct commit_cli_options, author),
	  .arg = "TEXT",
	  .help = "who made the image" },
	{ .name = "change",
	  .short_name = 'c',
	  .kind = OPT_STRV,
	  OPT_FIELD(struct commit_cli_options, change),
	  .arg = "INSTRUCTION",
	  .help = "Dockerfile instruction: CMD ENTRYPOINT ENV EXPOSE LABEL ONBUILD STOPSIGNAL USER "
		  "VOLUME WORKDIR" },
	{ .name = "format",
	  .short_name = 'f',
	  .kind = OPT_STR,
	  OPT_FIELD(struct commit_cli_options, format),
	  .arg = "FORMAT",
	  .help = "of the manifest",
	  .choices = formats },
	{ .name = "iidfile",
	  .kind = OPT_STR,
	  OPT_FIELD(struct commit_cli_options, iidfile),
	  .arg = "FILE",
	  .help = "write the image's id to this file" },
	{ .name = "message",
	  .short_name = 'm',
	  .kind = OPT_STR,
	  OPT_FIELD(struct commit_cli_options, message),
	  .arg = "TEXT",
	  .help = "comment in the image's history" },
	{ .name = "pause",
	  .short_name = 'p',
	  .kind = OPT_STR,
	  OPT_FIELD(struct commit_cli_options, pause),
	  .arg = "BOOL",
	  .help =
	      "stop the container's processes meanwhile (default: true, where that can be done)",
	  .choices = pause_words,
	  .flags = OPT_OPTIONAL_ARG },
	{ .name = "no-pause",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct commit_cli_options, no_pause),
	  .help = "the same as --pause=false" },
	{ .name = "quiet",
	  .short_name = 'q',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct commit_cli_options, quiet),
	  .help = "show no progress" },
	{ .name = "timestamp",
	  .kind = OPT_U64,
	  OPT_FIELD(struct commit_cli_options, timestamp),
	  .arg = "SECONDS",
	  .help = "since 1970, as time of the image and of all files in the layer" },
	OPT_REFUSE("config", "changes are said one by one, with --change"),
	OPT_REFUSE("include-volumes",
		   "what is mounted in a container is no part of its image; see --change VOLUME"),
	OPT_REFUSE("squash", "an image's lower layers stay as they are, shared with others"),
};

static int fill(const struct commit_cli_options *o, char **args, struct container_commit *ret,
		struct err *err)
{
	*ret = (struct container_commit){
		.container = args[0],
		.name = args[1],
		.author = o->author,
		.message = o->message,
		.changes = o->change,
		.pause = !o->no_pause && !str_eq(o->pause, "false"),
		.pause_or_not = !o->pause,
		.docker = str_eq(o->format, "docker"),
		.timestamp = -1,
		.newest = -1,
	};
	if (o->timestamp.set && o->timestamp.value > OUTPUT_EPOCH_MAX)
		return err_fail(err, ERR_USAGE, "--timestamp: expected seconds since 1970");
	if (o->timestamp.set)
		ret->timestamp = (int64_t)o->timestamp.value;
	int r = output_epoch(&ret->newest, err);
	return r < 0 ? r : 0;
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct commit_cli_options *o = options;
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_buf struct buf out = BUF_INIT;
	cleanup_free char *id = NULL;
	struct container_commit commit;

	int r = fill(o, args, &commit, err);
	if (r == 0)
		r = commit.cancel_fd = cancel_begin(err);
	if (r >= 0)
		r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = container_commit(&eng, &commit, &id, err);
	if (r == 0)
		r = cli_write_digest(o->iidfile, id, err);
	if (r < 0)
		return r;
	buf_addf(&out, "%s\n", id);
	return cli_print(&out, err);
}

const struct cmd cmd_commit = {
	.name = "commit",
	.args = "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
	.summary = "Make an image of a container's changes",
	.details =
	    "What the container has changed becomes a layer on top of its image's; what is mounted "
	    "in it does not. The image runs what the container ran, with the variables, labels and "
	    "working directory that it was given.\n\n"
	    "Without --timestamp, SOURCE_DATE_EPOCH is the image's time, and no file's is later.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct commit_cli_options),
	.min_args = 1,
	.max_args = 2,
	.run = run,
};
