/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "cli/transfer.h"
#include "engine/save.h"
#include "runtime/cancel.h"

struct save_cli_options {
	char *output, *format, *platform;
	bool multi, quiet, uncompressed;
};

static const struct opt opts[] = {
	{ .name = "format",
	  .kind = OPT_STR,
	  OPT_FIELD(struct save_cli_options, format),
	  .arg = "FORMAT",
	  .help = "what to write; docker-archive, the default, is an OCI layout as well",
	  .choices = save_format_names },
	{ .name = "multi-image-archive",
	  .short_name = 'm',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct save_cli_options, multi),
	  .help = "allow several images, which is always allowed: for scripts made for podman" },
	{ .name = "output",
	  .short_name = 'o',
	  .kind = OPT_STR,
	  OPT_FIELD(struct save_cli_options, output),
	  .arg = "FILE",
	  .help = "write to this file, or directory, instead of standard output" },
	CLI_PLATFORM_OPT(struct save_cli_options, platform,
			 "of a list, the image for this platform; another image must be for it"),
	{ .name = "quiet",
	  .short_name = 'q',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct save_cli_options, quiet),
	  .help = "show no progress" },
	{ .name = "uncompressed",
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct save_cli_options, uncompressed),
	  .help = "write layers as plain tars; digests change" },
	OPT_REFUSE("compress", "layers are written as they are stored"),
};

static int open_output(const struct save_cli_options *o, struct save_options *opts_ret,
		       struct output *out, struct err *err)
{
	for (int i = 0; o->format && save_format_names[i]; i++)
		if (str_eq(o->format, save_format_names[i]))
			opts_ret->format = (enum save_format)i;
	int r = output_epoch(&opts_ret->mtime, err);
	if (r < 0)
		return r;
	if (!save_format_is_dir(opts_ret->format))
		return output_open(o->output, "save", out, err);
	if (!o->output)
		return err_fail(err, ERR_USAGE, "--format %s writes a directory: name it with -o",
				o->format);
	/* A file vanishes with a process that is killed; a directory has to be removed. */
	opts_ret->cancel_fd = cancel_begin(err);
	return opts_ret->cancel_fd < 0 ? opts_ret->cancel_fd
				       : output_open_dir(o->output, NULL, out, err);
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_output struct output out = OUTPUT_INIT;
	const struct save_cli_options *o = options;
	struct save_options save = { .format = SAVE_DOCKER_ARCHIVE,
				     .uncompressed = o->uncompressed };

	int r = open_output(options, &save, &out, err);
	if (r == 0)
		r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = images_save(&eng, args, o->platform, &save, out.fd, err);
	return r < 0 ? r : output_finish(&out, err);
}

const struct cmd cmd_save = {
	.name = "save",
	.args = "[OPTIONS] IMAGE...",
	.summary = "Save images to an archive or a directory",
	.details =
	    "The archive is a docker-archive and an OCI image layout in one: `docker load`, "
	    "`podman "
	    "load`, `ctr image import` and `skopeo copy oci-archive:...` all read it. Manifests, "
	    "configurations and layers go out as they are, so that all digests stay, and the same "
	    "images always give the same bytes.\n\n"
	    "A repository without a tag stands for all of its tags that are here; an id for the "
	    "image without its names.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct save_cli_options),
	.min_args = 1,
	.max_args = -1,
	.run = run,
};
