/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <sys/utsname.h>

#include "base/json.h"
#include "base/str.h"
#include "cli/cli.h"
#include "oci/image.h"

struct version_options {
	char *format;
};

static const struct opt opts[] = {
	{ .name = "format",
	  .short_name = 'f',
	  .kind = OPT_STR,
	  OPT_FIELD(struct version_options, format),
	  .arg = "FORMAT",
	  .help = "json, or text when not given" },
};

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct version_options *o = options;
	const struct oci_platform p = oci_platform_native();
	cleanup_buf struct buf out = BUF_INIT;
	struct utsname uts = { 0 };

	if (o->format && !str_eq(o->format, "json"))
		return err_fail(err, ERR_UNSUPPORTED,
				"--format \"%s\": templates are not implemented yet, only json",
				o->format);
	uname(&uts);
	if (o->format)
		buf_addf(&out,
			 "{\"Client\":{\"Version\":\"%s\",\"Os\":\"%s\",\"Arch\":\"%s\","
			 "\"KernelVersion\":\"%s\"}}\n",
			 INRO_VERSION, p.os, p.architecture, uts.release);
	else
		buf_addf(&out,
			 "inro\n Version:    %s\n OS/Arch:    %s/%s\n Kernel:     %s\n OCI spec:   "
			 "runtime 1.3, image 1.1\n",
			 INRO_VERSION, p.os, p.architecture, uts.release);
	return cli_print(&out, err);
}

const struct cmd cmd_version = {
	.name = "version",
	.args = "[OPTIONS]",
	.summary = "Show the version of inro",
	.opts = opts,
	.n_opts = ARRAY_SIZE(opts),
	.opts_size = sizeof(struct version_options),
	.run = run,
};
