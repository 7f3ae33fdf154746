/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/timeutil.h"
#include "cli/cli.h"
#include "cli/transfer.h"
#include "engine/images.h"
#include "engine/changes.h"

struct import_options {
	char **change;
	char *message;
	bool quiet;
	struct cli_platform platform;
};

static const struct opt opts[] = {
	{ .name = "change",
	  .short_name = 'c',
	  .kind = OPT_STRV,
	  OPT_FIELD(struct import_options, change),
	  .arg = "INSTRUCTION",
	  .help = "Dockerfile instruction: CMD ENTRYPOINT ENV EXPOSE LABEL ONBUILD STOPSIGNAL USER "
		  "VOLUME WORKDIR" },
	{ .name = "message",
	  .short_name = 'm',
	  .kind = OPT_STR,
	  OPT_FIELD(struct import_options, message),
	  .arg = "TEXT",
	  .help = "comment in the image's history" },
	CLI_PLATFORM_OPTS(struct import_options, platform,
			  "what the files are for (default: this machine's)"),
	{ .name = "quiet",
	  .short_name = 'q',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct import_options, quiet),
	  .help = "show no progress" },
};

static int open_source(const char *path, struct err *err)
{
	int fd;

	if (str_starts(path, "http://") || str_starts(path, "https://"))
		return err_fail(err, ERR_UNSUPPORTED, "importing from %s: download it first", path);
	fd = str_eq(path, "-") ? fd_dup(STDIN_FILENO, 3) : open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_errno(err, errno, "opening %s", path) : fd;
}

static int fill_platform(const struct import_options *o, struct oci_image_config *config,
			 struct err *err)
{
	struct oci_platform platform = { 0 };
	cleanup_free char *text = NULL;

	int r = cli_platform(&o->platform, &text, err);
	if (r == 0 && text)
		r = oci_platform_parse(text, &platform, err);
	config->os = take_ptr(platform.os);
	config->architecture = take_ptr(platform.architecture);
	config->variant = take_ptr(platform.variant);
	return r;
}

static int fill_config(const struct import_options *o, struct oci_image_config *config,
		       struct err *err)
{
	char now[TIME_RFC3339_MAX];
	size_t i;
	int r;

	config->created = xstrdup(time_rfc3339(time_now_ns(), now));
	config->config = xcalloc(1, sizeof(*config->config));
	config->history.items = xcalloc(1, sizeof(*config->history.items));
	config->history.n = 1;
	config->history.items[0].created = xstrdup(now);
	config->history.items[0].comment = xstrdup(o->message ? o->message : "imported by inro");
	for (i = 0; o->change && o->change[i]; i++) {
		r = change_apply(o->change[i], config->config, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct import_options *o = options;
	cleanup_image_config struct oci_image_config config = { 0 };
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_buf struct buf out = BUF_INIT;
	cleanup_free char *id = NULL;
	cleanup_fd int fd = -EBADF;
	int r;

	r = fill_platform(o, &config, err);
	if (r == 0)
		r = fill_config(o, &config, err);
	if (r < 0)
		return r;
	fd = open_source(args[0], err);
	if (fd < 0)
		return fd;
	r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = images_import(&eng, fd, &config, args[1], &id, err);
	if (r < 0)
		return r;
	buf_addf(&out, "%s\n", id);
	return cli_print(&out, err);
}

const struct cmd cmd_import = {
	.name = "import",
	.args = "[OPTIONS] FILE|- [REPOSITORY[:TAG]]",
	.summary = "Make an image of a root filesystem's tarball",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct import_options),
	.min_args = 1,
	.max_args = 2,
	.run = run,
};
