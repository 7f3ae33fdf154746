/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"
#include "cli/cli.h"
#include "cli/transfer.h"
#include "engine/copy.h"
#include "engine/images.h"
#include "oci/reference.h"

struct load_options {
	char *input, *platform;
	bool quiet;
};

static const struct opt opts[] = {
	{ .name = "input",
	  .short_name = 'i',
	  .kind = OPT_STR,
	  OPT_FIELD(struct load_options, input),
	  .arg = "FILE",
	  .help = "read this archive, or directory, instead of standard input" },
	CLI_PLATFORM_OPT(struct load_options, platform,
			 "of an index, the image for this platform; others must be for it"),
	{ .name = "quiet",
	  .short_name = 'q',
	  .kind = OPT_FLAG,
	  OPT_FIELD(struct load_options, quiet),
	  .help = "show no progress" },
};

static void report_image(const struct image *image, struct buf *out)
{
	size_t i;

	if (!strv_len(image->names))
		buf_addf(out, "Loaded image ID: %s\n", image->id);
	for (i = 0; image->names && image->names[i]; i++) {
		cleanup_reference struct reference ref = { 0 };

		if (reference_parse(image->names[i], &ref, NULL) == 0) {
			cleanup_free char *shown = reference_familiar(&ref);

			buf_addf(out, "Loaded image: %s\n", shown);
		}
	}
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct load_options *o = options;
	cleanup_engine struct engine eng = ENGINE_INIT;
	cleanup_buf struct buf out = BUF_INIT;
	cleanup_fd int fd = -EBADF;
	struct image_list list = { 0 };
	struct stat st;
	size_t i;
	int r;

	if (o->input && (str_starts(o->input, "http://") || str_starts(o->input, "https://")))
		return err_fail(err, ERR_UNSUPPORTED, "loading from %s: download it first",
				o->input);
	if (o->input)
		fd = open(o->input, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	else if (isatty(STDIN_FILENO))
		return err_hint(
		    err, err_fail(err, ERR_USAGE, "requested load from stdin, but stdin is empty"),
		    "give the archive with -i FILE, or by a pipe");
	else
		fd = fd_dup(STDIN_FILENO, 3);
	if (fd < 0)
		return err_errno(err, errno, "opening %s", o->input ? o->input : "standard input");
	r = cli_engine(globals, &eng, err);
	if (r == 0)
		r = o->input && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)
			? engine_load_dir(&eng, o->input, o->platform, &list, err)
			: images_load(&eng, fd, o->platform, &list, err);
	if (r < 0)
		return r;
	for (i = 0; i < list.n; i++)
		report_image(&list.items[i], &out);
	image_list_done(&list);
	return cli_print(&out, err);
}

const struct cmd cmd_load = {
	.name = "load",
	.args = "[OPTIONS]",
	.summary = "Load images from an archive",
	.details =
	    "Reads what `docker save`, `skopeo copy ... docker-archive:` or `oci-archive:` and "
	    "`buildah push` write: plain, or compressed with gzip, zstd or xz. With -i also a "
	    "directory that is an OCI image layout, or what skopeo's `dir:` is.",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct load_options),
	.run = run,
};
