/* SPDX-License-Identifier: Apache-2.0 */
/* Options that push and manifest push have: how layers are to be compressed. */
#pragma once

#include "cli/access.h"
#include "image/convert.h"

struct cli_compression {
	char *format;
	struct opt_i64 level;
	struct opt_bool force;
};

#define CLI_COMPRESSION_OPTS(T, member)                                                            \
	{ .name = "compression-format",                                                            \
	  .kind = OPT_STR,                                                                         \
	  OPT_FIELD(T, member.format),                                                             \
	  .arg = "gzip|zstd|none",                                                                 \
	  .help = "compress layers in this way; digests change (default: as they are stored)" },   \
	    { .name = "compression-level",                                                         \
	      .kind = OPT_I64,                                                                     \
	      OPT_FIELD(T, member.level),                                                          \
	      .arg = "N",                                                                          \
	      .help = "1 to 9 of gzip, 1 to 19 of zstd" },                                         \
	{                                                                                          \
		.name = "force-compression", .kind = OPT_FN, OPT_FIELD(T, member.force),           \
		.arg = "true|false", .parse = cli_parse_opt_bool, .flags = OPT_OPTIONAL_ARG,       \
		.help = "also layers that are compressed in another way (default true, with "      \
			"--compression-format)"                                                    \
	}

static inline int cli_compression(const struct cli_compression *o, struct convert_options *ret,
				  struct err *err)
{
	int r = convert_parse(o->format, &o->level, ret, err);

	if (r == 0 && o->force.set && !o->format)
		r = err_fail(err, ERR_USAGE, "--force-compression needs --compression-format");
	ret->all = !o->force.set || o->force.value;
	return r;
}
