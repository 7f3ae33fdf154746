/* SPDX-License-Identifier: Apache-2.0 */
/* What `export` and `volume export` share. */
#pragma once

#include "cli/cli.h"

struct export_options {
	char *output;
};
extern const struct opt export_opts[1];

/* Writes what stands for name as a tarball, no file newer than newest (-1: as they are). */
typedef int export_fn(struct engine *eng, const char *name, int64_t newest, int fd,
		      struct err *err);
/* verb: for errors. */
int export_run(const char *verb, export_fn *fn, const void *globals, const void *options,
	       const char *name, struct err *err);
