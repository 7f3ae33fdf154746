/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/utsname.h>

#include "cli/cli.h"
#include "cli/format.h"
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
	  .help = "json, or a Go template; text when not given" },
};

struct version_client {
	char *version, *os, *arch, *kernel;
};
/* The engine is in this program: what asks for a server's gets the same. */
struct version_info {
	struct version_client client, server;
};
static const struct json_field client_fields[] = {
	JSON_FIELD(struct version_client, version, "Version", JSON_STR),
	JSON_FIELD(struct version_client, os, "Os", JSON_STR),
	JSON_FIELD(struct version_client, arch, "Arch", JSON_STR),
	JSON_FIELD(struct version_client, kernel, "KernelVersion", JSON_STR),
};
static const struct json_desc client_desc = JSON_DESC(struct version_client, client_fields);
static const struct json_field info_fields[] = {
	JSON_FIELD(struct version_info, client, "Client", JSON_STRUCT, .desc = &client_desc),
	JSON_FIELD(struct version_info, server, "Server", JSON_STRUCT, .desc = &client_desc),
};
static const struct json_desc info_desc = JSON_DESC(struct version_info, info_fields);

static struct version_client this_version(const char *kernel)
{
	const struct oci_platform p = oci_platform_native();

	return (struct version_client){ .version = xstrdup(INRO_VERSION),
					.os = xstrdup(p.os),
					.arch = xstrdup(p.architecture),
					.kernel = xstrdup(kernel) };
}

static int run(const void *globals, void *options, char **args, struct err *err)
{
	const struct version_options *o = options;
	const struct oci_platform p = oci_platform_native();
	cleanup_buf struct buf out = BUF_INIT;
	struct version_info info = { 0 };
	struct utsname uts = { 0 };
	int r = 0;

	uname(&uts);
	info.client = this_version(uts.release);
	info.server = this_version(uts.release);
	if (o->format)
		r = cli_format_object(o->format, &info_desc, &info, &out, err);
	else
		buf_addf(&out,
			 "inro\n Version:    %s\n OS/Arch:    %s/%s\n Kernel:     %s\n OCI spec:   "
			 "runtime 1.3, image 1.1\n",
			 INRO_VERSION, p.os, p.architecture, uts.release);
	json_free(&info_desc, &info);
	return r < 0 ? r : cli_print(&out, err);
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
